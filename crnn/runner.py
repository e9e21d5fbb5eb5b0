"""The process of a run: `python -m crnn.runner FOLDER`. Started by `crnn.runs` alone."""

from __future__ import annotations

import contextlib
import logging
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crnn.errors import CrnnError
from crnn.runs import LOG_NAME, Account, Run, run_lock

if TYPE_CHECKING:
    from crnn.workshop import Outcome

_LOCK_SECONDS = 10.0
_TELL_EVERY_SECONDS = 0.25
_LOOK_EVERY_SECONDS = 0.1


class Watch:
    """Between the training and the folder: tells how it goes, and obeys the flags."""

    def __init__(self, run: Run, account: Account) -> None:
        self._run, self._account = run, account
        self._told_at = -_TELL_EVERY_SECONDS
        self._looked_at = -_LOOK_EVERY_SECONDS
        self._stopped = False
        self._began, self._paused_seconds, self._n_steps = 0.0, 0.0, 0

    def on_event(self, event: dict[str, Any]) -> None:
        """Steps renew the status; everything else is kept."""
        if event["event"] == "step":
            self._on_step(event)
            return
        self._account.record(event)
        if event["event"] == "stage":
            self._account.tell(stage=event["stage"], done=0, total=0, seconds_left=None)

    def on_progress(self, done: int, total: int) -> None:
        """Tracks whose features are there."""
        if self._is_due() or done == total:
            self._account.tell(done=done, total=total)

    def should_stop(self) -> bool:
        """Whether to stop. Pauses right here for as long as that is asked for."""
        now = time.monotonic()
        if not self._stopped and now - self._looked_at >= _LOOK_EVERY_SECONDS:
            self._looked_at = now
            if self._run.is_asked("pause") and not self._run.is_asked("stop"):
                self._pause()
            self._stopped = self._run.is_asked("stop")
        return self._stopped

    def stop(self, *_: object) -> None:
        """A signal's wish."""
        self._stopped = True

    def _pause(self) -> None:
        began = time.monotonic()
        self._account.tell(state="paused")
        while self._run.is_asked("pause") and not self._run.is_asked("stop") and not self._stopped:
            time.sleep(_LOOK_EVERY_SECONDS)
        self._paused_seconds += time.monotonic() - began
        self._account.tell(state="working")

    def _on_step(self, event: dict[str, Any]) -> None:
        self._n_steps += 1
        now = time.monotonic()
        if self._n_steps == 1:
            # The first step builds the graph; it says nothing about the others.
            self._began = now
        if not self._is_due():
            return
        done = (event["epoch"] - 1) * event["steps"] + event["step"]
        total = event["epochs"] * event["steps"]
        per_step = (now - self._began - self._paused_seconds) / max(1, self._n_steps - 1)
        self._account.tell(
            done=done,
            total=total,
            epoch=event["epoch"],
            epochs=event["epochs"],
            learning_rate=event["learning_rate"],
            loss=event["loss"],
            seconds_left=per_step * (total - done) if self._n_steps > 2 else None,
        )

    def _is_due(self) -> bool:
        now = time.monotonic()
        if now - self._told_at < _TELL_EVERY_SECONDS:
            return False
        self._told_at = now
        return True


def main(folder: Path) -> int:
    """Carry out the order in `folder`; the exit status."""
    run = Run(folder)
    with run_lock() as lock:
        if not lock.acquire(_LOCK_SECONDS):
            return 1
        lock.write(run.run_id)
        account = Account(run)
        account.tell(stage="starting")
        watch = Watch(run, account)
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
        _conclude(account, outcome)
    return 0


def _carry_out(run: Run, watch: Watch) -> Outcome:
    order = run.order()
    with contextlib.suppress(OSError):
        (run.folder / "report.json").unlink(missing_ok=True)
    # TensorFlow takes 6 to 18 s to come; the page already shows that the run began.
    from crnn.workshop import carry_out

    return carry_out(order, on_event=watch.on_event, on_progress=watch.on_progress, should_stop=watch.should_stop)


def _conclude(account: Account, outcome: Outcome) -> None:
    message = " ".join(outcome.notes)
    if outcome.report is not None:
        try:
            account.keep_report(outcome.report)
        except OSError as err:
            message = f"The report could not be written: {err.strerror or err}. {message}"
    account.tell(state="stopped" if outcome.stopped else "done", message=message, stage="ended")


def _words_for(err: Exception) -> str:
    if isinstance(err, MemoryError):
        return "The machine has too little memory for this. Choose a smaller preset, or fewer tracks."
    return f"The training ended by a fault of the program ({type(err).__name__}: {err}). Its folder holds {LOG_NAME}."


if __name__ == "__main__":
    # Its stderr is the run's log.
    logging.getLogger("crnn").addHandler(logging.StreamHandler())
    sys.exit(main(Path(sys.argv[1])))
