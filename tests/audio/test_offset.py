"""A constant offset, wherever it begins: silence stays silence, and music is what it was."""

from __future__ import annotations

import numpy as np
import pytest
from sounds import RATE, FloatArray, noise, sine, wav_bytes

from crnn.audio.clip import load_clip
from crnn.audio.offset import OffsetRemover


def stepped(n_seconds: float, *steps: tuple[float, float]) -> FloatArray:
    """Levels, each from its second on."""
    t = np.arange(round(n_seconds * RATE)) / RATE
    level = np.zeros(len(t), np.float32)
    for since, value in steps:
        level[t >= since] = value
    return level


@pytest.mark.parametrize("since", [0.0, 0.3, 1.0, 1.5, 3.9, 4.0, 7.2])
@pytest.mark.parametrize("level", [0.3, -0.05])
def test_silence_with_an_offset_from_anywhere_on_is_silence(since: float, level: float) -> None:
    clip = load_clip(wav_bytes(stepped(8.0, (since, level))), RATE)
    assert len(clip.samples) == 8 * RATE
    assert float(np.abs(clip.samples).max()) < 1e-4
    signed = f"{level:.2f}".replace("-", "−")
    assert clip.notes == (
        f"The recording had a constant offset of {signed}; it was removed.",
        "Nothing in it is above −60 dB.",
    )


def test_an_offset_that_comes_and_goes() -> None:
    clip = load_clip(wav_bytes(stepped(12.0, (2.0, 0.2), (5.5, 0.0), (8.3, -0.4))), RATE)
    assert float(np.abs(clip.samples).max()) < 1e-4


@pytest.mark.parametrize("rate", [8000, 44_100])
def test_at_other_rates(rate: int) -> None:
    samples = np.where(np.arange(6 * rate) < 2.6 * rate, 0, 0.25).astype(np.float32)
    assert float(np.abs(load_clip(wav_bytes(np.stack([samples] * 2, axis=1), rate), RATE).samples).max()) < 1e-3


@pytest.mark.parametrize("since", [0.0, 0.5, 2.5])
def test_music_with_an_offset_is_the_music(since: float) -> None:
    samples = sine(440.0, 6.0, level=0.2) + noise(6.0, level=0.05)
    clip = load_clip(wav_bytes(samples + stepped(6.0, (since, 0.3))), RATE)
    near = np.abs(np.arange(len(samples)) / RATE - since) < 0.05
    np.testing.assert_allclose(clip.samples[~near], samples[~near], atol=5e-3)
    assert clip.notes[0].startswith("The recording had a constant offset of 0.3")


def test_a_drift_is_followed_in_small_steps() -> None:
    drift = np.linspace(0, 0.3, 10 * RATE).astype(np.float32)
    clip = load_clip(wav_bytes(drift), RATE)
    assert float(np.abs(np.diff(clip.samples)).max()) < 0.04
    assert float(np.abs(clip.samples).max()) < 0.05


@pytest.mark.parametrize("samples", [sine(30.0, 5.0, level=0.9), noise(5.0, level=0.2), sine(47.3, 5.3, level=0.7)])
def test_sound_without_an_offset_passes_to_the_last_bit(samples: FloatArray) -> None:
    remover = OffsetRemover(RATE)
    out = [remover.push(block) for block in np.array_split(samples, 13)]
    np.testing.assert_array_equal(np.concatenate([*out, remover.flush()]), samples)
    assert remover.found == 0


def test_a_flush_without_sound_is_empty() -> None:
    assert len(OffsetRemover(RATE).flush()) == 0


@pytest.mark.parametrize("change_at", [1.7, 3.1, 3.9, 5.9])
def test_steps_close_to_each_other_and_to_the_end_leave_silence(change_at: float) -> None:
    samples = stepped(6.0, (1.0, 0.3), (change_at, -0.2), (change_at + 1.0, 0.1))
    remover = OffsetRemover(RATE)
    out = np.concatenate([remover.push(samples), remover.flush()])
    assert len(out) == len(samples)
    assert float(np.abs(out).max()) < 1e-3
