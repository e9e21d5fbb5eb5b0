"""Intervals against published values, and against the chance that they speak of."""

from __future__ import annotations

import numpy as np
import pytest

from crnn import intervals
from crnn.evaluation import metrics


def test_wilson_interval_agrees_with_published_value() -> None:
    # Agresti & Coull (1998): no success in 10 trials gives (0, 0.278).
    low, high = intervals.wilson_interval(0, 10)
    assert low == 0.0
    assert high == pytest.approx(0.2775, abs=5e-4)
    assert intervals.wilson_interval(5, 10) == pytest.approx((0.2366, 0.7634), abs=1e-4)


def scored(rng: np.random.Generator, n: int, skill: float) -> metrics.Scores:
    """Of tracks of three genres, of which so many are answered by knowledge and the rest at random."""
    labels = rng.choice(3, n, p=[0.5, 0.3, 0.2])
    answers = np.where(rng.random(n) < skill, labels, rng.integers(0, 3, n))
    return metrics.score(labels, np.eye(3)[answers] * 0.6 + 0.4 / 3, ("a", "b", "c"))


@pytest.mark.slow
def test_intervals_hold_the_true_scores_in_about_95_of_100_sets() -> None:
    """Sixty tracks each; the truth is what so many that chance is nothing score."""
    rng = np.random.default_rng(0)
    truth = scored(rng, 200_000, 0.6)
    held: dict[str, list[bool]] = {name: [] for name in ("precision", "recall", "f1", "macro_f1", "macro_recall")}
    for _ in range(600):
        found = scored(rng, 60, 0.6)
        counts = [found.per_genre[genre]["n_tracks"] for genre in found.genres]
        means = intervals.of_means(found.confusion.tolist(), counts)
        for name in ("macro_f1", "macro_recall"):
            low, high = getattr(means, name)
            held[name].append(low <= getattr(truth, name) <= high)
        for genre, of_genre in zip(found.genres, intervals.of_genres(found.confusion.tolist(), counts), strict=True):
            for name in ("precision", "recall", "f1"):
                low, high = getattr(of_genre, name)
                assert low - 1e-9 <= found.per_genre[genre][name] <= high + 1e-9
                held[name].append(low <= truth.per_genre[genre][name] <= high)
    shares = {name: float(np.mean(values)) for name, values in held.items()}
    assert all(0.9 < share < 0.99 for share in shares.values()), shares


def test_what_nobody_answered_or_is_has_no_interval() -> None:
    nobody, answered = intervals.of_genres([[0, 2], [0, 5]], [2, 5])
    assert nobody.precision is None
    assert nobody.recall == intervals.wilson_interval(0, 2)
    assert answered.precision == intervals.wilson_interval(5, 7)
    assert intervals.of_means([[0, 0], [0, 0]], [0, 0]) == intervals.OfMeans()
    assert intervals.error_by_chance([]) is None
    assert intervals.share_interval([]) == (0.0, 1.0)


def test_a_track_without_an_answer_counts_as_wrong() -> None:
    (genre, _) = intervals.of_genres([[3, 0], [0, 4]], [6, 4])
    assert genre.recall == intervals.wilson_interval(3, 6)
    means = intervals.of_means([[3, 0], [0, 4]], [6, 4])
    assert means.macro_recall[0] < 0.75 < means.macro_recall[1]


def test_a_calibrated_model_lies_below_the_error_of_chance_in_95_of_100_sets() -> None:
    """197 tracks: the mean error of a perfect one is about 0.05 there."""
    rng, below, errors = np.random.default_rng(1), [], []
    for _ in range(300):
        confidence = rng.uniform(0.3, 1.0, 197)
        bins = metrics.reliability_bins(rng.random(197) < confidence, confidence)
        error = sum(abs(c - a) * n for c, a, n in bins) / 197
        chance = intervals.error_by_chance(bins)
        assert chance is not None
        below.append(error <= chance)
        errors.append(error)
    assert np.mean(errors) == pytest.approx(0.06, abs=0.02)
    assert np.mean(below) == pytest.approx(0.95, abs=0.04)


def test_ten_right_of_ten_are_not_certain() -> None:
    means = intervals.of_means([[5, 0], [0, 5]], [5, 5])
    assert means.macro_f1[1] == means.macro_recall[1] == 1.0
    assert 0.6 < means.macro_f1[0] < 0.9


