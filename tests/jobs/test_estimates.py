"""How long it will take: saving counted, and each stage as the last run of its kind took for it."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path

import pytest
from training_runs import SETTINGS

from crnn.config import TrainConfig
from crnn.jobs import estimates
from crnn.jobs.estimates import head_seconds, measured_pace, training_seconds
from crnn.jobs.order import FINE_TUNED_COST, TrainingOrder, preset
from crnn.jobs.runs import Account, Run


def ended_run(folder: Path, method: str, n_tracks: int, **stages: float) -> Run:
    folder.mkdir(parents=True)
    order = TrainingOrder(("demo",), folder / "model", SETTINGS, method=method)  # type: ignore[arg-type]
    (folder / "order.json").write_text(json.dumps(order.to_dict()))
    account = Account(Run(folder))
    account.record({"event": "data", "name": "demo", "parts": {"train": n_tracks}, "protection": []})
    for stage, seconds in stages.items():
        account.record({"event": "stage", "stage": "next", "after": stage, "seconds": seconds})
    account.tell(state="done")
    return Run(folder)


def of_features(n_tracks: int) -> float:
    return n_tracks * estimates._FEATURE_SECONDS / min(os.cpu_count() or 1, estimates._MAX_CORES)


def test_a_head_takes_what_the_last_one_took(tmp_path: Path) -> None:
    """Of as many tracks as before every stage takes as long as before, saving too."""
    took = {"starting": 1.0, "scanning": 2.0, "copies": 3.0, "embedding": 30.0, "head": 8.0, "saving": 16.0}
    runs = [ended_run(tmp_path / "a", "head", 100, **took)]
    assert head_seconds(100, runs) == pytest.approx(sum(took.values()) + of_features(100))
    assert head_seconds(200, runs) > head_seconds(100, runs) + 30.0
    # A network's stages are others; and the newest run counts.
    runs.insert(0, ended_run(tmp_path / "b", "network", 100, saving=500.0))
    assert head_seconds(100, runs) == pytest.approx(sum(took.values()) + of_features(100))
    runs.insert(0, ended_run(tmp_path / "c", "head", 100, saving=6.0))
    assert head_seconds(100, runs) == pytest.approx(sum(took.values()) - 10.0 + of_features(100))


def test_a_network_counts_its_start_the_head_before_it_and_saving(tmp_path: Path) -> None:
    took = {"loading": 10.0, "saving": 40.0, "checking": 20.0, "embedding": 15.0, "head": 5.0}
    runs = [ended_run(tmp_path / "a", "network", 50, **took)]
    scratch = training_seconds(50, SETTINGS, 10.0, runs=runs)
    crops = 50 * SETTINGS.train.crops_per_track * SETTINGS.train.epochs
    assert scratch >= crops / 10.0 + 10.0 + 40.0 + 20.0
    assert training_seconds(50, SETTINGS, 10.0, init="tiny", runs=runs) == pytest.approx(scratch + 15.0 + 5.0)


def with_epochs(run: Run, train: TrainConfig, seconds: list[float]) -> Run:
    order = json.loads((run.folder / "order.json").read_text())
    order["settings"]["train"] = train.to_dict()
    (run.folder / "order.json").write_text(json.dumps(order | {"init": "tiny"}))
    for epoch, took in enumerate(seconds, start=1):
        facts = {"epochs": train.epochs, "loss": 1.0, "seconds": took}
        Account(run).record({"event": "epoch", "epoch": epoch} | facts)
    return run


def test_a_start_from_a_model_is_reckoned_with_the_epochs_that_move_its_body(tmp_path: Path) -> None:
    """Of ten tracks a second an epoch, five where the body moves; graphs are built in the first of either."""
    train = TrainConfig(epochs=6, freeze_epochs=4)
    settings = dataclasses.replace(SETTINGS, train=train)
    run = with_epochs(ended_run(tmp_path / "a", "network", 10), train, [9.0, 1.0, 1.0, 1.0, 13.0, 5.0])
    pace = measured_pace(settings, [run], "tiny")
    assert pace == pytest.approx(10.0)

    def seconds(folds: int = 0, **changes: int) -> float:
        changed = dataclasses.replace(settings, train=dataclasses.replace(train, **changes))
        return training_seconds(10, changed, pace, init="tiny", folds=folds, runs=[run])

    assert seconds(epochs=7) - seconds() == pytest.approx(5.0)
    assert seconds(epochs=7, freeze_epochs=5) - seconds() == pytest.approx(1.0)
    # Each network builds its two graphs, of eight seconds by the last run's first epoch.
    assert seconds(folds=2) - seconds() == pytest.approx(2 * (4 + 2 * 5 + 2 * 8.0))
    # Its network is the start's, whatever the preset's size.
    assert training_seconds(10, preset("best"), None, init="x") == training_seconds(
        10, dataclasses.replace(preset("quick"), train=preset("best").train), None, init="x"
    )


def test_what_a_machine_never_did_is_guessed_and_damage_is_passed_over(tmp_path: Path) -> None:
    run = ended_run(tmp_path / "a", "head", 10, saving=100.0)
    (run.folder / "order.json").write_text("{")
    assert head_seconds(10, [run]) == head_seconds(10) > 0
    # A run that was stopped half-way tells of no whole stage.
    other = ended_run(tmp_path / "b", "head", 10, saving=100.0)
    Account(other).tell(state="stopped")
    assert head_seconds(10, [other]) == head_seconds(10)


def test_work_is_counted_in_epochs_of_the_head() -> None:
    train = TrainConfig(epochs=6, freeze_epochs=4)
    of_one = 4 + 2 * FINE_TUNED_COST
    found = [estimates.work(train, epochs) for epochs in (3, 5, 6, 11)]
    assert found == [3, 4 + FINE_TUNED_COST, of_one, of_one + 4 + FINE_TUNED_COST]
    assert estimates.work(TrainConfig(epochs=6), 11) == 11


def test_the_epoch_that_builds_the_graph_tells_no_pace(tmp_path: Path) -> None:
    # The third is the first of the next fold.
    train = TrainConfig(epochs=2)
    run = with_epochs(ended_run(tmp_path / "a", "network", 10), train, [9.0, 1.0, 9.0])
    assert measured_pace(SETTINGS, [run], "tiny") == 10.0 * train.crops_per_track


def test_a_network_twice_as_wide_is_guessed_to_learn_slower_by_the_power_of_one_and_a_half() -> None:
    quick = preset("quick")
    channels = tuple(2 * n for n in quick.model.channels)
    wide = dataclasses.replace(quick, model=dataclasses.replace(quick.model, channels=channels))
    ratio = estimates._guessed_pace(quick, None) / estimates._guessed_pace(wide, None)
    assert ratio == pytest.approx(2**1.5)


def test_a_run_of_another_network_tells_no_pace(tmp_path: Path) -> None:
    run = ended_run(tmp_path / "a", "network", 10)
    for epoch, took in ((1, 9.0), (2, 1.0)):
        facts = {"epoch": epoch, "epochs": SETTINGS.train.epochs, "loss": 1.0, "seconds": took}
        Account(run).record({"event": "epoch"} | facts)
    assert measured_pace(SETTINGS, [run]) == 10.0 * SETTINGS.train.crops_per_track
    channels = tuple(2 * n for n in SETTINGS.model.channels)
    other = dataclasses.replace(SETTINGS, model=dataclasses.replace(SETTINGS.model, channels=channels))
    assert measured_pace(other, [run]) is None
