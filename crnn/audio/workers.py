"""Worker processes: started, kept warm, lent to one file at a time, watched for hangs, and replaced.

They are started as a module of their own (`crnn.audio.worker`), never by running the caller's main script again.
"""

from __future__ import annotations

import atexit
import contextlib
import io
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import BinaryIO, cast

from crnn.audio.channel import Channel, Message, enlarge

HANG_SECONDS = 20.0
# A slow start of the worker on a busy machine must not count as a file's fault.
_START_SECONDS = 120.0
KEPT_WARM = 2
# A worker is replaced after this many files, so that what libraries leak is freed.
_FILES_PER_WORKER = 1000
MAX_AT_WORK = max(4, 2 * (os.cpu_count() or 1))
# A half-read file keeps its worker. Whoever finds none free waits this long, and then gets an extra one.
_WAIT_SECONDS = 2.0
_log = logging.getLogger(__name__)


@contextlib.contextmanager
def _deaf_to_ctrl_c() -> Iterator[None]:
    """What is started within it never hears Ctrl-C, which reaches the whole group; this process does when it ends.

    A worker that died of it while it started would have its file called damaged.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class Worker:
    """A process that decodes, and the channel to it.

    Raises:
        OSError: No process can be started.
    """

    def __init__(self) -> None:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path)}
        # One thread: NumPy would allocate memory for each.
        environment |= dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        # Otherwise glibc returns each block's memory and gets it zeroed again: 10 of 88 ms for a song of 30 s.
        environment |= {"MALLOC_TRIM_THRESHOLD_": str(16 << 20), "MALLOC_MMAP_THRESHOLD_": str(32 << 20)}
        with _deaf_to_ctrl_c():
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "crnn.audio.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=environment,
                bufsize=0,
            )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        enlarge(self.process.stdout.fileno())
        incoming = io.BufferedReader(cast(io.RawIOBase, self.process.stdout), 1 << 16)
        self.channel = Channel(incoming, cast(BinaryIO, self.process.stdin))
        self.n_files = 0
        self.is_counted = False
        self.is_ready = False
        self.has_hung = False
        self.waits_since: float | None = None

    def send(self, message: Message, body: bytes = b"") -> None:
        """Send an order, or what belongs to one.

        Args:
            message: JSON-ready facts.
            body: Bytes that go with it.

        Raises:
            ChannelClosedError: The worker is gone.
        """
        self.channel.send(message, body)

    def receive(self) -> tuple[Message, bytes]:
        """What the worker says next; it is killed if it says nothing for `HANG_SECONDS`, not counting its start."""
        if self.waits_since is None:
            self.waits_since = time.monotonic()
        message, body = self.channel.receive()
        if message.get("kind") == "ready" and not self.is_ready:
            self.is_ready, self.waits_since = True, time.monotonic()
            message, body = self.channel.receive()
        if message.get("kind") != "read":
            self.waits_since = None
        return message, body

    def end(self) -> None:
        """Kill it."""
        with contextlib.suppress(OSError):
            self.process.kill()
        self.channel.close()
        self.process.wait()


class Pool:
    """Workers that wait, and those at work."""

    def __init__(self) -> None:
        # Reentrant: garbage collection of an abandoned file may take it again in the same thread.
        self._lock = threading.RLock()
        self._idle: list[Worker] = []
        self._at_work: set[Worker] = set()
        self._free = threading.Semaphore(MAX_AT_WORK)
        self._watch: threading.Thread | None = None

    def warm_up(self) -> None:
        """See to it that a worker waits."""
        with self._lock:
            if not self._idle and not self._at_work:
                self._idle.append(Worker())

    def take(self) -> Worker:
        """A worker for one file.

        Raises:
            OSError: No process can be started.
        """
        is_counted = self._free.acquire(timeout=_WAIT_SECONDS)
        try:
            with self._lock:
                worker = self._waiting_or_new()
                worker.n_files += 1
                worker.is_counted = is_counted
                worker.waits_since = None
                self._at_work.add(worker)
                self._start_watch()
        except BaseException:
            if is_counted:
                self._free.release()
            raise
        return worker

    def _waiting_or_new(self) -> Worker:
        while self._idle:
            worker = self._idle.pop()
            if worker.process.poll() is None:
                return worker
            worker.end()
        return Worker()

    def give_back(self, worker: Worker, *, is_sound: bool) -> None:
        """Take a worker back: to be kept warm, or to be replaced.

        Args:
            worker: One that was lent.
            is_sound: Whether it did its work to the end and may get another file.
        """
        with self._lock:
            self._at_work.discard(worker)
            is_wanted = len(self._idle) < KEPT_WARM
            if is_sound and is_wanted and worker.n_files < _FILES_PER_WORKER:
                self._idle.append(worker)
            else:
                worker.end()
                if is_wanted and not is_sound:
                    with contextlib.suppress(OSError):
                        self._idle.append(Worker())
        if worker.is_counted:
            self._free.release()

    def pids(self) -> list[int]:
        """Process ids of all workers."""
        with self._lock:
            return [worker.process.pid for worker in (*self._idle, *self._at_work)]

    def close(self) -> None:
        """End all workers."""
        with self._lock:
            for worker in (*self._idle, *self._at_work):
                worker.end()
            self._idle.clear()
            self._at_work.clear()

    def _start_watch(self) -> None:
        if self._watch is None or not self._watch.is_alive():
            self._watch = threading.Thread(target=self._look_for_hangs, name="decoder watch", daemon=True)
            self._watch.start()

    def _look_for_hangs(self) -> None:
        while True:
            time.sleep(min(1.0, HANG_SECONDS / 4))
            with self._lock:
                if not self._at_work:
                    self._watch = None
                    return
                now = time.monotonic()
                for worker in tuple(self._at_work):
                    since, limit = worker.waits_since, HANG_SECONDS if worker.is_ready else _START_SECONDS
                    if since is not None and now - since > limit and not worker.has_hung:
                        worker.has_hung = True
                        worker.process.kill()


_pools: dict[int, Pool] = {}
_pools_lock = threading.Lock()


def pool_of_this_process() -> Pool:
    """This process's own: a forked child must not talk to its parent's workers."""
    with _pools_lock:
        pool = _pools.get(os.getpid())
        if pool is None:
            _pools.clear()
            pool = _pools[os.getpid()] = Pool()
            atexit.register(pool.close)
        return pool


def worker_pids() -> list[int]:
    """Process ids of the workers of this process, for who watches what they take."""
    return pool_of_this_process().pids()


def warm_up() -> None:
    """Start a worker while there is other work to do; nothing is waited for."""
    try:
        pool_of_this_process().warm_up()
    except OSError as err:
        _log.warning("no worker process can be started: %s", err)
