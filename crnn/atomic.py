"""Files and folders that are whole or not there: written beside their place, then renamed.

A reader, a kill or a power cut meets what was there before or what is there now, never
half of it. Drafts are hidden (`.NAME-…`) and gone when the block ends, however it ends.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO


@contextlib.contextmanager
def replacing(path: Path, *, is_synced: bool = True) -> Iterator[IO[bytes]]:
    """A file to write to, which takes the place of `path` when the block ends without an error.

    Args:
        path: What is replaced, or made; its folder must be there.
        is_synced: Whether to wait for the disk, so that even a power cut leaves no empty file.

    Raises:
        OSError: The disk refuses; what was at `path` is untouched.
    """
    # Not mkstemp: its files are private to their writer, whatever the umask says.
    draft = path.with_name(f".{path.name}-{secrets.token_hex(4)}.tmp")
    try:
        with draft.open("xb") as file:
            yield file
            file.flush()
            if is_synced:
                os.fsync(file.fileno())
        draft.replace(path)
    finally:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)


@contextlib.contextmanager
def draft_folder(path: Path) -> Iterator[Path]:
    """A new folder beside `path`, for the block to fill and to rename there; what is not renamed goes.

    Raises:
        OSError: The disk refuses.
    """
    draft = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
    try:
        draft.chmod(0o755)
        yield draft
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's content, in hexadecimal.

    Raises:
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
