"""How long a training will take, from what earlier runs took on this machine."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable
from statistics import median

from crnn.config import TrainConfig
from crnn.errors import CrnnError
from crnn.jobs.order import FINE_TUNED_COST, TrainingSettings
from crnn.jobs.runs import Run

# Guesses that stand until a run of this machine has been timed: ten-second crops a second for the smallest preset,
# the cost growing with the 1.5th power of the network's width; then what each other stage takes, as seconds by
# itself and for each track of half a minute.
_QUICK_CROPS_PER_SECOND_PER_CORE = 8.0
# The pace of a training that starts from a model: its network is that model's, whatever the preset.
_HEAD_CROPS_PER_SECOND_PER_CORE = 8.0
_QUICK_WIDTH = 160.0
_FEATURE_SECONDS = 0.15
_MAX_CORES = 8
_STAGES: dict[str, tuple[float, float]] = {
    "starting": (2.0, 0.0),
    "scanning": (0.5, 0.002),
    "copies": (0.5, 0.01),
    "embedding": (0.5, 0.15),
    "head": (0.5, 0.02),
    "loading": (8.0, 0.0),
    # What the first epoch takes beyond the others.
    "graph": (8.0, 0.0),
    # Of a head: a network that is written and checked. Of a network: made-up sounds for the rejection, exports.
    "saving": (2.0, 0.02),
    "saving a network": (25.0, 0.05),
    "checking": (1.0, 0.0),
}
_OF_HEAD = ("starting", "scanning", "copies", "embedding", "head", "saving")
_OF_NETWORK = ("starting", "scanning", "copies", "loading", "graph", "saving a network", "checking")
# Shorter stages say nothing about longer ones.
_LEAST_SECONDS, _MOST_RUNS = 0.2, 20


def measured_pace(settings: TrainingSettings, runs: Iterable[Run], init: str | None = None) -> float | None:
    """Crops a second that an earlier run with such a network learnt, if there was one.

    Args:
        settings: What is to be trained.
        runs: Earlier runs, newest first.
        init: The model to start from, whose network it then is, whatever the settings say; crops are those of its
            head, to which those that move its body are reckoned up.
    """
    for run in runs:
        try:
            order = run.order()
        except CrnnError:
            continue
        same_network = order.init == init and (init is not None or order.settings.model == settings.model)
        paces = _paces(run) if same_network else []
        if paces:
            return median(paces)
    return None


def _guessed_pace(settings: TrainingSettings, init: str | None) -> float:
    width = sum(settings.model.channels)
    cores = min(os.cpu_count() or 1, _MAX_CORES)
    if init is not None:
        return _HEAD_CROPS_PER_SECOND_PER_CORE * cores
    return _QUICK_CROPS_PER_SECOND_PER_CORE * cores * (_QUICK_WIDTH / width) ** 1.5


def training_seconds(
    n_tracks: int,
    settings: TrainingSettings,
    pace: float | None,
    *,
    init: str | None = None,
    folds: int = 0,
    runs: Iterable[Run] = (),
) -> float:
    """Seconds from the start of a run to its report: features, epochs, and saving.

    Args:
        n_tracks: What is learnt from.
        settings: How.
        pace: From `measured_pace`; None is guessed.
        init: The model to start from, to whose embedding a head is fitted first.
        folds: As many networks are trained before the one that is kept.
        runs: Earlier runs, newest first, whose stages were timed.
    """
    train, n_networks = settings.train, folds + 1
    crops = n_tracks * train.crops_per_track * work(train, train.epochs * n_networks)
    # The graph is built anew for each network, and where the body begins to move.
    n_graphs = n_networks * (2 if 0 < train.freeze_epochs < train.epochs else 1)
    stages = [*_OF_NETWORK, *["graph"] * (n_graphs - 1), *(("embedding", "head") if init is not None else ())]
    around = _seconds_around(stages, n_tracks, runs, is_network=True)
    return around + crops / (pace or _guessed_pace(settings, init))


def work(train: TrainConfig, epochs: float) -> float:
    """How much the first of a run's epochs are to do: as epochs of its head where it starts from a model.

    Args:
        train: Says how many of a network's epochs learn the head alone.
        epochs: How many, of as many networks one after the other as that makes.
    """
    if not train.freeze_epochs:
        return epochs
    whole, rest = divmod(epochs, train.epochs)
    frozen = min(train.freeze_epochs, train.epochs)
    of_one = frozen + FINE_TUNED_COST * (train.epochs - frozen)
    return whole * of_one + min(rest, frozen) + FINE_TUNED_COST * max(0.0, rest - frozen)


def head_seconds(n_tracks: int, runs: Iterable[Run] = ()) -> float:
    """Seconds from the start of a run for a fitted head to its report: features, fit, and saving.

    Args:
        n_tracks: What is learnt from.
        runs: As of `training_seconds`.
    """
    return _seconds_around(_OF_HEAD, n_tracks, runs, is_network=False)


def _seconds_around(stages: Iterable[str], n_tracks: int, runs: Iterable[Run], *, is_network: bool) -> float:
    """What all stages but the epochs take, each as the last run of that kind took for it, or else by a guess."""
    measured = _measured_stages(runs, is_network=is_network)
    # Features that lie in the cache take no time, so those of an earlier run tell nothing.
    seconds = n_tracks * _FEATURE_SECONDS / min(os.cpu_count() or 1, _MAX_CORES)
    for stage in stages:
        fixed, each = _STAGES[stage]
        name = stage.partition(" ")[0]
        if name in measured:
            took, n_before = measured[name]
            # The fixed part and the part for each track keep their ratio.
            factor = took / (fixed + each * n_before)
            fixed, each = fixed * factor, each * factor
        seconds += fixed + each * n_tracks
    return seconds


def _measured_stages(runs: Iterable[Run], *, is_network: bool) -> dict[str, tuple[float, int]]:
    """Of each stage the seconds that it took last, and for how many tracks."""
    found: dict[str, tuple[float, int]] = {}
    for run in itertools.islice(runs, _MOST_RUNS):
        try:
            if (run.order().method == "network") != is_network or run.status().get("state") != "done":
                continue
        except CrnnError:
            continue
        events = run.events()
        n_tracks = next((sum(e["parts"].values()) for e in events if e.get("event") == "data"), 0)
        for event in events:
            if event.get("event") == "stage" and event.get("seconds", 0.0) >= _LEAST_SECONDS and "after" in event:
                found.setdefault(event["after"], (event["seconds"], n_tracks))
        epochs = [event["seconds"] for event in events if event.get("event") == "epoch"]
        if len(epochs) > 1:
            found.setdefault("graph", (max(_LEAST_SECONDS, epochs[0] - median(epochs[1:])), n_tracks))
    return found


def _paces(run: Run) -> list[float]:
    """Crops a second of each epoch, those left out that build a graph; as crops of the head, see `work`."""
    events = run.events()
    n_train = next((e["parts"].get("train", 0) for e in events if e.get("event") == "data"), 0)
    try:
        train = run.order().settings.train
    except CrnnError:
        return []
    first = {1, train.freeze_epochs + 1 if train.freeze_epochs else 1}
    return [
        n_train * train.crops_per_track * (work(train, e["epoch"]) - work(train, e["epoch"] - 1)) / e["seconds"]
        for e in events
        if e.get("event") == "epoch" and (e["epoch"] - 1) % train.epochs + 1 not in first and e["seconds"] > 0
    ]
