"""Answers kept for the visit: where two of its scripts ask at once, where one is stopped, and what is let go."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import streamlit as st
from sounds import RATE, noise, sine, wav_bytes
from tiny_bundle import tiny_bundle

from crnn import limits
from crnn.audio.clip import load_clip
from crnn.config import FeatureConfig
from crnn.errors import ClipTooLongError, CrnnError, UndecodableAudioError
from crnn.features.log_mel import mel_power
from crnn.inference.classifier import Classifier
from ui.shared import answer_cache, state, taken
from ui.shared.state import SOUNDS, Model, Sound, find_models


class LeftError(Exception):
    """As Streamlit ends a script: from within, at its next word to the page."""


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Model]:
    """The hand-made one; outside of a page the session's state is one for all threads, as for a visit's scripts."""
    tiny_bundle(tmp_path / "tiny")
    monkeypatch.setenv("GENRESCOPE_MODELS", str(tmp_path))
    (found,) = find_models()[0]
    yield found
    st.session_state.clear()


def long_sound(seconds: float = 150.0, name: str = "long.wav") -> Sound:
    """Bass, and treble from three fifths on."""
    samples = np.concatenate([sine(80.0, 0.6 * seconds), sine(6000.0, 0.4 * seconds)]) + noise(seconds, level=0.001)
    return Sound(name, wav_bytes(samples, subtype="PCM_16"), "upload")


def test_next_script_goes_on_where_the_former_was_once_that_has_ended(model: Model) -> None:
    sound = long_sound()
    st.session_state[SOUNDS] = (sound,)
    is_listening, may_end, is_next_listening = threading.Event(), threading.Event(), threading.Event()
    heard: list[float] = []

    def first(seconds: float) -> None:
        if seconds > 40:
            is_listening.set()
            assert may_end.wait(30)
            raise LeftError

    def second(seconds: float) -> None:
        is_next_listening.set()
        heard.append(seconds)

    try:
        with ThreadPoolExecutor(2) as scripts:
            former = scripts.submit(answer_cache.answer, sound, model, first)
            assert is_listening.wait(30)
            following = scripts.submit(answer_cache.answer, sound, model, second)
            assert not is_next_listening.wait(0.5)
            may_end.set()
            with pytest.raises(LeftError):
                former.result(30)
            found = following.result(30)
    finally:
        may_end.set()
    expected = Classifier(model.bundle).classify_file(sound.data, name=sound.name)
    assert heard[0] > 40
    assert found.segments == expected.segments
    np.testing.assert_allclose(found.posterior, expected.posterior, atol=1e-6)


def test_picture_and_player_are_what_was_heard_for_the_answer(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    samples = sine(80.0, 7.3, 44_100) + noise(7.3, 44_100, level=0.01)
    sound = Sound("song.wav", wav_bytes(samples, 44_100), "upload")
    st.session_state[SOUNDS] = (sound,)
    config = model.bundle.feature_config
    computed_anew = answer_cache._look(sound, config)
    answer_cache.answer(sound, model)
    monkeypatch.delattr(answer_cache, "_take")
    found = answer_cache.view(sound, config)
    np.testing.assert_array_equal(found.power, computed_anew.power)
    np.testing.assert_array_equal(found.power, mel_power(load_clip(sound.data, config.sample_rate).samples, config))
    assert found.wav == computed_anew.wav
    assert found.peak_db == computed_anew.peak_db
    assert answer_cache.view(sound, config) is found
    # There is a picture now: whoever else answers need not keep what it is made of.
    st.session_state.pop(answer_cache.ANSWERS)
    answer_cache.answer(sound, model)
    assert answer_cache._TAKEN not in st.session_state


def test_a_sound_that_is_stopped_is_answered_so_far_and_gone_on_with(model: Model) -> None:
    sound, heard = long_sound(), list[float]()
    st.session_state[SOUNDS] = (sound,)
    assert not answer_cache.is_stopped(sound, model)

    def stop(seconds: float) -> None:
        heard.append(seconds)
        answer_cache.stop(sound, model)

    part = answer_cache.answer(sound, model, stop)
    assert heard == [part.duration_seconds]
    assert (part.genre, part.duration_seconds < 90) == ("bass", True)
    # No answer yet: whoever asks again has the same, and nothing more is listened to.
    assert answer_cache.answer(sound, model, stop).duration_seconds == part.duration_seconds
    assert answer_cache.is_stopped(sound, model)
    assert not answer_cache.is_answered(sound, model)
    assert answer_cache.known(sound, model) is None
    # What was heard of it is no picture of the whole.
    assert len(answer_cache.view(sound, model.bundle.feature_config).wav) == 44 + 2 * 150 * RATE
    answer_cache.go_on(sound, model)
    assert not answer_cache.is_stopped(sound, model)
    whole = answer_cache.answer(sound, model, heard.append)
    assert heard == sorted(set(heard))
    assert whole.duration_seconds == heard[-1] == pytest.approx(150.0)
    # Once all of it was heard a late stop takes nothing back.
    answer_cache.stop(sound, model)
    assert not answer_cache.is_stopped(sound, model)
    assert answer_cache.known(sound, model) is whole
    assert answer_cache._left() == {}


def test_of_what_is_longer_than_granted_no_more_is_heard(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(limits.BY_MODE, "local", dataclasses.replace(limits.BY_MODE["local"], sound_seconds=60.0))
    sound, heard = long_sound(), list[float]()
    st.session_state[SOUNDS] = (sound,)
    for _ in range(2):
        with pytest.raises(ClipTooLongError):
            answer_cache.answer(sound, model, heard.append)
    assert 0 < max(heard) <= 60
    assert heard == sorted(set(heard))
    assert answer_cache.is_answered(sound, model)
    assert answer_cache.known(sound, model) is None
    # Nothing of it is held.
    assert answer_cache._left() == {}
    assert answer_cache._TAKEN not in st.session_state


def test_what_is_no_longer_among_the_sounds_of_the_visit_is_let_go(model: Model) -> None:
    given = [Sound(f"{hertz}.wav", wav_bytes(sine(float(hertz), 6.0)), "upload") for hertz in (80, 6000)]
    left = long_sound()
    state.give((*given, left))
    for sound in given:
        answer_cache.answer(sound, model)

    def leave(seconds: float) -> None:
        raise LeftError

    with pytest.raises(LeftError):
        answer_cache.answer(left, model, leave)
    (listening,) = answer_cache._left().values()
    # What is on show counts, and so does what was heard before it.
    st.session_state[SOUNDS] = ()
    assert [answer_cache.is_answered(sound, model) for sound in (*given, left)] == [True, True, False]
    assert answer_cache._TAKEN in st.session_state
    state.forget({given[0].digest, left.digest})
    st.session_state[SOUNDS] = (given[0],)
    assert [answer_cache.is_answered(sound, model) for sound in given] == [True, True]
    assert answer_cache._left() == {}
    assert answer_cache._TAKEN not in st.session_state
    assert listening._stream._file.closed
    st.session_state[SOUNDS] = ()
    assert [answer_cache.is_answered(sound, model) for sound in given] == [False, True]
    # The part of a sound that is looked at is not among them, and counts.
    part = answer_cache.excerpt(left, (80.0, 100.0))
    answer_cache.answer(part, model)
    assert answer_cache.is_answered(part, model)


def test_a_sound_that_cannot_be_read_is_an_error_also_where_it_was_stopped(model: Model) -> None:
    sound = Sound("text.wav", b"This is no sound. " * 40, "upload")
    st.session_state[SOUNDS] = (sound,)
    answer_cache.stop(sound, model)
    with pytest.raises(UndecodableAudioError):
        answer_cache.answer(sound, model)


def test_a_sound_is_as_long_as_it_was_heard_or_else_as_its_file_says(model: Model) -> None:
    # The header is of the first of two files in one.
    joined = Sound("joined.wav", wav_bytes(sine(80.0, 3.0)) + wav_bytes(sine(80.0, 2.0)), "upload")
    song, text = Sound("song.wav", wav_bytes(sine(80.0, 4.0)), "upload"), Sound("text.wav", b"No sound.", "upload")
    st.session_state[SOUNDS] = (joined, song, text)
    assert [answer_cache.seconds_of(sound) for sound in (song, joined, text)] == [4.0, 3.0, 0.0]
    for sound in (text, joined):
        with contextlib.suppress(CrnnError):
            answer_cache.answer(sound, model)
    assert [answer_cache.seconds_of(sound) for sound in (song, joined, text)] == [4.0, 5.0, 0.0]


@pytest.mark.parametrize(("level", "peak_db"), [(0.5, -6.02), (2.0, 0.0), (0.0, -200.0)])
def test_how_loud_a_sound_is_is_told_of_its_greatest_sample(level: float, peak_db: float) -> None:
    sound = Sound("song.wav", wav_bytes(sine(80.0, 2.0, level=level)), "upload")
    assert answer_cache._look(sound, FeatureConfig()).peak_db == pytest.approx(peak_db, abs=0.01)


def test_a_quarter_of_an_hour_fits_in_memory(model: Model) -> None:
    heard = Classifier(model.bundle).classify_file(wav_bytes(sine(80.0, 2.0)), name="song.wav")
    for seconds, fits in (900.0, True), (900.1, False):
        assert answer_cache.fits_in_memory(dataclasses.replace(heard, duration_seconds=seconds)) is fits


def test_of_a_sound_too_long_to_be_held_the_picture_is_kept_alone(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(taken, "MAX_CLIP_SECONDS", 6.0)
    config, finer = model.bundle.feature_config, FeatureConfig(hop_length=457)
    long, next_one = long_sound(40.0), long_sound(40.0, "next.wav")
    st.session_state[SOUNDS] = (long, next_one)

    def leave(seconds: float) -> None:
        raise LeftError

    with pytest.raises(LeftError):
        answer_cache.answer(long, model, leave)
    assert answer_cache.long_picture(long, config) is None
    answer_cache.answer(long, model)
    assert answer_cache.long_picture(next_one, config) is None
    picture = answer_cache.long_picture(long, config)
    assert picture is not None
    answer_cache.answer(next_one, model)
    assert answer_cache.long_picture(long, config) is picture
    assert answer_cache.long_picture(long, finer) is None
    other = answer_cache.long_picture(next_one, config)
    assert other is not None
    assert other is not picture


def test_a_part_is_called_by_its_times_and_a_long_one_holds_less_of_each_second(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answer_cache, "FULL_BAND_SECONDS", 10.0)
    sound = Sound("live.flac", wav_bytes(sine(80.0, 30.0, 48_000), 48_000), "example")
    heard: list[float] = []
    for seconds, rate in ((5.0, 15.0), 44_100), ((5.0, 15.5), 22_050):
        part = answer_cache.excerpt(sound, seconds, heard.append)
        assert (part.name, part.origin) == (f"live, 0:05.0 to 0:{seconds[1]:.1f}.wav", "example")
        assert len(part.data) == 44 + 2 * rate * (seconds[1] - seconds[0])
        assert answer_cache.excerpt(sound, seconds) is part
    assert heard[-1] >= 15.5
    # No file has more than it was made with.
    slow = Sound("slow.wav", wav_bytes(sine(80.0, 20.0, 8_000), 8_000), "upload")
    assert len(answer_cache.excerpt(slow, (5.0, 15.0)).data) == 44 + 2 * 8_000 * 10
