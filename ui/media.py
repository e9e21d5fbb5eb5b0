"""Sound for the browser: WAV bytes in memory, served by Streamlit, never on disk."""

from __future__ import annotations

import io
import wave
from pathlib import Path

import numpy as np
import streamlit as st
from streamlit.runtime import get_instance
from streamlit.runtime.scriptrunner import get_script_run_ctx

from crnn import demo
from crnn.audio import Clip
from crnn.config import FeatureConfig
from ui.words import plain


def wav_bytes(clip: Clip) -> bytes:
    """A clip as 16-bit mono WAV: every browser plays it, and seeks in it to the sample."""
    pcm = np.round(np.clip(clip.samples, -1.0, 1.0) * 32_767).astype("<i2")
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(clip.sample_rate)
        file.writeframes(pcm.tobytes())
    return out.getvalue()


def serve(data: bytes, key: str, mimetype: str = "audio/wav") -> str:
    """A URL of `data`, valid while the page that asked for it is open.

    Streamlit's own store for `st.audio` is used, because a component's data has to
    fit in one message and this may be 40 MB. It lives in memory and answers ranges,
    so that a seek does not fetch the whole.

    Args:
        data: What is served.
        key: Tells apart what one page serves at a time.
        mimetype: What the browser is told that it is.
    """
    if get_script_run_ctx() is None:
        return ""
    url = get_instance().media_file_mgr.add(data, mimetype, f"genrescope.{key}")
    base = str(st.get_option("server.baseUrlPath") or "").strip("/")
    return f"/{base}{url}" if base else url


def play_track(path: str | None, demo_id: str | None, start_seconds: float = 0.0) -> None:
    """Draw a player for a track of a data set.

    Args:
        path: Its file, if it has one.
        demo_id: Its id in the demo, if it is of it.
        start_seconds: Where it begins to play.
    """
    if path is not None:
        try:
            st.audio(Path(path).read_bytes(), start_time=start_seconds)
        except OSError as err:
            st.caption(plain(f"{Path(path).name} cannot be opened any more: {err.strerror or err}."))
    elif demo_id is not None:
        st.audio(_demo_wav(demo_id), start_time=start_seconds)
    else:
        st.caption("A log-mel archive holds no sound to play.")


@st.cache_data(max_entries=16, show_spinner="Synthesizing")
def _demo_wav(track_id: str) -> bytes:
    rate = FeatureConfig().sample_rate
    track = next(track for track in demo.tracks() if track.track_id == track_id)
    return wav_bytes(Clip(demo.render(track, rate), rate))
