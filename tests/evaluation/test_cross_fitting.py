"""No fold is judged by thresholds that it had a part in."""

import numpy as np
import pytest

from crnn.evaluation.cross_fitting import cross_fit, pooled
from crnn.evaluation.metrics import track_posteriors


def test_a_fold_is_judged_by_the_calibration_of_the_others_alone():
    """Fold 0 is right throughout, fold 1 wrong throughout, twenty tracks each.

    Fitted on fold 1 alone, the set's threshold is low and holds the truth of all of fold 0; fitted on fold 0 alone,
    it is high and holds the truth of none of fold 1. Each fitted on both, the set would hold the truth of 37 or more.
    """
    right, wrong = np.float32([[2.2, 0.0]]), np.float32([[-1.4, 0.0]])
    logits = [right] * 20 + [wrong] * 20
    labels, folds = np.zeros(40, dtype=np.int64), np.repeat([0, 1], 20)
    found = cross_fit(logits, labels, folds, ("a", "b"))
    assert found.set_coverage == 0.5
    assert found.scores.accuracy == 0.5


def test_the_answers_of_tracks_are_those_that_the_scores_are_of() -> None:
    """The report once said 0.75 on its tracks and 0.54 in its diagram: folds of 16 were judged without a temperature.

    Of 24 tracks in three folds 16 lie outside each, too few to calibrate a model on, and enough to judge one.
    """
    rng = np.random.default_rng(3)
    labels, folds = np.repeat(np.arange(3), 8), np.tile(np.arange(3), 8)
    towards = 0.7 * np.eye(3)[labels] + rng.normal(0, 0.4, (24, 3))
    logits = [(rng.normal(0, 0.5, (3, 3)) + row).astype(np.float32) for row in towards]
    judged = pooled(logits, labels, folds, ("a", "b", "c"))
    assert judged.calibration.temperature < 0.6
    said = judged.posteriors.max(axis=1)
    drawn = sum(confidence * n for confidence, _, n in judged.scores["reliability"]) / len(labels)
    assert drawn == pytest.approx(float(said.mean()))
    right = float((judged.posteriors.argmax(axis=1) == labels).mean())
    assert judged.scores["accuracy"] == pytest.approx(right)
    # As the model that is kept, calibrated on all of them, says it.
    kept = track_posteriors(logits, judged.calibration.temperature).max(axis=1)
    assert drawn == pytest.approx(float(kept.mean()), abs=0.06)
