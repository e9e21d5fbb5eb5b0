"""What the browser is given to play."""

from __future__ import annotations

import io

import numpy as np
import soundfile
from sounds import noise

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
