"""Which verdict, by hand: three segments with exact logits and embeddings, and what the rules make of them."""

from __future__ import annotations

import math
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from tiny_bundle import tiny_bundle

from crnn.bundles.bundle import Calibration, Rejection
from crnn.bundles.tagging import MusicRule, OtherRule, Tag, Tagging
from crnn.inference.classifier import Classifier, Prediction
from crnn.inference.listening import Answers, Listening, Outputs
from crnn.inference.verdict import Verdict, verdict_of

# Music scores +ln 9, a probability of 0.9, where the first number of the embedding is 1, and 0.1 where it is −1.
REJECTION = Rejection(weights=(math.log(9.0), 0.0, 0.0), bias=0.0, threshold=0.6)
# The same by tags, as bundles have it that know some, and of another genre where the second number is 1.
BY_TAGS = Tagging(
    3,
    music=MusicRule(groups=((0,),), weights=(math.log(9.0),), bias=0.0, threshold=0.6),
    other=OtherRule(inputs=("embedding",), classes=(), weights=(0.0, math.log(9.0), 0.0), bias=0.0, threshold=0.6),
)
MUSIC, NOISE = (1.0, 0.0, 0.0), (-1.0, 0.0, 0.0)


class Heard:
    """What the network said of each segment, as `Listening` gives it."""

    def __init__(self, posteriors: list[tuple[float, ...]], embeddings: list[tuple[float, ...]], silent: list[bool]):
        n = len(silent)
        logits = np.log(np.array(posteriors, dtype=np.float32))
        said = np.array(embeddings, dtype=np.float32)
        # As of the tiny network, tags are the embedding.
        answers = Answers(logits, said, said)
        self._outputs = Outputs([24 * i for i in range(n)], [24] * n, silent, [answers])

    def outputs(self, *, is_open: bool = False) -> Outputs:
        return self._outputs


def answer(
    folder: Path,
    segments: list[tuple[tuple[float, ...], tuple[float, ...], bool]],
    *,
    calibration: Calibration | None = None,
    rejection: Rejection | None = REJECTION,
    tagging: Tagging | None = None,
) -> Prediction:
    bundle = tiny_bundle(folder / "m", calibration=calibration, rejection=rejection, tagging=tagging)
    classifier = Classifier(bundle)
    heard = Heard(*map(list, zip(*segments, strict=True)))  # type: ignore[arg-type]
    return classifier.answer(cast("Listening", heard), float(len(segments)))


# What is asked of a verdict, as it is answered for each.
TRAITS = {
    "is_heard": {"not_music", "other", "unsure", "genre"},
    "is_music": {"other", "unsure", "genre"},
    "has_timeline": {"silence", "other", "unsure", "genre"},
    "has_stretches": {"unsure", "genre"},
    "names_genre": {"genre"},
    "names_nearest": {"other"},
}


@pytest.mark.parametrize("trait", TRAITS)
def test_what_is_true_of_which_verdict(trait: str) -> None:
    assert {str(verdict) for verdict in Verdict if getattr(verdict.traits, trait)} == TRAITS[trait]


def test_words_that_go_with_a_verdict_differ() -> None:
    for words in ("word", "outcome"):
        assert len({getattr(verdict.traits, words) for verdict in Verdict}) == len(Verdict)
    assert not Verdict.GENRE.traits.word, "the genre itself is said"


SURE, EVEN = (0.8, 0.1, 0.1), (0.4, 0.3, 0.3)


def test_silent_segments_have_no_vote_on_music(tmp_path: Path) -> None:
    found = answer(tmp_path, [(SURE, MUSIC, False), (SURE, NOISE, True), (SURE, NOISE, True)])
    assert found.music_probability == pytest.approx(0.9, abs=1e-6)
    assert (found.verdict, found.genre) == ("genre", "bass")


def test_silent_segments_have_no_vote_by_tags_either(tmp_path: Path) -> None:
    known, silent = (1.0, -1.0, 0.0), (-1.0, 1.0, 0.0)
    segments = [(SURE, known, False), (SURE, silent, True), (SURE, silent, True)]
    found = answer(tmp_path, segments, rejection=None, tagging=BY_TAGS)
    assert found.music_probability == pytest.approx(0.9, abs=1e-6)
    assert found.other_probability == pytest.approx(0.1, abs=1e-6)
    assert (found.verdict, found.genre) == ("genre", "bass")


