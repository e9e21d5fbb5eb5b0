"""librosa, loaded by one process at a time.

What numba compiles while librosa's modules are first imported it keeps on the disk, once for an environment. Two
processes that do so at once leave files there by which every later call is a segmentation fault, until they are gone.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import tempfile
from collections.abc import Iterator
from pathlib import Path

from crnn.locks import FileLock

# Compiling takes twenty seconds. A process that hangs at it must not block the others for ever.
_PATIENCE_SECONDS = 120.0


@contextlib.contextmanager
def compiling() -> Iterator[None]:
    """Hold what is imported within back while another process of this environment does the same.

    Where no lock can be had, on a disk that cannot be written to say, it is done without one.
    """
    with contextlib.ExitStack() as held:
        with contextlib.suppress(OSError):
            held.enter_context(lock_of_environment()).acquire(_PATIENCE_SECONDS)
        yield


def lock_of_environment() -> FileLock:
    """The lock for all processes that load the same copy of librosa, whatever their homes.

    Raises:
        OSError: There is no folder for it.
    """
    spec = importlib.util.find_spec("librosa")
    copy = hashlib.sha256(str(spec and spec.origin).encode()).hexdigest()[:16]
    return FileLock(Path(tempfile.gettempdir()) / f"genrescope-librosa-{copy}.lock")


with compiling():
    import librosa

    # librosa itself imports its modules late; these compile, and so does `librosa.beat`, which takes a second more.
    import librosa.core.audio
    import librosa.core.pitch
    import librosa.util.utils

__all__ = ["compiling", "librosa", "lock_of_environment"]
