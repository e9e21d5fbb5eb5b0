"""What an order is carried out with, and what comes of it: shared by heads and networks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from crnn.bundles.bundle import Bundle
from crnn.data.collection import Collection, split_way
from crnn.data.labelled import NO_TRACKS, TrainingData, joined
from crnn.data.load import Loaded
from crnn.data.scan import Track
from crnn.evaluation.report import Report
from crnn.jobs.order import TrainingOrder, TrainingSettings

Event = dict[str, Any]
Parts = dict[str, tuple[Track, ...]]


@dataclass(frozen=True)
class Outcome:
    """What came of an order.

    bundle: None if it was stopped before there was anything to keep.
    notes: what to know of it, as sentences.
    stopped: whether it was stopped before its end.
    """

    bundle: Bundle | None
    notes: tuple[str, ...]
    stopped: bool
    report: Report | None = None


@dataclass(frozen=True)
class Watcher:
    """Who is told how it goes, and who may stop it."""

    on_event: Callable[[Event], None] = lambda event: None
    on_progress: Callable[[int, int], None] = lambda done, total: None
    should_stop: Callable[[], bool] = lambda: False

    def stage(self, name: str) -> None:
        """Tell that a stage began."""
        self.on_event({"event": "stage", "stage": name})


@dataclass(frozen=True)
class Materials:
    """What learning and publishing take: the tracks, their parts and features, the settings, the place of checkpoints.

    copies: ids of tracks that are one recording though their bytes differ, by pairs.
    of_others: music of none of the genres, with its log-mels.
    protection: what the split guards against, as sentences; of a head, which is judged by folds of its own, none.
    """

    collection: Collection
    parts: Parts
    loaded: Loaded
    settings: TrainingSettings
    run_dir: Path
    identity: str
    copies: list[list[str]] = field(default_factory=list)
    of_others: tuple[tuple[Track, npt.NDArray[np.uint8]], ...] = ()
    protection: tuple[str, ...] = ()

    @property
    def data(self) -> TrainingData:
        """What is learnt from and what is watched; of folds all is learnt from."""
        if "train" not in self.loaded.parts:
            return TrainingData(self.collection.genres, joined(list(self.loaded.parts.values())), NO_TRACKS)
        valid = self.loaded.parts.get("valid", NO_TRACKS)
        return TrainingData(self.collection.genres, self.loaded.parts["train"], valid)

    @property
    def folds(self) -> npt.NDArray[np.int64]:
        """Fold of each track of `data`, where the parts are folds."""
        return np.repeat(np.arange(len(self.loaded.parts)), [len(part) for part in self.loaded.parts.values()])

    @property
    def faults(self) -> tuple[str, ...]:
        """Tracks that could not be used, as sentences."""
        return tuple(fault.message for fault in self.loaded.faults)

    @property
    def others(self) -> tuple[npt.NDArray[np.uint8], ...]:
        """Log-mels of music of none of the genres."""
        return tuple(log_mel for _, log_mel in self.of_others)

    @property
    def other_tracks(self) -> tuple[Track, ...]:
        """Whose `others` are."""
        return tuple(track for track, _ in self.of_others)

    @property
    def tracks(self) -> dict[str, Track]:
        """Tracks of all parts by their ids."""
        return {track.track_id: track for tracks in self.parts.values() for track in tracks}


def stopped_early(materials: Materials) -> Outcome:
    """What a stop leaves before there is a model."""
    return Outcome(None, ("Stopped before there was a model: nothing was kept.", *materials.faults), stopped=True)


def data_facts(order: TrainingOrder, materials: Materials) -> dict[str, Any]:
    """What a bundle says of its data; enough to know them again.

    Args:
        order: Which genres were renamed.
        materials: Whose data.
    """
    collection = materials.collection
    facts: dict[str, Any] = {
        "name": collection.name,
        "kind": collection.kind,
        "n_tracks": len(collection.tracks),
        "fingerprint": collection.fingerprint,
    }
    return facts | ({"renamed": order.genres} if order.genres else {})


def split_facts(order: TrainingOrder, materials: Materials, parts: Parts, n_folds: int) -> dict[str, Any]:
    """What a bundle says of its split; enough to deal the same data the same way again.

    Args:
        order: What was asked for.
        materials: Whose data, and the copies that were found in them.
        parts: Tracks by part or fold, told by their number.
        n_folds: 0 for a split.
    """
    way = split_way(materials.collection, order.split)
    facts = {
        "name": (f"{n_folds} folds, " if n_folds else "") + way,
        "way": way,
        "folds": n_folds,
        "seed": order.settings.train.seed,
        **{f"n_{name.replace(' ', '_')}": len(tracks) for name, tracks in parts.items()},
    }
    return facts | ({"copies": materials.copies} if materials.copies else {})