def test_what_is_none_of_the_genres_is_not_asked_whether_it_is_sure_of_one(tmp_path: Path) -> None:
    rule = Calibration(unsure_below=0.5)
    found = answer(tmp_path, [(EVEN, (1.0, 1.0, 0.0), False)], calibration=rule, rejection=None, tagging=BY_TAGS)
    assert (found.verdict, found.genre) == ("other", None)
    # And what is no music is not asked of which it is.
    found = answer(tmp_path / "b", [(EVEN, (-1.0, 1.0, 0.0), False)], rejection=None, tagging=BY_TAGS)
    assert found.verdict == "not_music"


def test_music_is_the_mean_of_the_segments_not_the_best_of_them(tmp_path: Path) -> None:
    found = answer(tmp_path, [(SURE, MUSIC, False), (SURE, NOISE, False)])
    assert found.music_probability == pytest.approx(0.5, abs=1e-6)
    assert found.verdict == "not_music"


def test_what_is_no_music_is_not_asked_whether_it_is_sure(tmp_path: Path) -> None:
    found = answer(tmp_path, [(EVEN, NOISE, False)], calibration=Calibration(unsure_below=0.5))
    assert found.confidence == pytest.approx(0.4)
    assert found.verdict == "not_music"


def test_silence_comes_before_all(tmp_path: Path) -> None:
    found = answer(tmp_path, [(EVEN, NOISE, True)], calibration=Calibration(unsure_below=0.5))
    assert (found.verdict, found.music_probability) == ("silence", 0.0)


def test_a_prediction_set_is_never_empty(tmp_path: Path) -> None:
    rule = Calibration(unsure_below=0.5, set_threshold=0.45)
    found = answer(tmp_path, [(EVEN, MUSIC, False)], calibration=rule, rejection=None)
    assert (found.verdict, found.prediction_set) == ("unsure", ("bass",))


def test_the_threshold_itself_is_sure_enough(tmp_path: Path) -> None:
    for threshold, verdict in ((0.8 - 1e-4, "genre"), (0.8 + 1e-4, "unsure")):
        rule = Calibration(unsure_below=threshold)
        found = answer(tmp_path / verdict, [(SURE, MUSIC, False)], calibration=rule, rejection=None)
        assert found.verdict == verdict


@pytest.mark.parametrize(
    ("music", "other", "verdict"),
    [(0.6, 0.59, "genre"), (0.59, 0.59, "not_music"), (0.6, 0.6, "other"), (0.59, 0.6, "not_music")],
)
def test_what_reaches_a_threshold_is_on_its_side(tmp_path: Path, music: float, other: float, verdict: str) -> None:
    # The rejection is not asked where tags tell music.
    rejection = Rejection(weights=(0.0, 0.0, 0.0), bias=0.0, threshold=0.99)
    bundle = tiny_bundle(tmp_path / "m", rejection=rejection, tagging=BY_TAGS)
    assert verdict_of(bundle, SURE, is_silent=False, music=music, other=other) == verdict


def test_the_prediction_set_is_told_most_probable_first(tmp_path: Path) -> None:
    rule = Calibration(set_threshold=0.25)
    found = answer(tmp_path, [((0.1, 0.3, 0.6), MUSIC, False)], calibration=rule)
    assert found.prediction_set == ("treble", "middle")


def test_tags_are_of_the_mean_of_what_is_said_and_stand_in_one_order_over_time(tmp_path: Path) -> None:
    def tag(name: str, kind: str, output: int, threshold: float) -> Tag:
        return Tag(name, kind, (output,), (), 1.0, 0.0, threshold, 0.9, (0.8, 0.95))

    # The first reaches its threshold, the others do not: they follow by their probability, genre or not.
    tags = (tag("swing", "genre", 2, 0.9), tag("flute", "instrument", 1, 0.99), tag("cello", "instrument", 0, 0.5))
    segments = [(SURE, (2.0, 3.0, 0.0), False), (SURE, (-2.0, 3.0, 2.0), False), (SURE, (9.0, 9.0, 9.0), True)]
    found = answer(tmp_path, segments, rejection=None, tagging=Tagging(3, tags))
    assert [(tag.name, tag.is_heard) for tag in found.tags] == [("cello", True), ("flute", False), ("swing", False)]
    logistic = lambda values: 1 / (1 + np.exp(-np.array(values)))  # noqa: E731
    np.testing.assert_allclose([tag.probability for tag in found.tags], logistic([0.0, 3.0, 1.0]))
    np.testing.assert_allclose(found.tag_timeline[:2], logistic([[2.0, 3.0, 0.0], [-2.0, 3.0, 2.0]]))
    assert found.tag_timeline[2].tolist() == [0.0, 0.0, 0.0]
