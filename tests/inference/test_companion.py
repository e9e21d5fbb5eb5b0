"""A second network with a say in the genre: whose time counts, and what its say is worth."""

from __future__ import annotations

import dataclasses
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from sounds import sine
from tiny_bundle import tiny_bundle

from crnn.audio.clip import Clip
from crnn.bundles import library
from crnn.bundles.bundle import load_bundle, rewrite_json
from crnn.bundles.companion import COMPANION_NAME, Companion
from crnn.config import FeatureConfig
from crnn.errors import BundleError
from crnn.inference.classifier import Classifier
from crnn.inference.listening import Answers, Outputs, of_same_time, with_share
from crnn.inference.remote import RemoteSession

LONG = FeatureConfig(segment_seconds=8.0, segment_hop_seconds=8.0)
SHORT = FeatureConfig(segment_seconds=2.0, segment_hop_seconds=2.0)


def said(logits: list[list[float]]) -> Answers:
    nothing = np.zeros((len(logits), 0), np.float32)
    return Answers(np.array(logits, np.float32), nothing, nothing)


def test_what_the_second_says_counts_by_common_time_and_not_where_it_hears_silence() -> None:
    # At 4 and at 8 frames a second: the first hears 0 to 4 and 4 to 8 s, the second 0 to 3, 3 to 6 and 6 to 8 s.
    slow = dataclasses.replace(SHORT, sample_rate=8000, hop_length=2000, fmax=4000.0)
    fast = dataclasses.replace(SHORT, sample_rate=8000, hop_length=1000, fmax=4000.0)
    first = Outputs([0, 16], [16, 16], [False, False], [said([[1.0, 0.0], [3.0, 0.0]])])
    second = Outputs(
        [0, 12, 24], [12, 12, 8], [False, False, True], [said([[4.0, 0.0], [0.0, 8.0]]), said([[9.0, 9.0]])]
    )
    first.starts, first.lengths = [0, 8], [8, 8]
    share = of_same_time(second, fast, first, slow)
    # 3 s of the first and 1 s of the second segment; 2 s of the second, the third is silent.
    np.testing.assert_allclose(share, [[3.0, 2.0], [0.0, 8.0]])
    np.testing.assert_allclose(with_share(first, share, 0.25).answers[0].logits, [[1.5, 0.5], [2.25, 2.0]])
    # Where the second has heard nothing at all, the first speaks for itself.
    late = Outputs([32], [16], [False], [said([[5.0, 1.0]])])
    share = of_same_time(second, fast, late, slow)
    assert np.isnan(share).all()
    np.testing.assert_array_equal(with_share(late, share, 0.25).answers[0].logits, [[5.0, 1.0]])


def test_the_answer_is_the_weighted_geometric_mean_of_both(tmp_path: Path) -> None:
    clip = Clip(np.concatenate([sine(60.0, 8.0), sine(3000.0, 3.0)]), 22050, "a")
    pair = tiny_bundle(tmp_path / "pair", config=LONG, companion=Companion(SHORT, 0.4))
    together = Classifier(pair).classify(clip).posterior
    alone, other = (
        Classifier(tiny_bundle(tmp_path / name, config=config)) for name, config in (("a", LONG), ("b", SHORT))
    )
    heard, second = alone.listen(), other.listen()
    heard.push(clip.samples)
    second.push(clip.samples)
    share = of_same_time(second.outputs(), SHORT, heard.outputs(), LONG)
    first = np.concatenate([answers.logits for answers in heard.outputs().answers])
    mean = (0.6 * first + 0.4 * share).mean(axis=0)
    np.testing.assert_allclose(together, np.exp(mean) / np.exp(mean).sum(), rtol=1e-5)
    assert np.abs(together - alone.classify(clip).posterior).max() > 0.005


def test_a_sound_in_blocks_gets_the_same_answer_as_the_whole(tmp_path: Path) -> None:
    classifier = Classifier(tiny_bundle(tmp_path / "pair", config=LONG, companion=Companion(SHORT, 0.4)))
    samples = np.concatenate([sine(60.0, 9.3), sine(3000.0, 5.0)])
    heard = classifier.listen()
    for at in range(0, len(samples), 50_000):
        heard.push(samples[at : at + 50_000])
        if at == 100_000:
            heard.outputs()  # an answer half way changes nothing of the last
    in_blocks = classifier.answer(heard, len(samples) / 22050).posterior
    np.testing.assert_allclose(in_blocks, classifier.classify(Clip(samples, 22050, "a")).posterior, rtol=1e-5)


