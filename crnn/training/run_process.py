"""The process of a run: `python -m crnn.training.run_process FOLDER QUEUE SECONDS BYTES`, started by `crnn.jobs.runs`.

It waits for its turn, then trains for at most so many seconds and keeps the best of them; beyond so many bytes of
memory it ends in a sentence.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
import traceback
from collections import deque
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crnn.config import TrainConfig
from crnn.errors import CrnnError
from crnn.jobs import queue
from crnn.jobs.estimates import work
from crnn.jobs.memory import bound_this_process
from crnn.jobs.runs import LOG_NAME, Account, Run
from crnn.untrusted import VisibleFormatter

if TYPE_CHECKING:
    from crnn.training.materials import Outcome

_TELL_EVERY_SECONDS = 0.25
_LOOK_EVERY_SECONDS = 0.1
_LEAST_TO_JUDGE_SECONDS = 2.0
_STRETCH_SECONDS = 20.0
# A first stretch this many times as fast as the rest is not taken for the pace.
_BURST = 5
_TOO_LARGE = (
    "This training took more than the {:.1f} GiB of memory that one is given here, and was ended. Choose a smaller "
    "preset, or fewer tracks; on a machine of your own it may take what there is."
)


class Watch:
    """Between the training and the folder: tells how it goes, and obeys the flags.

    Args:
        run: Whose folder it is.
        account: What is written of it there.
        seconds: So long it may take.
    """

    def __init__(self, run: Run, account: Account, seconds: float = float("inf")) -> None:
        self._run, self._account = run, account
        # As the order says: some epochs take longer than others.
        self.train = TrainConfig()
        self._ends_at = time.monotonic() + seconds
        self._told_at = -_TELL_EVERY_SECONDS
        self._looked_at = -_LOOK_EVERY_SECONDS
        self._stopped = False
        self._stage, self._began, self._n_steps = "", 0.0, 0
        # Pauses since the stage began, which are not counted as work.
        self._paused_seconds = 0.0
        # Seconds of work and steps done by then: the pace of the last stretch tells how long the rest takes.
        self._marks: deque[tuple[float, int]] = deque()

    def on_event(self, event: dict[str, Any]) -> None:
        """Steps renew the status; everything else is kept."""
        if event["event"] == "step":
            self._on_step(event)
            return
        if event["event"] == "stage":
            if self._stage:
                # How long it took without its pauses: the next training's estimate.
                event = event | {"after": self._stage, "seconds": self._worked_seconds()}
            self._account.record(event)
            self._stage, self._began, self._paused_seconds, self._n_steps = event["stage"], time.monotonic(), 0.0, 0
            self._marks.clear()
            self._account.tell(stage=event["stage"], done=0, total=0, seconds_left=None)
            return
        self._account.record(event)

    def on_progress(self, done: int, total: int) -> None:
        """Tracks that the stage is done with.

        Args:
            done: How many.
            total: Of how many.
        """
        if self._is_due() or done == total:
            self._account.tell(done=done, total=total, seconds_left=self._seconds_left(done, total))

    def _worked_seconds(self) -> float:
        """Seconds since the stage began, without pauses."""
        return max(0.0, time.monotonic() - self._began - self._paused_seconds)

    def _seconds_left(self, done: int, total: int) -> float | None:
        """By the pace of the last stretch: what lay in the cache was done in no time, and tells nothing of the rest."""
        worked = self._worked_seconds()
        self._marks.append((worked, done))
        while len(self._marks) > 2:
            first, second, last = self._marks[0], self._marks[1], self._marks[-1]
            if second[0] > worked - _STRETCH_SECONDS and not _is_burst(first, second, last):
                break
            self._marks.popleft()
        worked_before, done_before = self._marks[0]
        if worked - worked_before < _LEAST_TO_JUDGE_SECONDS or done == done_before:
            return None
        return (worked - worked_before) / (done - done_before) * (total - done)

    def should_stop(self) -> bool:
        """Whether to stop. Pauses right here for as long as that is asked for."""
        now = time.monotonic()
        if not self._stopped and now - self._looked_at >= _LOOK_EVERY_SECONDS:
            self._looked_at = now
            if self._run.is_asked("pause") and not self._run.is_asked("stop"):
                self._pause()
            self._stopped = self._stopped or self._run.is_asked("stop") or self._is_late()
        return self._stopped

    def _is_late(self) -> bool:
        return time.monotonic() > self._ends_at

    def stop(self, *_: object) -> None:
        """A signal's wish."""
        self._stopped = True

    def _pause(self) -> None:
        began = time.monotonic()
        self._account.tell(state="paused")
        # A pause ends with the time of the run, so that those who wait get their turn.
        while (
            self._run.is_asked("pause") and not self._run.is_asked("stop") and not self._stopped and not self._is_late()
        ):
            time.sleep(_LOOK_EVERY_SECONDS)
        self._paused_seconds += time.monotonic() - began
        self._account.tell(state="working")

    def _on_step(self, event: dict[str, Any]) -> None:
        self._n_steps += 1
        now = time.monotonic()
        if self._n_steps == 1:
            # The first step builds the graph: its time, and pauses before it, say nothing about the others.
            self._began, self._paused_seconds = now, 0.0
        if not self._is_due():
            return
        done = (event["epoch"] - 1) * event["steps"] + event["step"]
        total = event["epochs"] * event["steps"]
        left = self._work(total, event) - self._work(done, event)
        since = self._work(done, event) - self._work(done - self._n_steps + 1, event)
        seconds_left = (now - self._began - self._paused_seconds) / max(since, 1e-9) * left
        self._account.tell(
            done=done,
            total=total,
            epoch=event["epoch"],
            epochs=event["epochs"],
            learning_rate=event["learning_rate"],
            loss=event["loss"],
            seconds_left=seconds_left if self._n_steps > 2 else None,
        )

    def _work(self, n_steps: int, event: dict[str, Any]) -> float:
        """How much so many steps are to do; those that move the body of a start take far longer than those before."""
        return work(self.train, n_steps / event["steps"])

    def _is_due(self) -> bool:
        now = time.monotonic()
        if now - self._told_at < _TELL_EVERY_SECONDS:
            return False
        self._told_at = now
        return True


