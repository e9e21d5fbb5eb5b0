"""What is fitted to the answers of tracks that the network did not learn: temperature and thresholds.

The rule that they enter is `crnn.inference.decision`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from crnn.bundles.bundle import UNFITTED, Calibration
from crnn.evaluation.metrics import track_posteriors
from crnn.inference.decision import posteriors_of

COVERAGE = 0.9
# A point more than nine in ten: about what is lost on tracks that the threshold has not seen.
TARGET_ACCURACY = 0.91
# Fewer tracks are too few to choose a threshold by.
LEAST_TO_CALIBRATE = 20
_TEMPERATURES = (0.2, 8.0)
# In nats: however open few tracks leave the temperature, it is doubted by no more than a factor of e.
_MOST_DOUBT = 1.0


def calibrate(
    logits: Sequence[npt.NDArray[np.floating]],
    labels: npt.NDArray[np.int64],
    units: Sequence[str] | None = None,
    *,
    least: int = LEAST_TO_CALIBRATE,
) -> Calibration:
    """Temperature and thresholds that fit these tracks; of too few none is fitted.

    Where artists are known, the temperature is one standard error higher than the one that fits best: few artists
    leave it open, and too sure is the worse fault (`bench.claims`).

    Args:
        logits: Per track `(n_segments, n_genres)`, by a model that did not learn the track.
        labels: Genres of the tracks.
        units: Whose each track is (`crnn.data.units`); None where that is not known.
        least: So many are enough.
    """
    if len(logits) < least:
        return UNFITTED
    temperature = fit_temperature(logits, labels)
    if units is not None:
        warmer = temperature * math.exp(temperature_error(logits, labels, temperature, units))
        temperature = min(warmer, _TEMPERATURES[1])
    posteriors = track_posteriors(list(logits), temperature)
    return Calibration(
        temperature=temperature,
        unsure_below=fit_unsure_threshold(posteriors, labels, TARGET_ACCURACY),
        set_threshold=fit_set_threshold(posteriors, labels, COVERAGE),
        set_coverage=COVERAGE,
    )


def fit_temperature(segment_logits: Sequence[npt.NDArray[np.floating]], labels: npt.ArrayLike) -> float:
    """Temperature with the lowest cross-entropy of tracks (Guo et al. 2017), by Brent's method over its logarithm.

    Of n tracks a share of 1 / (n + 1) counts as any genre alike, as in Platt's (1999) smoothed targets: n that are all
    right make no answer surer than n / (n + 1), where the likelihood alone would make each certain.

    Args:
        segment_logits: Per track, `(n_segments, n_genres)`.
        labels: Index of each track's true genre.
    """
    from scipy import optimize

    means, target = _means_and_targets(segment_logits, labels)

    def loss(log_temperature: float) -> float:
        log_p = np.log(np.maximum(posteriors_of(means, math.exp(log_temperature)), 1e-12))
        return float(-(target * log_p).sum(axis=1).mean())

    bounds = (math.log(_TEMPERATURES[0]), math.log(_TEMPERATURES[1]))
    return math.exp(optimize.minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-6}).x)


def temperature_error(
    segment_logits: Sequence[npt.NDArray[np.floating]],
    labels: npt.ArrayLike,
    temperature: float,
    units: Sequence[str],
) -> float:
    """Standard error of the logarithm of a fitted temperature, where tracks of a unit go together; 1 at most.

    The sandwich of an M-estimator (White 1982) with the slopes of a unit's tracks added up (Liang & Zeger 1986).

    Args:
        segment_logits: As of `fit_temperature`.
        labels: As of `fit_temperature`.
        temperature: What it gave.
        units: Whose each track is; of a single one nothing can be told, and tracks count each for itself.
    """
    means, target = _means_and_targets(segment_logits, labels)
    scaled, p = means / temperature, posteriors_of(means, temperature)
    expected = (p * scaled).sum(axis=1)
    slopes = (target * scaled).sum(axis=1) - expected
    curvature = float(((p * scaled**2).sum(axis=1) - expected**2).sum())
    names, at = np.unique(np.asarray(units), return_inverse=True)
    if len(names) < 2:
        names, at = np.arange(len(means)), np.arange(len(means))
    # Less their mean, which is not zero at the end of the range.
    of_units = np.bincount(at, weights=slopes - slopes.mean())
    variance = len(names) / max(1, len(names) - 1) * float(np.square(of_units).sum())
    return min(_MOST_DOUBT, math.sqrt(variance) / curvature) if curvature > 0 else _MOST_DOUBT


def _means_and_targets(
    segment_logits: Sequence[npt.NDArray[np.floating]], labels: npt.ArrayLike
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Mean logits of tracks, and the smoothed shares of their genres, both `(n_tracks, n_genres)`."""
    means = np.stack([np.asarray(logits, dtype=np.float64).mean(axis=0) for logits in segment_logits])
    doubt = 1.0 / (len(means) + 1)
    return means, (1 - doubt) * np.eye(means.shape[1])[np.asarray(labels, dtype=np.int64)] + doubt / means.shape[1]


