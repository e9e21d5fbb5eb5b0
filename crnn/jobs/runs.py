"""Training runs in processes of their own, their whole state on disk.

A run is a folder below its owner's `home/runs`: the order, the events of its epochs, its
status, a checkpoint, flags by which it is asked to stop or to pause, and in the end
the model and the report. Whoever reads the folder knows all there is to know, so a
page may be refreshed, a server restarted or a process killed without losing a run.
One run at a time on a machine: its process holds a lock that the system takes from the dead. Where many are
served, the others wait for it in the order in which they came (`crnn.jobs.queue`).
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import json
import os
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

from crnn import atomic, paths
from crnn.errors import CrnnError, TrainingBusyError
from crnn.jobs import queue, quota
from crnn.jobs.detached import start_detached
from crnn.jobs.events import is_event
from crnn.jobs.order import CHECKPOINT_NAME, TrainingOrder
from crnn.limits import check_room
from crnn.locks import FileLock
from crnn.owner import Owner
from crnn.untrusted import json_line

State = Literal["waiting", "working", "paused", "done", "stopped", "failed", "interrupted"]
Flag = Literal["stop", "pause", "closed"]

MODEL_NAME = "model"
REPORT_NAME = "report.json"
LOG_NAME = "run.log"
_ORDER_NAME, _STATUS_NAME, _EVENTS_NAME = "order.json", "status.json", "events.jsonl"
_RESERVE_NAME, _RESERVE_BYTES = ".reserve", 1 << 16
_FLAGS: tuple[Flag, ...] = ("stop", "pause", "closed")
_ENDED: tuple[State, ...] = ("done", "stopped", "failed")
# The part of a run's name that says when it began.
_STAMP_LENGTH = len("20260101-000000")
# From the birth of the process to its lock: the time that Python takes to start on a busy machine.
_START_SECONDS = 60.0


@dataclass(frozen=True)
class Run:
    """A run on disk; every look reads the folder anew."""

    folder: Path

    @property
    def run_id(self) -> str:
        """Its name: the moment of its start."""
        return self.folder.name

    @property
    def model_dir(self) -> Path:
        """Where its model lies, once it has one."""
        return self.folder / MODEL_NAME

    def order(self) -> TrainingOrder:
        """What it was told to do.

        Raises:
            CrnnError: The order is damaged.
        """
        try:
            values = json.loads((self.folder / _ORDER_NAME).read_text(encoding="utf-8", errors="surrogateescape"))
            return TrainingOrder.from_dict(values)
        except (OSError, ValueError, KeyError, TypeError) as err:
            raise CrnnError(f"The order of the run {self.run_id} cannot be read: {err}. Start a new one.") from err

    def status(self) -> dict[str, Any]:
        """What its process said last: state, stage, progress, message; empty before its first word."""
        values = _read_json(self.folder / _STATUS_NAME)
        return values if isinstance(values, dict) else {}

    def state(self) -> State:
        """How it stands. A run that neither ended nor has a process was interrupted."""
        told = self.status().get("state")
        if told in _ENDED:
            return told
        if queue.holder() == queue.ticket(self.folder):
            return "paused" if told == "paused" else "working"
        if queue.place(self.folder) is not None:
            return "waiting"
        # It may have begun or ended since it was looked at above.
        told = self.status().get("state")
        if told not in _ENDED and queue.holder() == queue.ticket(self.folder):
            return "working"
        return told if told in _ENDED else "interrupted"

    def is_active(self) -> bool:
        """Whether its process lives."""
        return self.state() in {"waiting", "working", "paused"}

    def events(self) -> list[dict[str, Any]]:
        """What happened, oldest first. Of an epoch that was trained again only the last account counts."""
        events: list[dict[str, Any]] = []
        for event in filter(is_event, _read_lines(self.folder / _EVENTS_NAME)):
            if event.get("event") == "epoch":
                events = [e for e in events if e.get("event") != "epoch" or e["epoch"] < event["epoch"]]
            events.append(event)
        return events

    def report(self) -> dict[str, Any] | None:
        """The report on its model, once there is one."""
        values = _read_json(self.folder / REPORT_NAME)
        return values if isinstance(values, dict) else None

    def epochs_kept(self) -> int:
        """Epochs that a resumed run need not repeat."""
        if not (self.folder / CHECKPOINT_NAME).is_file():
            return 0
        return max((e["epoch"] for e in self.events() if e.get("event") == "epoch"), default=0)

    def is_asked(self, flag: Flag) -> bool:
        """Whether it was asked to stop or to pause, or its report was closed."""
        return (self.folder / flag).exists()

    def ask(self, flag: Flag) -> None:
        """Ask it to stop or to pause, or close its report."""
        with contextlib.suppress(FileNotFoundError):  # it was thrown away meanwhile
            (self.folder / flag).touch()

    def withdraw(self, flag: Flag) -> None:
        """Take back what was asked: go on after a pause."""
        (self.folder / flag).unlink(missing_ok=True)


class Account:
    """What a run's own process writes of itself.

    A full disk must not end a training, so what cannot be written is lost but for the log.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._facts: dict[str, Any] = {"pid": os.getpid(), "state": "working"}
        with _tolerating_a_full_disk():
            (run.folder / _RESERVE_NAME).write_bytes(bytes(_RESERVE_BYTES))

    def tell(self, **facts: Any) -> None:
        """Renew the status by `facts`."""
        self._facts |= facts
        if self._facts["state"] in _ENDED:
            # Frees the reserve, so that its last status fits on a full disk.
            (self._run.folder / _RESERVE_NAME).unlink(missing_ok=True)
        with _tolerating_a_full_disk():
            _write_json(self._run.folder / _STATUS_NAME, self._facts)

    def record(self, event: dict[str, Any]) -> None:
        """Add an event to those on disk."""
        line = json_line(event | {"at": time.time()})
        with (
            _tolerating_a_full_disk(),
            (self._run.folder / _EVENTS_NAME).open("a", encoding="utf-8") as file,
        ):
            # A line that a kill cut short must not swallow the next one.
            file.write(("\n" if _is_cut_short(file) else "") + line)

    def keep_report(self, report: dict[str, Any]) -> None:
        """Write the report."""
        _write_json(self._run.folder / REPORT_NAME, report)

    def forget_report(self) -> None:
        """Take away the report on a model that is there no more."""
        with _tolerating_a_full_disk():
            (self._run.folder / REPORT_NAME).unlink(missing_ok=True)


