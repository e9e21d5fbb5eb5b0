"""What the browser is given to play."""

from __future__ import annotations

import io

import numpy as np
import soundfile
from sounds import noise

from crnn.audio.clip import Clip
from ui.shared.media import band_hz, part_samples, pcm, wav_bytes, wav_of, wav_part


def test_wav_holds_the_clip_to_the_sample() -> None:
    samples = noise(1.0)
    read, rate = soundfile.read(io.BytesIO(wav_bytes(Clip(samples, 22_050))), dtype="float32")
    assert rate == 22_050
    np.testing.assert_allclose(read, samples, atol=1 / 32_000)


def test_wav_clips_what_is_too_loud() -> None:
    read, _ = soundfile.read(io.BytesIO(wav_bytes(Clip(np.float32([3.0, -3.0]), 22_050))))
    np.testing.assert_allclose(np.abs(read), 1.0, atol=1e-4)


def test_a_part_is_cut_to_the_sample_and_full_scale_is_one() -> None:
    wav = wav_of(np.arange(-4000, 4000, dtype="<i2").tobytes(), 1000)
    read, rate = soundfile.read(io.BytesIO(wav_part(wav, 2.0, 3.5)), dtype="int16")
    assert (rate, read.tolist()) == (1000, list(range(-2000, -500)))
    np.testing.assert_array_equal(part_samples(wav, 2.0, 3.5, 1000) * 32_767, np.arange(-2000, -500, dtype=np.float32))
    # What is beyond full scale is at it, and does not come out on the other side.
    assert np.frombuffer(pcm(np.float32([2.0, 1.0, -1.0, -2.0])), "<i2").tolist() == [32_767, 32_767, -32_767, -32_767]
    assert band_hz(wav) == 500
