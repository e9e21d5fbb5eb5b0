"""Temperature and thresholds: what is fitted keeps its promise, and small cases are worked out by hand."""

import numpy as np
import pytest

from crnn.bundles.bundle import UNFITTED, Calibration
from crnn.evaluation import calibration
from crnn.evaluation.metrics import track_posteriors
from crnn.inference.decision import in_prediction_set, is_sure


def _drawn(rng, n, temperature):
    """Logits whose true posteriors are softmax(logits / temperature), and labels drawn from them."""
    logits = [rng.normal(0, 3, (1, 3)) for _ in range(n)]
    p = track_posteriors(logits, temperature)
    return logits, np.array([rng.choice(3, p=row) for row in p])


@pytest.mark.parametrize("temperature", [0.6, 1.0, 2.5])
def test_temperature_is_recovered(temperature):
    logits, labels = _drawn(np.random.default_rng(0), 4000, temperature)
    assert calibration.fit_temperature(logits, labels) == pytest.approx(temperature, rel=0.1)


def test_prediction_set_covers_as_promised():
    logits, labels = _drawn(np.random.default_rng(1), 4000, 1.0)
    p = track_posteriors(logits)
    threshold = calibration.fit_set_threshold(p[:2000], labels[:2000], 0.9)
    covered = p[np.arange(2000, 4000), labels[2000:]] >= threshold
    assert covered.mean() == pytest.approx(0.9, abs=0.03)


def test_unsure_threshold_reaches_its_target_or_answers_the_least():
    logits, labels = _drawn(np.random.default_rng(2), 4000, 1.0)
    p = track_posteriors(logits)
    threshold = calibration.fit_unsure_threshold(p, labels, 0.9, 0.2)
    answered = p.max(axis=1) >= threshold
    assert (p.argmax(axis=1) == labels)[answered].mean() >= 0.9
    assert answered.mean() >= 0.2
    hopeless = np.full((10, 3), 1 / 3) + np.linspace(0, 0.01, 10)[:, None] * [1, 0, -1]
    assert (hopeless.max(axis=1) >= calibration.fit_unsure_threshold(hopeless, [1] * 10)).mean() == 0.5


@pytest.mark.parametrize(
    ("n", "coverage", "rank"), [(9, 0.9, 1), (19, 0.9, 2), (29, 0.9, 3), (8, 0.9, 0), (18, 0.9, 1), (19, 0.95, 1)]
)
def test_conformal_rank_is_exact(n, coverage, rank):
    """(1 - 0.9) * 20 is 1.9999999999999996 in binary floats; nine tracks would have given a threshold of 0."""
    assert calibration.conformal_rank(n, coverage) == rank


def test_the_threshold_of_nineteen_tracks_is_the_second_lowest_posterior_of_the_truth():
    of_true = np.linspace(0.05, 0.95, 19)
    p = np.stack([of_true, 1 - of_true], axis=1)
    assert calibration.fit_set_threshold(p[::-1], [0] * 19, 0.9) == pytest.approx(of_true[1])
    assert calibration.fit_set_threshold(p[:8], [0] * 8, 0.9) == 0.0


def test_tracks_of_one_confidence_are_answered_together():
    """Right, then three at 0.6 of which only the first is right: the cut may not fall among them."""
    p = np.array([[0.9, 0.1], [0.6, 0.4], [0.6, 0.4], [0.6, 0.4]])
    assert calibration.fit_unsure_threshold(p, [0, 0, 1, 1], 0.9, 0.25) == 0.9


def test_fewer_than_twenty_tracks_fit_nothing():
    logits = [np.array([[2.0, 0.0]])] * 19
    assert calibration.calibrate(logits, np.zeros(19, dtype=np.int64)) == UNFITTED
    assert not UNFITTED.is_fitted
    assert Calibration().is_fitted


def test_the_rule_takes_one_track_or_many():
    rule = Calibration(unsure_below=0.6, set_threshold=0.3)
    p = np.array([[0.6, 0.35, 0.05], [0.25, 0.55, 0.2]])
    assert in_prediction_set(p, rule).tolist() == [[True, True, False], [False, True, False]]
    assert is_sure(p, rule).tolist() == [True, False]
    assert is_sure(p[0], rule)
    # Below the threshold of the set, the top genre is in it all the same.
    assert in_prediction_set([0.28, 0.26, 0.24, 0.22], rule).tolist() == [True, False, False, False]


def test_the_unsure_threshold_is_the_lowest_that_keeps_the_promise():
    """Right, wrong, right, right, wrong by falling confidence: the last cut with three quarters right is at 0.6."""
    confidence = np.array([0.9, 0.8, 0.7, 0.6, 0.55])
    p = np.stack([confidence, 1 - confidence], axis=1)
    assert calibration.fit_unsure_threshold(p, [0, 1, 0, 0, 1], 0.75, 0.2) == 0.6


def test_where_all_may_be_answered_the_lowest_confidence_is_no_threshold():
    """All right at 0.99 and more: what is less sure was never seen wrong, and models without calibration answer it."""
    p = np.stack([np.linspace(0.99, 1.0, 21), np.linspace(0.01, 0.0, 21)], axis=1)
    assert calibration.fit_unsure_threshold(p, [0] * 21) == UNFITTED.unsure_below == 0.5
    p[:, 0] = np.linspace(0.4, 0.9, 21)
    assert calibration.fit_unsure_threshold(p, [0] * 21) == pytest.approx(0.4)


