"""Trainings that were deleted: put aside, put back as they were, the oldest gone for good."""

from __future__ import annotations

import pytest

from crnn.errors import CrnnError, TrainingBusyError
from crnn.jobs import deletion, queue, runs
from crnn.jobs.runs import Account, Run
from crnn.owner import MACHINE, Owner

pytestmark = pytest.mark.usefixtures("home")


def made_up(run_id: str, owner: Owner = MACHINE) -> Run:
    run = Run(runs.runs_dir(owner) / run_id)
    run.folder.mkdir(parents=True)
    (run.folder / "order.json").write_text("{}")
    (run.folder / "checkpoint.npz").write_bytes(run_id.encode())
    Account(run).tell(state="stopped")
    return run


def test_a_deleted_run_comes_back_whole() -> None:
    first, second = made_up("20260101-000000"), made_up("20260102-000000")
    deletion.delete_run(second, owner=MACHINE)
    assert runs.list_runs(MACHINE) == [first]
    assert runs.current_run(MACHINE) == first
    (deleted,) = deletion.deleted_runs(MACHINE)
    assert deleted.run_id == "20260102-000000"
    assert deletion.put_back(deleted, owner=MACHINE) == second
    assert runs.list_runs(MACHINE) == [second, first]
    assert (second.folder / "checkpoint.npz").read_bytes() == b"20260102-000000"
    assert second.state() == "stopped"
    assert deletion.deleted_runs(MACHINE) == []


def test_only_the_last_five_are_kept() -> None:
    names = [f"2026010{day}-000000" for day in range(1, 8)]
    for name in names:
        deletion.delete_run(made_up(name), owner=MACHINE)
    assert [deleted.run_id for deleted in deletion.deleted_runs(MACHINE)] == names[:1:-1]


def test_what_cannot_be_put_back_is_said() -> None:
    deletion.delete_run(made_up("20260101-000000"), owner=MACHINE)
    (deleted,) = deletion.deleted_runs(MACHINE)
    made_up("20260101-000000")
    with pytest.raises(CrnnError, match="There is another run 20260101-000000 by now"):
        deletion.put_back(deleted, owner=MACHINE)
    deletion.throw_away(deleted, owner=MACHINE)
    deletion.throw_away(deleted, owner=MACHINE)
    runs.runs_dir(MACHINE).joinpath("20260101-000000").rename(runs.runs_dir(MACHINE) / "other")
    with pytest.raises(CrnnError, match="is gone for good"):
        deletion.put_back(deleted, owner=MACHINE)


def test_a_run_under_way_is_not_deleted() -> None:
    run = Run(runs.runs_dir(MACHINE) / "20260101-000000")
    run.folder.mkdir(parents=True)
    with queue.lock() as lock:
        assert lock.acquire()
        lock.write(queue.ticket(run.folder))
        with pytest.raises(TrainingBusyError, match="This run is under way"):
            deletion.delete_run(run, owner=MACHINE)
    assert run.folder.is_dir()


def test_anothers_run_is_not_there() -> None:
    ann, ben = Owner("shared", "a" * 32), Owner("shared", "b" * 32)
    run = made_up("20260101-000000", ann)
    with pytest.raises(CrnnError, match="There is no run"):
        deletion.delete_run(run, owner=ben)
    deletion.delete_run(run, owner=ann)
    (deleted,) = deletion.deleted_runs(ann)
    for act in (deletion.put_back, deletion.throw_away):
        with pytest.raises(CrnnError, match="There is no run"):
            act(deleted, owner=ben)
    assert deletion.deleted_runs(ben) == []
    assert deleted.run.folder.is_dir()
    # Nor is anything else in a folder of his thrown away as one.
    with pytest.raises(CrnnError, match="There is no deleted run"):
        deletion.throw_away(deletion.DeletedRun(Run(runs.runs_dir(ann) / "x" / "y@1"), "y"), owner=ann)
