import numpy as np
import pytest

from crnn import evaluation

GENRES = ("blues", "jazz", "rock")


def test_scores_of_a_small_case_are_exact():
    posteriors = np.array([[0.8, 0.1, 0.1], [0.2, 0.5, 0.3], [0.6, 0.3, 0.1], [0.1, 0.1, 0.8]])
    scores = evaluation.score([0, 1, 1, 2], posteriors, GENRES)
    assert scores.accuracy == 0.75
    assert scores.confusion.tolist() == [[1, 0, 0], [1, 1, 0], [0, 0, 1]]
    assert scores.per_genre["jazz"] == {"n_tracks": 2, "precision": 1.0, "recall": 0.5, "f1": pytest.approx(2 / 3)}
    assert scores.macro_recall == pytest.approx((1 + 0.5 + 1) / 3)
    assert scores.macro_f1 == pytest.approx((2 / 3 + 2 / 3 + 1) / 3)
    assert scores.top3_accuracy == 1.0
    # Bins: 0.8 twice (both right), 0.5 (right), 0.6 (wrong).
    assert scores.expected_calibration_error == pytest.approx((0.2 * 2 + 0.5 + 0.6) / 4)


def test_unreadable_track_counts_as_wrong_and_answers_nothing():
    scores = evaluation.score([0, 0], [[0.9, 0.1, 0.0], [0, 0, 0]], GENRES)
    assert scores.accuracy == 0.5
    assert scores.top3_accuracy == 0.5
    assert scores.confusion.sum() == 1


def test_genres_without_tracks_do_not_count_in_the_means():
    scores = evaluation.score([0, 0], [[0.9, 0.1, 0.0], [0.9, 0.1, 0.0]], GENRES)
    assert scores.macro_recall == 1.0


def test_wilson_interval_agrees_with_published_value():
    # Agresti & Coull (1998): no success in 10 trials gives (0, 0.278).
    low, high = evaluation.wilson_interval(0, 10)
    assert low == 0.0
    assert high == pytest.approx(0.2775, abs=5e-4)
    assert evaluation.wilson_interval(5, 10) == pytest.approx((0.2366, 0.7634), abs=1e-4)


@pytest.mark.parametrize(
    ("labels", "posteriors"), [([], np.zeros((0, 3))), ([0], np.zeros((1, 2))), ([0, 1], np.ones((1, 3)))]
)
def test_shapes_that_do_not_fit_are_refused(labels, posteriors):
    with pytest.raises(ValueError, match="do not fit"):
        evaluation.score(labels, posteriors, GENRES)


def _drawn(rng, n, temperature):
    """Logits whose true posteriors are softmax(logits / temperature), and labels drawn from them."""
    logits = [rng.normal(0, 3, (1, 3)) for _ in range(n)]
    p = evaluation.track_posteriors(logits, temperature)
    return logits, np.array([rng.choice(3, p=row) for row in p])


def test_a_track_is_the_geometric_mean_of_its_segments():
    segments = np.log([[0.8, 0.1, 0.1], [0.2, 0.4, 0.4]])
    root = np.sqrt([0.8 * 0.2, 0.1 * 0.4, 0.1 * 0.4])
    (posterior,) = evaluation.track_posteriors([segments])
    np.testing.assert_allclose(posterior, root / root.sum())
    (hotter,) = evaluation.track_posteriors([segments], 2.0)
    np.testing.assert_allclose(hotter, np.sqrt(root) / np.sqrt(root).sum())


@pytest.mark.parametrize("temperature", [0.6, 1.0, 2.5])
def test_temperature_is_recovered(temperature):
    logits, labels = _drawn(np.random.default_rng(0), 4000, temperature)
    assert evaluation.fit_temperature(logits, labels) == pytest.approx(temperature, rel=0.1)


def test_prediction_set_covers_as_promised():
    logits, labels = _drawn(np.random.default_rng(1), 4000, 1.0)
    p = evaluation.track_posteriors(logits)
    threshold = evaluation.fit_set_threshold(p[:2000], labels[:2000], 0.9)
    covered = p[np.arange(2000, 4000), labels[2000:]] >= threshold
    assert covered.mean() == pytest.approx(0.9, abs=0.03)


def test_unsure_threshold_reaches_its_target_or_answers_the_least():
    logits, labels = _drawn(np.random.default_rng(2), 4000, 1.0)
    p = evaluation.track_posteriors(logits)
    threshold = evaluation.fit_unsure_threshold(p, labels, 0.9, 0.2)
    answered = p.max(axis=1) >= threshold
    assert (p.argmax(axis=1) == labels)[answered].mean() >= 0.9
    assert answered.mean() >= 0.2
    hopeless = np.full((10, 3), 1 / 3) + np.linspace(0, 0.01, 10)[:, None] * [1, 0, -1]
    assert (hopeless.max(axis=1) >= evaluation.fit_unsure_threshold(hopeless, [1] * 10)).mean() == 0.5


def test_risk_coverage_begins_with_the_surest():
    p = np.array([[0.9, 0.1, 0], [0.6, 0.4, 0], [0.8, 0.2, 0]])
    curve = evaluation.risk_coverage(p, [0, 1, 0])
    assert curve == [pytest.approx((1 / 3, 1.0)), pytest.approx((2 / 3, 1.0)), pytest.approx((1.0, 2 / 3))]
