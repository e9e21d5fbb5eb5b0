"""The one rule from logits to an answer: what serves, and what fits and judges its thresholds, go by it alike.

Works on one track, `(n_genres,)`, and on many, `(n_tracks, n_genres)`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from crnn.bundles.bundle import Calibration

Floats = npt.NDArray[np.float64]


def posteriors_of(logits: npt.ArrayLike, temperature: float = 1.0) -> Floats:
    """Softmax of logits over the last axis, each row summing to 1.

    Args:
        logits: `(…, n_genres)`.
        temperature: What they are divided by; above 1 it makes less sure.
    """
    scaled = np.asarray(logits, dtype=np.float64) / temperature
    powers = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


def softmax(logits: npt.ArrayLike, temperature: float = 1.0) -> npt.NDArray[np.float32]:
    """`posteriors_of` in float32.

    Args:
        logits: `(…, n_genres)`.
        temperature: What they are divided by.
    """
    return posteriors_of(logits, temperature).astype(np.float32)


def track_posterior(segment_logits: npt.ArrayLike, temperature: float = 1.0) -> Floats:
    """Posterior of a track, `(n_genres,)`, from the logits of its segments, `(n_segments, n_genres)`.

    The softmax of their mean is the geometric mean of what the segments say, a logarithmic opinion pool
    (Genest & Zidek 1986): as often right as the arithmetic mean, and better calibrated (`docs/model.md`).

    Args:
        segment_logits: Silent segments are left out by the caller.
        temperature: What the mean is divided by.
    """
    return posteriors_of(np.asarray(segment_logits, dtype=np.float64).mean(axis=0), temperature)


def in_prediction_set(posteriors: npt.ArrayLike, calibration: Calibration) -> npt.NDArray[np.bool_]:
    """Which genres may be the true one; the top genre always may.

    Args:
        posteriors: `(…, n_genres)`.
        calibration: Its `set_threshold`; a posterior that equals it is in.

    Returns:
        Of the same shape.
    """
    p = np.asarray(posteriors)
    return np.asarray(p >= np.minimum(calibration.set_threshold, p.max(axis=-1, keepdims=True)))


def is_sure(posteriors: npt.ArrayLike, calibration: Calibration) -> npt.NDArray[np.bool_]:
    """Whether the top genre is named; "unsure" where it is not.

    Args:
        posteriors: `(…, n_genres)`.
        calibration: Its `unsure_below`; a confidence that equals it is sure.

    Returns:
        One for each row, `(…,)`.
    """
    return np.asarray(np.asarray(posteriors).max(axis=-1) >= calibration.unsure_below)
