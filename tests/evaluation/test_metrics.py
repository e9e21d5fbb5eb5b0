import numpy as np
import pytest

from crnn.evaluation import metrics
from crnn.intervals import wilson_interval

GENRES = ("blues", "jazz", "rock")


def test_scores_of_a_small_case_are_exact():
    posteriors = np.array([[0.8, 0.1, 0.1], [0.2, 0.5, 0.3], [0.6, 0.3, 0.1], [0.1, 0.1, 0.8]])
    scores = metrics.score([0, 1, 1, 2], posteriors, GENRES)
    assert scores.accuracy == 0.75
    assert scores.confusion.tolist() == [[1, 0, 0], [1, 1, 0], [0, 0, 1]]
    assert scores.per_genre["jazz"] == {"n_tracks": 2, "precision": 1.0, "recall": 0.5, "f1": pytest.approx(2 / 3)}
    assert scores.macro_recall == pytest.approx((1 + 0.5 + 1) / 3)
    assert scores.macro_f1 == pytest.approx((2 / 3 + 2 / 3 + 1) / 3)
    assert scores.top3_accuracy == 1.0
    # Bins: 0.8 twice (both right), 0.5 (right), 0.6 (wrong).
    assert scores.expected_calibration_error == pytest.approx((0.2 * 2 + 0.5 + 0.6) / 4)
    # Less 1 where right: -0.2, -0.5, +0.6, -0.2.
    assert scores.overconfidence == pytest.approx(-0.075)
    half = 1.96 * np.std([-0.2, -0.5, 0.6, -0.2], ddof=1) / 2
    assert scores.overconfidence_interval == (pytest.approx(-0.075 - half), pytest.approx(-0.075 + half))


def test_unreadable_track_counts_as_wrong_and_answers_nothing():
    scores = metrics.score([0, 0], [[0.9, 0.1, 0.0], [0, 0, 0]], GENRES)
    assert scores.accuracy == 0.5
    assert scores.top3_accuracy == 0.5
    assert scores.confusion.sum() == 1


def test_genres_without_tracks_do_not_count_in_the_means():
    scores = metrics.score([0, 0], [[0.9, 0.1, 0.0], [0.9, 0.1, 0.0]], GENRES)
    assert scores.macro_recall == 1.0


@pytest.mark.parametrize(
    ("labels", "posteriors"), [([], np.zeros((0, 3))), ([0], np.zeros((1, 2))), ([0, 1], np.ones((1, 3)))]
)
def test_shapes_that_do_not_fit_are_refused(labels, posteriors):
    with pytest.raises(ValueError, match="do not fit"):
        metrics.score(labels, posteriors, GENRES)


def test_a_track_is_the_geometric_mean_of_its_segments():
    segments = np.log([[0.8, 0.1, 0.1], [0.2, 0.4, 0.4]])
    root = np.sqrt([0.8 * 0.2, 0.1 * 0.4, 0.1 * 0.4])
    (posterior,) = metrics.track_posteriors([segments])
    np.testing.assert_allclose(posterior, root / root.sum())
    (hotter,) = metrics.track_posteriors([segments], 2.0)
    np.testing.assert_allclose(hotter, np.sqrt(root) / np.sqrt(root).sum())


def test_risk_coverage_begins_with_the_surest():
    p = np.array([[0.9, 0.1, 0], [0.6, 0.4, 0], [0.8, 0.2, 0]])
    curve = metrics.risk_coverage(p, [0, 1, 0])
    assert curve == [pytest.approx((1 / 3, 1.0)), pytest.approx((2 / 3, 1.0)), pytest.approx((1.0, 2 / 3))]


def test_scores_of_unequal_genres_and_artists_are_exact():
    posteriors = [[0.7, 0.1, 0.1, 0.1], [0.2, 0.5, 0.2, 0.1], [0.1, 0.6, 0.2, 0.1], [0.4, 0.35, 0.15, 0.1]]
    posteriors.append([0.0, 1.0, 0.0, 0.0])
    # Answered a, b, b, a, b: right, wrong, right, wrong, right; no track is of d.
    units = ["x", "x", "y", "z", "y"]
    scores = metrics.score([0, 0, 1, 2, 1], posteriors, ("a", "b", "c", "d"), units)
    assert scores.per_genre["b"] == {"n_tracks": 2, "precision": pytest.approx(2 / 3), "recall": 1.0, "f1": 0.8}
    assert scores.macro_f1 == pytest.approx((0.5 + 0.8 + 0) / 3)
    assert scores.macro_recall == pytest.approx((0.5 + 1 + 0) / 3)
    # Of the fourth the truth is the third.
    assert scores.top3_accuracy == 1.0
    assert scores.reliability[-1] == (1.0, 1.0, 1)
    assert sum(n for _, _, n in scores.reliability) == 5
    # Right less 0.6, added up by artist: -0.2, 0.8, -0.6. The variance of the share is 3/2 · 1.04 / 25.
    n = 0.6 * 0.4 / (1.5 * 1.04 / 25)
    assert scores.independent_tracks == pytest.approx(n)
    assert scores.accuracy_interval == pytest.approx(wilson_interval(0.6 * n, n))
    # Without one artist the mean excess of 0.04 moves by 0.12 / 3, -0.48 / 3 and 0.36 / 4.
    half = 1.96 * np.sqrt(2 / 3 * (0.04**2 + 0.16**2 + 0.09**2))
    assert scores.overconfidence_interval == pytest.approx((0.04 - half, 0.04 + half))
