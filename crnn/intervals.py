"""How far chance alone moves a score: 95 % intervals of shares, of the scores of a genre, and of means over genres."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Interval = tuple[float, float]

# Standard deviations to either side that hold 95 % of a normal distribution.
_Z = 1.96
# From this share on tracks of an artist make too little difference to be told of.
_LEAST_SHARE_ALIKE = 0.95
_DRAWS = 1000
# More would take seconds, and an imported bundle may claim any number.
_MOST_GENRES = 200


def wilson_interval(n_right: float, n: float) -> Interval:
    """95 % interval of a share (Wilson 1927).

    Args:
        n_right: How many were right.
        n: Of how many; of none nothing is known, and the interval is from 0 to 1.
    """
    if n == 0:
        return 0.0, 1.0
    share = n_right / n
    centre = (share + _Z * _Z / (2 * n)) / (1 + _Z * _Z / n)
    half = _Z / (1 + _Z * _Z / n) * math.sqrt(share * (1 - share) / n + _Z * _Z / (4 * n * n))
    return max(0.0, centre - half), min(1.0, centre + half)


def share_interval(hits: npt.ArrayLike, units: Sequence[str] | None = None) -> Interval:
    """95 % interval of the share of hits, of which those of a unit go together.

    Args:
        hits: Whether each is one, `(n,)`; of none nothing is known.
        units: Whose each is: tracks of one artist share a unit. None takes each for itself.
    """
    found = np.asarray(hits, dtype=bool)
    n = float(len(found)) if units is None or not len(found) else independent_tracks(found, units)
    return wilson_interval(n * float(found.mean()) if len(found) else 0.0, n)


def independent_tracks(right: npt.ArrayLike, units: Sequence[str]) -> float:
    """How many independent answers tell as much of a share as these, of which those of a unit go together.

    The design effect of a cluster sample (Kish 1965), with the variance between units as they were found to be right;
    between what would be left were each unit a single answer, and all. Where all are right, or none, nothing shows how
    much they go together: each unit is then one answer.

    Args:
        right: Whether each answer was, `(n,)`.
        units: Whose each is: tracks of one artist share a unit.
    """
    hits = np.asarray(right, dtype=np.float64)
    names, at = np.unique(np.asarray(units), return_inverse=True)
    sizes = np.bincount(at).astype(np.float64)
    n = float(len(hits))
    least = n * n / float(np.square(sizes).sum())
    share = float(hits.mean())
    if len(names) < 2 or share in {0.0, 1.0}:
        return least
    apart = np.bincount(at, weights=hits - share)
    variance = len(names) / (len(names) - 1) * float(np.square(apart).sum()) / (n * n)
    return n if variance == 0 else min(n, max(least, share * (1 - share) / variance))


def independent_share(scores: Mapping[str, Any]) -> float:
    """Of the tracks that scores are of, the share that tells something of its own; 1 where that was not looked at.

    Args:
        scores: As `crnn.evaluation.metrics.Scores.to_dict` gives them, or a bundle has them.
    """
    n, told = scores.get("n_tracks"), scores.get("independent_tracks")
    return min(1.0, told / n) if n and isinstance(told, int | float) and told > 0 else 1.0


def tell_as_much(scores: Mapping[str, Any]) -> str:
    """Of scores whose artists have several tracks each: “tell as much as 40 of one artist each”; else empty.

    Args:
        scores: As of `independent_share`.
    """
    share = independent_share(scores)
    return f"tell as much as {share * scores['n_tracks']:.0f} of one artist each" if share < _LEAST_SHARE_ALIKE else ""


@dataclass(frozen=True)
class OfGenre:
    """Intervals of a genre's scores; None where nothing was counted."""

    precision: Interval | None
    recall: Interval | None
    f1: Interval | None


def of_genres(confusion: Sequence[Sequence[int]], n_tracks: Sequence[float], share: float = 1.0) -> list[OfGenre]:
    """Intervals of each genre's precision, recall and F1, by Wilson's.

    F1 is 2j / (1 + j), where j is the share of tracks that are of the genre and answered so among those of which
    either is true: its interval is that of j, carried over.

    Args:
        confusion: Counts, a row for each true genre, a column for each answer.
        n_tracks: Of each genre, those without an answer included.
        share: Of all tracks, those that tell something of their own (`independent_share`).
    """
    found = []
    for at, (row, n) in enumerate(zip(confusion, n_tracks, strict=True)):
        counts = row[at], max(sum(row), round(n)), sum(other[at] for other in confusion)
        n_both, n_true, n_answered = (share * count for count in counts)
        n_either = n_true + n_answered - n_both
        low, high = wilson_interval(n_both, n_either)
        found.append(
            OfGenre(
                precision=wilson_interval(n_both, n_answered) if n_answered else None,
                recall=wilson_interval(n_both, n_true) if n_true else None,
                f1=(2 * low / (1 + low), 2 * high / (1 + high)) if n_either else None,
            )
        )
    return found


