"""What a process may take of the machine's memory: a hostile data set ends its own training and nothing else.

Two bounds. The system refuses what goes far beyond; before that a look every tenth of a second ends the process in
words, because libraries that are refused memory end it without any. Both count what is written to, not what is
mapped of files. Where the system tells neither (anything but Linux), nothing is bounded.
"""

from __future__ import annotations

import math
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from crnn import os_limits

_LOOK_EVERY_SECONDS = 0.1
# Address space that libraries reserve and never use: TensorFlow had 0.4 GB of it after a training.
_RESERVED_BYTES = 2**30
_STATUS = Path("/proc/self/status")


def bound_this_process(most_bytes: float, on_passed: Callable[[], None]) -> None:
    """Bound the memory of this process from now on.

    Args:
        most_bytes: What it may hold; infinite for no bound.
        on_passed: Called once, from a thread of its own, when it holds more; it should end the process.
    """
    if not math.isfinite(most_bytes) or sys.platform != "linux":
        return
    os_limits.lower("RLIMIT_DATA", int(most_bytes) + _RESERVED_BYTES)
    threading.Thread(target=_look_on, args=(most_bytes, on_passed), name="memory", daemon=True).start()


def _look_on(most_bytes: float, on_passed: Callable[[], None]) -> None:
    waiting = threading.Event()
    while held_bytes() <= most_bytes:
        waiting.wait(_LOOK_EVERY_SECONDS)
    on_passed()


def held_bytes() -> int:
    """Memory that this process wrote to and that is no file's; Linux alone tells it.

    Raises:
        OSError: The system tells nothing of it.
    """
    for line in _STATUS.read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) << 10
    raise OSError(f"{_STATUS} does not tell RssAnon")
