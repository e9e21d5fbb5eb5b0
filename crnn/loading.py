"""From the tracks of a data set to what training and evaluation read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from crnn import paths
from crnn.archive import read_archive
from crnn.cache import FeatureCache
from crnn.config import FeatureConfig
from crnn.dataset import Dataset, Fault, Track
from crnn.errors import DatasetError, TooFewTracksError
from crnn.training import LabelledTracks

CACHE_FOLDER = "features"


@dataclass(frozen=True)
class Loaded:
    """Features per part of a split, and the tracks that could not be read."""

    parts: dict[str, LabelledTracks]
    faults: tuple[Fault, ...]


def load_parts(
    dataset: Dataset,
    parts: dict[str, tuple[Track, ...]],
    genres: tuple[str, ...],
    config: FeatureConfig,
    *,
    n_jobs: int = 1,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Loaded:
    """Log-mels of the parts of a data set, computed or read from archive and cache.

    Args:
        dataset: Where the tracks come from.
        parts: Tracks per part; every genre of theirs must be in `genres`.
        genres: Names in label order.
        config: What to compute.
        n_jobs: Processes for what is not yet in the cache.
        on_progress: Called with the tracks done and all tracks.

    Raises:
        TooFewTracksError: None could be read.
        DatasetError: An archive was made with other features.
    """
    wanted = [track for tracks in parts.values() for track in tracks]
    log_mels, faults = _log_mels(dataset, wanted, config, n_jobs, on_progress)
    loaded = {}
    at = 0
    for name, tracks in parts.items():
        chosen = [(t, m) for t, m in zip(tracks, log_mels[at : at + len(tracks)], strict=True) if m is not None]
        at += len(tracks)
        loaded[name] = LabelledTracks(
            tuple(track.track_id for track, _ in chosen),
            tuple(log_mel for _, log_mel in chosen),
            np.array([genres.index(track.genre) for track, _ in chosen], dtype=np.int64),
        )
    if not any(len(part) for part in loaded.values()):
        reasons = " ".join(fault.message for fault in faults[:3])
        raise TooFewTracksError(f"None of the {len(wanted)} tracks could be read. {reasons}".strip())
    return Loaded(loaded, faults)


def _log_mels(
    dataset: Dataset,
    tracks: Sequence[Track],
    config: FeatureConfig,
    n_jobs: int,
    on_progress: Callable[[int, int], None],
) -> tuple[list[np.ndarray | None], tuple[Fault, ...]]:
    if dataset.kind == "archive" and dataset.source is not None:
        stored = read_archive(dataset.source)
        if stored.n_mels != config.n_mels:
            raise DatasetError(
                f"“{dataset.name}” holds {stored.n_mels} mel bands, the model reads {config.n_mels}. "
                "Make the archive again from the audio with `python -m crnn features`."
            )
        on_progress(len(tracks), len(tracks))
        return [stored.log_mel[track.index or 0] for track in tracks], ()
    cache = FeatureCache(paths.home_dir() / CACHE_FOLDER, config)
    log_mels, faults = cache.load(tracks, n_jobs=n_jobs, on_progress=on_progress)
    return list(log_mels), tuple(faults)
