"""A lock file that the system itself lets go of when its holder ends, however it ends."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Self

# On Windows nobody else can read locked bytes, so one far behind anything that is written is locked.
_LOCKED_BYTE = 1 << 30


class FileLock:
    """An exclusive lock on a file, held by one process at a time.

    Unlike a file that holds a process id, it cannot outlive its holder: neither a kill
    nor a power cut leaves it locked, and an id that another program got since does no harm.

    Args:
        path: The lock's file; made if need be, never removed.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: IO[str] | None = None

    def acquire(self, patience_seconds: float = 0.0) -> bool:
        """Whether the lock is ours now.

        Args:
            patience_seconds: How long to try.
        """
        if self._file is not None:
            return True
        deadline = time.monotonic() + patience_seconds
        self.path.parent.mkdir(parents=True, exist_ok=True)
        file = self.path.open("a+", encoding="utf-8")
        while not _lock(file):
            if time.monotonic() >= deadline:
                file.close()
                return False
            time.sleep(0.02)
        self._file = file
        return True

    def release(self) -> None:
        """Let go of it; nothing happens if it is not held."""
        if self._file is not None:
            _unlock(self._file)
            self._file.close()
            self._file = None

    def write(self, text: str) -> None:
        """Leave word in the file of who holds it.

        Raises:
            ValueError: It is not held.
        """
        if self._file is None:
            raise ValueError("the lock is not held")
        self._file.seek(0)
        self._file.truncate()
        self._file.write(text)
        self._file.flush()

    def is_held(self) -> bool:
        """Whether anybody holds it. Asking takes it for a moment: whoever wants it tries again."""
        if self._file is not None:
            return True
        if not self.path.exists():
            return False
        asking = FileLock(self.path)
        free = asking.acquire(patience_seconds=0.06)
        asking.release()
        return not free

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.release()


@contextlib.contextmanager
def sole_writer(folder: Path) -> Iterator[None]:
    """Hold the folder itself, so that one process or thread at a time moves what lies in it; leaves no file behind.

    Waits for its turn. On Windows, where folders cannot be locked, it does nothing.
    """
    if sys.platform == "win32":
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # some network disks know no locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


if sys.platform == "win32":
    import msvcrt

    def _lock(file: IO[str]) -> bool:
        file.seek(_LOCKED_BYTE)
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _unlock(file: IO[str]) -> None:
        file.seek(_LOCKED_BYTE)
        msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _lock(file: IO[str]) -> bool:
        try:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    def _unlock(file: IO[str]) -> None:
        fcntl.flock(file.fileno(), fcntl.LOCK_UN)