def test_so_many_right_answers_make_none_surer_than_they_can_tell():
    """Twenty, all right by 4 in the logit: (1 - d) log p + d (log p + log q) / 2 is greatest at p = 1 - d / 2."""
    logits = [np.array([[4.0, 0.0]])] * 20
    temperature = calibration.fit_temperature(logits, [0] * 20)
    doubt = 1 / 21
    assert track_posteriors(logits, temperature)[0, 0] == pytest.approx(1 - doubt / 2, abs=1e-4)


def test_thresholds_are_of_the_posteriors_as_they_are_calibrated():
    """The same logits, three times as large, give a temperature three times as high and the same thresholds."""
    logits, labels = _drawn(np.random.default_rng(4), 200, 1.0)
    once, thrice = (calibration.calibrate([k * row for row in logits], labels) for k in (1.0, 3.0))
    assert thrice.temperature == pytest.approx(3 * once.temperature, rel=1e-3)
    assert thrice.unsure_below == pytest.approx(once.unsure_below, abs=1e-3)
    assert thrice.set_threshold == pytest.approx(once.set_threshold, abs=1e-3)


def test_what_is_promised():
    """README and the cards speak of nine in ten, for which the answers' target is a point higher."""
    assert (calibration.COVERAGE, calibration.TARGET_ACCURACY) == (0.9, 0.91)
    logits, labels = _drawn(np.random.default_rng(5), 400, 1.0)
    fitted = calibration.calibrate(logits, labels)
    p = track_posteriors(logits, fitted.temperature)
    assert fitted.set_coverage == 0.9
    assert in_prediction_set(p, fitted)[np.arange(400), labels].mean() == pytest.approx(0.9, abs=0.005)
    assert (p.argmax(axis=1) == labels)[is_sure(p, fitted)].mean() == pytest.approx(0.91, abs=0.005)


def test_the_error_of_a_temperature_counts_artists():
    """Two logits, 4 and 0: thirty of forty right, in twos of one artist, so that the slopes of a pair add up.

    With p the smoothed share of the right and z = log(p / (1 - p)), a right track's slope is (1 - d) z / 4 and a wrong
    one's -(1 - d) 3 z / 4; the curvature is 40 z^2 p (1 - p).
    """
    logits, labels = [np.array([[4.0, 0.0]])] * 40, np.repeat([0, 1], [30, 10])
    temperature = calibration.fit_temperature(logits, labels)
    doubt = 1 / 41
    p = (1 - doubt) * 0.75 + doubt / 2
    z = np.log(p / (1 - p))
    assert 4 / temperature == pytest.approx(z, rel=1e-4)
    of_tracks = (1 - doubt) * z * np.sqrt(40 / 39 * (30 / 16 + 10 * 9 / 16)) / (40 * z**2 * p * (1 - p))
    of_pairs = (1 - doubt) * z * np.sqrt(20 / 19 * 4 * (15 / 16 + 5 * 9 / 16)) / (40 * z**2 * p * (1 - p))
    tracks, pairs = [str(i) for i in range(40)], [str(i // 2) for i in range(40)]
    assert calibration.temperature_error(logits, labels, temperature, tracks) == pytest.approx(of_tracks, rel=1e-3)
    assert calibration.temperature_error(logits, labels, temperature, pairs) == pytest.approx(of_pairs, rel=1e-3)
    # One artist shows nothing; and of tracks that are all alike nothing is open.
    assert calibration.temperature_error(logits, labels, temperature, ["a"] * 40) == pytest.approx(of_tracks, rel=1e-3)
    warmer = calibration.calibrate(logits, labels, pairs)
    assert warmer.temperature == pytest.approx(temperature * np.exp(of_pairs), rel=1e-3)
    assert calibration.calibrate(logits, labels).temperature == pytest.approx(temperature)


def test_no_doubt_makes_a_temperature_more_than_e_times_as_high_nor_higher_than_eight():
    equal = [np.array([[1.0, 1.0]])] * 20
    assert calibration.temperature_error(equal, [0] * 20, 1.0, [str(i) for i in range(20)]) == 1.0
    assert calibration.calibrate(equal, np.zeros(20, np.int64), [str(i) for i in range(20)]).temperature <= 8.0


def test_half_of_three_tracks_are_two():
    # None is right: the threshold is that at which half of them are answered, whatever comes of the target.
    posteriors = [[0.9, 0.1], [0.8, 0.2], [0.7, 0.3]]
    assert calibration.fit_unsure_threshold(posteriors, [1, 1, 1]) == 0.8


def test_as_many_tracks_as_are_enough_are_enough():
    logits, labels = _drawn(np.random.default_rng(0), calibration.LEAST_TO_CALIBRATE, 1.0)
    assert calibration.calibrate(logits, labels).is_fitted
    assert not calibration.calibrate(logits[1:], labels[1:]).is_fitted


def test_artists_that_are_alike_leave_no_doubt():
    # Far from the best temperature all slopes are one: what is common to all is no difference between artists.
    logits = [np.array([[3.0, 0.0]])] * 4
    assert calibration.temperature_error(logits, [0] * 4, 0.5, ["a", "b", "c", "d"]) == pytest.approx(0.0, abs=1e-12)
