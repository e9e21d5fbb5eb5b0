"""How long a training will take, from what earlier runs took on this machine."""

from __future__ import annotations

import os
from collections.abc import Iterable
from statistics import median

from crnn.errors import CrnnError
from crnn.orders import TrainingSettings
from crnn.runs import Run

# A guess that stands until a run of this machine has been timed: ten-second crops a second for the
# smallest preset, and the cost growing with the 1.5th power of the network's width.
_QUICK_CROPS_PER_SECOND_PER_CORE = 8.0
_QUICK_WIDTH = 160.0
_START_SECONDS = 20.0
_FEATURE_SECONDS = 0.15
_MAX_CORES = 8


def measured_pace(settings: TrainingSettings, runs: Iterable[Run], init: str | None = None) -> float | None:
    """Crops a second that an earlier run with such a network learnt, if there was one.

    Args:
        settings: What is to be trained.
        runs: Earlier runs, newest first.
        init: The model to start from, whose network it then is, whatever the settings say.
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


def _guessed_pace(settings: TrainingSettings) -> float:
    width = sum(settings.model.channels)
    cores = min(os.cpu_count() or 1, _MAX_CORES)
    return _QUICK_CROPS_PER_SECOND_PER_CORE * cores * (_QUICK_WIDTH / width) ** 1.5


def training_seconds(n_tracks: int, settings: TrainingSettings, pace: float | None) -> float:
    """Seconds from the start of a run to its report, features included.

    Args:
        n_tracks: What is learnt from.
        settings: How.
        pace: From `measured_pace`; None is guessed.
    """
    crops = n_tracks * settings.train.crops_per_track * settings.train.epochs
    features = n_tracks * _FEATURE_SECONDS / min(os.cpu_count() or 1, _MAX_CORES)
    return _START_SECONDS + features + crops / (pace or _guessed_pace(settings))


def _paces(run: Run) -> list[float]:
    """Crops a second of each epoch, the first left out: it builds the graph."""
    events = run.events()
    n_train = next((e["parts"].get("train", 0) for e in events if e.get("event") == "data"), 0)
    try:
        crops = n_train * run.order().settings.train.crops_per_track
    except CrnnError:
        return []
    return [crops / e["seconds"] for e in events if e.get("event") == "epoch" and e["epoch"] > 1 and e["seconds"] > 0]
