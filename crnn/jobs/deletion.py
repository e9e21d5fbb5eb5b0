"""Trainings that were deleted: put aside, so that they can be put back, the last few of them."""

from __future__ import annotations

import contextlib
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from crnn.errors import CrnnError, TrainingBusyError
from crnn.jobs.runs import Run, check_own, runs_dir
from crnn.owner import Owner

# A checkpoint takes some megabytes: what was deleted longest ago goes for good.
MOST_KEPT = 5
_DELETED = ".deleted"


@dataclass(frozen=True)
class DeletedRun:
    """A run that was put aside: as it lies now, and what it was called."""

    run: Run
    run_id: str


def delete_run(run: Run, *, owner: Owner) -> None:
    """Put a run aside, its checkpoint and its report with it.

    Args:
        run: One that is not under way.
        owner: Whose it must be.

    Raises:
        TrainingBusyError: It is under way.
        CrnnError: It is not his, or the disk refuses.
    """
    check_own(run, owner)
    if run.is_active():
        raise TrainingBusyError("This run is under way. Stop it first.")
    aside = run.folder.parent / _DELETED / f"{run.run_id}@{time.time_ns()}"
    try:
        aside.parent.mkdir(exist_ok=True)
        run.folder.rename(aside)
    except FileNotFoundError:
        return  # another window was quicker
    except OSError as err:
        raise CrnnError(f"The run {run.run_id} could not be deleted: {err.strerror or err}.") from err
    for old in deleted_runs(owner)[MOST_KEPT:]:
        throw_away(old, owner=owner)


def deleted_runs(owner: Owner) -> list[DeletedRun]:
    """Runs of his that can be put back, the last deleted first."""
    found: list[Path] = []
    with contextlib.suppress(OSError):  # nothing was deleted yet
        found = [path for path in (runs_dir(owner) / _DELETED).iterdir() if "@" in path.name]
    found.sort(key=lambda path: path.name.rpartition("@")[2], reverse=True)
    return [DeletedRun(Run(path), path.name.rpartition("@")[0]) for path in found]


def put_back(deleted: DeletedRun, *, owner: Owner) -> Run:
    """Undo a deletion; the run as it lies again.

    Args:
        deleted: From `deleted_runs`.
        owner: Whose it must be.

    Raises:
        CrnnError: It is not his, it is gone for good, its place was taken, or the disk refuses.
    """
    run = Run(_place(deleted, owner))
    if run.folder.exists():
        raise CrnnError(f"There is another run {run.run_id} by now. Delete that one first.")
    try:
        deleted.run.folder.rename(run.folder)
    except FileNotFoundError as err:
        raise CrnnError(f"The run {run.run_id} is gone for good.") from err
    except OSError as err:
        raise CrnnError(f"The run {run.run_id} could not be put back: {err.strerror or err}.") from err
    return run


def throw_away(deleted: DeletedRun, *, owner: Owner) -> None:
    """Delete a deleted run for good.

    Args:
        deleted: From `deleted_runs`; gone already is no error.
        owner: Whose it must be.

    Raises:
        CrnnError: It is not his.
    """
    _place(deleted, owner)
    shutil.rmtree(deleted.run.folder, ignore_errors=True)


def _place(deleted: DeletedRun, owner: Owner) -> Path:
    """Where a deleted run lay, if it is one of his."""
    folder = deleted.run.folder
    place = folder.parents[1] / folder.name.rpartition("@")[0]
    check_own(Run(place), owner)
    if folder.parent.name != _DELETED:
        raise CrnnError(f"There is no deleted run {folder.name} of yours.")
    return place