def test_it_travels_with_its_bundle_and_answers_from_a_process_of_its_own(tmp_path: Path) -> None:
    pair = tiny_bundle(tmp_path / "pair", config=LONG, companion=Companion(SHORT, 0.4))
    clip = Clip(sine(60.0, 8.0), 22050, "a")
    far = Classifier(pair, opened=partial(RemoteSession, pair)).classify(clip)
    np.testing.assert_allclose(far.posterior, Classifier(pair).classify(clip).posterior, rtol=1e-5)
    assert COMPANION_NAME in str(library.pack(pair))


def test_with_a_stride_it_hears_every_so_many_segments_and_the_end(tmp_path: Path) -> None:
    pair = tiny_bundle(tmp_path / "pair", config=LONG, companion=Companion(SHORT, 0.4, stride=3))
    assert load_bundle(pair.path or tmp_path) == pair
    heard = Classifier(pair).listen()
    for at in range(0, 17 * 22050, 50_000):
        heard.push(sine(60.0, 17.0)[at : at + 50_000])
    assert heard._companion is not None
    second = heard._companion[0].outputs()
    rate = SHORT.frame_rate_hz
    # 2 s at 0, 6 and 12 s, and the last ones.
    np.testing.assert_allclose(np.array(second.starts) / rate, [0, 6, 12, 15], atol=0.1)


def test_what_the_second_heard_across_the_moment_of_forgetting_still_counts(tmp_path: Path) -> None:
    # The first hears 2 s each, the second 4 s every 2 s: what it said of 2 to 6 s is half of its say on 4 to 6 s.
    crossing = dataclasses.replace(SHORT, segment_seconds=4.0)
    heard = Classifier(tiny_bundle(tmp_path / "pair", config=SHORT, companion=Companion(crossing, 0.4))).listen()
    heard.push(np.concatenate([sine(60.0 * 4**n, 2.0) for n in range(4)]))
    before = np.concatenate([answers.logits for answers in heard.outputs().answers])
    n_gone = sum(start < 3.9 * SHORT.frame_rate_hz for start in heard.outputs().starts)
    heard.forget(3.9)
    assert n_gone == 2
    after = np.concatenate([answers.logits for answers in heard.outputs().answers])
    np.testing.assert_allclose(after, before[n_gone:], rtol=1e-5)


@pytest.mark.parametrize("stride", [0, 5, 1.5, True])
def test_a_stride_that_cannot_be_is_refused(tmp_path: Path, stride: object) -> None:
    pair = tiny_bundle(tmp_path / "pair", companion=Companion(SHORT, 0.4))
    with pytest.raises(BundleError, match="stride"):
        rewrite_json(dataclasses.replace(pair, companion=Companion(SHORT, 0.4, stride)))  # type: ignore[arg-type]


@pytest.mark.parametrize("weight", [0.0, 1.0, "half", True])
def test_a_weight_that_cannot_be_is_refused(tmp_path: Path, weight: object) -> None:
    pair = tiny_bundle(tmp_path / "pair", companion=Companion(SHORT, 0.4))
    with pytest.raises(BundleError, match="weight"):
        rewrite_json(dataclasses.replace(pair, companion=Companion(SHORT, weight)))  # type: ignore[arg-type]


def test_a_description_without_its_file_is_refused(tmp_path: Path) -> None:
    pair = tiny_bundle(tmp_path / "pair", companion=Companion(SHORT, 0.4))
    (tmp_path / "pair" / COMPANION_NAME).unlink()
    with pytest.raises(BundleError, match=COMPANION_NAME):
        load_bundle(pair.path or tmp_path)


def test_a_file_without_its_description_is_refused(tmp_path: Path) -> None:
    pair = tiny_bundle(tmp_path / "pair", companion=Companion(SHORT, 0.4))
    with pytest.raises(BundleError, match="come together"):
        rewrite_json(dataclasses.replace(pair, companion=None))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sample_rate": 16_000, "fmax": 8000.0}, "must hear at one sample rate"),
        ({"hop_length": 16, "segment_seconds": 60.0}, "are too large"),
    ],
)
def test_features_that_cannot_be_are_refused(tmp_path: Path, changes: dict[str, float], message: str) -> None:
    pair = tiny_bundle(tmp_path / "pair", companion=Companion(SHORT, 0.4))
    other = dataclasses.replace(SHORT, **changes)  # type: ignore[arg-type]
    with pytest.raises(BundleError, match=message):
        rewrite_json(dataclasses.replace(pair, companion=Companion(other, 0.4)))
