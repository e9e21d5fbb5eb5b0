"""What the browser is given to play."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import soundfile
from sounds import noise
from streamlit.testing.v1 import AppTest

from crnn.audio.clip import Clip
from ui.shared.media import wav_bytes


def test_wav_holds_the_clip_to_the_sample() -> None:
    samples = noise(1.0)
    read, rate = soundfile.read(io.BytesIO(wav_bytes(Clip(samples, 22_050))), dtype="float32")
    assert rate == 22_050
    np.testing.assert_allclose(read, samples, atol=1 / 32_000)


def test_wav_clips_what_is_too_loud() -> None:
    read, _ = soundfile.read(io.BytesIO(wav_bytes(Clip(np.float32([3.0, -3.0]), 22_050))))
    np.testing.assert_allclose(np.abs(read), 1.0, atol=1e-4)


def _listens(first: str, second: str) -> None:
    """A page that plays two files of a data set and serves them to the player as well."""
    from pathlib import Path

    import streamlit as st

    from ui.shared.media import play_track, serve

    for number, path in enumerate((first, second)):
        play_track(path, None)
        st.text(serve(Path(path).read_bytes(), f"player.{number}"))


def test_tracks_that_rest_in_the_same_places_are_not_one(tmp_path: Path) -> None:
    """Streamlit tells large files by their length, beginning, middle and end alone."""
    quarter, rest = bytes([1]) * 2**19, bytes(2**19)
    pairs = {"voice.wav": rest + quarter + rest + rest + rest, "guitar.wav": rest + rest + rest + quarter + rest}
    for name, data in pairs.items():
        (tmp_path / name).write_bytes(data)
    addresses: list[str] = []
    for _ in range(2):
        paths = [str(tmp_path / name) for name in pairs]
        app = AppTest.from_function(_listens, args=paths, default_timeout=60).run()
        assert not app.exception
        addresses += [element.proto.url for element in app.get("audio")] + [text.value for text in app.text]
        again = app.run()
        assert [element.proto.url for element in again.get("audio")] == addresses[-4:-2]
    assert all(addresses)
    # Nor is one visit's another's.
    assert len(set(addresses)) == 8
