"""The shelf of models: save, rename, delete and bring back, pack for another machine, import.

An imported bundle is JSON, ONNX and an npz without pickles, never code: Keras files and
everything else unexpected are refused with a sentence, and sizes are held to while reading.
Each act names whose it is, and touches his own models alone; another's are as if they were not there.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import unicodedata
import zipfile
from collections.abc import Iterator
from pathlib import Path

from crnn import paths
from crnn.bundles import shelves
from crnn.bundles.bundle import (
    CARD_NAME,
    KERAS_NAME,
    Bundle,
    bundle_folders,
    check_name,
    load_bundle,
    rewrite_json,
    save_bundle,
)
from crnn.bundles.bundle_json import JSON_NAME
from crnn.bundles.bundle_zip import PACKED, check_kind, damaged, read_contents
from crnn.bundles.model_card import CARD_FAULTS, model_card
from crnn.errors import BundleError, CrnnError, UnknownModelError
from crnn.locks import sole_writer
from crnn.owner import Owner
from crnn.zip_directory import DAMAGE, check_directory

# The bundle that comes with the project.
DEFAULT_MODEL = "ten-genres"
# The better start first; the second reads log-mels of 24 frames a second.
BUNDLED_MODELS = (DEFAULT_MODEL, "gtzan-crnn")
_MAX_NAME = 64
_SPELT_OUT = str.maketrans(
    {"ß": "ss", "æ": "ae", "Æ": "Ae", "ø": "o", "Ø": "O", "đ": "d", "ł": "l", "Ł": "L", "&": "and"}
)

_DELETED = ".deleted"
# Of a zip with a model, which has few files.
_MAX_DIRECTORY_BYTES = 1 << 16
_REPOSITORY = Path(__file__).resolve().parents[2]
# Some seconds at the most, on a machine that is not busy with other things.
_TRIAL_SECONDS = 120.0


@dataclasses.dataclass(frozen=True)
class Deleted:
    """A model that was taken off the shelf and can be put back."""

    name: str
    folder: Path


def as_name(text: str) -> str:
    """What a user calls a model, as a name that every file system takes: “Meine Lieder für Zoë” → Meine-Lieder-fur-Zoe.

    Raises:
        BundleError: Nothing of it is left.
    """
    plain = "".join(c for c in unicodedata.normalize("NFKD", text.strip()) if not unicodedata.combining(c))
    plain = plain.translate(_SPELT_OUT)
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", plain).strip("-._")[:_MAX_NAME].rstrip("-._")
    if ".." in text or "/" in text or "\\" in text or not name:
        return check_name(text)
    return check_name(name)


def find_bundle(name: str) -> Bundle:
    """The bundle in the folder `name`, or of that name on a shelf, or among those that came with the project.

    Raises:
        UnknownModelError: There is none.
        BundleError: It is damaged.
    """
    looks_like_path = any(mark in name for mark in "/\\") or name.startswith((".", "~"))
    # A checkout whose shelf was moved has its own models still.
    shelved = (*paths.shelves(), *([paths.bundled_models_dir()] if name in BUNDLED_MODELS else []))
    places = [Path(name)] if looks_like_path else [shelf / name for shelf in shelved]
    folder = next((place for place in map(paths.user_path, places) if place.is_dir()), None)
    if folder is None:
        known = [path.name for path in bundle_folders(*paths.shelves()) if (path / JSON_NAME).is_file()]
        raise UnknownModelError(f"There is no model “{name}”. On the shelf: {', '.join(known) or 'none'}.")
    return load_bundle(folder)


def default_model() -> str:
    """Name of the model that answers unless another was chosen: the bundled one, or what the host names."""
    return os.environ.get("GENRESCOPE_DEFAULT_MODEL", "").strip() or DEFAULT_MODEL


def save_copy(bundle: Bundle, name: str, notes: str = "", *, owner: Owner) -> Bundle:
    """A copy of a bundle among its owner's models, under a name and with notes of its own.

    Args:
        bundle: What is copied; an imported one stays among the imported.
        name: The copy's.
        notes: The copy's.
        owner: Who keeps it.

    Raises:
        BundleError: The name will not do or is taken, or the disk refuses.
        NotAllowedError, DiskFullError: It is not his to keep, or too much.
    """
    owner.require("keep")
    named = dataclasses.replace(bundle, name=name, notes=notes)
    _check_free(check_name(name), owner)
    # A copy of an imported model is trusted no more than the model.
    is_foreign = bundle.path is not None and bundle.path.parent.resolve() == owner.imported_dir.resolve()
    folder = owner.imported_dir if is_foreign else owner.models_dir
    with _one_more(bundle, owner):
        return save_bundle(named, folder / name, lambda draft: _copy_files(named, draft))


@contextlib.contextmanager
def _one_more(bundle: Bundle, owner: Owner) -> Iterator[None]:
    """Within it a model is saved; refused where that is more than the owner may have."""
    try:
        n_bytes = sum(bundle.file(name).stat().st_size for name in bundle.files)
    except OSError as err:
        raise BundleError(f"The model “{bundle.name}” was changed or taken away meanwhile.") from err
    with owner.keeping(n_bytes):
        n_models = sum(len(bundle_folders(folder)) for folder in {owner.models_dir, owner.imported_dir})
        if n_models >= owner.limits.models:
            raise BundleError(f"You have {n_models} models, which is as many as are kept for you. Delete one first.")
        yield


def _check_free(name: str, owner: Owner) -> None:
    """Refuse a name that could pass for a model of the host's, or that another of the owner's has."""
    if owner.mode == "local":
        return
    for folder in (*paths.shelves(), owner.models_dir, owner.imported_dir):
        taken = next((path.name for path in bundle_folders(folder) if _alike(path.name) == _alike(name)), None)
        if taken is not None:
            raise BundleError(f"There is a model “{taken}” already, and “{name}” could be taken for it.")


def _alike(name: str) -> str:
    """What is left of a name when case, marks and look-alikes are set aside."""
    return re.sub(r"[._-]", "", name.casefold()).translate(str.maketrans("01i", "oll"))


def is_own(bundle: Bundle, owner: Owner) -> bool:
    """Whether he may rename and delete it.

    Args:
        bundle: A model on disk.
        owner: Who asks.
    """
    try:
        _check_own(bundle.path or Path(), owner)
    except CrnnError:
        return False
    return True


def _check_own(folder: Path, owner: Owner) -> None:
    """Another's model is refused as one that is not there."""
    owner.require("keep")
    if folder.parent.resolve() not in {shelf.resolve() for shelf in owner.shelves}:
        raise BundleError(f"There is no model “{folder.name}” of yours.")


