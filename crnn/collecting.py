"""Clips that were gathered in the app itself: data sets made genre by genre, and corrections.

Each is a folder of `genre/clip.ext` like any other data set, below `home_dir()`. A clip
is named by its content, so that giving it twice keeps it once.
"""

from __future__ import annotations

import hashlib
import re
import tempfile
from pathlib import Path

from crnn import paths
from crnn.audio import AUDIO_SUFFIXES, AudioStream
from crnn.config import FeatureConfig
from crnn.errors import DatasetError
from crnn.limits import check_room

_UNSAFE = re.compile(r"[^\w &'+.-]+")
_MAX_NAME = 60


def own_dir() -> Path:
    """Data set of the clips that were gathered on the Train page."""
    return paths.home_dir() / "collections" / "own clips"


def corrections_dir() -> Path:
    """Data set of the clips whose answer was corrected on Listen."""
    return paths.home_dir() / "collections" / "corrections"


def uploads_dir() -> Path:
    """Folder of the zips and archives that were uploaded."""
    return paths.home_dir() / "uploads"


def genre_folder(genre: str) -> str:
    """A genre's name as the name of a folder, on every file system.

    Raises:
        DatasetError: Nothing of it is left.
    """
    name = _UNSAFE.sub(" ", " ".join(genre.split())).strip(" .")[:_MAX_NAME].strip(" .")
    if not name:
        raise DatasetError("Give the genre a name of letters or digits.")
    return name


def safe_name(name: str, otherwise: str) -> str:
    """A name as that of a file, on every file system; `otherwise` if nothing of it is left."""
    return _UNSAFE.sub(" ", name).strip(" .")[:_MAX_NAME] or otherwise


def add_clip(folder: Path, genre: str, name: str, data: bytes) -> Path:
    """Keep a clip under its genre; one that was there under another genre moves.

    Args:
        folder: Data set, made if need be.
        genre: What it is.
        name: The file's name; empty for a recording.
        data: The file.

    Raises:
        AudioError: It is no sound.
        DatasetError: The genre has no name, or the disk refuses.
        DiskFullError: There is no room for it.
    """
    with AudioStream(data, FeatureConfig().sample_rate, name=name) as stream:
        next(iter(stream), None)
    digest = hashlib.sha256(data).hexdigest()[:16]
    suffix = Path(name).suffix.lower()
    path = folder / genre_folder(genre) / f"{digest}{suffix if suffix in AUDIO_SUFFIXES else '.wav'}"
    try:
        _write(path, data, "Keeping the clip")
        for other in folder.glob(f"*/{digest}.*"):
            if not other.samefile(path):
                other.unlink()
    except OSError as err:
        raise DatasetError(f"The clip could not be kept in {folder}: {err.strerror or err}.") from err
    return path


def keep_upload(name: str, data: bytes) -> Path:
    """Where an uploaded zip or archive lies from now on, named by its content.

    Raises:
        DatasetError: The disk refuses.
        DiskFullError: There is no room for it.
    """
    stem = safe_name(Path(name).stem, "upload")
    suffix = ".npz" if name.lower().endswith(".npz") else ".zip"
    path = uploads_dir() / hashlib.sha256(data).hexdigest()[:16] / f"{stem}{suffix}"
    try:
        _write(path, data, "Keeping the upload")
    except OSError as err:
        raise DatasetError(f"The upload could not be kept: {err.strerror or err}.") from err
    return path


def _write(path: Path, data: bytes, what: str) -> None:
    # Beside its place and renamed: half a file would count as a track for ever.
    check_room(path, len(data), what)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".", delete=False) as draft:
        place = Path(draft.name)
        try:
            draft.write(data)
            draft.close()
            place.chmod(0o644)
            place.replace(path)
        finally:
            place.unlink(missing_ok=True)


def uploads() -> list[Path]:
    """Zips and archives that were uploaded."""
    return sorted(path for path in uploads_dir().glob("*/*") if path.suffix in {".zip", ".npz"})


def n_clips(folder: Path) -> dict[str, int]:
    """Number of clips of each genre of a gathered data set."""
    genres = sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    counts = {genre.name: sum(path.is_file() for path in genre.iterdir()) for genre in genres}
    return {genre: n for genre, n in counts.items() if n}
