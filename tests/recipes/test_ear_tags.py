"""Words beside the genre: which are worth showing, and from where on."""

import numpy as np
import pytest

from recipes import ear_tags
from recipes.ear_outputs import ELSEWHERE, GTZAN, Heard

NAMES = [f"class {n}" for n in range(3)]
WORD = ear_tags._Word("tango", "genre", ("class 1",), has=("tango",), rivals=("latin",))


def heard(genres, said, ids=None):
    tags = np.zeros((len(genres), 3), np.float32)
    tags[:, 1] = said
    ids = np.array(ids or [f"t{n}" for n in range(len(genres))])
    return Heard(np.zeros((len(genres), 2)), tags, np.arange(len(genres)), ids, np.array(genres), ids)


def sets(said_of_tango):
    tracks = heard(["rock", "pop", "jazz", "blues"], [-3.0, -2.0, -1.0, 0.0])
    # What is latin is asked neither way.
    return {GTZAN: tracks, ELSEWHERE: heard(["tango", "tango", "latin"], [*said_of_tango, 9.0])}


@pytest.fixture
def _few_draws(monkeypatch):
    """Where nobody looks at the interval."""
    monkeypatch.setattr(ear_tags, "_N_BOOTSTRAPS", 10)


@pytest.mark.parametrize(
    ("of_rock", "of_tango", "auc", "interval"),
    [
        # Of eight pairs seven are in order; half or fewer in 6.7 % of all draws, fewer than half in 1.3 %.
        ([-3.0, -2.0, -1.0, 0.0], [-0.5, 2.0], 0.875, [0.5, 1.0]),
        # The seventh is drawn three times or oftener in 6.5 %, oftener in 1 %: 6 and 4 of 7.
        ([0.0] * 6 + [9.0], [5.0, 5.0], 0.857, [0.571, 1.0]),
        # 22 of 42; of two both are drawn from below in a quarter of all draws.
        ([-10.0] + [0.0] * 20, [-9.0, 9.0], 0.524, [0.0, 1.0]),
    ],
)
def test_the_area_counts_pairs_and_its_interval_draws_from_each_side(monkeypatch, of_rock, of_tango, auc, interval):
    monkeypatch.setattr(ear_tags, "_N_BOOTSTRAPS", 200)
    clips = {GTZAN: heard(["rock"] * len(of_rock), of_rock), ELSEWHERE: heard(["tango"] * 2, of_tango)}
    found = ear_tags._fit(WORD, clips, NAMES)
    assert (found["auc"], found["auc_interval"]) == (auc, interval)
    assert found["calibration"][0] > 0


@pytest.mark.usefixtures("_few_draws")
def test_a_genre_is_shown_where_it_is_rare_among_the_ten():
    found = ear_tags._fit(WORD, sets([3.0, 4.0]), NAMES)
    slope, intercept = found["calibration"]
    at = np.quantile([-3.0, -2.0, -1.0, 0.0], 0.95)
    np.testing.assert_allclose(found["threshold"], max(0.5, 1 / (1 + np.exp(-(slope * at + intercept)))))


@pytest.mark.usefixtures("_few_draws")
@pytest.mark.parametrize(("said", "auc"), [([3.0, 4.0], 1.0), ([-0.5, -0.6], 0.75), ([-2.5, 0.5], None)])
def test_a_word_worth_too_little_is_left_out(monkeypatch, said, auc):
    """Of eight pairs all are in order, six, or five."""
    monkeypatch.setattr(ear_tags, "_WORDS", (WORD,))
    found = ear_tags.fit_tags(sets(said), NAMES)
    assert [(tag["name"], tag["auc"]) for tag in found] == ([("tango", auc)] if auc else [])


@pytest.mark.usefixtures("_few_draws")
@pytest.mark.parametrize(("programs", "intercept"), [((), 0.0), ((40,), 0.4 * np.log(1 / 9))])
def test_both_sides_weigh_the_same_and_an_instrument_is_rarer_in_music(programs, intercept):
    # One of ten has it, as far above zero as the nine are below.
    word = ear_tags._Word("violin", "instrument", ("class 1",), ("blues",), programs=programs)
    ids = ["violin_40_1", *(f"other_{program}_1" for program in range(9))]
    solos = heard(["blues"] + ["rock"] * 9, [1.0] + [-1.0] * 9, ids)
    found = ear_tags._fit(word, {ear_tags._SOLOS: solos, GTZAN: solos, ELSEWHERE: heard([], [])}, NAMES)
    assert found["calibration"][1] == pytest.approx(intercept, abs=1e-3)
    assert found["threshold"] == 0.5


