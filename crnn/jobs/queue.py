"""The queue of trainings: one at a time on a machine, the others in the order in which they came.

The process of a run waits for its own turn, so no server need live for the queue to go on. Its ticket is a file
that it holds locked; the system lets go of it when the process ends, and a ticket that nobody holds counts nothing.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from crnn import paths
from crnn.locks import FileLock

_LOOK_EVERY_SECONDS = 0.2


def folder() -> Path:
    """Folder of the queue, one for everybody on a machine."""
    return paths.home_dir() / "runs"


def lock(of: Path | None = None) -> FileLock:
    """The lock that the process of a run holds as long as it trains.

    Args:
        of: Folder of the queue, where this process has another home than the server.
    """
    return FileLock((of or folder()) / "lock")


def ticket(run: Path) -> str:
    """What stands for a run in the queue: no two people's runs are one."""
    return str(run.resolve())


def holder() -> str | None:
    """Ticket of the run that trains."""
    held = lock()
    if not held.is_held():
        return None
    try:
        return held.path.read_text(encoding="utf-8", errors="surrogateescape") or None
    except OSError:
        return None


def waiting() -> list[str]:
    """Tickets of the runs that wait, the next one first."""
    return [told for _, told in _held(folder())]


def place(run: Path) -> int | None:
    """How many are before a run that waits, the one that trains among them; None if it does not wait."""
    tickets = waiting()
    mine = ticket(run)
    return tickets.index(mine) + 1 if mine in tickets else None


def _held(queue: Path) -> list[tuple[Path, str]]:
    found = []
    for path in sorted(queue.glob("ticket-*")):
        if FileLock(path).is_held():
            with contextlib.suppress(OSError):
                found.append((path, path.read_text(encoding="utf-8", errors="surrogateescape")))
    return found


@contextlib.contextmanager
def turn(run: Path, queue: Path, should_stop: Callable[[], bool]) -> Iterator[bool]:
    """Wait for a run's turn and hold it; whether it came before the wish to stop did.

    Args:
        run: The run's folder.
        queue: As `folder` named it to the server.
        should_stop: Asked all the while.
    """
    paper = FileLock(queue / f"ticket-{time.time_ns():020d}")
    held = lock(queue)
    with paper, held:
        # Whoever counts those that wait holds each paper for a moment.
        paper.acquire(patience_seconds=5.0)
        paper.write(ticket(run))
        is_ours = False
        while not is_ours and not should_stop():
            first = next(iter(_held_before(queue, paper)), None)
            is_ours = first is None and held.acquire()
            if not is_ours:
                time.sleep(_LOOK_EVERY_SECONDS)
        if is_ours:
            held.write(ticket(run))
        paper.release()
        paper.path.unlink(missing_ok=True)
        yield is_ours


def _held_before(queue: Path, paper: FileLock) -> list[Path]:
    return [path for path in sorted(queue.glob("ticket-*")) if path < paper.path and FileLock(path).is_held()]
