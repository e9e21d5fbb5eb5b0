"""When objects that point at each other are let go of.

Streamlit searches all objects for them after each script, which is half of what a second of listening along costs a
server. Here they are searched for every some seconds where there was work, when a visit ends, and before somebody is
refused for want of room.
"""

from __future__ import annotations

import gc
import threading
import time


class Garbage:
    """What only points at itself.

    Args:
        least_seconds: Between two searches.
    """

    def __init__(self, least_seconds: float = 1.0) -> None:
        self._least_seconds = least_seconds
        self._lock = threading.Lock()
        self._n_made, self._searched_at = -1, float("-inf")

    def collect(self) -> bool:
        """Search, unless next to nothing was made since the last search or it was just now; whether it was done."""
        with self._lock:
            # Counted by Python itself, once for some thousands of new objects.
            n_made = gc.get_stats()[1]["collections"]
            if n_made == self._n_made or time.monotonic() - self._searched_at < self._least_seconds:
                return False
            gc.collect()
            self._n_made, self._searched_at = n_made, time.monotonic()
            return True


# The one of this process.
GARBAGE = Garbage()