def runs_dir(owner: Owner) -> Path:
    """Folder of all runs of a person."""
    return owner.home / "runs"


def list_runs(owner: Owner) -> list[Run]:
    """Every run of his, newest first."""
    folder = runs_dir(owner)
    found = [Run(path) for path in folder.iterdir() if (path / _ORDER_NAME).is_file()] if folder.is_dir() else []
    return sorted(found, key=_age, reverse=True)


def _age(run: Run) -> tuple[str, int, str]:
    # The second of the start, and its number among those of that second: -10 comes after -2.
    return run.run_id[:_STAMP_LENGTH], len(run.run_id), run.run_id


def active_run(owner: Owner) -> Run | None:
    """The run of his whose process lives, if there is one."""
    tickets = {queue.holder(), *queue.waiting()} - {None}
    return next((run for run in list_runs(owner) if queue.ticket(run.folder) in tickets), None)


def current_run(owner: Owner) -> Run | None:
    """The run that a page shows: the active one, else the newest one unless it was closed."""
    active = active_run(owner)
    if active is not None:
        return active
    newest = next(iter(list_runs(owner)), None)
    return None if newest is None or newest.is_asked("closed") else newest


def start_run(order: TrainingOrder, *, owner: Owner) -> Run:
    """Start a run in a process of its own; returns when the process has taken the lock, or its place in the queue.

    Args:
        order: What to do; `out` and `run_dir` are set to the run's folder.
        owner: Whose run it is.

    Raises:
        TrainingBusyError: Another run is under way, or just being started; where many are served: one of his, or
            the queue is full.
        NotAllowedError, CrnnError: He may not train, or not on that, or not as much.
        DiskFullError: There is too little room for what a run writes.
        CrnnError: The disk or the system refuses.
    """
    placed = quota.checked(order, owner)
    with _sole_starter(owner):
        try:
            check_room(runs_dir(owner), 0, "A training")
            folder = _new_folder(owner)
            run = Run(folder)
            placed = dataclasses.replace(placed, out=run.model_dir, run_dir=folder, resume=False, replace=True)
            _write_json(folder / _ORDER_NAME, placed.to_dict())
        except OSError as err:
            raise CrnnError(f"The run cannot be written to {runs_dir(owner)}: {err.strerror or err}.") from err
        return _launch(run, owner)


def resume_run(run: Run, *, owner: Owner, only_keep: bool = False) -> Run:
    """Go on with a run that was stopped, failed or was interrupted.

    Args:
        run: Which one.
        owner: Whose it is.
        only_keep: Train no further: make the best so far a model.

    Raises:
        TrainingBusyError: It, or another run, is under way.
        CrnnError: It is not his, its order is damaged, or the system refuses.
    """
    check_own(run, owner)
    quota.checked(run.order(), owner)
    with _sole_starter(owner):
        placed, told = dataclasses.replace(run.order(), resume=True), run.status()
        try:
            _write_json(run.folder / _ORDER_NAME, placed.to_dict())
            for flag in _FLAGS:
                run.withdraw(flag)
            (run.folder / _STATUS_NAME).unlink(missing_ok=True)
        except OSError as err:
            raise CrnnError(f"The run {run.run_id} cannot be taken up: {err.strerror or err}.") from err
        if only_keep:
            run.ask("stop")
        try:
            return _launch(run, owner)
        except CrnnError:
            # Why it ended before still holds.
            with contextlib.suppress(OSError):
                _write_json(run.folder / _STATUS_NAME, told)
            raise


