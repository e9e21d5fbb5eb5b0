"""Answers kept for the visit, where two of its scripts ask for them at once."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import streamlit as st
from sounds import noise, sine, wav_bytes
from tiny_bundle import tiny_bundle

from crnn.audio.clip import load_clip
from crnn.features.log_mel import mel_power
from crnn.inference.classifier import Classifier
from ui.shared import answer_cache
from ui.shared.state import SOUNDS, Sound, find_models


class LeftError(Exception):
    """As Streamlit ends a script: from within, at its next word to the page."""


def test_next_script_goes_on_only_when_the_former_has_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny_bundle(tmp_path / "tiny")
    monkeypatch.setenv("GENRESCOPE_MODELS", str(tmp_path))
    (model,) = find_models()[0]
    samples = np.concatenate([sine(80.0, 90.0), sine(6000.0, 60.0)]) + noise(150.0, level=0.001)
    sound = Sound("long.wav", wav_bytes(samples, subtype="PCM_16"), "upload")
    # Outside of a page the session's state is one for all threads, as it is for a visit's scripts.
    st.session_state[SOUNDS] = (sound,)
    is_listening, may_end, is_next_listening = threading.Event(), threading.Event(), threading.Event()

    def first(seconds: float) -> None:
        if seconds > 40:
            is_listening.set()
            assert may_end.wait(30)
            raise LeftError

    try:
        with ThreadPoolExecutor(2) as scripts:
            former = scripts.submit(answer_cache.answer, sound, model, first)
            assert is_listening.wait(30)
            following = scripts.submit(answer_cache.answer, sound, model, lambda seconds: is_next_listening.set())
            assert not is_next_listening.wait(0.5)
            may_end.set()
            with pytest.raises(LeftError):
                former.result(30)
            found = following.result(30)
    finally:
        may_end.set()
        st.session_state.clear()
    expected = Classifier(model.bundle).classify_file(sound.data, name=sound.name)
    assert is_next_listening.is_set()
    assert found.segments == expected.segments
    np.testing.assert_allclose(found.posterior, expected.posterior, atol=1e-6)


def test_picture_and_player_are_what_was_heard_for_the_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny_bundle(tmp_path / "tiny")
    monkeypatch.setenv("GENRESCOPE_MODELS", str(tmp_path))
    (model,) = find_models()[0]
    sound = Sound("song.wav", wav_bytes(sine(80.0, 7.3) + noise(7.3, level=0.01)), "upload")
    st.session_state[SOUNDS] = (sound,)
    config = model.bundle.feature_config
    try:
        computed_anew = answer_cache._look(sound, config)
        answer_cache.answer(sound, model)
        monkeypatch.delattr(answer_cache, "_take")
        found = answer_cache.view(sound, config)
    finally:
        st.session_state.clear()
    np.testing.assert_array_equal(found.power, computed_anew.power)
    np.testing.assert_array_equal(found.power, mel_power(load_clip(sound.data, config.sample_rate).samples, config))
    assert found.wav == computed_anew.wav
    assert found.peak_db == computed_anew.peak_db
