"""A file that a thread makes while its page lives: no click, and no other page, ends it; its Stop does."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable
from concurrent.futures import Future, wait

Make = Callable[[Callable[[], None]], bytes]


class _UnwantedError(Exception):
    """Nobody waits for the file any more."""


class Making:
    """A file under way; it is given up where it is stopped, or let go of with the visit that it was made for.

    Args:
        key: Which one it is.
        name: What it is called while one waits for it.
        make: Makes it, in a thread that may not speak to the page; it calls what it is given a few times a second.
    """

    def __init__(self, key: str, name: str, make: Make) -> None:
        self.key, self.name, self._began = key, name, time.monotonic()
        self._file: Future[bytes] = Future()
        self._is_unwanted = threading.Event()
        # The thread does not hold this object: a visit that ends lets go of it, and so ends the thread.
        weakref.finalize(self, self._is_unwanted.set)
        threading.Thread(target=_run, args=(make, self._file, self._is_unwanted), name="making").start()

    @property
    def seconds(self) -> float:
        """Since it began."""
        return time.monotonic() - self._began

    def is_done(self, patience_seconds: float = 0.0) -> bool:
        """Whether it is made, or failed.

        Args:
            patience_seconds: How long to wait for it.
        """
        return bool(wait([self._file], patience_seconds).done)

    def file(self) -> bytes:
        """The file, once it is done; it raises what the making of it raised."""
        return self._file.result()

    def stop(self) -> None:
        """Make it no further."""
        self._is_unwanted.set()


def _run(make: Make, file: Future[bytes], is_unwanted: threading.Event) -> None:
    def go_on() -> None:
        # A server that ends waits for its threads.
        if is_unwanted.is_set() or not threading.main_thread().is_alive():
            raise _UnwantedError

    try:
        file.set_result(make(go_on))
    # Whatever it is, the page that waits raises it.
    except BaseException as err:  # noqa: BLE001
        file.set_exception(err)
