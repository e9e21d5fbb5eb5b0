"""The shelf of models: save, rename, delete and bring back, pack for another machine, import.

An imported bundle is JSON, ONNX and an npz without pickles, never code: Keras files and
everything else unexpected are refused with a sentence, and sizes are held to while reading.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
import zlib
from pathlib import Path

from crnn import paths
from crnn.bundle import (
    CARD_NAME,
    EMBEDDINGS_NAME,
    JSON_NAME,
    KERAS_NAME,
    ONNX_NAME,
    Bundle,
    check_name,
    load_bundle,
    rewrite_json,
    save_bundle,
)
from crnn.card import model_card
from crnn.errors import BundleError
from crnn.limits import MAX_BUNDLE_BYTES
from crnn.locks import sole_writer
from crnn.unpacking import listed

_DELETED = ".deleted"
_ACCEPTED = frozenset({JSON_NAME, ONNX_NAME, EMBEDDINGS_NAME, CARD_NAME})
_PACKED = (JSON_NAME, ONNX_NAME, EMBEDDINGS_NAME, CARD_NAME)
_MAX_ENTRIES = 64
_REPOSITORY = Path(__file__).resolve().parent.parent
# Some seconds at the most, on a machine that is not busy with other things.
_TRIAL_SECONDS = 120.0
_LINK_BITS, _REGULAR_BITS = 0o170000, 0o100000


@dataclasses.dataclass(frozen=True)
class Deleted:
    """A model that was taken off the shelf and can be put back."""

    name: str
    folder: Path


def save_copy(bundle: Bundle, name: str, notes: str = "") -> Bundle:
    """A copy of a bundle on the shelf, under a name and with notes of its own.

    Raises:
        BundleError: The name will not do or is taken, or the disk refuses.
    """
    named = dataclasses.replace(bundle, name=name, notes=notes)
    return save_bundle(named, paths.models_dir() / check_name(name), lambda draft: _copy_files(named, draft))


def _copy_files(bundle: Bundle, draft: Path) -> None:
    for file in bundle.files:
        shutil.copyfile(bundle.file(file), draft / file)
    _write_card(bundle, draft)


def _write_card(bundle: Bundle, folder: Path) -> None:
    # Hand-made and foreign bundles may lack what the card tells; they keep the one that they have.
    with contextlib.suppress(KeyError, TypeError, ValueError):
        (folder / CARD_NAME).write_text(model_card(bundle), encoding="utf-8")


def rename(bundle: Bundle, name: str) -> Bundle:
    """The bundle under another name.

    Raises:
        BundleError: The name will not do or is taken, or the disk refuses.
    """
    if bundle.path is None:
        raise BundleError(f"The model “{bundle.name}” is not on disk.")
    target = bundle.path.with_name(check_name(name))
    try:
        with sole_writer(target.parent):
            # The disk may take “Jazz” and “jazz” for one: then a change of letters alone is no clash.
            if target.exists() and not target.samefile(bundle.path):
                raise BundleError(f"A model “{name}” is there already. Choose another name.")
            bundle.path.rename(target)
            try:
                renamed = rewrite_json(dataclasses.replace(bundle, name=name, path=target))
            except BundleError:
                target.rename(bundle.path)
                raise
    except OSError as err:
        raise BundleError(f"“{bundle.name}” could not be renamed: {err.strerror or err}.") from err
    with contextlib.suppress(OSError):
        _write_card(renamed, target)
    return renamed


def delete(folder: Path) -> Deleted:
    """Take a model off the shelf, so that it can be put back; one that does not load as well.

    Raises:
        BundleError: The disk refuses.
    """
    target = folder.parent / _DELETED / f"{folder.name}@{time.time_ns()}"
    try:
        with sole_writer(folder.parent):
            target.parent.mkdir(exist_ok=True)
            folder.rename(target)
    except OSError as err:
        raise BundleError(f"“{folder.name}” could not be deleted: {err.strerror or err}.") from err
    return Deleted(folder.name, target)


def deleted() -> list[Deleted]:
    """Models that can be put back, the last deleted first."""
    folder = paths.models_dir() / _DELETED
    try:
        found = [path for path in folder.iterdir() if path.is_dir()]
    except OSError:  # nothing was deleted yet, or the folder cannot be read, which the shelf says
        return []
    found.sort(key=lambda path: path.name.rpartition("@")[2], reverse=True)
    return [Deleted(path.name.rpartition("@")[0], path) for path in found]


def put_back(model: Deleted) -> None:
    """Undo a deletion.

    Raises:
        BundleError: The name was taken meanwhile, or the disk refuses.
    """
    target = paths.models_dir() / model.name
    try:
        with sole_writer(target.parent):
            if target.exists():
                raise BundleError(f"A model “{model.name}” is there again. Rename that one first.")
            model.folder.rename(target)
    except OSError as err:
        raise BundleError(f"“{model.name}” could not be put back: {err.strerror or err}.") from err


def throw_away(model: Deleted) -> None:
    """Delete a deleted model for good."""
    # Taken away first: put back by another server in the midst of it, half a model would be on the shelf.
    doomed = model.folder.parent.with_name(f".{model.folder.name}-thrown-{time.time_ns()}")
    with contextlib.suppress(OSError):
        model.folder.rename(doomed)
        shutil.rmtree(doomed, ignore_errors=True)


def pack(bundle: Bundle) -> bytes:
    """A bundle as a zip that `import_zip` takes: all but the Keras file, which only training needs.

    Raises:
        BundleError: A file of it cannot be read.
    """
    serving = {name: digest for name, digest in bundle.files.items() if name != KERAS_NAME}
    light = dataclasses.replace(bundle, files=serving)
    out = io.BytesIO()
    with tempfile.TemporaryDirectory() as temporary:
        copy = save_bundle(light, Path(temporary) / bundle.name, lambda draft: _copy_files(light, draft))
        assert copy.path is not None
        # Not strict: small computers without a clock of their own begin in 1970, zips in 1980.
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, strict_timestamps=False) as zip_file:
            for name in _PACKED:
                if (copy.path / name).is_file():
                    zip_file.write(copy.path / name, f"{bundle.name}/{name}")
    return out.getvalue()


def import_zip(data: bytes, name: str | None = None) -> Bundle:
    """Put the bundle in a zip on the shelf.

    Args:
        data: The zip.
        name: What it shall be called; its own name if None.

    Raises:
        BundleError: It is no zip of a bundle, damaged, hostile or too large; the name is taken; the disk refuses.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as zip_file:
            contents = _read_contents(zip_file)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError) as err:
        raise BundleError(f"This is no zip, or it is damaged: {err}.") from err
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "imported"
        folder.mkdir()
        for file, content in contents.items():
            (folder / file).write_bytes(content)
        bundle = load_bundle(folder)
        _check_it_serves(folder)
        kept = dataclasses.replace(bundle, name=check_name(name or bundle.name))
        return save_bundle(kept, paths.models_dir() / kept.name, lambda draft: _copy_files(kept, draft))


