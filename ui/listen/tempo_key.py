"""Tempo and key of the sound on show, in the line under its answer."""

from __future__ import annotations

import streamlit as st

from crnn.analysis import tempo_and_key
from crnn.audio.clip import load_part
from crnn.errors import AudioError
from crnn.inference.classifier import Prediction
from ui.shared.answer_cache import View
from ui.shared.media import part_samples
from ui.shared.state import Sound

_KEPT = "listen.tempo_and_key"


def is_known(sound: Sound) -> bool:
    """Whether `words` would return at once."""
    kept = st.session_state.get(_KEPT)
    return kept is not None and bool(kept[0] == sound.digest)


def words(sound: Sound, prediction: Prediction, view: View | None) -> str:
    """Tempo and key in words, of a long sound those of its middle; empty for what is no music, or breaks off.

    Args:
        sound: What was given.
        prediction: Its answer.
        view: The sound as it is played; None for one too long to be held, whose middle is read.
    """
    if not prediction.is_music:
        return ""
    if not is_known(sound):
        start, end = tempo_and_key.told_part(prediction.duration_seconds)
        st.session_state[_KEPT] = (sound.digest, _told(sound, view, start, end))
    found: str = st.session_state[_KEPT][1]
    return found


def _told(sound: Sound, view: View | None, start: float, end: float) -> str:
    rate = tempo_and_key.RATE
    try:
        samples = (
            load_part(sound.data, rate, (start, end), name=sound.name).samples
            if view is None
            else part_samples(view.wav, start, end, rate)
        )
    except AudioError:
        return ""
    told = tempo_and_key.sentence(tempo_and_key.tempo(samples, rate), tempo_and_key.keys(samples, rate))
    return f"{told} (its middle two minutes)" if start > 0 else told
