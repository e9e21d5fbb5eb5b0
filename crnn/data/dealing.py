"""Tracks dealt into parts: stratified by genre, with all of a group or an artist in one of them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from crnn.data.tracks import Track
from crnn.data.units import artist_key
from crnn.errors import TooFewTracksError

IntArray = npt.NDArray[np.int64]

# Orders tried for an artist split; the best balanced one is taken.
_N_TRIES = 12


def by_id(tracks: Iterable[Track]) -> list[Track]:
    """Tracks in an order that does not depend on the disk's."""
    return sorted(tracks, key=lambda track: (track.track_id, track.genre))


def stratified(
    tracks: Sequence[Track], shares: dict[str, float], seed: int, *, by_artist: bool
) -> dict[str, tuple[Track, ...]]:
    """Parts of the shares asked for, each of which holds every genre, with what belongs together in one of them.

    Args:
        tracks: What is dealt, in any order.
        shares: Of each part, by its name.
        seed: The same seed and tracks give the same parts.
        by_artist: Whether tracks of an artist belong together, as those of a group do.

    Raises:
        TooFewTracksError: Some genres cannot be in every part; all are named.
    """
    units = _units(by_id(tracks), by_artist=by_artist)
    _require_units(units, len(shares), by_artist=by_artist)
    genres = sorted({track.genre for track in tracks})
    label = {genre: i for i, genre in enumerate(genres)}
    counts = np.array([np.bincount([label[t.genre] for t in unit], minlength=len(genres)) for unit in units])
    # At least one track of each genre in each part, however small the genre.
    targets = np.maximum(np.outer(list(shares.values()), counts.sum(axis=0)), 1.0)
    rng = np.random.default_rng(seed)
    tries = [_assign(counts, targets, rng) for _ in range(_N_TRIES if counts.max() > 1 else 1)]
    best = min(tries, key=lambda parts: _imbalance(parts, counts, targets))
    names = list(shares)
    missing = _absent_genres(best, counts, genres, names)
    if missing:
        raise TooFewTracksError(
            f"These genres could not be put into every part: {', '.join(missing)}. "
            f"Add tracks{' by more artists' if by_artist else ''}, or leave them out."
        )
    chosen: dict[str, list[Track]] = {name: [] for name in names}
    for unit, part in zip(units, best, strict=True):
        chosen[names[part]].extend(unit)
    return {name: tuple(by_id(part)) for name, part in chosen.items()}


def _units(tracks: list[Track], *, by_artist: bool) -> list[list[Track]]:
    """Tracks that must stay together: connected by a group or, if asked for, by an artist."""
    from scipy.cluster.hierarchy import DisjointSet

    together = DisjointSet(range(len(tracks)))
    first_with: dict[tuple[str, str], int] = {}
    for i, track in enumerate(tracks):
        keys = [("group", track.group), ("artist", artist_key(track) if by_artist else None)]
        for kind, key in keys:
            if key is not None:
                together.merge(first_with.setdefault((kind, key), i), i)
    # In the order of their first tracks, so that the same seed deals them alike.
    units: dict[int, list[Track]] = defaultdict(list)
    for i, track in enumerate(tracks):
        units[together[i]].append(track)
    return list(units.values())


def _require_units(units: list[list[Track]], n_parts: int, *, by_artist: bool) -> None:
    n_units = Counter(genre for unit in units for genre in {track.genre for track in unit})
    few = [f"{genre} ({n})" for genre, n in sorted(n_units.items()) if n < n_parts]
    if few:
        what = "artists" if by_artist else "tracks that are no copies of each other"
        raise TooFewTracksError(
            f"Each genre needs at least {n_parts} {what} for this split; too few in: {', '.join(few)}. "
            "Add tracks, or leave these genres out."
        )


def _assign(
    counts: IntArray,
    targets: npt.NDArray[np.float64],
    rng: np.random.Generator,
) -> list[int]:
    """A part for each unit, large units first, each where its genres are missed most."""
    order = rng.permutation(len(counts))
    order = order[np.argsort(-counts[order].sum(axis=1), kind="stable")]
    missing = targets.copy()
    parts = [0] * len(counts)
    for i in order:
        # Among parts that lack the genre equally, the one that lacks most tracks.
        need = missing @ (counts[i] / counts[i].sum()) + 1e-3 * missing.mean(axis=1)
        part = int(np.argmax(need))
        parts[i] = part
        missing[part] -= counts[i]
    return parts


def _imbalance(
    parts: list[int],
    counts: IntArray,
    targets: npt.NDArray[np.float64],
) -> float:
    have = np.zeros_like(targets)
    np.add.at(have, parts, counts)
    return float((np.abs(have - targets) / targets).sum() + 1000 * (have == 0).sum())


def _absent_genres(parts: list[int], counts: IntArray, genres: list[str], names: list[str]) -> list[str]:
    have = np.zeros((len(names), len(genres)), dtype=np.int64)
    np.add.at(have, parts, counts)
    return [genre for i, genre in enumerate(genres) if (have[:, i] == 0).any()]
