"""No fold is judged by thresholds that it had a part in."""

import numpy as np
import pytest

from crnn.evaluation.calibration import calibrate
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


def test_what_answers_and_sets_come_to_in_a_small_case() -> None:
    """Two folds alike, each of two tracks that are surely right and two that are hardly wrong.

    The other fold's threshold answers the two: at its third track it would be right in two of three. Of four tracks the
    conformal rank is none, so that every set holds both genres.
    """
    sure, surer, hardly, less = ([[logit, 0.0]] for logit in (2.0, 3.0, 0.2, 0.1))
    logits = [np.float32(rows) for rows in (sure, surer, hardly, less)] * 2
    labels, folds = np.array([0, 0, 1, 1] * 2), np.repeat([0, 1], 4)
    found = cross_fit(logits, labels, folds, ("a", "b"))
    assert (found.answered, found.answered_accuracy) == (0.5, 1.0)
    assert (found.set_coverage, found.set_size) == (1.0, 2.0)
    # Answered a quarter, a half, 0.6, … of eight: two, four, five, six, six, seven and eight of them, four right.
    expected = [(n / 8, min(n, 4) / n) for n in (2, 4, 5, 6, 6, 7, 8)]
    assert found.risk_coverage == tuple(pytest.approx(point) for point in expected)


def test_a_fold_is_judged_by_the_artists_of_the_others() -> None:
    """Outside the first fold each track is another's, outside the second all of two: these leave more doubt."""
    logits = [np.float32([[logit, 0.0]]) for logit in (2.0, 1.0, 1.5, 0.5, 0.7, 1.2)] * 2
    labels, folds = np.array([0, 0, 0, 1, 0, 1] * 2), np.repeat([0, 1], 6)
    units = ["x", "x", "x", "y", "y", "y", *"abcdef"]
    found = cross_fit(logits, labels, folds, ("a", "b"), units)
    for fold, outside in ((0, units[6:]), (1, units[:6])):
        temperature = calibrate(logits[:6], labels[:6], outside, least=1).temperature
        expected = track_posteriors(logits[:6], temperature)
        np.testing.assert_allclose(found.posteriors[folds == fold], expected)