def fit_set_threshold(posteriors: npt.ArrayLike, labels: npt.ArrayLike, coverage: float) -> float:
    """Posterior above which a genre belongs to the prediction set.

    Split conformal prediction (Vovk; Sadinle et al. 2019): the finite-sample quantile
    of the true genre's posterior over the calibration tracks; 0, every genre, if they are too few.

    Args:
        posteriors: Of the calibration tracks, `(n_tracks, n_genres)`.
        labels: Their genres, `(n_tracks,)`.
        coverage: Share of tracks whose set shall hold the true genre, between 0 and 1.
    """
    p = np.asarray(posteriors, dtype=np.float64)
    true = np.asarray(labels, dtype=np.int64)
    of_true = np.sort(p[np.arange(len(true)), true])
    rank = conformal_rank(len(true), coverage)
    return float(of_true[rank - 1]) if rank >= 1 else 0.0


def conformal_rank(n_tracks: int, coverage: float) -> int:
    """Which of the sorted posteriors of the true genres is the threshold, counted from 1; 0 if none is low enough.

    The whole part of (1 − coverage)(n + 1), by fractions: in binary floats 0.1 · 20 falls short of 2.

    Args:
        n_tracks: Tracks that the threshold is fitted on.
        coverage: Share of tracks whose set shall hold the true genre, taken as the decimal number that it prints as.
    """
    return math.floor((1 - Fraction(str(coverage))) * (n_tracks + 1))


def fit_unsure_threshold(
    posteriors: npt.ArrayLike, labels: npt.ArrayLike, target_accuracy: float = 0.9, least_answered: float = 0.5
) -> float:
    """Confidence below which the answer is "unsure".

    The lowest threshold at which the tracks that get an answer are right in
    `target_accuracy` of cases; if none does, the one that still answers `least_answered`.
    Where all tracks may be answered, the lowest of their confidences says nothing of less
    sure ones: then it is at most that of models without calibration.

    Args:
        posteriors: Of the calibration tracks, `(n_tracks, n_genres)`.
        labels: Their genres, `(n_tracks,)`.
        target_accuracy: Share of the answers that shall be right.
        least_answered: Share of the tracks that shall get an answer, whatever comes of the target.
    """
    p = np.asarray(posteriors, dtype=np.float64)
    right = p.argmax(axis=1) == np.asarray(labels)
    confidence = p.max(axis=1)
    order = np.argsort(-confidence, kind="stable")
    accuracy = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    # Tracks of one confidence are all answered, or none is.
    is_cut = np.append(np.diff(confidence[order]) < 0, True)
    good = np.flatnonzero((accuracy >= target_accuracy) & is_cut)
    n_least = max(1, math.ceil(least_answered * len(order)))
    n_answered = max(int(good[-1]) + 1 if len(good) else 0, n_least)
    threshold = float(confidence[order[n_answered - 1]])
    return threshold if n_answered < len(order) else min(threshold, UNFITTED.unsure_below)