def check_own(run: Run, owner: Owner) -> None:
    """Another's run is refused as one that is not there.

    Args:
        run: Which one.
        owner: Whose it must be.

    Raises:
        CrnnError: It is not his.
    """
    owner.require("train")
    if run.folder.parent.resolve() != runs_dir(owner).resolve():
        raise CrnnError(f"There is no run {run.run_id} of yours.")


@contextlib.contextmanager
def _sole_starter(owner: Owner) -> Iterator[None]:
    folder = queue.folder()
    with FileLock(folder / "start.lock") as starting:
        try:
            # Where many are served, two starts in one moment are no accident: the second waits for its turn.
            is_ours = starting.acquire(_START_SECONDS if owner.limits.waiting else 0.0)
        except OSError as err:
            raise CrnnError(f"Runs cannot be kept in {folder}: {err.strerror or err}.") from err
        if not is_ours:
            raise TrainingBusyError("Another training is being started at this moment. Yours was not.")
        if owner.limits.waiting == 0:
            if queue.lock().is_held():
                raise TrainingBusyError("Another training is under way. Wait for its end, or stop it first.")
        elif active_run(owner) is not None:
            raise TrainingBusyError("A training of yours is under way or waits. Stop it first.")
        elif len(queue.waiting()) >= owner.limits.waiting:
            raise TrainingBusyError(f"{owner.limits.waiting} trainings wait already. Come again when some have ended.")
        yield


def _new_folder(owner: Owner) -> Path:
    now = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
    # A clock that was set back must not make this run older than those before it: the page shows the newest.
    now = max([now, *(run.run_id[:_STAMP_LENGTH] for run in list_runs(owner)[:1])])
    for number in range(1, 1000):
        folder = runs_dir(owner) / (now if number == 1 else f"{now}-{number}")
        with contextlib.suppress(FileExistsError):
            folder.mkdir(parents=True)
            return folder
    raise CrnnError("Too many runs were started in one second.")


def _launch(run: Run, owner: Owner) -> Run:
    command = [sys.executable, "-m", "crnn.training.run_process", str(run.folder), str(queue.folder())]
    command += [str(owner.limits.training_seconds), str(owner.limits.training_bytes)]
    # Its home is its owner's: what it unpacks and remembers is his, and goes with him. What is made is everybody's.
    environment = {
        **os.environ,
        "GENRESCOPE_HOME": str(owner.home),
        "GENRESCOPE_MADE": str(paths.made_dir()),
        "GENRESCOPE_MODELS": str(paths.models_dir()),
        "TF_CPP_MIN_LOG_LEVEL": "2",
    }
    try:
        with (run.folder / LOG_NAME).open("ab") as log:
            process = start_detached(command, environment, log, stands_back=owner.mode != "local")
    except OSError as err:
        raise CrnnError(f"The training process could not be started: {err.strerror or err}.") from err
    # Whoever does not wait for a child keeps it as a zombie; the run itself needs no one to wait.
    threading.Thread(target=process.wait, daemon=True).start()
    deadline = time.monotonic() + _START_SECONDS
    mine = queue.ticket(run.folder)
    while mine not in {queue.holder(), *queue.waiting()} and process.poll() is None:
        if time.monotonic() > deadline:
            process.kill()
            raise CrnnError(f"The training process did not begin within {_START_SECONDS:.0f} s. Try again.")
        time.sleep(0.05)
    return run


def _write_json(path: Path, values: dict[str, Any]) -> None:
    # Written several times a second, so not synced: after a power cut the run writes it again.
    with atomic.replacing(path, is_synced=False) as file:
        file.write(json_line(values).encode())


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8", errors="surrogateescape"))
    except (OSError, ValueError, RecursionError):
        return None


def _read_lines(path: Path) -> Iterator[dict[str, Any]]:
    try:
        lines = path.read_text(encoding="utf-8", errors="surrogateescape").split("\n")
    except OSError:
        return
    for line in lines:
        with contextlib.suppress(ValueError, RecursionError):
            event = json.loads(line)
            if isinstance(event, dict):
                yield event


def _is_cut_short(file: IO[str]) -> bool:
    with open(file.name, "rb") as written:
        if written.seek(0, os.SEEK_END) == 0:
            return False
        written.seek(-1, os.SEEK_END)
        return written.read(1) != b"\n"


@contextlib.contextmanager
def _tolerating_a_full_disk() -> Iterator[None]:
    try:
        yield
    except OSError as err:
        with contextlib.suppress(OSError):  # the log lies on the same disk
            sys.stderr.write(f"Not written: {err}\n")