def test_answers_of_one_artist_tell_as_much_as_they_differ() -> None:
    """Four artists of five tracks: all of a piece they are four answers, evenly mixed they are twenty.

    Shares right of 1, 1, 0, 0 of each: the variance of the mean is 4 / 3 x 4 x 2.5^2 / 20^2 = 1 / 12, so a half is
    told as by 0.25 x 12 = 3 answers, and never by less than the artists there are.
    """
    units = [name for name in "abcd" for _ in range(5)]
    assert intervals.independent_tracks([1] * 10 + [0] * 10, units) == pytest.approx(4.0)
    assert intervals.independent_tracks([1, 0, 1, 0, 1, 0, 1, 0, 1, 0] * 2, units) == pytest.approx(20.0)
    # 5, 4, 2 and 1 right, 12 of 20: 0.24 / (4 / 3 x (4 + 1 + 1 + 4) / 400) = 7.2.
    right = [1] * 5 + [1, 1, 1, 1, 0] + [1, 1, 0, 0, 0] + [1, 0, 0, 0, 0]
    assert intervals.independent_tracks(right, units) == pytest.approx(7.2)
    # Nothing shows how they go together where all are right; one artist is one answer.
    assert intervals.independent_tracks([1] * 20, units) == pytest.approx(4.0)
    assert intervals.independent_tracks([1, 0, 1], ["a"] * 3) == pytest.approx(1.0)
    assert intervals.independent_tracks([1, 0, 1, 1], list("abcd")) == pytest.approx(4.0, rel=0.3)


def test_an_interval_by_artists_holds_the_truth_in_about_95_of_100_draws_of_artists() -> None:
    """Forty artists, each right by a chance of its own, of four tracks each: by tracks alone it would be 70 in 100."""
    rng = np.random.default_rng(3)
    units = [str(artist) for artist in range(40) for _ in range(4)]
    held = {"artists": 0, "tracks": 0}
    for _ in range(400):
        right = rng.random((40, 4)) < rng.beta(0.7, 0.3, size=(40, 1))
        n, share = intervals.independent_tracks(right.ravel(), units), float(right.mean())
        for name, count in (("artists", n), ("tracks", 160)):
            low, high = intervals.wilson_interval(share * count, count)
            held[name] += low <= 0.7 <= high
    assert 0.92 <= held["artists"] / 400 <= 0.98
    assert held["tracks"] / 400 < 0.85


def test_the_interval_of_a_mean_leaves_out_one_artist_at_a_time() -> None:
    """Without a, of -0.2 and 0.4, the mean of 0.1 becomes 0.1; without b, 0.3, it is 0.1; without c, -0.1, it is 1 / 6.

    The mean of all four is 0.1: (m - 1) / m x ((0)^2 + (0.2 / 3)^2 + (0.2 / 3)^2).
    """
    values, units = [-0.2, 0.4, 0.3, -0.1], ["a", "a", "b", "c"]
    low, high = intervals.mean_interval(values, units)
    half = 1.96 * np.sqrt(2 / 3 * 2 * (0.2 / 3) ** 2)
    assert (low, high) == (pytest.approx(0.1 - half), pytest.approx(0.1 + half))
    by_itself = intervals.mean_interval(values)
    assert by_itself[1] - 0.1 == pytest.approx(1.96 * np.std(values, ddof=1) / 2)
    assert intervals.mean_interval(values, ["a"] * 4) == (-np.inf, np.inf)


def test_chance_moves_the_error_of_few_artists_further() -> None:
    bins = [[0.7, 0.7, 100]]
    by_tracks, by_artists = intervals.error_by_chance(bins), intervals.error_by_chance(bins, 0.25)
    assert by_tracks is not None
    assert by_artists is not None
    # As of 25 tracks instead of 100: twice as far. 1.96 x sqrt(0.21 / 100) is 0.090.
    assert by_tracks == pytest.approx(0.09, abs=0.012)
    assert by_artists == pytest.approx(0.18, abs=0.025)


def test_where_all_are_right_units_count_by_their_sizes() -> None:
    # Three of one and one of another: 4² / (3² + 1²).
    assert intervals.independent_tracks([True] * 4, ["a", "a", "a", "b"]) == 1.6


def test_intervals_of_a_genre_by_what_was_counted() -> None:
    # Of five tracks of the first one got no answer, three are right; it was answered five times: either is true of 7.
    confusion, n_tracks = [[3, 1], [2, 4]], [5, 6]
    for share in (1.0, 0.5):
        first = intervals.of_genres(confusion, n_tracks, share)[0]
        assert first.precision == first.recall == intervals.wilson_interval(3 * share, 5 * share)
        low, high = intervals.wilson_interval(3 * share, 7 * share)
        assert first.f1 == pytest.approx((2 * low / (1 + low), 2 * high / (1 + high)))


def test_tracks_without_an_answer_lower_the_mean_recall() -> None:
    found = intervals.of_means([[5]], [10]).macro_recall
    assert found is not None
    assert found[0] < 0.5 < found[1] < 0.9
