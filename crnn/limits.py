"""How much is accepted: every limit that a user may meet, in one place, and the room on the disk.

The greatest upload alone is set in `.streamlit/config.toml`, because the server refuses it before any
code of ours runs. Limits that only a forged file can meet stay where that file is read.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from crnn.errors import DiskFullError

# Sounds. What is longer than a page may hold is answered in blocks, without the picture.
MIN_CLIP_SECONDS = 1.0
MAX_CLIP_SECONDS = 15 * 60.0
# They are in memory as long as their visitor is.
MAX_FILES_AT_ONCE = 200

# Data sets. Of a longer track only the beginning is learnt from: a mixtape must not outweigh a shelf.
MAX_TRACK_SECONDS = 600.0
MAX_TRACKS = 100_000
MAX_ZIP_FILES = 50_000
MAX_UNPACKED_BYTES = 50 * 2**30
MAX_ARCHIVE_BYTES = 16 * 2**30

# Models.
MAX_BUNDLE_BYTES = 200 * 2**20

# What stays free for everything else on the machine.
SPARE_DISK_BYTES = 500 * 2**20


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
