"""Clicks and nothing else, by hand: frames of known level, 10 ms apart, a window of 25 ms."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from sounds import RATE, sine, wav_bytes
from tiny_bundle import tiny_bundle

from crnn.bundles.bundle import Rejection
from crnn.config import FeatureConfig, tagger_features
from crnn.inference.classifier import Classifier
from crnn.inference.clicks import are_clicks

CONFIG = tagger_features()


def levels(*, between: float, n_clicks: int, n_frames_each: int = 2) -> np.ndarray:
    """Ten seconds with clicks of −6 dB."""
    found = np.full(1000, between, dtype=np.float32)
    for number in range(n_clicks):
        start = 20 + 900 * number // n_clicks
        found[start : start + n_frames_each] = -6.0
    return found


@pytest.mark.parametrize(
    ("between", "n_clicks", "expected"),
    [
        (-100.0, 20, True),
        (-100.0, 1, True),
        # 45 dB fainter there may be music: fewer than four may be knocks against the microphone.
        (-51.0, 4, True),
        (-51.0, 3, False),
        # 30 dB fainter is loud.
        (-35.0, 20, False),
    ],
)
def test_how_many_and_what_lies_between(between: float, n_clicks: int, expected: bool) -> None:
    assert are_clicks(levels(between=between, n_clicks=n_clicks), CONFIG) is expected


@pytest.mark.parametrize(("n_faint", "expected"), [(497, True), (498, False)])
def test_a_lone_click_has_little_beside_it_for_half_of_the_time(n_faint: int, expected: bool) -> None:
    # With the click's own two frames 499 of a thousand, or 500.
    found = levels(between=-100.0, n_clicks=1)
    found[500 : 500 + n_faint] = -55.0
    assert are_clicks(found, CONFIG) is expected


@pytest.mark.parametrize(("n_frames_each", "expected"), [(12, True), (13, False)])
def test_longer_than_an_eighth_of_a_second_is_no_click(n_frames_each: int, expected: bool) -> None:
    assert are_clicks(levels(between=-100.0, n_clicks=10, n_frames_each=n_frames_each), CONFIG) is expected


@pytest.mark.parametrize(("n_frames_each", "expected"), [(9, True), (10, False)])
def test_three_tenths_of_the_time_are_not_far_apart(n_frames_each: int, expected: bool) -> None:
    assert are_clicks(levels(between=-100.0, n_clicks=30, n_frames_each=n_frames_each), CONFIG) is expected


def test_clicks_alone_are_no_music_however_sure_the_rule_is(tmp_path: Path) -> None:
    # Everything is music to this rule.
    rule = Rejection(weights=(0.0, 0.0, 0.0), bias=math.log(9.0), threshold=0.5)
    classifier = Classifier(tiny_bundle(tmp_path / "m", rejection=rule))
    ticks = np.zeros(12 * RATE, dtype=np.float32)
    for number in range(24):
        ticks[number * RATE // 2 :][: RATE // 50] = sine(400.0, 0.02)
    found = classifier.classify_file(wav_bytes(ticks))
    assert (found.verdict, found.music_probability) == ("not_music", 0.0)
    # Silence after them says nothing for music.
    found = classifier.classify_file(wav_bytes(np.concatenate([ticks, np.zeros(12 * RATE, np.float32)])))
    assert (found.verdict, found.music_probability) == ("not_music", 0.0)
    # With music before them they are what a drummer counts in with.
    found = classifier.classify_file(wav_bytes(np.concatenate([sine(80.0, 12.0), ticks])))
    assert (found.verdict, found.music_probability) == ("genre", pytest.approx(0.9, abs=1e-6))


def test_notes_are_no_clicks() -> None:
    config = FeatureConfig()
    notes = np.full(int(10 * config.frame_rate_hz), -100.0, dtype=np.float32)
    for number in range(10):
        start = int(number * config.frame_rate_hz)
        notes[start : start + int(0.3 * config.frame_rate_hz)] = -12.0
    assert not are_clicks(notes, config)
