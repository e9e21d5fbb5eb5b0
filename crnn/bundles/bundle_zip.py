"""A bundle in a zip from elsewhere: what may be in it, read no further than it may reach."""

from __future__ import annotations

import zipfile

from crnn.bundles.bundle import CARD_NAME, EMBEDDINGS_NAME, ONNX_NAME
from crnn.bundles.bundle_json import JSON_NAME
from crnn.bundles.companion import COMPANION_NAME
from crnn.errors import BundleError
from crnn.limits import MAX_BUNDLE_BYTES
from crnn.text import listed
from crnn.zip_directory import reason

# The files that travel: all but the Keras file.
PACKED = (JSON_NAME, ONNX_NAME, COMPANION_NAME, EMBEDDINGS_NAME, CARD_NAME)
_MAX_ENTRIES = 64
_LINK_BITS, _REGULAR_BITS = 0o170000, 0o100000


# What frameworks write of a network alone. (A .keras file is a zip itself.)
_BARE = (".keras", ".h5", ".hdf5", ".onnx", ".tflite", ".pkl", ".pickle", ".joblib", ".pt", ".pth", ".safetensors")
_WHAT_WOULD_DO = "Import a model that GenreScope exported as a zip (Models → Export → To import elsewhere)."


def check_kind(file_name: str) -> None:
    """Refuse a network without what makes a model of it.

    Args:
        file_name: What the file is called.

    Raises:
        BundleError: It is one, by its ending.
    """
    if file_name.lower().endswith(_BARE):
        raise BundleError(
            f"{file_name} is a network alone, which cannot be imported: it tells neither what to compute of a sound "
            f"for it nor the names of its genres, and some such files run code when they are opened. {_WHAT_WOULD_DO}"
        )


def damaged(file_name: str, err: BaseException) -> BundleError:
    """What is said of a file that cannot be read as a zip.

    Args:
        file_name: What it is called; empty where nobody knows.
        err: What reading it raised.
    """
    said = f"{file_name or 'This'} is no zip file, or it is locked with a password or damaged{reason(err)}."
    return BundleError(f"{said} {_WHAT_WOULD_DO}")


def read_contents(zip_file: zipfile.ZipFile) -> dict[str, bytes]:
    """The files of a bundle by their names.

    Raises:
        BundleError: It is no zip of a bundle, hostile or too large.
        BadZipFile, OSError: It is damaged.
    """
    # What a Mac adds to every zip that it packs is not read.
    infos = [info for info in zip_file.infolist() if not info.is_dir() and not _is_left_by_a_mac(info)]
    if len(infos) > _MAX_ENTRIES:
        raise BundleError(f"The zip holds {len(infos)} files; a model has at most {len(PACKED)}.")
    wanted = _checked_names(infos)
    budget = MAX_BUNDLE_BYTES
    contents = {}
    for name, info in wanted.items():
        # What the directory says of a size may be a lie: reading stops at the limit.
        with zip_file.open(info) as file:
            contents[name] = file.read(budget + 1)
        budget -= len(contents[name])
        if budget < 0:
            raise BundleError(f"The zip would unpack to more than {MAX_BUNDLE_BYTES >> 20} MB. It was refused.")
    return contents


def _is_left_by_a_mac(info: zipfile.ZipInfo) -> bool:
    parts = info.orig_filename.replace("\\", "/").split("/")
    return parts[0] == "__MACOSX" or parts[-1] == ".DS_Store"


def _checked_names(infos: list[zipfile.ZipInfo]) -> dict[str, zipfile.ZipInfo]:
    """The files of a bundle by their names; they may lie in one folder."""
    paths_in_zip = [info.orig_filename.replace("\\", "/") for info in infos]
    bad = [
        path
        for path, info in zip(paths_in_zip, infos, strict=True)
        if ".." in path.split("/")
        or path.startswith("/")
        or ":" in path
        or not path.isprintable()
        or info.external_attr >> 16 & _LINK_BITS not in {0, _REGULAR_BITS}
    ]
    if bad:
        raise BundleError(f"The zip was refused: {listed(bad)} would be written outside its folder, or is a link.")
    if any(path.endswith((".keras", ".h5", ".pkl", ".pickle", ".py")) for path in paths_in_zip):
        raise BundleError(
            "The zip holds a Keras file, a pickle or a program. These can run code when they are opened, so they are "
            "never imported. Export the model on the Models page there “to import elsewhere”: that zip holds what is "
            "needed. One with its Keras file is unpacked into the folder of models, on a machine of your own."
        )
    folders = {path.rpartition("/")[0] for path in paths_in_zip}
    wanted = {path.rpartition("/")[2]: info for path, info in zip(paths_in_zip, infos, strict=True)}
    strangers = sorted(set(wanted) - set(PACKED))
    if len(folders) > 1 or len(wanted) != len(infos) or strangers or "/" in "".join(folders):
        named = f" It holds {listed(strangers)}." if strangers else ""
        raise BundleError(f"This zip is no model: one folder with {', '.join(PACKED)} is expected.{named}")
    return wanted
