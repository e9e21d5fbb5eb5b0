"""Clips that were gathered in the app itself: data sets made genre by genre, and corrections.

Each is a folder of `genre/clip.ext` like any other data set, below its owner's home. A clip is called
what its file was, and by its content besides, so that giving it twice keeps it once.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import re
import unicodedata
import zipfile
from pathlib import Path

from crnn import atomic
from crnn.audio.clip import AudioStream
from crnn.audio.files import AUDIO_SUFFIXES
from crnn.audio.folders import is_hidden
from crnn.config import FeatureConfig
from crnn.errors import DatasetError, DiskFullError
from crnn.limits import MAX_DIRECTORY_BYTES, MAX_UPLOADS_BYTES, check_room
from crnn.owner import Owner, used_bytes
from crnn.zip_directory import check_directory

_UNSAFE = re.compile(r"[^\w &'+.-]+")
_MAX_NAME = 60
_DIGEST = re.compile(r" ?[0-9a-f]{16}$")


def own_dir(owner: Owner) -> Path:
    """Data set of the clips that were gathered on the Train page."""
    return owner.home / "collections" / "own clips"


def corrections_dir(owner: Owner) -> Path:
    """Data set of the clips whose answer was corrected on Listen."""
    return owner.home / "collections" / "corrections"


def is_corrections(source: Path | None) -> bool:
    """Whether a data set is what somebody said against answers: it has the last word on a recording."""
    return source is not None and (source.parent.name, source.name) == ("collections", "corrections")


def uploads_dir(owner: Owner) -> Path:
    """Folder of the zips and archives that were uploaded."""
    return owner.home / "uploads"


def genre_folder(genre: str) -> str:
    """A genre's name as the name of a folder, on every file system.

    Raises:
        DatasetError: Nothing of it is left.
    """
    composed = unicodedata.normalize("NFC", " ".join(genre.split()))
    name = _UNSAFE.sub(" ", composed).strip(" .")[:_MAX_NAME].strip(" .")
    if not name:
        raise DatasetError("Give the genre a name of letters or digits.")
    return name


def safe_name(name: str, otherwise: str) -> str:
    """A name as that of a file, on every file system; `otherwise` if nothing of it is left.

    Args:
        name: Of any characters.
        otherwise: A name that is known to do.
    """
    return _UNSAFE.sub(" ", name).strip(" .")[:_MAX_NAME] or otherwise


def add_clip(folder: Path, genre: str, name: str, data: bytes, *, owner: Owner) -> Path:
    """Keep a clip under its genre; one that was there under another genre moves.

    Args:
        folder: Data set, made if need be.
        genre: What it is.
        name: The file's name; empty for a recording.
        data: The file.
        owner: Whose data set it is.

    Raises:
        AudioError: It is no sound.
        DatasetError: The genre has no name, the data set is not his, or the disk refuses.
        NotAllowedError, DiskFullError: Nothing is kept for him, or there is no room for it.
    """
    owner.require("keep")
    if not owner.owns(folder):
        raise DatasetError(f"There is no data set “{folder.name}” of yours.")
    with AudioStream(data, FeatureConfig().sample_rate, name=name) as stream:
        next(iter(stream), None)
    digest = hashlib.sha256(data).hexdigest()[:16]
    suffix = Path(name).suffix.lower()
    suffix = suffix if suffix in AUDIO_SUFFIXES else ".wav"
    path = (
        folder / _known_as(folder, genre_folder(genre)) / f"{safe_name(Path(name).stem, 'recording')} {digest}{suffix}"
    )
    try:
        _write(path, data, "Keeping the clip", owner)
        for other in folder.glob(f"*/*{digest}.*"):
            if not other.samefile(path):
                other.unlink()
    except OSError as err:
        raise DatasetError(f"The clip could not be kept in {folder}: {err.strerror or err}.") from err
    return path


def _known_as(folder: Path, genre: str) -> str:
    """A genre's name as it was written first: “Jazz” and “jazz” are one."""
    known = {name.casefold(): name for name in n_clips(folder)}
    return known.get(genre.casefold(), genre)


def keep_upload(name: str, data: bytes, *, owner: Owner) -> Path:
    """Where an uploaded zip or archive lies from now on, named by its content.

    Args:
        name: What the file was called; its ending says whether it is an archive or a zip.
        data: Its content.
        owner: Whose it is from now on.

    Raises:
        DatasetError: The disk refuses.
        NotAllowedError, DiskFullError: Nothing is kept for him, or there is no room for it.
    """
    owner.require("keep")
    stem = safe_name(Path(name).stem, "upload")
    suffix = ".npz" if name.lower().endswith(".npz") else ".zip"
    path = uploads_dir(owner) / hashlib.sha256(data).hexdigest()[:16] / f"{stem}{suffix}"
    try:
        check_unpacked(io.BytesIO(data), owner)
        check_uploads(len(data), owner)
        _write(path, data, "Keeping the upload", owner)
    except OSError as err:
        raise DatasetError(f"The upload could not be kept: {err.strerror or err}.") from err
    return path


