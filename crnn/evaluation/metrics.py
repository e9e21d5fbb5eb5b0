"""Scores by track, in NumPy alone, each with what is needed to believe it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from crnn.inference.decision import track_posterior
from crnn.intervals import independent_tracks, mean_interval, wilson_interval

N_CALIBRATION_BINS = 10


@dataclass(frozen=True)
class Scores:
    """Track-level scores of one model on one set of tracks.

    confusion: `(n_genres, n_genres)`, rows true, columns answered. reliability: per
    bin of confidence its mean confidence, share right and number of tracks.
    independent_tracks: so many, of one artist each, would tell as much; None where artists are not known.
    overconfidence: mean confidence less the share right; its interval counts artists where they are known.
    """

    n_tracks: int
    accuracy: float
    accuracy_interval: tuple[float, float]
    macro_f1: float
    macro_recall: float
    top3_accuracy: float
    expected_calibration_error: float
    overconfidence: float
    overconfidence_interval: tuple[float, float]
    per_genre: dict[str, dict[str, float]]
    genres: tuple[str, ...]
    confusion: npt.NDArray[np.int64]
    reliability: tuple[tuple[float, float, int], ...]
    independent_tracks: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values, by the command line's contract."""
        told = {} if self.independent_tracks is None else {"independent_tracks": round(self.independent_tracks, 1)}
        return told | {
            "n_tracks": self.n_tracks,
            "accuracy": self.accuracy,
            "accuracy_interval": list(self.accuracy_interval),
            "macro_f1": self.macro_f1,
            "macro_recall": self.macro_recall,
            "top3_accuracy": self.top3_accuracy,
            "expected_calibration_error": self.expected_calibration_error,
            "overconfidence": self.overconfidence,
            "overconfidence_interval": list(self.overconfidence_interval),
            "per_genre": self.per_genre,
            "genres": list(self.genres),
            "confusion": self.confusion.tolist(),
            "reliability": [list(row) for row in self.reliability],
        }


def score(
    labels: npt.ArrayLike, posteriors: npt.ArrayLike, genres: tuple[str, ...], units: Sequence[str] | None = None
) -> Scores:
    """Scores of the posteriors of tracks.

    Args:
        labels: Index of the true genre of each track, shape `(n_tracks,)`.
        posteriors: `(n_tracks, n_genres)`. A row of zeros counts as wrong (a track that
            could not be read) and answers no genre.
        genres: Names in the order of the columns.
        units: Whose each track is (`crnn.data.units.units_of`): the interval then counts units that are right or
            wrong together, not tracks. None takes tracks for independent.

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
    excess = p.max(axis=1) - right
    low, high = mean_interval(excess, units)
    n_independent = len(true) if units is None else independent_tracks(right, units)
    return Scores(
        n_tracks=len(true),
        accuracy=float(right.mean()),
        accuracy_interval=wilson_interval(float(right.mean()) * n_independent, n_independent),
        macro_f1=float(np.mean([per_genre[genre]["f1"] for genre in present])),
        macro_recall=float(np.mean([per_genre[genre]["recall"] for genre in present])),
        top3_accuracy=float(((best3 == true[:, None]).any(axis=1) & answered).mean()),
        expected_calibration_error=sum(abs(c - a) * n for c, a, n in bins) / len(true),
        overconfidence=float(excess.mean()),
        overconfidence_interval=(max(-1.0, low), min(1.0, high)),
        per_genre=per_genre,
        genres=genres,
        confusion=confusion,
        reliability=bins,
        independent_tracks=None if units is None else n_independent,
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


def reliability_bins(right: npt.ArrayLike, confidence: npt.ArrayLike) -> tuple[tuple[float, float, int], ...]:
    """Mean confidence, share right and count of each of ten equal-width bins that is not empty.

    Args:
        right: Whether each answer was, `(n_tracks,)`.
        confidence: Of each answer, in [0, 1].
    """
    hits = np.asarray(right, dtype=np.float64)
    confidences = np.asarray(confidence, dtype=np.float64)
    at = np.minimum((confidences * N_CALIBRATION_BINS).astype(int), N_CALIBRATION_BINS - 1)
    return tuple(
        (float(confidences[at == i].mean()), float(hits[at == i].mean()), int((at == i).sum()))
        for i in range(N_CALIBRATION_BINS)
        if (at == i).any()
    )


def track_posteriors(
    segment_logits: list[npt.NDArray[np.floating]], temperature: float = 1.0
) -> npt.NDArray[np.float64]:
    """Posterior of each track, `(n_tracks, n_genres)`, as `crnn.inference.decision.track_posterior` gives it.

    Args:
        segment_logits: Per track `(n_segments, n_genres)`.
        temperature: What logits are divided by.
    """
    return np.stack([track_posterior(logits, temperature) for logits in segment_logits])


def risk_coverage(posteriors: npt.ArrayLike, labels: npt.ArrayLike) -> list[tuple[float, float]]:
    """Share of tracks answered and share of those right, from the surest track on.

    Args:
        posteriors: Of the tracks, `(n_tracks, n_genres)`.
        labels: Their genres, `(n_tracks,)`.

    Returns:
        A point for each number of answered tracks, from 1 to all: share answered, and share of those right.
    """
    p = np.asarray(posteriors, dtype=np.float64)
    right = p.argmax(axis=1) == np.asarray(labels)
    order = np.argsort(-p.max(axis=1), kind="stable")
    counts = np.arange(1, len(order) + 1)
    return list(zip((counts / len(order)).tolist(), (np.cumsum(right[order]) / counts).tolist(), strict=True))