def _copy_files(bundle: Bundle, draft: Path) -> None:
    for file in bundle.files:
        shutil.copyfile(bundle.file(file), draft / file)
    _write_card(bundle, draft)


def _write_card(bundle: Bundle, folder: Path) -> None:
    # Hand-made and foreign bundles may lack what the card tells; they keep the one that they have.
    with contextlib.suppress(*CARD_FAULTS):
        (folder / CARD_NAME).write_text(model_card(bundle), encoding="utf-8")


def rename(bundle: Bundle, name: str, *, owner: Owner) -> Bundle:
    """The bundle under another name.

    Args:
        bundle: A model on disk.
        name: The new one; letters of another case alone are no clash.
        owner: Whose it must be.

    Raises:
        BundleError: It is not his, the name will not do or is taken, or the disk refuses.
        NotAllowedError: Models are not his to change.
    """
    if bundle.path is None:
        raise BundleError(f"The model “{bundle.name}” is not on disk.")
    _check_own(bundle.path, owner)
    if _alike(name) != _alike(bundle.path.name):
        _check_free(name, owner)
    shelves.hide(bundle.path, owner)
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


def delete(folder: Path, *, owner: Owner) -> Deleted:
    """Take a model off the shelf, so that it can be put back; one that does not load as well.

    Args:
        folder: The model's.
        owner: Whose it must be.

    Returns:
        What `put_back` and `throw_away` take.

    Raises:
        BundleError: It is not his, or the disk refuses.
        NotAllowedError: Models are not his to change.
    """
    _check_own(folder, owner)
    # Another model of that name must not be shown to all because this one was.
    shelves.hide(folder, owner)
    target = folder.parent / _DELETED / f"{folder.name}@{time.time_ns()}"
    try:
        with sole_writer(folder.parent):
            target.parent.mkdir(exist_ok=True)
            folder.rename(target)
    except OSError as err:
        raise BundleError(f"“{folder.name}” could not be deleted: {err.strerror or err}.") from err
    return Deleted(folder.name, target)


def deleted(owner: Owner) -> list[Deleted]:
    """Models of his that can be put back, the last deleted first."""
    found = []
    for shelf in owner.shelves:
        with contextlib.suppress(OSError):  # nothing was deleted yet, or it cannot be read, which the shelf says
            found += [path for path in (shelf / _DELETED).iterdir() if path.is_dir()]
    found.sort(key=lambda path: path.name.rpartition("@")[2], reverse=True)
    return [Deleted(path.name.rpartition("@")[0], path) for path in found]


def put_back(model: Deleted, *, owner: Owner) -> None:
    """Undo a deletion.

    Args:
        model: From `delete`.
        owner: Whose it must be.

    Raises:
        BundleError: It is not his, the name was taken meanwhile, or the disk refuses.
        NotAllowedError: Models are not his to change.
    """
    target = model.folder.parents[1] / model.name
    _check_own(target, owner)
    try:
        with sole_writer(target.parent):
            if target.exists():
                raise BundleError(f"A model “{model.name}” is there again. Rename that one first.")
            model.folder.rename(target)
    except OSError as err:
        raise BundleError(f"“{model.name}” could not be put back: {err.strerror or err}.") from err


