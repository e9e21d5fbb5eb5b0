"""A constant offset, wherever it begins: silence stays silence, and music is what it was."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sounds import RATE, FloatArray, noise, sine, wav_bytes

from crnn.audio.clip import load_clip
from crnn.audio.offset import OffsetRemover, _Ringing


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


@pytest.mark.parametrize("levels", [(0.3, -0.2), (0.3, 0.0), (0.3, -0.3), (-0.1, 0.4)])
def test_each_channel_may_have_its_own_offset(levels: tuple[float, float]) -> None:
    channels = [stepped(8.0, (since, level)) for since, level in zip((3.0, 4.2), levels, strict=True)]
    clip = load_clip(wav_bytes(np.stack(channels, axis=1)), RATE)
    assert float(np.abs(clip.samples).max()) < 1e-3
    assert not any("cancel" in note for note in clip.notes)


@pytest.mark.parametrize(("first", "second"), [(0.2, -0.4), (-0.4, 0.2)])
def test_an_offset_that_comes_and_goes(first: float, second: float) -> None:
    clip = load_clip(wav_bytes(stepped(12.0, (2.0, first), (5.5, 0.0), (8.3, second))), RATE)
    assert float(np.abs(clip.samples).max()) < 1e-4
    # The greatest is told.
    assert clip.notes[0] == "The recording had a constant offset of −0.40; it was removed."


@pytest.mark.parametrize("rate", [8000, 44_100])
def test_at_other_rates(rate: int) -> None:
    samples = np.where(np.arange(6 * rate) < 2.6 * rate, 0, 0.25).astype(np.float32)
    assert float(np.abs(load_clip(wav_bytes(np.stack([samples] * 2, axis=1), rate), RATE).samples).max()) < 1e-3


@pytest.mark.parametrize("since", [0.0, 0.5, 2.5, 5.5])
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


def clicks(*places: float) -> FloatArray:
    """Amid silence, 5 s long."""
    samples = np.zeros(5 * RATE, np.float32)
    samples[[round(place * RATE) for place in places]] = 0.5
    return samples


@pytest.mark.parametrize(
    "samples",
    [
        sine(30.0, 5.0, level=0.9),
        noise(5.0, level=0.2),
        sine(47.3, 5.3, level=0.7),
        clicks(0.1, 2.05, 4.9),
        stepped(5.0, (0.0, 0.0099)),
    ],
)
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


def heard(samples: FloatArray, n_blocks: int = 1) -> FloatArray:
    remover = OffsetRemover(RATE)
    out = [remover.push(block) for block in np.array_split(samples, n_blocks)]
    return np.concatenate([*out, remover.flush()])


def ringing(samples: FloatArray, seconds: float = 0.05) -> FloatArray:
    """As a codec leaves it: around a jump it swings, before and after."""
    t = np.arange(-round(seconds * RATE), round(seconds * RATE) + 1) / RATE
    kernel = np.sinc(600 * t) * np.hanning(len(t))
    padded = np.pad(samples, len(t) // 2, mode="edge")
    return np.convolve(padded, kernel / kernel.sum(), "valid").astype(np.float32)


@pytest.mark.parametrize("since", [0.3, 2.0, 2.97, 3.01, 5.5, 7.2])
@pytest.mark.parametrize("n_blocks", [1, 29])
def test_what_a_codec_makes_of_a_jump_between_silences_is_silence(since: float, n_blocks: int) -> None:
    samples = ringing(stepped(8.0, (since, 0.3)))
    assert float(np.abs(samples - stepped(8.0, (since, 0.3))).max()) > 0.1
    out = heard(samples, n_blocks)
    assert len(out) == len(samples)
    assert float(np.abs(out).max()) < 1e-3


def test_an_offset_that_a_codec_lets_begin_late_and_end_early_is_silence() -> None:
    samples = stepped(6.0, (0.05, 0.3), (5.96, 0.0))
    assert float(np.abs(heard(samples)).max()) < 1e-3


@pytest.mark.parametrize("name", ["a.mp3", "a.m4a", "a.aac", "a.wma", "a.ac3"])
def test_silence_and_an_offset_through_a_codec(encode: Callable[..., Path], name: str) -> None:
    rate = 48_000 if name == "a.ac3" else 44_100
    samples = np.where(np.arange(7 * rate) < 3 * rate, 0, 0.3).astype(np.float32)
    clip = load_clip(encode(samples, name, "-b:a", "128k", rate=rate), RATE)
    assert clip.notes[1:2] == ("Nothing in it is above −60 dB.",)


@pytest.mark.parametrize("place", [2.4, 2.75, 3.3, 3.6])
def test_sound_near_a_jump_keeps_what_stands_at_the_jump(place: float) -> None:
    """A tone so near that the jump lies in the music: nothing is silenced."""
    samples = stepped(6.0, (3.0, 0.3))
    n = round(0.45 * RATE)
    at = round(place * RATE) - n // 2
    samples[at : at + n] += sine(440.0, 0.45, level=0.2)[:n]
    click = round(3.05 * RATE)
    samples[click] += 0.4
    out = heard(samples)
    assert float(out[click]) > 0.3


def test_a_steady_offset_keeps_its_first_measure() -> None:
    samples = noise(5.0, level=0.2) + np.float32(0.3)
    level = np.float32(samples[:RATE].mean(dtype=np.float64))
    np.testing.assert_array_equal(heard(samples), samples - level)


@pytest.mark.parametrize(("change", "left"), [(0.0095, 0.0095), (0.0105, 0.0)])
def test_a_hundredth_is_the_least_that_is_followed(change: float, left: float) -> None:
    """Of full scale: from nothing, and from an offset on."""
    for first in (0.0, 0.3):
        out = heard(stepped(6.0, (0.0, first), (3.0, first + change)))
        np.testing.assert_allclose(out[: 3 * RATE], 0.0, atol=1e-6)
        np.testing.assert_allclose(out[3 * RATE :], left, atol=1e-6)


def test_what_is_certain_comes_out_within_three_seconds() -> None:
    remover = OffsetRemover(RATE)
    # Two seconds less a sample wait for what they lead to, one for jumps to come.
    assert [len(remover.push(np.zeros(n, np.float32))) for n in (10 * RATE, RATE - 1, 1)] == [8 * RATE, 0, RATE]
    assert len(remover.flush()) == 2 * RATE


# At 1000 Hz a jump rings for 200 samples on each side, and is silent for 300 beyond.
@pytest.mark.parametrize("n_first", [0, 1001, 1300, 1499, 1500, 1501, 2400])
@pytest.mark.parametrize(
    ("jump", "beside", "is_silenced"),
    [
        (1000, 499, True),
        (1000, 500, False),
        (1000, 799, False),
        (1000, 800, True),
        (1000, 1199, True),
        (1000, 1200, False),
        (1000, 1499, False),
        (1000, 1500, True),
        (500, 0, False),
        (100, 0, True),
    ],
)
def test_a_jump_is_silenced_between_silences_alone(jump: int, beside: int, is_silenced: bool, n_first: int) -> None:
    samples = np.full(3000, 0.00099, np.float32)
    samples[[jump, beside]] = 0.5, 0.00101
    ringing = _Ringing(1000)
    out = []
    for start, end in itertools.pairwise([0, *sorted((jump, n_first)), len(samples)]):
        if start == jump:
            ringing.jumps.append(jump)
        out.append(ringing.push(samples[start:end]))
    expected = samples.copy()
    if is_silenced:
        expected[max(0, jump - 200) : jump + 200] = 0.0
    np.testing.assert_array_equal(np.concatenate([*out, ringing.flush()]), expected)


@pytest.mark.parametrize(("last", "is_silenced"), [(199, True), (200, False)])
def test_an_offset_from_the_beginning_may_ring_there(last: int, is_silenced: bool) -> None:
    samples = np.full(4000, 0.3, np.float32)
    samples[last] += 0.1
    remover = OffsetRemover(1000)
    out = np.concatenate([remover.push(samples), remover.flush()])
    assert (float(np.abs(out).max()) < 1e-3) is is_silenced


@pytest.mark.parametrize(("first", "is_silenced"), [(2799, False), (2800, True)])
def test_a_jump_is_placed_to_the_sample(first: int, is_silenced: bool) -> None:
    samples = np.where(np.arange(6000) < 3000, 0, 0.3).astype(np.float32)
    samples[first] = 0.5
    remover = OffsetRemover(1000)
    out = np.concatenate([remover.push(samples), remover.flush()])
    assert (float(np.abs(out).max()) < 1e-3) is is_silenced
