"""Honest figures for a model's confidence: every threshold is fitted on other folds than it is judged on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from crnn import evaluation
from crnn.bundle import Calibration

FloatArray = npt.NDArray[np.float32]

COVERAGE = 0.9
# Nine in ten answers shall be right on tracks that no threshold has seen, where it costs about a point.
TARGET_ACCURACY = 0.91


@dataclass(frozen=True)
class CrossFitted:
    """Pooled over folds: scores, how often the prediction set holds the truth, and what "unsure" costs.

    set_coverage, set_size: share of tracks whose set holds the true genre; mean genres in it.
    answered, answered_accuracy: share of tracks that get an answer, and share of those right.
    """

    scores: evaluation.Scores
    set_coverage: float
    set_size: float
    answered: float
    answered_accuracy: float
    risk_coverage: tuple[tuple[float, float], ...]

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values for a bundle."""
        return self.scores.to_dict() | {
            "level": "track",
            "part": "folds",
            "set_coverage": self.set_coverage,
            "set_size": self.set_size,
            "answered": self.answered,
            "answered_accuracy": self.answered_accuracy,
            "risk_coverage": [list(point) for point in self.risk_coverage],
        }


def calibrate(logits: list[FloatArray], labels: npt.NDArray[np.int64]) -> Calibration:
    """Temperature and thresholds that fit these tracks.

    Args:
        logits: Per track `(n_segments, n_genres)`, by a model that did not learn the track.
        labels: Genres of the tracks.
    """
    temperature = evaluation.fit_temperature(list(logits), labels)
    posteriors = evaluation.track_posteriors(list(logits), temperature)
    return Calibration(
        temperature=temperature,
        unsure_below=evaluation.fit_unsure_threshold(posteriors, labels, TARGET_ACCURACY),
        set_threshold=evaluation.fit_set_threshold(posteriors, labels, COVERAGE),
        set_coverage=COVERAGE,
    )


def cross_fit(
    logits: list[FloatArray], labels: npt.NDArray[np.int64], folds: npt.NDArray[np.int64], genres: tuple[str, ...]
) -> CrossFitted:
    """Judge each fold with the calibration of all the others.

    Args:
        logits: Per track `(n_segments, n_genres)`, by a model that did not learn the track.
        labels: Genres of the tracks.
        folds: Fold of each track.
        genres: Names in logit order.
    """
    posteriors = np.zeros((len(labels), len(genres)))
    in_set = np.zeros((len(labels), len(genres)), dtype=bool)
    answered = np.zeros(len(labels), dtype=bool)
    for fold in np.unique(folds):
        inside, outside = np.flatnonzero(folds == fold), np.flatnonzero(folds != fold)
        fitted = calibrate([logits[i] for i in outside], labels[outside])
        judged = evaluation.track_posteriors([logits[i] for i in inside], fitted.temperature)
        best = judged.max(axis=1, keepdims=True)
        posteriors[inside] = judged
        in_set[inside] = judged >= np.minimum(fitted.set_threshold, best)
        answered[inside] = best[:, 0] >= fitted.unsure_below
    right = posteriors.argmax(axis=1) == labels
    curve = evaluation.risk_coverage(posteriors, labels)
    kept = [curve[round(share * len(curve)) - 1] for share in (0.25, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)]
    return CrossFitted(
        scores=evaluation.score(labels, posteriors, genres),
        set_coverage=float(in_set[np.arange(len(labels)), labels].mean()),
        set_size=float(in_set.sum(axis=1).mean()),
        answered=float(answered.mean()),
        answered_accuracy=float(right[answered].mean()) if answered.any() else 0.0,
        risk_coverage=tuple(kept),
    )
