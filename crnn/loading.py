"""From the tracks of a data set to what training and evaluation read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from crnn import paths
from crnn.cache import CACHE_FOLDER
from crnn.collection import Collection, log_mels
from crnn.config import FeatureConfig
from crnn.dataset import Fault, Track
from crnn.errors import TooFewTracksError
from crnn.training import LabelledTracks


@dataclass(frozen=True)
class Loaded:
    """Features per part of a split, and the tracks that could not be read."""

    parts: dict[str, LabelledTracks]
    faults: tuple[Fault, ...]


def load_parts(
    collection: Collection,
    parts: dict[str, tuple[Track, ...]],
    genres: tuple[str, ...],
    config: FeatureConfig,
    *,
    n_jobs: int = 1,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Loaded:
    """Log-mels of the parts of data sets, computed or read from archive and cache.

    Args:
        collection: Where the tracks come from.
        parts: Tracks per part; every genre of theirs must be in `genres`.
        genres: Names in label order.
        config: What to compute.
        n_jobs: Processes for what is not yet in the cache.
        on_progress: Called with the tracks done and all tracks.
        should_stop: Asked after each track; the parts are then what is there by then.

    Raises:
        TooFewTracksError: None could be read.
        DatasetError: An archive was made with other features.
    """
    wanted = [track for tracks in parts.values() for track in tracks]
    found, faults = log_mels(
        collection,
        wanted,
        config,
        folder=paths.home_dir() / CACHE_FOLDER,
        n_jobs=n_jobs,
        on_progress=on_progress,
        should_stop=should_stop,
    )
    loaded = {}
    at = 0
    for name, tracks in parts.items():
        chosen = [(t, m) for t, m in zip(tracks, found[at : at + len(tracks)], strict=True) if m is not None]
        at += len(tracks)
        loaded[name] = LabelledTracks(
            tuple(track.track_id for track, _ in chosen),
            tuple(log_mel for _, log_mel in chosen),
            np.array([genres.index(track.genre) for track, _ in chosen], dtype=np.int64),
        )
    if not any(len(part) for part in loaded.values()) and not should_stop():
        reasons = " ".join(fault.message for fault in faults[:3])
        raise TooFewTracksError(f"None of the {len(wanted)} tracks could be read. {reasons}".strip())
    return Loaded(loaded, tuple(faults))