def _read_contents(zip_file: zipfile.ZipFile) -> dict[str, bytes]:
    infos = [info for info in zip_file.infolist() if not info.is_dir()]
    if len(infos) > _MAX_ENTRIES:
        raise BundleError(f"The zip holds {len(infos)} files; a model has at most {len(_ACCEPTED)}.")
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
            "never imported. Export the model on the Models page there: that zip holds what is needed."
        )
    folders = {path.rpartition("/")[0] for path in paths_in_zip}
    wanted = {path.rpartition("/")[2]: info for path, info in zip(paths_in_zip, infos, strict=True)}
    strangers = sorted(set(wanted) - _ACCEPTED)
    if len(folders) > 1 or len(wanted) != len(infos) or strangers or "/" in "".join(folders):
        named = f" It holds {listed(strangers)}." if strangers else ""
        raise BundleError(f"This zip is no model: one folder with {', '.join(_PACKED)} is expected.{named}")
    return wanted


def _check_it_serves(folder: Path) -> None:
    """Open and run it in a process of its own, which it may break as it likes."""
    command = [sys.executable, "-m", "crnn.trial", str(folder)]
    try:
        done = subprocess.run(command, cwd=_REPOSITORY, capture_output=True, timeout=_TRIAL_SECONDS, check=False)
    except subprocess.TimeoutExpired as err:
        raise BundleError(f"The model was refused: it took more than {_TRIAL_SECONDS:.0f} s to try it out.") from err
    if done.returncode:
        said = done.stdout.decode("utf-8", "replace") if done.returncode == 1 else ""
        raise BundleError(said or "The model was refused: its network ended the process in which it was tried out.")
