"""Runs in processes of their own: started once, watched from the disk, stopped, paused, killed and taken up again."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from training_runs import SETTINGS, epochs_of, order_for, small_data_set, wait_until

from crnn.bundles.bundle import load_bundle
from crnn.errors import CrnnError, TrainingBusyError
from crnn.jobs import runs
from crnn.jobs.order import TrainingOrder, preset
from crnn.jobs.runs import Account, Run
from crnn.locks import FileLock
from crnn.owner import MACHINE

ROOT = Path(__file__).resolve().parents[2]
LONG = dataclasses.replace(SETTINGS, train=dataclasses.replace(SETTINGS.train, epochs=8, crops_per_track=12))


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("GENRESCOPE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GENRESCOPE_MODELS", str(tmp_path / "models"))
    yield tmp_path / "home"
    active = runs.active_run(MACHINE)
    if active is not None:
        os.kill(active.status()["pid"], signal.SIGKILL)


@pytest.fixture
def data_set(tmp_path):
    return small_data_set(tmp_path / "sounds")


def ended(run: Run) -> bool:
    return not run.is_active()


def weights_of(model: Path) -> list[np.ndarray]:
    import keras

    return keras.saving.load_model(model / "model.keras", compile=False).get_weights()


def test_lock_is_held_by_one(tmp_path):
    lock, other = FileLock(tmp_path / "lock"), FileLock(tmp_path / "lock")
    assert not other.is_held()
    assert lock.acquire()
    lock.write("me")
    assert not other.acquire()
    assert other.is_held()
    assert other.path.read_text() == "me"
    lock.release()
    assert other.acquire()
    other.release()


def test_lock_of_a_killed_process_is_free(tmp_path):
    script = "import sys, time; from crnn.locks import FileLock; from pathlib import Path\n"
    script += "FileLock(Path(sys.argv[1])).acquire() and print('held', flush=True); time.sleep(60)"
    # The lock must be kept by a name, or it goes with its object.
    script = script.replace("FileLock(Path(sys.argv[1])).acquire()", "(lock := FileLock(Path(sys.argv[1]))).acquire()")
    command = [sys.executable, "-c", script, str(tmp_path / "lock")]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert FileLock(tmp_path / "lock").is_held()
        process.kill()
    assert not FileLock(tmp_path / "lock").is_held()


def test_orders_travel_as_json(tmp_path):
    order = TrainingOrder(
        ("demo", "/somewhere"), tmp_path / "out", preset("quick"), genres={"a": "b", "c": None}, run_dir=tmp_path
    )
    assert TrainingOrder.from_dict(order.to_dict()) == order


def test_a_line_cut_short_by_a_kill_costs_no_other(tmp_path):
    run = Run(tmp_path)
    facts = {"event": "epoch", "epochs": 2, "seconds": 1.0}
    Account(run).record(facts | {"epoch": 1, "loss": 2.0})
    with (tmp_path / "events.jsonl").open("a") as file:
        file.write('{"event": "epoch", "ep')
    Account(run).record(facts | {"epoch": 2, "loss": 1.0})
    Account(run).record(facts | {"epoch": 2, "loss": 0.5})
    assert [(e["epoch"], e["loss"]) for e in run.events()] == [(1, 2.0), (2, 0.5)]


def test_a_run_without_a_process_was_interrupted(home):
    folder = runs.runs_dir(MACHINE) / "20260101-000000"
    folder.mkdir(parents=True)
    (folder / "order.json").write_text("{}")
    Account(Run(folder)).tell(stage="training")
    (run,) = runs.list_runs(MACHINE)
    assert run.state() == "interrupted"
    assert runs.current_run(MACHINE) == run
    run.ask("closed")
    assert runs.current_run(MACHINE) is None
    with pytest.raises(CrnnError, match="Start a new one"):
        runs.resume_run(run, owner=MACHINE)


def test_home_that_cannot_be_written_is_a_sentence(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("GENRESCOPE_HOME", str(tmp_path / "file"))
    with pytest.raises(CrnnError, match="Runs cannot be kept in"):
        runs.start_run(order_for(tmp_path), owner=MACHINE)


def test_a_run_that_cannot_be_taken_up_still_tells_why_it_ended(home, tmp_path, monkeypatch):
    folder = runs.runs_dir(MACHINE) / "20260101-000000"
    folder.mkdir(parents=True)
    (folder / "order.json").write_text(json.dumps(order_for(tmp_path).to_dict()))
    run = Run(folder)
    Account(run).tell(state="failed", message="The disk is full.")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no-python"))
    with pytest.raises(CrnnError, match="could not be started: No such file"):
        runs.resume_run(run, owner=MACHINE)
    assert (run.state(), run.status()["message"]) == ("failed", "The disk is full.")


@pytest.mark.slow
def test_fault_of_the_data_is_told(home, tmp_path):
    (tmp_path / "empty").mkdir()
    run = runs.start_run(order_for(tmp_path / "empty"), owner=MACHINE)
    wait_until(lambda: ended(run))
    assert run.state() == "failed"
    assert "holds no genres" in run.status()["message"]


@pytest.mark.slow
def test_a_run_that_is_paused_killed_and_stopped_ends_as_if_nothing_had_been(home, data_set):
    """One run at a time, whose weights are those of a training that nothing interrupts."""
    from crnn.training.pipeline import carry_out

    order = dataclasses.replace(order_for(data_set), settings=LONG)
    every_epoch = list(range(1, LONG.train.epochs + 1))
    whole = carry_out(dataclasses.replace(order, out=home / "whole")).bundle
    assert whole is not None

    run = runs.start_run(order, owner=MACHINE)
    assert runs.active_run(MACHINE) == run
    with pytest.raises(TrainingBusyError, match="Another training is under way"):
        runs.start_run(order_for(data_set), owner=MACHINE)
    assert len(runs.list_runs(MACHINE)) == 1
    wait_until(lambda: len(epochs_of(run)) >= 1)
    run.ask("pause")
    wait_until(lambda: run.state() == "paused")
    seen = run.status()["done"]
    run.withdraw("pause")
    wait_until(lambda: run.status()["done"] > seen)

    wait_until(lambda: len(epochs_of(run)) >= 2)
    os.kill(run.status()["pid"], signal.SIGKILL)
    wait_until(lambda: ended(run))
    assert run.state() == "interrupted"
    n_killed = len(epochs_of(run))
    assert n_killed < LONG.train.epochs
    assert run.epochs_kept() >= n_killed - 1

    runs.resume_run(run, owner=MACHINE)
    assert run.is_active()
    wait_until(lambda: len(epochs_of(run)) > n_killed)
    run.ask("stop")
    wait_until(lambda: ended(run))
    assert run.state() == "stopped"
    n_stopped = len(epochs_of(run))
    assert n_killed < n_stopped < LONG.train.epochs
    assert load_bundle(run.model_dir).genres == ("hiss", "hum", "sweep")
    report = run.report()
    assert report is not None
    losses = [event["valid_loss"] for event in report["history"]]
    assert report["kept_epoch"] == int(np.argmin(losses)) + 1

    runs.resume_run(run, owner=MACHINE)
    wait_until(lambda: ended(run))
    assert run.state() == "done"
    assert epochs_of(run) == every_epoch
    report = run.report()
    assert report is not None
    assert report["scores"]["n_tracks"] == 3
    assert {track["genre"] for track in report["tracks"]} == {"hiss", "hum", "sweep"}
    for a, b in zip(weights_of(whole.path), weights_of(run.model_dir), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-3)


WORD = {"at": 1.0, "event": "note", "message": "kept"}


@pytest.mark.parametrize(
    "line",
    [
        "[" * 100_000,
        "{}",
        '{"event": "note", "message": "a"}',
        '{"event": "note", "at": NaN}',
        '{"event": "note", "at": 1e308}',
        '{"event": ["note"], "at": 1}',
        '{"event": "stage", "at": 1}',
        '{"event": "stage", "stage": {}, "at": 1}',
        '{"event": "faults", "messages": [1], "at": 1}',
        '{"event": "epoch", "epoch": "1", "epochs": 2, "loss": 1, "seconds": 1, "at": 1}',
        '{"event": "epoch", "epoch": 1, "epochs": 2, "loss": 1, "seconds": 1, "at": 1, "confusion": [[1, 2]]}',
        '{"event": "epoch", "epoch": 1, "epochs": 2, "loss": 1, "seconds": 1, "at": 1, "confusion": [["a"]]}',
    ],
)
def test_what_another_version_wrote_costs_no_page(tmp_path: Path, line: str) -> None:
    """A line that does not hold what its kind is told by is left out, and the others are told."""
    (tmp_path / "events.jsonl").write_text(f"{json.dumps(WORD)}\n{line}\n{json.dumps(WORD)}\n")
    assert Run(tmp_path).events() == [WORD, WORD]


def test_a_status_that_is_nested_without_end_is_none(tmp_path: Path) -> None:
    (tmp_path / "status.json").write_text("[" * 100_000)
    assert Run(tmp_path).status() == {}
