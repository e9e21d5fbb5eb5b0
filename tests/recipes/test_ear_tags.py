"""Words beside the genre: which are worth showing, and from where on."""

import numpy as np

from recipes import ear_tags
from recipes.ear_outputs import ELSEWHERE, GTZAN, Heard

NAMES = [f"class {n}" for n in range(3)]
WORD = ear_tags._Word("tango", "genre", ("class 1",), has=("tango",), rivals=("latin",))


def heard(genres, said):
    tags = np.zeros((len(genres), 3), np.float32)
    tags[:, 1] = said
    ids = np.array([f"t{n}" for n in range(len(genres))])
    return Heard(np.zeros((len(genres), 2)), tags, np.arange(len(genres)), ids, np.array(genres), ids)


def sets(said_of_tango):
    tracks = heard(["rock", "pop", "jazz", "blues"], [-3.0, -2.0, -1.0, 0.0])
    # What is latin is asked neither way.
    return {GTZAN: tracks, ELSEWHERE: heard(["tango", "tango", "latin"], [*said_of_tango, 9.0])}


def test_the_area_counts_pairs():
    # Of eight pairs of a tango and another genre seven are in order.
    found = ear_tags._fit(WORD, sets([-0.5, 2.0]), NAMES)
    assert found["auc"] == 0.875
    assert found["calibration"][0] > 0
    low, high = found["auc_interval"]
    assert low <= 0.875 <= high


def test_a_genre_is_shown_where_it_is_rare_among_the_ten():
    found = ear_tags._fit(WORD, sets([3.0, 4.0]), NAMES)
    slope, intercept = found["calibration"]
    at = np.quantile([-3.0, -2.0, -1.0, 0.0], 0.95)
    np.testing.assert_allclose(found["threshold"], max(0.5, 1 / (1 + np.exp(-(slope * at + intercept)))))


def test_a_word_worth_too_little_is_left_out(monkeypatch):
    monkeypatch.setattr(ear_tags, "_WORDS", (WORD,))
    assert [tag["name"] for tag in ear_tags.fit_tags(sets([3.0, 4.0]), NAMES)] == ["tango"]
    assert not ear_tags.fit_tags(sets([-2.5, 0.5]), NAMES)  # five of eight pairs: 0.625
