"""Scores by track, in NumPy alone, each with what is needed to believe it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

N_CALIBRATION_BINS = 10


@dataclass(frozen=True)
class Scores:
    """Track-level scores of one model on one set of tracks.

    confusion: `(n_genres, n_genres)`, rows true, columns answered. reliability: per
    bin of confidence its mean confidence, share right and number of tracks.
    """

    n_tracks: int
    accuracy: float
    accuracy_interval: tuple[float, float]
    macro_f1: float
    macro_recall: float
    top3_accuracy: float
    expected_calibration_error: float
    per_genre: dict[str, dict[str, float]]
    genres: tuple[str, ...]
    confusion: npt.NDArray[np.int64]
    reliability: tuple[tuple[float, float, int], ...]

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values, by the command line's contract."""
        return {
            "n_tracks": self.n_tracks,
            "accuracy": self.accuracy,
            "accuracy_interval": list(self.accuracy_interval),
            "macro_f1": self.macro_f1,
            "macro_recall": self.macro_recall,
            "top3_accuracy": self.top3_accuracy,
            "expected_calibration_error": self.expected_calibration_error,
            "per_genre": self.per_genre,
            "genres": list(self.genres),
            "confusion": self.confusion.tolist(),
            "reliability": [list(row) for row in self.reliability],
        }


def score(labels: npt.ArrayLike, posteriors: npt.ArrayLike, genres: tuple[str, ...]) -> Scores:
    """Scores of the posteriors of tracks.

    Args:
        labels: Index of the true genre of each track, shape `(n_tracks,)`.
        posteriors: `(n_tracks, n_genres)`. A row of zeros counts as wrong (a track that
            could not be read) and answers no genre.
        genres: Names in the order of the columns.

    Raises:
        ValueError: No track, or shapes that do not fit.
    """
    true = np.asarray(labels, dtype=np.int64)
    p = np.asarray(posteriors, dtype=np.float64)
    if true.ndim != 1 or not len(true) or p.shape != (len(true), len(genres)):
        raise ValueError(f"labels {true.shape} and posteriors {p.shape} do not fit {len(genres)} genres")
    answered = p.sum(axis=1) > 0
    top = np.where(answered, p.argmax(axis=1), -1)
    confusion = np.zeros((len(genres), len(genres)), dtype=np.int64)
    np.add.at(confusion, (true[answered], top[answered]), 1)
    per_genre = _per_genre(true, top, genres)
    present = [genre for genre in genres if per_genre[genre]["n_tracks"]]
    best3 = np.argsort(-p, axis=1, kind="stable")[:, :3]
    right = top == true
    bins = reliability_bins(right, p.max(axis=1))
    return Scores(
        n_tracks=len(true),
        accuracy=float(right.mean()),
        accuracy_interval=wilson_interval(int(right.sum()), len(true)),
        macro_f1=float(np.mean([per_genre[genre]["f1"] for genre in present])),
        macro_recall=float(np.mean([per_genre[genre]["recall"] for genre in present])),
        top3_accuracy=float(((best3 == true[:, None]).any(axis=1) & answered).mean()),
        expected_calibration_error=sum(abs(c - a) * n for c, a, n in bins) / len(true),
        per_genre=per_genre,
        genres=genres,
        confusion=confusion,
        reliability=bins,
    )


def _per_genre(
    true: npt.NDArray[np.int64], top: npt.NDArray[np.int64], genres: tuple[str, ...]
) -> dict[str, dict[str, float]]:
    rows = {}
    for index, genre in enumerate(genres):
        hits = int(((true == index) & (top == index)).sum())
        n_true, n_answered = int((true == index).sum()), int((top == index).sum())
        precision = hits / n_answered if n_answered else 0.0
        recall = hits / n_true if n_true else 0.0
        f1 = 2 * precision * recall / (precision + recall) if hits else 0.0
        rows[genre] = {"n_tracks": n_true, "precision": precision, "recall": recall, "f1": f1}
    return rows


def wilson_interval(n_right: int, n: int, z: float = 1.96) -> tuple[float, float]:
    """Interval of a share (Wilson 1927), 95 % for the default `z`."""
    if n == 0:
        return 0.0, 1.0
    share = n_right / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return max(0.0, centre - half), min(1.0, centre + half)