def check_unpacked(archive: Path | io.BytesIO, owner: Owner) -> None:
    """Refuse a zip or archive that would unpack to more than is its owner's.

    Args:
        archive: A zip or `.npz`, as a file or in memory.
        owner: Whose room is counted; on a machine of one's own nothing is.

    Raises:
        DiskFullError: It would. (What is no zip is refused where it is read.)
    """
    if owner.mode != "local":
        with contextlib.ExitStack() as stack:
            file = stack.enter_context(archive.open("rb")) if isinstance(archive, Path) else archive
            stack.enter_context(contextlib.suppress(zipfile.BadZipFile))
            check_directory(file, MAX_DIRECTORY_BYTES)
            inside = stack.enter_context(zipfile.ZipFile(file))
            owner.check_room(sum(info.file_size for info in inside.infolist()))


def check_uploads(n_bytes: int, owner: Owner) -> None:
    """Refuse to keep more uploads than is sensible, as none of them goes by itself.

    Args:
        n_bytes: What comes.
        owner: Whose uploads are counted.

    Raises:
        DiskFullError: It would be more.
    """
    used = used_bytes(uploads_dir(owner))
    if used + n_bytes > MAX_UPLOADS_BYTES:
        raise DiskFullError(
            f"{used / 2**30:.1f} GiB of uploads are kept, and {MAX_UPLOADS_BYTES >> 30} GiB are the most. Clear those "
            "that you no longer need, on Train."
        )


def _write(path: Path, data: bytes, what: str, owner: Owner) -> None:
    with owner.keeping(len(data)):
        check_room(owner.home, len(data), what)
        path.parent.mkdir(parents=True, exist_ok=True)
        # In one step: half a file would count as a track for ever.
        with atomic.replacing(path) as file:
            file.write(data)


def uploads(owner: Owner) -> list[Path]:
    """Zips and archives that he uploaded."""
    return sorted(path for path in uploads_dir(owner).glob("*/*") if path.suffix in {".zip", ".npz"})


def refused(owner: Owner) -> set[Path]:
    """Those of his uploads that could not be learnt from when they were last looked into."""
    return {path for path in uploads(owner) if _mark_of(path).exists()}


def mark_refused(path: Path, is_refused: bool, *, owner: Owner) -> None:
    """Note that an upload cannot be learnt from, or that it is to be looked into again.

    Args:
        path: Any data set; only his uploads are marked.
        is_refused: Whether it was found to be of no use.
        owner: Whose it must be.
    """
    if owner.may("keep") and path in uploads(owner):
        # A mark alone: where the disk has no room for it, nothing is lost.
        with contextlib.suppress(OSError):
            _mark_of(path).touch() if is_refused else _mark_of(path).unlink(missing_ok=True)


def _mark_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.refused")


def clips(folder: Path) -> dict[Path, str]:
    """Clips of a gathered data set, each with its genre and name for whoever gave it."""
    found = sorted(path for path in folder.glob("*/*") if path.is_file() and not is_hidden(path.name))
    return {path: f"{path.parent.name}: {_DIGEST.sub('', path.stem) or 'clip'}" for path in found}


def remove(path: Path, *, owner: Owner) -> None:
    """Take away a clip or an upload that was given.

    Args:
        path: As `clips` or `uploads` give it; gone already is no error.
        owner: Whose it must be.

    Raises:
        DatasetError: It is not his, or the disk refuses.
        NotAllowedError: Nothing is kept for him.
    """
    owner.require("keep")
    given = (own_dir(owner), corrections_dir(owner), uploads_dir(owner))
    # `folder/genre/clip` and `uploads/content/file`: two levels, and no way out of them.
    if path.parent.parent.resolve() not in {folder.resolve() for folder in given} or ".." in path.parts:
        raise DatasetError(f"There is no clip “{path.name}” of yours.")
    try:
        path.unlink(missing_ok=True)
        _mark_of(path).unlink(missing_ok=True)
    except OSError as err:
        raise DatasetError(f"“{path.name}” could not be removed: {err.strerror or err}.") from err
    with contextlib.suppress(OSError):
        # Only where it was the last.
        path.parent.rmdir()


def n_clips(folder: Path) -> dict[str, int]:
    """Number of clips of each genre of a gathered data set."""
    genres = sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    counts = {
        genre.name: sum(path.is_file() and not is_hidden(path.name) for path in genre.iterdir()) for genre in genres
    }
    return {genre: n for genre, n in counts.items() if n}
