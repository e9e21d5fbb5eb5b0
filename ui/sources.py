"""The three ways to give a sound: record, upload, example. Whatever came last is the sound."""

from __future__ import annotations

import streamlit as st

from crnn.config import FeatureConfig
from crnn.examples import example, example_names
from ui import limits
from ui.media import wav_bytes
from ui.meter import level_meter
from ui.state import Sound, give, sounds

# Twice the usual model's rate: the recording plays back with all its treble.
_RECORDING_RATE = 44_100

_RECORDING = "listen.recording"
_UPLOADS = "listen.uploads"
_EXAMPLE = "listen.example"
_SURPLUS = "listen.surplus"


def give_a_sound() -> None:
    """Draw the three ways; each makes its sound the one that the pages speak of."""
    record, upload, try_out = st.tabs(["Record", "Upload", "Example"])
    with record:
        left, right = st.columns([3, 2], vertical_alignment="center")
        left.audio_input(
            "Record about ten seconds",
            sample_rate=_RECORDING_RATE,
            key=_RECORDING,
            on_change=_take_recording,
            label_visibility="collapsed",
        )
        with right:
            level_meter("listen.meter")
    with upload:
        st.file_uploader(
            "Songs, one or many",
            accept_multiple_files=True,
            key=_UPLOADS,
            on_change=_take_uploads,
            label_visibility="collapsed",
        )
        st.caption(limits.of_sounds())
        surplus = st.session_state.get(_SURPLUS)
        if surplus:
            st.warning(surplus)
    with try_out:
        st.pills(
            "Examples, synthesized on this machine when you choose one",
            example_names(),
            key=_EXAMPLE,
            on_change=_take_example,
        )


def _take_recording() -> None:
    recording = st.session_state[_RECORDING]
    if recording is not None:
        give((Sound("", recording.getvalue(), "recording"),))
        st.session_state[_EXAMPLE] = None
    else:
        _forget("recording")


def _take_uploads() -> None:
    uploads = st.session_state[_UPLOADS]
    taken, st.session_state[_SURPLUS] = limits.as_many_as_fit(uploads or [])
    if taken:
        give(tuple(Sound(upload.name, upload.getvalue(), "upload") for upload in taken))
        st.session_state[_EXAMPLE] = None
    else:
        _forget("upload")


def _take_example() -> None:
    name = st.session_state[_EXAMPLE]
    if name is not None:
        clip = example(name, FeatureConfig().sample_rate)
        give((Sound(name, wav_bytes(clip), "example"),))
    else:
        _forget("example")


def _forget(origin: str) -> None:
    if any(sound.origin == origin for sound in sounds()):
        give(())
