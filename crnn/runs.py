"""Training runs in processes of their own, their whole state on disk.

A run is a folder below `home_dir()/runs`: the order, the events of its epochs, its
status, a checkpoint, flags by which it is asked to stop or to pause, and in the end
the model and the report. Whoever reads the folder knows all there is to know, so a
page may be refreshed, a server restarted or a process killed without losing a run.
One run at a time: its process holds a lock that the system takes from the dead.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

from crnn import paths
from crnn.errors import CrnnError, TrainingBusyError
from crnn.limits import check_room
from crnn.locks import FileLock
from crnn.orders import CHECKPOINT_NAME, TrainingOrder

State = Literal["working", "paused", "done", "stopped", "failed", "interrupted"]
Flag = Literal["stop", "pause", "closed"]

MODEL_NAME = "model"
REPORT_NAME = "report.json"
LOG_NAME = "run.log"
_ORDER_NAME, _STATUS_NAME, _EVENTS_NAME = "order.json", "status.json", "events.jsonl"
_RESERVE_NAME, _RESERVE_BYTES = ".reserve", 1 << 16
_FLAGS: tuple[Flag, ...] = ("stop", "pause", "closed")
_ENDED: tuple[State, ...] = ("done", "stopped", "failed")
# Of a run's name, the part that is its moment.
_STAMP_LENGTH = len("20260101-000000")
_REPOSITORY = Path(__file__).resolve().parent.parent
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
        if _holder() == self.run_id:
            return "paused" if told == "paused" else "working"
        # It may have ended between the two looks.
        told = self.status().get("state")
        return told if told in _ENDED else "interrupted"

    def is_active(self) -> bool:
        """Whether its process lives."""
        return self.state() in {"working", "paused"}

    def events(self) -> list[dict[str, Any]]:
        """What happened, oldest first. Of an epoch that was trained again only the last account counts."""
        events: list[dict[str, Any]] = []
        for event in _read_lines(self.folder / _EVENTS_NAME):
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
            # Its last word must find room on a disk that is full.
            (self._run.folder / _RESERVE_NAME).unlink(missing_ok=True)
        with _tolerating_a_full_disk():
            _write_json(self._run.folder / _STATUS_NAME, self._facts)

    def record(self, event: dict[str, Any]) -> None:
        """Add an event to those on disk."""
        line = json.dumps(event | {"at": time.time()}, ensure_ascii=False)
        with (
            _tolerating_a_full_disk(),
            (self._run.folder / _EVENTS_NAME).open("a", encoding="utf-8", errors="surrogateescape") as file,
        ):
            # A line that a kill cut short must not swallow the next one.
            file.write(("\n" if _is_cut_short(file) else "") + line + "\n")

    def keep_report(self, report: dict[str, Any]) -> None:
        """Write the report."""
        _write_json(self._run.folder / REPORT_NAME, report)


def runs_dir() -> Path:
    """Folder of all runs."""
    return paths.home_dir() / "runs"


def list_runs() -> list[Run]:
    """Every run, newest first."""
    folder = runs_dir()
    found = [Run(path) for path in folder.iterdir() if (path / _ORDER_NAME).is_file()] if folder.is_dir() else []
    return sorted(found, key=_age, reverse=True)


def _age(run: Run) -> tuple[str, int, str]:
    # The second of the start, and its number among those of that second: -10 comes after -2.
    return run.run_id[:_STAMP_LENGTH], len(run.run_id), run.run_id


def active_run() -> Run | None:
    """The run whose process lives, if there is one."""
    run_id = _holder()
    return next((run for run in list_runs() if run.run_id == run_id), None)


def current_run() -> Run | None:
    """The run that a page shows: the active one, else the newest one unless it was closed."""
    active = active_run()
    if active is not None:
        return active
    newest = next(iter(list_runs()), None)
    return None if newest is None or newest.is_asked("closed") else newest


def start_run(order: TrainingOrder) -> Run:
    """Start a run in a process of its own; returns when the process has taken the lock.

    Args:
        order: What to do; `out` and `run_dir` are set to the run's folder.

    Raises:
        TrainingBusyError: Another run is under way, or just being started.
        DiskFullError: There is too little room for what a run writes.
        CrnnError: The disk or the system refuses.
    """
    with _sole_starter():
        try:
            check_room(runs_dir(), 0, "A training")
            folder = _new_folder()
            run = Run(folder)
            placed = dataclasses.replace(order, out=run.model_dir, run_dir=folder, resume=False, replace=True)
            _write_json(folder / _ORDER_NAME, placed.to_dict())
        except OSError as err:
            raise CrnnError(f"The run cannot be written to {runs_dir()}: {err.strerror or err}.") from err
        return _launch(run)


def resume_run(run: Run, *, only_keep: bool = False) -> Run:
    """Go on with a run that was stopped, failed or was interrupted.

    Args:
        run: Which one.
        only_keep: Train no further: make the best so far a model.

    Raises:
        TrainingBusyError: It, or another run, is under way.
        CrnnError: Its order is damaged, or the system refuses.
    """
    with _sole_starter():
        placed = dataclasses.replace(run.order(), resume=True)
        try:
            _write_json(run.folder / _ORDER_NAME, placed.to_dict())
            for flag in _FLAGS:
                run.withdraw(flag)
            (run.folder / _STATUS_NAME).unlink(missing_ok=True)
        except OSError as err:
            raise CrnnError(f"The run {run.run_id} cannot be taken up: {err.strerror or err}.") from err
        if only_keep:
            run.ask("stop")
        return _launch(run)


def delete_run(run: Run) -> None:
    """Throw a run away, its checkpoint and its report with it.

    Raises:
        TrainingBusyError: It is under way.
    """
    if run.is_active():
        raise TrainingBusyError("This run is under way. Stop it first.")
    shutil.rmtree(run.folder, ignore_errors=True)


def run_lock() -> FileLock:
    """The lock that the process of a run holds as long as it lives."""
    return FileLock(runs_dir() / "lock")


def _holder() -> str | None:
    """Id of the run whose process lives."""
    lock = run_lock()
    if not lock.is_held():
        return None
    try:
        return lock.path.read_text(encoding="utf-8") or None
    except OSError:
        return None


@contextlib.contextmanager
def _sole_starter() -> Iterator[None]:
    with FileLock(runs_dir() / "start.lock") as starting:
        try:
            is_ours = starting.acquire()
        except OSError as err:
            raise CrnnError(f"Runs cannot be kept in {runs_dir()}: {err.strerror or err}.") from err
        if not is_ours:
            raise TrainingBusyError("Another training is being started at this moment. Yours was not.")
        if run_lock().is_held():
            raise TrainingBusyError("Another training is under way. Wait for its end, or stop it first.")
        yield


def _new_folder() -> Path:
    now = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
    # A clock that was set back must not make this run older than those before it: the page shows the newest.
    now = max([now, *(run.run_id[:_STAMP_LENGTH] for run in list_runs()[:1])])
    for number in range(1, 1000):
        folder = runs_dir() / (now if number == 1 else f"{now}-{number}")
        with contextlib.suppress(FileExistsError):
            folder.mkdir(parents=True)
            return folder
    raise CrnnError("Too many runs were started in one second.")


def _launch(run: Run) -> Run:
    command = [sys.executable, "-m", "crnn.runner", str(run.folder)]
    environment = {
        **os.environ,
        "GENRESCOPE_HOME": str(paths.home_dir()),
        "GENRESCOPE_MODELS": str(paths.models_dir()),
        "TF_CPP_MIN_LOG_LEVEL": "2",
    }
    try:
        with (run.folder / LOG_NAME).open("ab") as log:
            process = _detached(command, environment, log)
    except OSError as err:
        raise CrnnError(f"The training process could not be started: {err.strerror or err}.") from err
    # Whoever does not wait for a child keeps it as a zombie; the run itself needs no one to wait.
    threading.Thread(target=process.wait, daemon=True).start()
    deadline = time.monotonic() + _START_SECONDS
    while _holder() != run.run_id and process.poll() is None:
        if time.monotonic() > deadline:
            process.kill()
            raise CrnnError(f"The training process did not begin within {_START_SECONDS:.0f} s. Try again.")
        time.sleep(0.05)
    return run


def _detached(command: list[str], environment: dict[str, str], log: IO[bytes]) -> subprocess.Popen[bytes]:
    """A process that no closed terminal and no ended server takes along."""
    if sys.platform == "win32":
        flags = subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP
        return subprocess.Popen(
            command,
            cwd=_REPOSITORY,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            creationflags=flags,
        )
    return subprocess.Popen(
        command,
        cwd=_REPOSITORY,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        start_new_session=True,
    )


def _write_json(path: Path, values: dict[str, Any]) -> None:
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        # File names need not be valid UTF-8: their bytes are kept as they are.
        draft.write_text(json.dumps(values, ensure_ascii=False), encoding="utf-8", errors="surrogateescape")
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8", errors="surrogateescape"))
    except (OSError, ValueError):
        return None


def _read_lines(path: Path) -> Iterator[dict[str, Any]]:
    try:
        lines = path.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return
    for line in lines:
        with contextlib.suppress(ValueError):
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
