"""Tags, music, other genres: rules worked out by hand, on a network whose tags are levels of three groups of bands."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sounds import RATE, sine
from tiny_bundle import tiny_bundle

from crnn.audio.clip import Clip
from crnn.bundles import bundle_json
from crnn.bundles.bundle import Bundle, load_bundle
from crnn.bundles.tagging import MusicRule, OtherRule, Tag, Tagging
from crnn.config import FeatureConfig
from crnn.errors import BundleError
from crnn.features import log_mel
from crnn.inference import output, rows
from crnn.inference import tagging as rules
from crnn.inference.classifier import Classifier, HeardTag
from crnn.inference.listening import Answers
from crnn.inference.verdict import Verdict

SHORT = FeatureConfig(segment_seconds=3.0, segment_hop_seconds=3.0)
LOW = Tag("bass guitar", "instrument", (0,), (), 1.0, 77.5, 0.5, 0.9, (0.8, 0.95))
HIGH = Tag("cymbal", "instrument", (1, 2), (), 0.5, 38.75, 0.6, 0.8, (0.7, 0.9))


def test_a_tag_is_as_probable_as_its_classes_together() -> None:
    logits = np.array([[-73.0, -99.0, -63.0], [-75.0, -83.0, -93.0]], np.float32)
    tagging = Tagging(3, (LOW, HIGH))
    scores = rules.tag_scores(logits, tagging)
    # log(e^−99 + e^−63) is −63 to fifteen digits, log(e^−83 + e^−93) −83 + log(1 + e^−10).
    np.testing.assert_allclose(scores, [[-73.0, -63.0], [-75.0, -83.0 + np.log1p(np.exp(-10))]])
    of_segments = rules.tag_probabilities(scores, tagging)
    expected = 1 / (1 + np.exp(-np.array([[4.5, 7.25], [2.5, -2.75]])))
    np.testing.assert_allclose(of_segments, expected, rtol=1e-4)
    # Of the sound: the mean of its segments' logits, not of their probabilities.
    of_sound = rules.tag_probabilities(scores.mean(axis=0), tagging)
    np.testing.assert_allclose(of_sound, 1 / (1 + np.exp([-3.5, -2.25])), rtol=1e-4)


def test_half_of_what_speaks_against_a_tag_is_taken_off() -> None:
    against = dataclasses.replace(LOW, against=(1, 2))
    logits = np.array([[-73.0, -99.0, -63.0]], np.float32)
    np.testing.assert_allclose(rules.tag_scores(logits, Tagging(3, (against,))), [[-73.0 + 31.5]])


def test_music_is_regressed_on_the_mean_of_groups() -> None:
    rule = MusicRule(((0,), (1, 2)), (1.0, -0.5), 0.25, 0.3)
    logits = np.array([[1.0, 0.0, 0.0], [-3.0, 2.0, 2.0]], np.float32)
    groups = np.array([[1.0, np.log(2)], [-3.0, 2 + np.log(2)]])
    score = (groups[:, 0] - 0.5 * groups[:, 1]).mean() + 0.25
    assert rules.music_probability(logits, rule) == pytest.approx(1 / (1 + np.exp(-score)))


def test_certainty_in_four_numbers() -> None:
    logits = np.array([[2.0, 0.0], [0.0, 0.0]], np.float32)
    p = 1 / (1 + np.exp(-0.5))
    expected = [p, -p * np.log(p) - (1 - p) * np.log(1 - p), np.log(np.e + 1), 1.0]
    np.testing.assert_allclose(rules.certainty(logits, 2.0), expected, rtol=1e-6)


def test_other_reads_means_over_the_segments() -> None:
    rule = OtherRule(("embedding", "tags"), (2,), (1.0, -1.0, 0.5), -0.25, 0.5)
    embeddings = np.array([[1.0, 2.0], [3.0, 0.0]], np.float32)
    tags = np.array([[9.0, 9.0, 1.0], [9.0, 9.0, 0.0]], np.float32)
    # 2 − 1 + 0.25 − 0.25 = 1
    found = rules.other_probability(Answers(np.zeros((2, 4), np.float32), embeddings, tags), 1.0, rule)
    assert found == pytest.approx(1 / (1 + np.exp(-1)))
    assert rule.width(2) == 3
    assert OtherRule(("tags", "certainty"), (1, 2), (), 0.0, 0.5).width(2) == 6


def tagged(folder: Path, **changes: Any) -> Classifier:
    """Bass is heard in low sines, a cymbal in high ones; low is music, and what is very high is another genre."""
    whole = Tagging(
        3, (LOW, HIGH), MusicRule(((0, 1, 2),), (1.0,), 77.5, 0.5), OtherRule(("tags",), (2,), (1.0,), 77.5, 0.5)
    )
    return Classifier(tiny_bundle(folder, config=SHORT, tagging=dataclasses.replace(whole, **changes)))


def test_tags_are_told_most_probable_first_and_by_segment(tmp_path: Path) -> None:
    low_then_high = np.concatenate([sine(150.0, 3.0), sine(8000.0, 3.0)]).astype(np.float32)
    answer = tagged(tmp_path / "tiny").classify(Clip(low_then_high, RATE))
    probabilities = [tag.probability for tag in answer.tags]
    assert probabilities == sorted(probabilities, reverse=True)
    names = [tag.name for tag in answer.tags]
    assert sorted(names) == ["bass guitar", "cymbal"]
    assert answer.tag_timeline.shape == (len(answer.segments), 2)
    bass, cymbal = (answer.tag_timeline[:, names.index(name)] for name in ("bass guitar", "cymbal"))
    assert bass[[0, -1]].round().tolist() == [1, 0]
    assert cymbal[[0, -1]].round().tolist() == [0, 1]


def test_what_is_heard_comes_first_and_of_it_genres(tmp_path: Path) -> None:
    # All three are next to certain for a low tone, the genre a little less; the last is heard from no probability on.
    swing = dataclasses.replace(LOW, name="swing", kind="genre", intercept=77.0)
    unheard = dataclasses.replace(LOW, name="cello", threshold=1.5)
    answer = tagged(tmp_path / "tiny", tags=(unheard, LOW, swing)).classify(Clip(sine(150.0, 3.0), RATE))
    assert [tag.name for tag in answer.tags] == ["swing", "bass guitar", "cello"]
    assert [tag.is_heard for tag in answer.tags] == [True, True, False]


def test_nothing_is_heard_in_silence(tmp_path: Path) -> None:
    answer = tagged(tmp_path / "tiny").classify(Clip(np.zeros(4 * RATE, np.float32), RATE))
    assert answer.verdict == "silence"
    assert answer.tags == ()
    half = np.concatenate([np.zeros(3 * RATE, np.float32), sine(150.0, 3.0)]).astype(np.float32)
    answer = tagged(tmp_path / "again").classify(Clip(half, RATE))
    assert (answer.tag_timeline[0] == 0).all()


@pytest.mark.parametrize(("hz", "verdict"), [(150.0, "genre"), (8000.0, "other")])
def test_other_is_a_verdict_of_its_own(tmp_path: Path, hz: float, verdict: str) -> None:
    answer = tagged(tmp_path / "tiny").classify(Clip(sine(hz, 4.0), RATE))
    assert answer.verdict == verdict
    assert (answer.genre is None) == (verdict == "other")
    assert answer.posterior.sum() == pytest.approx(1.0, abs=1e-5)
    # Never for a bundle without the knowledge for it.
    answer = tagged(tmp_path / "plain", other=None).classify(Clip(sine(hz, 4.0), RATE))
    assert (answer.verdict, answer.other_probability) == ("genre", 0.0)


def test_a_short_sound_is_heard_with_silence_after_it_too_where_the_rule_says_so(tmp_path: Path) -> None:
    plain = MusicRule(((0, 1, 2),), (0.5,), 35.0, 0.5)
    classifiers = [
        tagged(tmp_path / name, music=dataclasses.replace(plain, hears_ending=hears_ending))
        for name, hears_ending in (("once", False), ("twice", True))
    ]
    short, long = (Clip(sine(150.0, seconds), RATE) for seconds in (1.5, 4.0))
    once, twice = (classifier.classify(short) for classifier in classifiers)
    values = log_mel.segment(short.samples, SHORT)
    ended = np.concatenate([values[0], np.full((SHORT.n_frames - len(values[0]), 128), SHORT.db_floor)])
    said = [rules.joined(classifiers[0].run_all(heard).tags, (0, 1, 2))[0] for heard in (values, ended[np.newaxis])]
    assert abs(said[0] - said[1]) > 1
    expected = [1 / (1 + np.exp(-(0.5 * score + 35.0))) for score in (said[0], np.mean(said))]
    assert [once.music_probability, twice.music_probability] == pytest.approx(expected, rel=1e-4)
    np.testing.assert_array_equal(once.posterior, twice.posterior)
    assert once.tags == twice.tags
    by_archive = classifiers[1].classify_log_mel(log_mel.log_mel(short.samples, SHORT))
    assert by_archive.music_probability == pytest.approx(expected[1], rel=1e-4)
    once, twice = (classifier.classify(long) for classifier in classifiers)
    assert once.music_probability == twice.music_probability
    # An answer on the way takes nothing from the next.
    heard = classifiers[1].listen()
    heard.push(long.samples[: RATE * 3 // 2])
    classifiers[1].answer(heard, 1.5)
    heard.push(long.samples[RATE * 3 // 2 :])
    assert classifiers[1].answer(heard, 4.0).music_probability == pytest.approx(twice.music_probability, rel=1e-5)


def test_a_sound_that_is_repeated_is_heard_once_before_the_silence(tmp_path: Path) -> None:
    config = dataclasses.replace(SHORT, is_tiled=True)
    # Half a second of a tone and half of next to none: what is told is the mean level of the lowest bands.
    rule = MusicRule(((0,),), (1.0,), 77.5, 0.5, hears_ending=True)
    classifier = Classifier(tiny_bundle(tmp_path / "tiny", config=config, tagging=Tagging(3, (), rule)))
    samples = np.concatenate([sine(150.0, 0.5), 1e-4 * sine(150.0, 0.5)]).astype(np.float32)
    (once,) = log_mel.segment(samples, SHORT)
    repeated = np.resize(once, (SHORT.n_frames, 128))
    ended = np.concatenate([once, np.full((SHORT.n_frames - len(once), 128), SHORT.db_floor)])
    said = [classifier.run_all(values[np.newaxis]).tags[0, 0] for values in (repeated, ended)]
    assert said[0] - said[1] > 1
    expected = 1 / (1 + np.exp(-(np.mean(said) + 77.5)))
    assert classifier.classify(Clip(samples, RATE)).music_probability == pytest.approx(expected, rel=1e-4)


def test_what_is_no_music_is_no_other_genre_either(tmp_path: Path) -> None:
    nothing = MusicRule(((0,),), (1.0,), 0.0, 0.5)
    answer = tagged(tmp_path / "tiny", music=nothing).classify(Clip(sine(8000.0, 4.0), RATE))
    assert answer.verdict == "not_music"


def test_a_bundle_keeps_its_tagging(tmp_path: Path) -> None:
    made = tagged(tmp_path / "tiny").bundle
    assert load_bundle(tmp_path / "tiny").tagging == made.tagging
    assert made.tagging is not None
    assert made.tagging.tags == (LOW, HIGH)


def rewritten(bundle: Bundle, change: Any) -> Path:
    assert bundle.path is not None
    values = json.loads((bundle.path / "bundle.json").read_text())
    del values["digest"], values["format_version"]
    change(values["tagging"])
    (bundle.path / "bundle.json").write_text(bundle_json.written(values))
    return bundle.path


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.update(n_outputs=2), "not among 2"),
        (lambda t: t["tags"][0].update(classes=[1.5]), "no whole number"),
        (lambda t: t["tags"][0].update(classes=[True]), "no whole number"),
        (lambda t: t["tags"][0].update(classes=[-1]), "not among 3"),
        (lambda t: t["tags"][0].update(against=[3]), "not among 3"),
        (lambda t: t["tags"][0].update(kind="dance"), "'dance'"),
        (lambda t: t["tags"][0].update(name="a\nb"), "cannot be a tag's name"),
        (lambda t: t["tags"][0].update(slope="1"), "no number"),
        (lambda t: t["tags"][0].pop("auc"), "auc"),
        (lambda t: t["music"].update(weights=[0.0, 1.0]), "a weight for each of its groups"),
        (lambda t: t["music"].update(groups=[[3]]), "not among 3"),
        (lambda t: t["music"].update(groups=[[]]), "a weight for each of its groups"),
        (lambda t: t["music"].update(hears_ending=1), "hears_ending is 1"),
        (lambda t: t["other"].update(inputs=["tags", "embedding"]), "other reads"),
        (lambda t: t["other"].update(inputs=[], weights=[]), "other reads"),
        (lambda t: t["other"].update(weights=[1.0, 2.0]), "as many as it reads"),
        (lambda t: t.update(music=7), "wrong value"),
    ],
)
def test_what_an_imported_bundle_may_not_say(tmp_path: Path, change: Any, message: str) -> None:
    folder = rewritten(tagged(tmp_path / "tiny").bundle, change)
    with pytest.raises(BundleError, match=message):
        load_bundle(folder)


def test_a_bundle_of_the_second_format_hears_short_sounds_once(tmp_path: Path) -> None:
    folder = rewritten(tagged(tmp_path / "tiny").bundle, lambda tagging: tagging["music"].pop("hears_ending"))
    tagging = load_bundle(folder).tagging
    assert tagging is not None
    assert tagging.music == MusicRule(((0, 1, 2),), (1.0,), 77.5, 0.5, hears_ending=False)


def test_a_bundle_of_the_first_format_loads_and_answers(tmp_path: Path) -> None:
    made = tiny_bundle(tmp_path / "tiny", config=SHORT)
    assert made.path is not None
    values = json.loads((made.path / "bundle.json").read_text())
    for added in ("tagging", "digest"):
        del values[added]
    for added in ("front_end", "level", "tail_seconds", "is_tiled"):
        del values["feature_config"][added]
    values["format_version"] = 1
    import hashlib

    values["digest"] = hashlib.sha256(bundle_json._canonical(values)).hexdigest()
    (made.path / "bundle.json").write_text(json.dumps(values))
    old = load_bundle(made.path)
    assert old == dataclasses.replace(made)
    answer = Classifier(old).classify(Clip(sine(150.0, 4.0), RATE))
    assert (answer.verdict, answer.genre, answer.tags) == ("genre", "bass", ())


@pytest.mark.parametrize(
    ("names", "verdict", "sentence", "also"),
    [
        (["electronic", "ambient", "drum machine"], "other", "None of the three genres: electronic, ambient.",
         "Also heard: drum machine."),
        (["drum machine"], "other", "None of the three genres.", "Also heard: drum machine."),
        (["Bass", "electronic", "singing"], "unsure", "Can't tell: bass at best.", "Also heard: electronic, singing."),
        (["singing"], "not_music", "That doesn't sound like music.", ""),
        ([], "unsure", "Can't tell: bass at best.", ""),
    ],
)  # fmt: skip
def test_what_is_said_of_tags(tmp_path: Path, names: list[str], verdict: Any, sentence: str, also: str) -> None:
    """Never a genre of the model's own, and nothing twice."""
    kinds = {"electronic": "genre", "ambient": "genre", "Bass": "genre"}
    tags = tuple(HeardTag(name, kinds.get(name, "instrument"), 0.9 - i / 10, True) for i, name in enumerate(names))
    tags += (HeardTag("harp", "instrument", 0.2, False),)
    answer = tagged(tmp_path / "tiny", other=None).classify(Clip(sine(150.0, 4.0), RATE))
    answer = dataclasses.replace(answer, verdict=Verdict(verdict), genre=None, tags=tags, prediction_set=("bass",))
    assert output.verdict_sentence(answer) == sentence
    assert output.heard_sentence(answer) == also
    row = output.to_json(answer, "x.wav")
    assert list(row["tags"]) == [*names, "harp"]
    assert row["tags"]["harp"] == 0.2
    assert rows.csv_header(answer.genres).endswith(",heard\n")
    assert "; ".join(row["heard"]) in rows.csv_row(row, answer.genres)
    assert ("also heard: " in rows.table_lines(row)) == bool(row["heard"] and verdict != "not_music")
