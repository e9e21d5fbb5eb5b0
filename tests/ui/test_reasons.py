"""Reasons in words and to be heard: whose confidence is told, whose reasons they are, what is left without a part."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import streamlit as st
from sounds import RATE, sine
from tiny_bundle import tiny_bundle

from crnn.audio.clip import Clip
from crnn.bundles.companion import Companion
from crnn.config import FeatureConfig
from crnn.inference.classifier import Cell, Prediction
from crnn.inference.explanation import Explanation
from crnn.inference.verdict import Verdict
from ui.explore import what_if
from ui.explore.reasons import _heard, _is_explained_whole, _new_moment, _start, _with_reasons, in_words
from ui.shared.state import WHY_AT, Model, Sound

# What the first network alone says of the stretch; it has no place in the words.
FOUND = Explanation("bass", np.zeros((8, 16), np.float32), 4.0, 1.0, 0.65)


def answer() -> Prediction:
    """12 s, of bass 0.9 to 6 s, silent to 8 s, of bass 0.6 from there; 0.38 on the whole."""
    spans = [(0.0, 6.0, 0.9, False), (6.0, 8.0, 0.5, True), (8.0, 12.0, 0.6, False)]
    cells = tuple(
        Cell(start, end, np.array([share, 1 - share], np.float32), segment=k, is_silent=is_silent)
        for k, (start, end, share, is_silent) in enumerate(spans)
    )
    whole = np.array([0.38, 0.62], np.float32)
    return Prediction(
        ("bass", "treble"), whole, Verdict.UNSURE, None, 0.62, (), cells, (), np.zeros((0, 1)), 1.0, 12.0,
    )  # fmt: skip


@pytest.mark.parametrize("has_two", [False, True])
def test_confidence_is_that_of_the_answer_in_the_stretch(tmp_path: Path, has_two: bool) -> None:
    companion = Companion(FeatureConfig(), 0.45) if has_two else None
    model = Model(tiny_bundle(tmp_path / "tiny", companion=companion), "tiny")
    words = in_words(FOUND, answer(), model)
    # From 4 s on: two seconds of 0.9, four of 0.6, and silence, which speaks for no genre.
    assert words.startswith(
        "From 0:04.0 to 0:12.0 the model hears bass with a confidence of 0.70. Over the whole sound: 0.38. "
    )
    assert "0.65" not in words
    # Of all of it there is one figure, which is said once.
    all_of_it = in_words(Explanation("bass", np.zeros((12, 16), np.float32), 0.0, 1.0, 0.65), answer(), model)
    assert all_of_it.startswith("The model hears bass with a confidence of 0.38. What spoke for it ")
    assert "Over the whole sound" not in all_of_it
    asked = "the first of its two networks again (the second has 45 % of the say)." if has_two else "again."
    assert words.endswith(f"and asking {asked}")


@pytest.mark.parametrize("verdict", [Verdict.NOT_MUSIC, Verdict.OTHER])
def test_of_what_is_none_of_the_genres_it_says_what_would_be(tmp_path: Path, verdict: Verdict) -> None:
    model = Model(tiny_bundle(tmp_path / "tiny"), "tiny")
    found = dataclasses.replace(answer(), verdict=verdict)
    assert in_words(FOUND, found, model).startswith(
        "If it were one of these genres, the model would hear bass from 0:04.0 to 0:12.0 with a confidence of 0.70. "
        "Over the whole sound: 0.38. "
    )
    whole = Explanation("bass", np.zeros((12, 16), np.float32), 0.0, 1.0, 0.65)
    assert in_words(whole, found, model).startswith(
        "If it were one of these genres, the model would hear bass with a confidence of 0.38. What spoke"
    )


SONG = Sound("song.wav", b"song", "upload")


def level(samples: np.ndarray, hertz: float, start: float, end: float) -> float:
    """Of a tone between two moments, in dB."""
    part = samples[round(start * RATE) : round(end * RATE)]
    wave = np.exp(-2j * np.pi * hertz * np.arange(len(part)) / RATE)
    return 20 * float(np.log10(2 * abs(np.mean(part * wave)) + 1e-9))


def test_a_rectangle_is_muted_and_nothing_beside_it(tmp_path: Path) -> None:
    model = Model(tiny_bundle(tmp_path / "tiny"), "tiny")
    clip = Clip(sine(440.0, 6.0, level=0.25) + sine(2000.0, 6.0, level=0.25), RATE, "song.wav")
    changed, after = what_if._ask_again(clip, model, "without a rectangle", ((2.0, 4.0), (300.0, 600.0)))
    assert level(changed, 440.0, 2.2, 3.8) < -60
    for hertz, start, end in (440.0, 0.2, 1.8), (440.0, 4.2, 5.8), (2000.0, 2.2, 3.8):
        assert level(changed, hertz, start, end) == pytest.approx(-12.04, abs=0.2)
    assert after.duration_seconds == 6.0
    bass, _ = what_if._ask_again(clip, model, "without voice band", None)
    assert level(bass, 440.0, 2.2, 3.8) < -40


def explained(weights: np.ndarray, start: float = 2.0) -> Explanation:
    return Explanation("bass", weights.astype(np.float32), start, 0.5, 0.9)


def test_what_spoke_for_it_and_the_rest_are_all_of_it(tmp_path: Path) -> None:
    """Two seconds are explained, of 4 columns and 2 rows; a fifth of these eight cells is two."""
    model = Model(tiny_bundle(tmp_path / "tiny"), "tiny")
    clip = Clip(sine(440.0, 6.0, level=0.25) + sine(6000.0, 6.0, level=0.25), RATE, "song.wav")
    weights = np.zeros((4, 2))
    # Low from 2.5 to 3 s, high from 3.5 to 4 s; a cell that spoke against it is among the rest.
    weights[1, 0], weights[3, 1], weights[0, 0] = 0.9, 0.8, -1.0
    # Little spoke for it from 3 s on.
    weights[2, 0] = 0.3
    st.session_state.clear()
    try:
        spoke, rest = (_heard(SONG, model, explained(weights), clip, is_for).samples for is_for in (True, False))
        # Where all weights are alike none is of the strongest fifth.
        nothing = _heard(SONG, model, explained(np.zeros((4, 2)), 3.0), clip, True).samples
    finally:
        st.session_state.clear()
    assert level(spoke, 440.0, 2.6, 2.9) > level(spoke, 6000.0, 2.6, 2.9) + 40
    assert level(spoke, 6000.0, 3.6, 3.9) > level(spoke, 440.0, 3.6, 3.9) + 40
    for start in (0.5, 2.1, 3.1, 5.0):
        assert max(level(spoke, hertz, start, start + 0.3) for hertz in (440.0, 6000.0)) < -60
    assert level(rest, 440.0, 2.1, 2.4) > -20
    assert level(rest, 440.0, 2.6, 2.9) < -40
    assert level(rest, 6000.0, 2.6, 2.9) > -20
    assert np.abs(nothing).max() < 1e-6


def test_the_picture_names_the_moment_that_spoke_most_where_one_did() -> None:
    mel = {"title": "What spoke for bass", "about": "in orange.", "cells": 1}
    config, weights = FeatureConfig(), np.zeros((4, 16))
    flat = _with_reasons(mel, explained(weights), config, "Words.")
    assert flat["name"] == "What spoke for bass in orange. Words."
    assert "moment" not in flat
    weights[3, 5] = 0.5
    drawn = _with_reasons(mel, explained(weights), config, "Words.")
    # Amid the fourth column: 2 s and three and a half times half a second.
    assert drawn["moment"] == round(3.75, 1)
    assert drawn["name"].startswith("What spoke for bass in orange. Words. Strongest at 0:03.8, from ")
    assert (drawn["tint"]["start"], drawn["tint"]["columns"], drawn["tint"]["secondsPerColumn"]) == (2.0, 4, 0.5)


@pytest.mark.parametrize(
    ("seconds", "segment_seconds", "is_whole"),
    [(30.1, 10.0, True), (30.2, 10.0, False), (40.1, 40.0, True), (40.2, 40.0, False)],
)
def test_what_is_as_long_as_a_segment_or_half_a_minute_is_explained_whole(
    monkeypatch: pytest.MonkeyPatch, seconds: float, segment_seconds: float, is_whole: bool
) -> None:
    assert _is_explained_whole(seconds, segment_seconds) is is_whole
    monkeypatch.setattr("streamlit.session_state", {"player": {"moment": 25}})
    start = _start("player", SONG, answer(), "bass", seconds=seconds, segment_seconds=segment_seconds)
    # The last half a minute, or segment.
    longest = max(30.0, segment_seconds)
    assert start == (0.0 if is_whole else pytest.approx(min(max(0, round(25 - longest / 2)), seconds - longest)))


def test_a_moment_counts_once_and_until_another_genre_is_asked_about(monkeypatch: pytest.MonkeyPatch) -> None:
    session: dict[str, object] = {"player": {"moment": 70.4}}
    monkeypatch.setattr("streamlit.session_state", session)

    def start(genre: str = "bass", sound: Sound = SONG) -> float:
        return _start("player", sound, answer(), genre, seconds=120.0, segment_seconds=10.0)

    assert _new_moment("player", 120.0, 10.0) == 70.4
    assert start() == 55.0
    assert session[WHY_AT] == (SONG.digest, "bass", 70.4)
    # It was heard of; of whatever else is asked the clearest moment counts: amid 0 to 6 s, and amid 8 to 12 s.
    assert _new_moment("player", 120.0, 10.0) is None
    assert start() == 55.0
    assert start("treble") == 0.0
    assert start(sound=Sound("b.wav", b"b", "upload")) == 0.0
    for told, is_news in ((0, True), (120.0, True), (120.1, False), (-1, False), ("70", False), (None, False)):
        session["player"] = {"moment": told}
        assert (_new_moment("player", 120.0, 10.0) is not None) is is_news
    # Of a sound that is explained whole no moment is asked about.
    session["player"] = {"moment": 5.0}
    assert _new_moment("player", 30.0, 10.0) is None