def throw_away(model: Deleted, *, owner: Owner) -> None:
    """Delete a deleted model for good.

    Args:
        model: From `delete`; gone already is no error.
        owner: Whose it must be.

    Raises:
        BundleError: It is not his.
        NotAllowedError: Models are not his to change.
    """
    _check_own(model.folder.parents[1] / model.name, owner)
    # Renamed first: if another server put it back meanwhile, half a model would be on the shelf.
    doomed = model.folder.parent.with_name(f".{model.folder.name}-thrown-{time.time_ns()}")
    with contextlib.suppress(OSError):
        model.folder.rename(doomed)
        shutil.rmtree(doomed, ignore_errors=True)


def pack(bundle: Bundle, *, whole: bool = False) -> bytes:
    """A bundle as a zip that `import_zip` takes: all but the Keras file, which only training needs.

    Args:
        bundle: Any.
        whole: With the Keras file: to be unpacked into a folder of models, and refused by `import_zip`.

    Raises:
        BundleError: A file of it cannot be read.
    """
    serving = {name: digest for name, digest in bundle.files.items() if whole or name != KERAS_NAME}
    light = dataclasses.replace(bundle, files=serving)
    out = io.BytesIO()
    with _temporary_folder(f"“{bundle.name}” could not be packed") as temporary:
        copy = save_bundle(light, temporary / bundle.name, lambda draft: _copy_files(light, draft))
        assert copy.path is not None
        # Not strict: zips know no time before 1980, and small computers without a clock start in 1970.
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, strict_timestamps=False) as zip_file:
            for name in (*PACKED, KERAS_NAME):
                if (copy.path / name).is_file():
                    zip_file.write(copy.path / name, f"{bundle.name}/{name}")
    return out.getvalue()


def import_zip(data: bytes, name: str | None = None, *, owner: Owner, file_name: str = "") -> Bundle:
    """Put the bundle in a zip among its owner's models.

    Args:
        data: The zip.
        name: What it shall be called; its own name if None.
        owner: Whom it will serve.
        file_name: What the zip is called, for what is said of it.

    Raises:
        BundleError: It is no zip of a bundle, damaged, hostile or too large; the name is taken; the disk refuses.
        NotAllowedError, DiskFullError: He may not import, or has no room for it.
    """
    owner.require("import")
    check_kind(file_name)
    try:
        packed = io.BytesIO(data)
        check_directory(packed, _MAX_DIRECTORY_BYTES)
        with zipfile.ZipFile(packed) as zip_file:
            contents = read_contents(zip_file)
    except (*DAMAGE, OSError) as err:
        raise damaged(file_name, err) from err
    with _temporary_folder("The model could not be unpacked to be tried out") as temporary:
        folder = temporary / "imported"
        folder.mkdir()
        for file, content in contents.items():
            (folder / file).write_bytes(content)
        bundle = load_bundle(folder)
        _check_it_serves(folder)
        kept = dataclasses.replace(bundle, name=check_name(name or bundle.name))
        _check_free(kept.name, owner)
        with _one_more(bundle, owner):
            return save_bundle(kept, owner.imported_dir / kept.name, lambda draft: _copy_files(kept, draft))


@contextlib.contextmanager
def _temporary_folder(fault: str) -> Iterator[Path]:
    """A folder that is gone afterwards; what the disk refuses there is a sentence that begins with `fault`."""
    try:
        with tempfile.TemporaryDirectory(prefix="genrescope-", ignore_cleanup_errors=True) as folder:
            yield Path(folder)
    except OSError as err:
        # Where none can be written to, the error is a list of all that were tried.
        what = f"{err.strerror or err} in {tempfile.tempdir}" if tempfile.tempdir else "no temporary folder has room"
        raise BundleError(f"{fault}: {what}. Make room there, or set TMPDIR.") from err


def _check_it_serves(folder: Path) -> None:
    """Open and run it in a process of its own, which it may break as it likes."""
    command = [sys.executable, "-m", "crnn.inference.sandbox", "try", str(folder)]
    try:
        done = subprocess.run(command, cwd=_REPOSITORY, capture_output=True, timeout=_TRIAL_SECONDS, check=False)
    except subprocess.TimeoutExpired as err:
        raise BundleError(f"The model was refused: it took more than {_TRIAL_SECONDS:.0f} s to try it out.") from err
    if done.returncode:
        said = done.stdout.decode("utf-8", "replace") if done.returncode == 1 else ""
        raise BundleError(said or "The model was refused: its network ended the process in which it was tried out.")