def test_what_is_said_is_the_loudness_less_half_of_what_speaks_against_it():
    tags = np.array([[1.0, 1.0, 0.0], [5.0, 3.0, 3.0], [0.0, 0.0, 0.0]], np.float32)
    names = np.array(["a", "b"])
    two = Heard(tags, tags, np.array([0, 0, 1]), names, names, names)
    np.testing.assert_allclose(ear_tags._said(two, [0], []), [3.0, 0.0])
    # log(2 e^3) is 3.693, log(2) 0.693.
    against = [np.log(np.exp(1) + 1), 3 + np.log(2), np.log(2)]
    said = [(1 - 0.5 * against[0] + 5 - 0.5 * against[1]) / 2, -0.5 * against[2]]
    np.testing.assert_allclose(ear_tags._said(two, [0], [1, 2]), said, rtol=1e-6)


def test_other_genres_speak_against_electronic_music_alone(monkeypatch):
    names = ["Singing", "Pop music", "Rock music", "Beatboxing", "Electronic music", *ear_tags._ELECTRONIC]
    names += ["Vocal music", "A capella", "Music for children", "New-age music", "Blues", "Traditional music", "Song"]
    against = [names.index(name) for name in ("Pop music", "Rock music", "Blues", "Traditional music")]
    assert ear_tags._against(names) == against
    monkeypatch.setattr(ear_tags, "_N_BOOTSTRAPS", 10)
    tags = np.random.default_rng(0).normal(size=(4, len(names))).astype(np.float32)
    ids, genres = np.array(list("abcd")), np.array(["electronic", "rock", "electronic", "pop"])
    clips = Heard(tags, tags, np.arange(4), ids, genres, ids)
    words = [word for word in ear_tags._WORDS if word.name in {"electronic", "house"}]
    fitted = [ear_tags._fit(word, {GTZAN: clips, ELSEWHERE: clips}, names) for word in words]
    assert [found["against"] for found in fitted] == [against, []]


def asked(word, kind="genre", **others):
    """Of each set, whether its tracks have the word; None where they are not asked."""
    has = {"has": ("latin",), "rivals": ("tango",)}
    found = ear_tags._asked(
        ear_tags._Word(word, kind, (), **(has | others)),
        {
            GTZAN: heard(["rock", "latin"], 0.0),
            ELSEWHERE: heard(["latin", "tango", "pop"], 0.0),
            ear_tags._SPEECH: heard(["speech"], 0.0),
            ear_tags._SOLOS: heard(["", ""], 0.0, ["violin_40_1", "cello_42_40"]),
        },
    )
    return {name: [bool(y) if x else None for x, y in zip(*masks, strict=True)] for name, *masks in found}


OF_GENRES = {GTZAN: [False, True], ELSEWHERE: [True, None, False]}


@pytest.mark.parametrize(
    ("word", "found"),
    [
        (("salsa",), OF_GENRES),
        (("rapping", "voice"), OF_GENRES | {ear_tags._SPEECH: [False]}),
        (("speech", "voice"), OF_GENRES | {ear_tags._SPEECH: [True]}),
        (
            ("singing", "voice"),
            {
                GTZAN: [None, None],
                ELSEWHERE: [True, None, None],
                ear_tags._SPEECH: [None],
                ear_tags._SOLOS: [False, False],
            },
        ),
        (("drums", "instrument"), OF_GENRES | {ear_tags._SOLOS: [False, False]}),
    ],
)
def test_who_is_asked_about_a_word(word, found):
    assert asked(*word) == found


def test_solos_alone_are_asked_about_their_instruments():
    assert asked("violin", "instrument", programs=(40, 110)) == {ear_tags._SOLOS: [True, False]}


@pytest.mark.parametrize(
    ("word", "kind", "has", "logit"),
    [
        # One of twenty is above 1.9, one of two hundred above 1.99.
        ("swing", "genre", "jazz", 1.9),
        ("house", "genre", "electronic", 1.99),
        ("electronic", "genre", "electronic", np.log(0.45 / 0.55)),
        ("drums", "instrument", "jazz", 0.0),
        ("singing", "voice", "jazz", 0.0),
    ],
)
def test_from_where_on_a_word_is_shown(word, kind, has, logit):
    """Of the ten 0 to 2 in steps of 0.01, half of them from each source; above are those that have it, and others."""
    values = np.linspace(0, 2, 201)
    tracks = heard(["rock"] * 101, values[::2])
    clips = heard(["rock"] * 100 + [has, "tango"], [*values[1::2], 9.0, 9.0])
    found = ear_tags._threshold(
        ear_tags._Word(word, kind, (), (has,)), {GTZAN: tracks, ELSEWHERE: clips}, [1], 1.0, 0.0
    )
    assert found == pytest.approx(1 / (1 + np.exp(-logit)), abs=1e-6)


def test_no_genre_is_shown_that_is_rather_not_there():
    tracks = heard(["rock"] * 20, -1.0)
    assert ear_tags._threshold(WORD, {GTZAN: tracks, ELSEWHERE: tracks}, [1], 1.0, 0.0) == 0.5
    # Of a slope and an intercept: 1 / (1 + exp(-(2 · -1 + 3))).
    found = ear_tags._threshold(WORD, {GTZAN: tracks, ELSEWHERE: tracks}, [1], 2.0, 3.0)
    assert found == pytest.approx(1 / (1 + np.exp(-1.0)))
