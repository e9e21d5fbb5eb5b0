"""Sound for the browser: WAV bytes in memory, served by Streamlit, never on disk."""

from __future__ import annotations

import io
import wave
from pathlib import Path

import numpy as np
import numpy.typing as npt
import streamlit as st
from streamlit.runtime import get_instance
from streamlit.runtime.scriptrunner import get_script_run_ctx

from crnn.audio.clip import Clip, from_samples
from crnn.config import FeatureConfig
from crnn.data import demo
from ui.shared.words import plain


def wav_bytes(clip: Clip) -> bytes:
    """A clip as 16-bit mono WAV: every browser plays it, and seeks in it to the sample."""
    return wav_of(pcm(clip.samples), clip.sample_rate)


def pcm(samples: npt.NDArray[np.float32]) -> bytes:
    """Samples in [-1, 1] as 16-bit integers."""
    return np.round(np.clip(samples, -1.0, 1.0) * 32_767).astype("<i2").tobytes()


def wav_of(data: bytes, sample_rate: int) -> bytes:
    """A WAV file of what `pcm` gave.

    Args:
        data: Samples of 16 bits, one channel.
        sample_rate: Hz.
    """
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(sample_rate)
        file.writeframes(data)
    return out.getvalue()


def part_samples(wav: bytes, start_seconds: float, end_seconds: float, sample_rate: int) -> npt.NDArray[np.float32]:
    """Samples of a part of a 16-bit mono WAV file, at another rate if need be.

    Args:
        wav: As `wav_bytes` makes it.
        start_seconds: Where the part starts.
        end_seconds: Where it ends.
        sample_rate: Hz of what is returned.
    """
    with wave.open(io.BytesIO(wav)) as file:
        rate = file.getframerate()
        file.setpos(min(file.getnframes(), round(start_seconds * rate)))
        values = np.frombuffer(file.readframes(round((end_seconds - start_seconds) * rate)), "<i2")
    return from_samples(values.astype(np.float32) / 32_767, rate, sample_rate).samples


def wav_part(wav: bytes, start_seconds: float, end_seconds: float) -> bytes:
    """The part of a WAV file from `start_seconds` to `end_seconds`, as a WAV file.

    Args:
        wav: As `wav_bytes` gives it.
        start_seconds: Where the part begins.
        end_seconds: Where it ends.
    """
    out = io.BytesIO()
    with wave.open(io.BytesIO(wav)) as source, wave.open(out, "wb") as part:
        part.setparams(source.getparams())
        source.setpos(min(source.getnframes(), round(start_seconds * source.getframerate())))
        part.writeframes(source.readframes(round((end_seconds - start_seconds) * source.getframerate())))
    return out.getvalue()


def band_hz(wav: bytes) -> int:
    """Up to which frequency a WAV file has sound: half its sample rate.

    Args:
        wav: As `wav_bytes` gives it.
    """
    with wave.open(io.BytesIO(wav)) as source:
        return source.getframerate() // 2


def serve(data: bytes, key: str, mimetype: str = "audio/wav") -> str:
    """A URL of `data`, valid while the page that asked for it is open, and for its visitor alone.

    Streamlit's own store for `st.audio` is used, because a component's data has to
    fit in one message and this may be 40 MB. It lives in memory and answers ranges,
    so that a seek does not fetch the whole (`ui.shared.media_door` says who is answered).

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
        start_seconds: Where it begins to play, to the nearest second.
    """
    # Streamlit cuts off what is more than whole seconds.
    start = round(start_seconds)
    if path is not None:
        try:
            st.audio(Path(path).read_bytes(), format="audio/wav", start_time=start)
        except OSError as err:
            st.caption(plain(f"{Path(path).name} cannot be opened any more: {err.strerror or err}."))
    elif demo_id is not None:
        st.audio(_demo_wav(demo_id), format="audio/wav", start_time=start)
    else:
        st.caption("A log-mel archive holds no sound to play.")


@st.cache_data(max_entries=16, show_spinner="Synthesizing")
def _demo_wav(track_id: str) -> bytes:
    rate = FeatureConfig().sample_rate
    track = next(track for track in demo.tracks() if track.track_id == track_id)
    return wav_bytes(Clip(demo.render(track, rate), rate))