def reliability_bins(right: npt.ArrayLike, confidence: npt.ArrayLike) -> tuple[tuple[float, float, int], ...]:
    """Mean confidence, share right and count of each of ten equal-width bins that is not empty."""
    hits = np.asarray(right, dtype=np.float64)
    confidences = np.asarray(confidence, dtype=np.float64)
    at = np.minimum((confidences * N_CALIBRATION_BINS).astype(int), N_CALIBRATION_BINS - 1)
    return tuple(
        (float(confidences[at == i].mean()), float(hits[at == i].mean()), int((at == i).sum()))
        for i in range(N_CALIBRATION_BINS)
        if (at == i).any()
    )


def fit_temperature(segment_logits: list[npt.NDArray[np.floating]], labels: npt.ArrayLike) -> float:
    """Temperature that gives the true genres of tracks the greatest likelihood.

    Of posteriors as `track_posteriors` gives them (Guo et al. 2017). A bounded golden-section search.

    Args:
        segment_logits: Per track `(n_segments, n_genres)`.
        labels: Index of each track's true genre.
    """
    true = np.asarray(labels, dtype=np.int64)

    def loss(log_temperature: float) -> float:
        p = track_posteriors(segment_logits, math.exp(log_temperature))
        return float(-np.log(np.maximum(p[np.arange(len(true)), true], 1e-12)).mean())

    low, high, ratio = math.log(0.2), math.log(8.0), (math.sqrt(5) - 1) / 2
    for _ in range(40):
        a, b = high - ratio * (high - low), low + ratio * (high - low)
        low, high = (low, b) if loss(a) < loss(b) else (a, high)
    return math.exp((low + high) / 2)


def track_posteriors(
    segment_logits: list[npt.NDArray[np.floating]], temperature: float = 1.0
) -> npt.NDArray[np.float64]:
    """Posterior of each track, `(n_tracks, n_genres)`: softmax of its segments' mean logits, as in inference.

    The geometric mean of what the segments say, a logarithmic opinion pool (Genest & Zidek 1986): as
    often right as the arithmetic mean, and better calibrated (`docs/model.md`).
    """
    pooled = np.stack([np.asarray(logits, dtype=np.float64).mean(axis=0) for logits in segment_logits]) / temperature
    powers = np.exp(pooled - pooled.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def fit_set_threshold(posteriors: npt.ArrayLike, labels: npt.ArrayLike, coverage: float) -> float:
    """Posterior above which a genre belongs to the prediction set.

    Split conformal prediction (Vovk; Sadinle et al. 2019): the finite-sample quantile
    of the true genre's posterior over the calibration tracks.
    """
    p = np.asarray(posteriors, dtype=np.float64)
    true = np.asarray(labels, dtype=np.int64)
    of_true = np.sort(p[np.arange(len(true)), true])
    rank = math.floor((1 - coverage) * (len(true) + 1))
    return float(of_true[rank - 1]) if rank >= 1 else 0.0


def fit_unsure_threshold(
    posteriors: npt.ArrayLike, labels: npt.ArrayLike, target_accuracy: float = 0.9, least_answered: float = 0.5
) -> float:
    """Confidence below which the answer is "unsure".

    The lowest threshold at which the tracks that get an answer are right in
    `target_accuracy` of cases; if none does, the one that still answers `least_answered`.
    """
    p = np.asarray(posteriors, dtype=np.float64)
    right = p.argmax(axis=1) == np.asarray(labels)
    confidence = p.max(axis=1)
    order = np.argsort(-confidence, kind="stable")
    accuracy = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    good = np.flatnonzero(accuracy >= target_accuracy)
    n_least = max(1, math.ceil(least_answered * len(order)))
    n_answered = max(int(good[-1]) + 1 if len(good) else 0, n_least)
    return float(confidence[order[n_answered - 1]])


def risk_coverage(posteriors: npt.ArrayLike, labels: npt.ArrayLike) -> list[tuple[float, float]]:
    """Share of tracks answered and share of those right, from the surest track on."""
    p = np.asarray(posteriors, dtype=np.float64)
    right = p.argmax(axis=1) == np.asarray(labels)
    order = np.argsort(-p.max(axis=1), kind="stable")
    counts = np.arange(1, len(order) + 1)
    return list(zip((counts / len(order)).tolist(), (np.cumsum(right[order]) / counts).tolist(), strict=True))
