"""What only shows when every track is decoded: damage, silence, clipping, and copies that differ in their bytes.

Its features are those that training reads, and lie in the cache when training begins.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from crnn import paths
from crnn.config import FeatureConfig
from crnn.data.collection import Collection, log_mels, with_copies_together
from crnn.data.feature_cache import CACHE_FOLDER, FeatureCache
from crnn.data.near_duplicates import find_near_copies
from crnn.data.tracks import Fault, Track
from crnn.features.archive import UInt8Array


@dataclass(frozen=True)
class CopyPair:
    """Two tracks of one recording: what begins `second` sounds `shift_seconds` after the beginning of `first`."""

    first: str
    second: str
    shift_seconds: float
    overlap_seconds: float


@dataclass(frozen=True)
class Heard:
    """What listening to a collection found.

    collection: the same tracks, near copies in a common group.
    unusable: tracks that will be left out, and why.
    clipped: ids of tracks whose loudest parts are cut flat.
    copies: pairs that are one recording though their bytes differ.
    """

    collection: Collection
    unusable: tuple[Fault, ...]
    clipped: tuple[str, ...]
    copies: tuple[CopyPair, ...]

    @property
    def faults(self) -> tuple[Fault, ...]:
        """All of it as faults."""
        genre_of = {track.track_id: track.genre for track in self.collection.all_tracks}
        said = "Its loudest parts are cut flat (clipped): the model would learn the distortion."
        found = [*self.unusable, *(Fault("clipped", track_id, said) for track_id in self.clipped)]
        for pair in self.copies:
            genres = sorted({genre_of[pair.first], genre_of[pair.second]})
            where = f" They are filed under {' and '.join(genres)}." if len(genres) > 1 else ""
            message = f"They are copies of one recording: {pair.overlap_seconds:.0f} s of them are the same.{where}"
            kind = "near_copy_of_two_genres" if where else "near_copy"
            found.append(Fault(kind, f"{pair.first}, {pair.second}", message))
        return tuple(found)


def listen(
    collection: Collection,
    config: FeatureConfig,
    *,
    folder: Path | None = None,
    n_jobs: int = 1,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Heard:
    """Decode every track of a collection, or take it from the cache, and say what was found.

    Args:
        collection: Scanned data sets.
        config: The features that will be trained on.
        folder: Where the cache lies; that of the machine's own person if None.
        n_jobs: Processes for what is not in the cache.
        on_progress: Called with the tracks done and all of them.

    Raises:
        DatasetError: An archive was made with other settings, or changed.
    """
    found, faults = log_mels(
        collection,
        collection.all_tracks,
        config,
        folder=folder or paths.home_dir() / CACHE_FOLDER,
        n_jobs=n_jobs,
        on_progress=on_progress,
    )
    return heard_in(collection, found, faults, config, folder=folder)


def heard_in(
    collection: Collection,
    found: Sequence[UInt8Array | None],
    faults: Sequence[Fault],
    config: FeatureConfig,
    *,
    folder: Path | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Heard:
    """What log-mels that are there already tell of a collection.

    Args:
        collection: Scanned data sets.
        found: Archive cells `(n_frames, n_mels)` of each of its tracks, the others last, None where there are none.
        faults: Why there are none.
        config: What they were computed with.
        folder: Where the cache lies that they came from; that of the machine's own person if None.
        should_stop: Asked once, before copies are looked for.
    """
    tracks = collection.all_tracks
    with_files = [track for track in tracks if track.path is not None]
    clipped = FeatureCache(folder or paths.home_dir() / CACHE_FOLDER, config).clipped(with_files) if with_files else []
    pairs = () if should_stop() else tuple(_near_copies(tracks, found, config))
    together = with_copies_together(collection, [(pair.first, pair.second) for pair in pairs])
    return Heard(together, tuple(faults), tuple(track.track_id for track in clipped), pairs)


def _near_copies(tracks: Sequence[Track], found: Sequence[UInt8Array | None], config: FeatureConfig) -> list[CopyPair]:
    pairs = []
    for copy in find_near_copies(found, config.frame_rate_hz):
        first, second = tracks[copy.first], tracks[copy.second]
        # What the scan has found by its bytes is told there.
        if first.digest is None or first.digest != second.digest:
            pairs.append(CopyPair(first.track_id, second.track_id, copy.shift_seconds, copy.overlap_seconds))
    return pairs
