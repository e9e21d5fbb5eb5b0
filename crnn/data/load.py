"""From the tracks of a data set to what training and evaluation read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from crnn import paths
from crnn.config import FeatureConfig
from crnn.data.collection import Collection, log_mels
from crnn.data.feature_cache import CACHE_FOLDER
from crnn.data.labelled import LabelledTracks
from crnn.data.tracks import Fault, Track
from crnn.errors import TooFewTracksError
from crnn.features.archive import UInt8Array


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
) -> Loaded:
    """Log-mels of the parts of data sets, computed or read from archive and cache.

    Args:
        collection: Where the tracks come from.
        parts: Tracks per part; every genre of theirs must be in `genres`.
        genres: Names in label order.
        config: What to compute.
        n_jobs: Processes for what is not yet in the cache.
        on_progress: Called with the tracks done and all tracks.

    Raises:
        TooFewTracksError: None can be learnt from.
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
    )
    log_mel_of = {track.track_id: log_mel for track, log_mel in zip(wanted, found, strict=True) if log_mel is not None}
    return in_parts(parts, genres, log_mel_of, faults)


def in_parts(
    parts: dict[str, tuple[Track, ...]],
    genres: tuple[str, ...],
    log_mel_of: Mapping[str, UInt8Array],
    faults: Sequence[Fault],
    *,
    may_be_empty: bool = False,
) -> Loaded:
    """Log-mels that are there already, by the parts of a split.

    Args:
        parts: Tracks per part; every genre of theirs must be in `genres`.
        genres: Names in label order.
        log_mel_of: Archive cells `(n_frames, n_mels)` by the id of their track.
        faults: Of all tracks that have none, those of no part included.
        may_be_empty: Whether none at all is no error: somebody stopped it.

    Returns:
        The tracks of each part that have features, in its order, and the faults of the others.

    Raises:
        TooFewTracksError: None has features.
    """
    wanted = {track.track_id for tracks in parts.values() for track in tracks}
    faults = tuple(fault for fault in faults if fault.subject in wanted)
    loaded = {}
    for name, tracks in parts.items():
        chosen = [(t, log_mel_of[t.track_id]) for t in tracks if t.track_id in log_mel_of]
        loaded[name] = LabelledTracks(
            tuple(track.track_id for track, _ in chosen),
            tuple(log_mel for _, log_mel in chosen),
            np.array([genres.index(track.genre) for track, _ in chosen], dtype=np.int64),
        )
    if not any(len(part) for part in loaded.values()) and not may_be_empty:
        reasons = " ".join(fault.message for fault in faults[:3])
        raise TooFewTracksError(f"None of the {len(wanted)} tracks can be learnt from. {reasons}".strip())
    return Loaded(loaded, faults)
