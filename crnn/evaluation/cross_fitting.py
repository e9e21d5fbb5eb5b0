"""Honest figures for a model's confidence: every threshold is fitted on other folds than it is judged on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from crnn.bundles.bundle import Calibration
from crnn.evaluation import metrics
from crnn.evaluation.calibration import calibrate
from crnn.inference.decision import in_prediction_set, is_sure

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class CrossFitted:
    """Pooled over folds: scores, how often the prediction set holds the truth, and what "unsure" costs.

    posteriors: what the scores are of, `(n_tracks, n_genres)`: each fold by the calibration of the others.
    set_coverage, set_size: share of tracks whose set holds the true genre; mean genres in it.
    answered, answered_accuracy: share of tracks that get an answer, and share of those right.
    """

    scores: metrics.Scores
    posteriors: npt.NDArray[np.float64]
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


@dataclass(frozen=True)
class Judged:
    """What the folds found.

    posteriors: of each track, by a network that did not learn it, `(n_tracks, n_genres)`; what the scores are of.
    scores: pooled over the folds, JSON-ready.
    calibration: fitted on all of them, for the model that is kept.
    """

    posteriors: npt.NDArray[np.float64]
    scores: dict[str, Any]
    calibration: Calibration


def cross_fit(
    logits: list[FloatArray],
    labels: npt.NDArray[np.int64],
    folds: npt.NDArray[np.int64],
    genres: tuple[str, ...],
    units: Sequence[str] | None = None,
) -> CrossFitted:
    """Judge each fold with the calibration of all the others.

    Args:
        logits: Per track `(n_segments, n_genres)`, by a model that did not learn the track.
        labels: Genres of the tracks.
        folds: Fold of each track.
        genres: Names in logit order.
        units: As of `metrics.score`.
    """
    posteriors = np.zeros((len(labels), len(genres)))
    in_set = np.zeros((len(labels), len(genres)), dtype=bool)
    answered = np.zeros(len(labels), dtype=bool)
    for fold in np.unique(folds):
        inside, outside = np.flatnonzero(folds == fold), np.flatnonzero(folds != fold)
        # However few the others are: without a temperature it would not be the same model that is judged.
        known = None if units is None else [units[i] for i in outside.tolist()]
        fitted = calibrate([logits[i] for i in outside], labels[outside], known, least=1)
        judged = metrics.track_posteriors([logits[i] for i in inside], fitted.temperature)
        posteriors[inside] = judged
        in_set[inside] = in_prediction_set(judged, fitted)
        answered[inside] = is_sure(judged, fitted)
    right = posteriors.argmax(axis=1) == labels
    curve = metrics.risk_coverage(posteriors, labels)
    kept = [curve[round(share * len(curve)) - 1] for share in (0.25, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)]
    return CrossFitted(
        scores=metrics.score(labels, posteriors, genres, units),
        posteriors=posteriors,
        set_coverage=float(in_set[np.arange(len(labels)), labels].mean()),
        set_size=float(in_set.sum(axis=1).mean()),
        answered=float(answered.mean()),
        answered_accuracy=float(right[answered].mean()) if answered.any() else 0.0,
        risk_coverage=tuple(kept),
    )


def pooled(
    logits: list[FloatArray],
    labels: npt.NDArray[np.int64],
    folds: npt.NDArray[np.int64],
    genres: tuple[str, ...],
    units: Sequence[str] | None = None,
    *,
    as_kept: list[FloatArray] | None = None,
) -> Judged:
    """What folds say of a recipe; too few tracks are scored without a calibration.

    Args:
        logits: Per track `(n_segments, n_genres)`, by a model that did not learn the track.
        labels: Genres of the tracks.
        folds: Fold of each track.
        genres: Names in logit order.
        units: As of `metrics.score`.
        as_kept: As `logits`, by models with the settings of the one that is kept, where each fold's has its own: the
            temperature of one strength is not that of another.
    """
    fitted = calibrate(logits if as_kept is None else as_kept, labels, units)
    if not fitted.is_fitted:
        posteriors, level = metrics.track_posteriors(list(logits)), {"level": "track", "part": "folds"}
        return Judged(posteriors, metrics.score(labels, posteriors, genres, units).to_dict() | level, fitted)
    # Each fold's confidence is calibrated on the others, for the scores' sake.
    found = cross_fit(logits, labels, folds, genres, units)
    return Judged(found.posteriors, found.to_dict(), fitted)