@dataclass(frozen=True)
class OfMeans:
    """Intervals of the means over genres of F1 and of recall; None where none is worked out."""

    macro_f1: Interval | None = None
    macro_recall: Interval | None = None


def of_means(confusion: Sequence[Sequence[int]], n_tracks: Sequence[float], share: float = 1.0) -> OfMeans:
    """Intervals of the means over genres: what the answers would be on as many other tracks of each, drawn often.

    The answers to a genre are drawn from a Dirichlet distribution about those that were given, with Jeffreys' half a
    track for right and for wrong: drawing the tracks themselves anew would take ten right of ten for certain.

    Args:
        confusion: Counts, a row for each true genre, a column for each answer.
        n_tracks: Of each genre, those without an answer included.
        share: As in `of_genres`.

    Returns:
        Without any of no track, and where there are more genres than can be told soon.
    """
    if not len(confusion):
        return OfMeans()
    counts = share * np.asarray(confusion, dtype=np.float64)
    unanswered = np.maximum(share * np.asarray(n_tracks, dtype=np.float64) - counts.sum(axis=1), 0)
    # Tracks without an answer have a column of their own.
    counts = np.column_stack([counts, unanswered])
    there = np.flatnonzero(counts.sum(axis=1) > 0)
    if not len(there) or len(counts) > _MOST_GENRES or (counts < 0).any():
        return OfMeans()
    rng = np.random.default_rng(0)
    n_both, n_answered = np.zeros((_DRAWS, len(counts))), np.zeros((_DRAWS, len(counts) + 1))
    n_true = np.zeros((_DRAWS, len(counts)))
    # Another sample would have other numbers of tracks of each genre.
    n_true[:, there] = rng.dirichlet(counts[there].sum(axis=1) + 0.5, size=_DRAWS) * counts.sum()
    for genre in there:
        prior = np.full(counts.shape[1], 0.5 / (counts.shape[1] - 1))
        prior[genre] = 0.5
        drawn = rng.dirichlet(counts[genre] + prior, size=_DRAWS) * n_true[:, [genre]]
        n_both[:, genre] = drawn[:, genre]
        n_answered += drawn
    of_found = _means(np.diagonal(counts)[None], counts.sum(axis=0)[None], counts.sum(axis=1)[None], there)
    of_drawn = _means(n_both, n_answered, n_true, there)
    return OfMeans(*(_about(float(one[0]), many) for one, many in zip(of_found, of_drawn, strict=True)))


def _means(
    n_both: npt.NDArray[np.float64],
    n_answered: npt.NDArray[np.float64],
    n_true: npt.NDArray[np.float64],
    there: npt.NDArray[np.intp],
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Means of F1 and of recall over the genres that are there, of each draw."""
    f1 = 2 * n_both[:, there] / (n_true[:, there] + n_answered[:, there])
    return f1.mean(axis=1), (n_both[:, there] / n_true[:, there]).mean(axis=1)


def _about(value: float, drawn: npt.NDArray[np.float64]) -> Interval:
    low, high = np.quantile(drawn, [0.025, 0.975])
    return min(float(low), value), max(float(high), value)


def mean_interval(values: npt.ArrayLike, units: Sequence[str] | None = None) -> Interval:
    """95 % interval of a mean of which values of a unit go together, by leaving out one unit at a time (jackknife).

    Args:
        values: `(n,)`, one at least.
        units: Whose each is; None takes each for itself.

    Returns:
        From minus to plus infinity where all are of one unit, and nothing shows how far units differ.
    """
    x = np.asarray(values, dtype=np.float64)
    names, at = np.unique(np.arange(len(x)) if units is None else np.asarray(units), return_inverse=True)
    mean, m = float(x.mean()), len(names)
    if m < 2:
        return -math.inf, math.inf
    moved = np.bincount(at, weights=x - mean) / (len(x) - np.bincount(at))
    half = _Z * math.sqrt((m - 1) / m * float(np.square(moved).sum()))
    return mean - half, mean + half


def error_by_chance(reliability: Sequence[Sequence[float]], share: float = 1.0) -> float | None:
    """The calibration error below which 95 in 100 sets of tracks lie, were every confidence as right as it says.

    Args:
        reliability: Mean confidence, share right and number of tracks of each bin; None of none.
        share: Of all tracks, those that tell something of their own (`independent_share`).
    """
    confidence = np.clip([row[0] for row in reliability], 0, 1)
    n = np.asarray([row[2] for row in reliability], dtype=np.int64)
    if not len(n) or n.sum() <= 0:
        return None
    told = np.maximum(1, np.rint(share * n)).astype(np.int64)
    right = np.random.default_rng(0).binomial(told, confidence, size=(_DRAWS, len(n))) / told
    errors = (np.abs(right - confidence) * n).sum(axis=1) / n.sum()
    return float(np.quantile(errors, 0.95))