def _is_burst(first: tuple[float, int], second: tuple[float, int], last: tuple[float, int]) -> bool:
    """Whether far more was done at first than since: marks of work and what was done."""
    at_first = (second[1] - first[1]) * (last[0] - second[0])
    since = (last[1] - second[1]) * (second[0] - first[0])
    return at_first > _BURST * since


def main(folder: Path, queue_folder: Path, seconds: float, most_bytes: float) -> int:
    """Carry out the order in `folder` when its turn comes; the exit status.

    Args:
        folder: Of the run.
        queue_folder: Where runs of all owners wait for their turn.
        seconds: The most that it may take by the clock, pauses included; infinite for no bound.
        most_bytes: Of memory; infinite for no bound.
    """
    run = Run(folder)
    leaving: list[int] = []
    for name in ("SIGINT", "SIGTERM"):
        signal.signal(getattr(signal, name), lambda number, _: leaving.append(number))

    def should_leave() -> bool:
        # Asked to stop with epochs in hand, it still has a model to make of them.
        return bool(leaving) or (run.is_asked("stop") and not run.epochs_kept())

    with queue.turn(folder, queue_folder, should_leave) as is_ours:
        account = Account(run)
        if not is_ours:
            account.tell(state="stopped", stage="ended", message="It was stopped before its turn came.")
            return 0
        bound_this_process(most_bytes, partial(_end_for_memory, account, most_bytes))
        watch = Watch(run, account, seconds)
        watch.on_event({"event": "stage", "stage": "starting"})
        for name in ("SIGINT", "SIGTERM"):
            signal.signal(getattr(signal, name), watch.stop)
        try:
            outcome = _carry_out(run, watch)
        except CrnnError as err:
            account.tell(state="failed", message=str(err))
            return 1
        except Exception as err:  # noqa: BLE001 - the last one to hear of a bug tells the page, and keeps the traceback
            traceback.print_exc()
            account.tell(state="failed", message=_words_for(err))
            return 1
        watch.on_event({"event": "stage", "stage": "ended"})
        _conclude(account, outcome)
    return 0


def _carry_out(run: Run, watch: Watch) -> Outcome:
    order = run.order()
    watch.train = order.settings.train
    # TensorFlow takes 6 to 18 s to come; the page already shows that the run began.
    from crnn.training.pipeline import carry_out

    return carry_out(order, on_event=watch.on_event, on_progress=watch.on_progress, should_stop=watch.should_stop)


def _end_for_memory(account: Account, most_bytes: float) -> None:
    account.tell(state="failed", message=_TOO_LARGE.format(most_bytes / 2**30))
    # Its own memory is what there is too much of: no step more.
    os._exit(1)


def _conclude(account: Account, outcome: Outcome) -> None:
    message = " ".join(outcome.notes)
    if outcome.report is not None:
        try:
            account.keep_report(outcome.report)
        except OSError as err:
            # One of before would speak of another model.
            account.forget_report()
            message = f"The report could not be written: {err.strerror or err}. {message}"
    account.tell(state="stopped" if outcome.stopped else "done", message=message, stage="ended")


def _words_for(err: Exception) -> str:
    if isinstance(err, MemoryError):
        return "The machine has too little memory for this. Choose a smaller preset, or fewer tracks."
    return f"The training ended by a fault of the program ({type(err).__name__}: {err}). Its folder holds {LOG_NAME}."


if __name__ == "__main__":
    # Its stderr is the run's log.
    handler = logging.StreamHandler()
    handler.setFormatter(VisibleFormatter())
    logging.getLogger("crnn").addHandler(handler)
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2]), *map(float, sys.argv[3:])))
