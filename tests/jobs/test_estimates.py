"""How long it will take: saving counted, and each stage as the last run of its kind took for it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from training_runs import SETTINGS

from crnn.jobs import estimates
from crnn.jobs.estimates import head_seconds, training_seconds
from crnn.jobs.order import TrainingOrder
from crnn.jobs.runs import Account, Run


def ended_run(folder: Path, method: str, n_tracks: int, **stages: float) -> Run:
    folder.mkdir(parents=True)
    order = TrainingOrder(("demo",), folder / "model", SETTINGS, method=method)  # type: ignore[arg-type]
    (folder / "order.json").write_text(json.dumps(order.to_dict()))
    account = Account(Run(folder))
    account.record({"event": "data", "parts": {"train": n_tracks}})
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


def test_what_a_machine_never_did_is_guessed_and_damage_is_passed_over(tmp_path: Path) -> None:
    run = ended_run(tmp_path / "a", "head", 10, saving=100.0)
    (run.folder / "order.json").write_text("{")
    assert head_seconds(10, [run]) == head_seconds(10) > 0
    # A run that was stopped half-way tells of no whole stage.
    other = ended_run(tmp_path / "b", "head", 10, saving=100.0)
    Account(other).tell(state="stopped")
    assert head_seconds(10, [other]) == head_seconds(10)
