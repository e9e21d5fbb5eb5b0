"""How much is accepted: every limit that a user may meet, in one place, and the room on the disk.

The greatest upload alone is set in `.streamlit/config.toml`, because the server refuses it before any
code of ours runs. Limits that only a forged file can meet stay where that file is read.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from crnn.errors import DiskFullError
from crnn.mode import Mode

# Sounds. What is longer than a page may hold is answered in blocks, without the picture.
MIN_CLIP_SECONDS = 1.0
MAX_CLIP_SECONDS = 15 * 60.0
# They are in memory as long as their visitor is.
MAX_FILES_AT_ONCE = 200

# Data sets. Of a longer track only the beginning is learnt from: a mixtape must not outweigh a shelf.
MAX_TRACK_SECONDS = 600.0
MAX_TRACKS = 100_000
MAX_CSV_BYTES = 32 * 2**20
MAX_ZIP_FILES = 50_000
# Of a zip's list of its files: names of two hundred bytes each.
MAX_DIRECTORY_BYTES = MAX_ZIP_FILES * 320
MAX_UNPACKED_BYTES = 50 * 2**30
MAX_ARCHIVE_BYTES = 16 * 2**30

# Caches, of which the oldest is deleted beyond the limit. Uploads are never deleted by themselves.
MAX_FEATURES_BYTES = 4 * 2**30
# Sounds that are no music: up to 33 MB for each of the features that models are trained with.
MAX_MADE_BYTES = 256 * 2**20
MAX_KEPT_UNPACKED_BYTES = 20 * 2**30
MAX_UPLOADS_BYTES = 20 * 2**30
MAX_UNUSED_SECONDS = 60 * 86_400.0
# A draft that nobody wrote to for this long was left by a process that was killed.
DRAFT_SECONDS = 3600.0

# Models.
MAX_BUNDLE_BYTES = 200 * 2**20

# What stays free for everything else on the machine.
SPARE_DISK_BYTES = 500 * 2**20


@dataclass(frozen=True)
class Limits:
    """What one person may ask of a server, by its mode.

    upload_bytes: of one file. held_bytes: of what a visitor's uploaders hold, and of what he gave before it;
    visit_bytes: of all that is in memory for him, what is shown, played and downloaded among it;
    server_bytes: of all visitors together.
    files_at_once: given together. sound_seconds: of one sound, picture or not.
    disk_bytes: of all that is kept for a person. models: of his own.
    epochs, folds, tracks, training_seconds: of one training; training_bytes: of memory.
    learnt_seconds: of each track, from its beginning.
    waiting: trainings in the queue, of all people. exports: networks that are converted at once, for all people.
    """

    upload_bytes: int
    held_bytes: int
    visit_bytes: int
    server_bytes: int
    files_at_once: int
    sound_seconds: float
    disk_bytes: int
    models: int
    epochs: int
    folds: int
    tracks: int
    training_seconds: float
    training_bytes: float
    learnt_seconds: float
    waiting: int
    exports: int


# Whoever owns the machine is bounded by the machine alone. The others' figures leave room for ten visitors in 2 GiB.
BY_MODE: dict[Mode, Limits] = {
    "local": Limits(
        upload_bytes=200 * 2**20,
        held_bytes=4 * 2**30,
        visit_bytes=2**40,
        server_bytes=2**40,
        files_at_once=MAX_FILES_AT_ONCE,
        sound_seconds=float("inf"),
        disk_bytes=2**60,
        models=10_000,
        epochs=10_000,
        folds=20,
        tracks=MAX_TRACKS,
        training_seconds=float("inf"),
        training_bytes=float("inf"),
        learnt_seconds=MAX_TRACK_SECONDS,
        waiting=0,
        exports=1_000,
    ),
    "shared": Limits(
        upload_bytes=200 * 2**20,
        held_bytes=400 * 2**20,
        visit_bytes=2**30,
        server_bytes=3 * 2**29,
        files_at_once=50,
        sound_seconds=3 * 3600.0,
        disk_bytes=2 * 2**30,
        models=20,
        epochs=200,
        folds=5,
        tracks=5000,
        training_seconds=2 * 3600.0,
        # Of 192 tracks of half a minute: 1.5 GiB with a network of one's own, 1.4 with a head.
        training_bytes=3 * 2**30,
        learnt_seconds=MAX_TRACK_SECONDS,
        waiting=8,
        exports=1,
    ),
    "public": Limits(
        upload_bytes=50 * 2**20,
        held_bytes=100 * 2**20,
        visit_bytes=300 * 2**20,
        server_bytes=600 * 2**20,
        files_at_once=20,
        sound_seconds=3600.0,
        # Nothing is kept, and what is taught is a head alone: of so many clips a second's work.
        disk_bytes=0,
        models=0,
        epochs=0,
        folds=0,
        tracks=100,
        training_seconds=0.0,
        training_bytes=0.0,
        learnt_seconds=60.0,
        waiting=0,
        exports=0,
    ),
}


def free_bytes(folder: Path) -> int:
    """Bytes that are free where `folder` lies, or will lie."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return shutil.disk_usage(folder).free


def check_room(folder: Path, n_bytes: int, what: str) -> None:
    """Refuse to begin what would fill the disk.

    Args:
        folder: Where it will be written.
        n_bytes: How much, besides what has to stay free.
        what: Begins the sentence.

    Raises:
        DiskFullError: There is no room for it.
    """
    free = free_bytes(folder)
    if n_bytes + SPARE_DISK_BYTES > free:
        raise DiskFullError(
            f"{what} needs {_gigabytes(n_bytes + SPARE_DISK_BYTES)} of disk, and {_gigabytes(free)} are free in "
            f"{folder}. Make room there."
        )


def _gigabytes(n_bytes: int) -> str:
    return f"{n_bytes / 2**30:.1f} GiB"
