"""Temperature and thresholds of `ten-genres`, from answers of heads that had not learnt what they judge."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from crnn.evaluation.calibration import conformal_rank
from recipes.ear_outputs import CUTS, ELSEWHERE, GTZAN, Floats, Heard, Integers, track_posteriors

COVERAGE = 0.9
# Share of music from elsewhere that is to be answered; chosen with the crossed answers in view.
ANSWERED = 0.62

# Short sounds count as much as whole tracks do: they are surer than they are right.
TEMPERED = (GTZAN, ELSEWHERE, CUTS)


def temperature_of(heard: dict[str, Heard], logits: dict[str, Floats]) -> float:
    """The temperature for whole tracks of both sources and for cuts alike.

    Args:
        heard: By set, at least those of `TEMPERED`.
        logits: Crossed logits of their segments.
    """
    return best_temperature([(heard[name], logits[name]) for name in TEMPERED])


def best_temperature(answers: Sequence[tuple[Heard, Floats]]) -> float:
    """The temperature of the least loss, sources counting the same, in steps of 0.01.

    Args:
        answers: Of each source, its tracks and the crossed logits of their segments.
    """

    def loss(temperature: float) -> float:
        of_source = []
        for heard, logits in answers:
            known = heard.labels >= 0
            posteriors = track_posteriors(heard, logits, temperature)[known]
            of_source.append(-np.log(posteriors[np.arange(known.sum()), heard.labels[known]]).mean())
        return float(np.mean(of_source))

    return min((round(0.01 * step, 2) for step in range(40, 151)), key=loss)


def calibration(posteriors: Floats, labels: Integers, temperature: float) -> dict[str, float]:
    """Temperature and thresholds, as `heads.json` holds them.

    Args:
        posteriors: Crossed answers to music from elsewhere, `(n_tracks, n_genres)`, at `temperature`.
        labels: Index of each track's genre, `(n_tracks,)`.
        temperature: Kept beside the thresholds.
    """
    of_truth = np.sort(posteriors[np.arange(len(labels)), labels])
    return {
        "temperature": temperature,
        "unsure_below": float(np.quantile(posteriors.max(axis=1), 1 - ANSWERED)),
        "set_threshold": float(of_truth[conformal_rank(len(labels), COVERAGE) - 1]),
        "set_coverage": COVERAGE,
    }
