"""Channels that cancel each other from somewhere on, under noise, or after a codec: heard as the plain sound is."""

from __future__ import annotations

import functools
import subprocess
from pathlib import Path

import numpy as np
import pytest
from sounds import RATE, FloatArray, chirp, noise, sine, wav_bytes

from crnn.audio.clip import load_clip
from crnn.audio.mixing import Mixer, _band_edges, _summed
from crnn.config import FeatureConfig
from crnn.features import log_mel

TURNED = "they were turned to agree before they were mixed."


@functools.cache
def music(seconds: float = 8.0, seed: int = 3) -> FloatArray:
    """Chords of plucked notes, and a hiss as of cymbals: energy in every octave."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * RATE)) / RATE
    out = np.zeros(len(t))
    for start in np.arange(0, seconds, 0.25):
        since = t - start
        envelope = np.where(since >= 0, np.exp(-4 * np.maximum(since, 0)), 0)
        for note in rng.choice(36, 3, replace=False):
            f = 65.4 * 2 ** (note / 12)
            out += envelope * sum(np.sin(2 * np.pi * k * f * t) / k for k in range(1, 12) if k * f < 10_000)
        out += 0.3 * envelope * rng.standard_normal(len(t))
    sound = (0.5 * out / np.abs(out).max()).astype(np.float32)
    sound.flags.writeable = False
    return sound


def distance_db(one: FloatArray, other: FloatArray) -> float:
    """Mean difference of the log-mels in their upper 40 dB, dB."""
    config = FeatureConfig()
    a, b = (
        np.maximum(log_mel.power_to_db(log_mel.mel_power(s[: 8 * RATE], config), config), -40) for s in (one, other)
    )
    return float(np.abs(a - b).mean())


def inverted_from(samples: FloatArray, seconds: float) -> FloatArray:
    """Stereo whose right side is turned round from there on."""
    sign = np.where(np.arange(len(samples)) < seconds * RATE, 1, -1).astype(np.float32)
    return np.stack([samples, sign * samples], axis=1)


@pytest.mark.slow
@pytest.mark.parametrize("since", [0.0, 0.4, 2.0, 5.7])
def test_inversion_from_anywhere_on(since: float) -> None:
    samples = music()
    clip = load_clip(wav_bytes(inverted_from(samples, since)), RATE)
    assert len(clip.samples) == len(samples)
    away = np.abs(np.arange(len(samples)) - since * RATE) > 0.5 * RATE
    # Turned round as a whole it sounds the same.
    np.testing.assert_allclose(np.abs(clip.samples[away]), np.abs(samples[away]), atol=1e-5)
    where = " " if since < 0.3 else f" from {since:.1f} s on"
    assert clip.notes[0].startswith("The channels cancel each other in mono")
    assert clip.notes[0].endswith(TURNED)
    told = clip.notes[0].split("mono")[1].split(":")[0]
    assert (float(told.split()[1]) if "from" in told else 0.0) == pytest.approx(since, abs=0.4), where


@pytest.mark.parametrize("under", ["hiss on each side", "the same hiss on both", "hum", "hum and hiss", "hiss first"])
def test_inversion_under_noise_is_the_plain_sound(under: str) -> None:
    samples = music()
    n, t = len(samples), np.arange(len(samples)) / RATE
    common, left, right = np.zeros(n, np.float32), np.zeros(n, np.float32), np.zeros(n, np.float32)
    if "hum" in under:
        common += sum(0.3 / k * np.sin(2 * np.pi * 50 * k * t) for k in (1, 2, 3)).astype(np.float32)
    if "same hiss" in under or "and hiss" in under:
        common += noise(8.0, level=0.003, seed=1)
    if "each side" in under:
        left, right = noise(8.0, level=0.003, seed=1), noise(8.0, level=0.003, seed=2)
    start = 0.0
    if under == "hiss first":
        start = 3.0
        hiss = np.where(t < start, noise(8.0, level=0.05), 0).astype(np.float32)
        common, samples = hiss, np.where(t < start, 0, samples).astype(np.float32)
    plain = samples + common + (left + right) / 2
    clip = load_clip(wav_bytes(np.stack([samples + common + left, -samples + common + right], axis=1)), RATE)
    assert clip.notes[0].endswith(TURNED)
    assert distance_db(clip.samples, plain) < 1.5
    # What was heard before: the noise alone.
    assert distance_db(common + (left + right) / 2, plain) > 3


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.mp3", ("-b:a", "128k")),
        ("a.mp3", ("-b:a", "96k", "-joint_stereo", "0")),
        ("a.m4a", ("-b:a", "96k")),
        ("a.ogg", ("-q:a", "3")),
        ("a.opus", ("-b:a", "64k")),
        ("a.ac3", ("-b:a", "128k", "-ar", "48000")),
    ],
)
def test_inversion_after_a_lossy_codec(ffmpeg: str, tmp_path: Path, name: str, options: tuple[str, ...]) -> None:
    samples = music()
    found = []
    for label, stereo in (("plain", np.stack([samples, samples], axis=1)), ("turned", inverted_from(samples, 2.0))):
        source, path = tmp_path / f"{label}.wav", tmp_path / f"{label}-{name}"
        source.write_bytes(wav_bytes(stereo, RATE, "PCM_16"))
        command = [ffmpeg, "-v", "error", "-y", "-i", str(source), *options, str(path)]
        subprocess.run(command, check=True, timeout=60)
        found.append(load_clip(path, RATE))
    plain, turned = found
    assert any(note.endswith(TURNED) for note in turned.notes)
    assert not any(note.endswith(TURNED) for note in plain.notes)
    assert distance_db(turned.samples, plain.samples) < 2.5


def test_one_channel_of_many_turned_round() -> None:
    samples = music(4.0)
    clip = load_clip(wav_bytes(np.stack([samples, -samples, samples, -samples, samples, -samples], axis=1)), RATE)
    np.testing.assert_allclose(np.abs(clip.samples), np.abs(samples), atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["equal", "wide", "one side", "apart", "delayed", "silence"])
def test_sound_stereo_is_the_plain_mean_to_the_last_bit(kind: str) -> None:
    one, other = music(6.0), music(6.0, seed=9)
    stereo = {
        "equal": np.stack([one, one], axis=1),
        # The sides 6 dB above the middle: as wide as a widener makes it.
        "wide": np.stack([0.3 * one + 0.6 * other, 0.3 * one - 0.6 * other], axis=1),
        "one side": np.stack([one, 0 * one], axis=1),
        "apart": np.stack([one, other], axis=1),
        "delayed": np.stack([one, np.roll(one, 300)], axis=1),
        "silence": np.zeros((6 * RATE, 2), np.float32),
    }[kind]
    clip = load_clip(wav_bytes(stereo), RATE)
    np.testing.assert_array_equal(clip.samples, stereo.T.mean(axis=0, dtype=np.float32))
    assert not [note for note in clip.notes if note.endswith(TURNED)]


@pytest.mark.parametrize("n_blocks", [1, 7, 300])
def test_blocks_of_any_size_give_the_same(n_blocks: int) -> None:
    stereo = np.ascontiguousarray(inverted_from(chirp(6.0), 2.5).T)
    mixer = Mixer(RATE, 2)
    out = [mixer.push(block) for block in np.array_split(stereo, n_blocks, axis=1)]
    mono = np.concatenate([*out, mixer.flush()])
    whole = Mixer(RATE, 2)
    expected = np.concatenate([whole.push(stereo), whole.flush()])
    assert len(mono) == stereo.shape[1] == len(expected)
    # Short blocks may take a moment longer to find where the channels part; all else is the same.
    apart = np.flatnonzero(np.abs(mono - expected) > 1e-3) / RATE
    assert not len(apart) or (n_blocks == 300 and apart.min() >= 2.5 and apart.max() <= 2.7)
    assert mixer.first_lost == pytest.approx(2.5 * RATE, abs=0.4 * RATE)


def test_a_mix_of_nothing_ends() -> None:
    for n_frames in (0, 1, 100, 3000):
        mixer = Mixer(RATE, 2)
        stereo = np.ones((2, n_frames), np.float32)
        assert len(mixer.push(stereo)) + len(mixer.flush()) == n_frames


def test_signs_stay_as_they_were_when_another_channel_is_the_loudest() -> None:
    mixer = Mixer(RATE, 3)
    line = np.ones(5, np.complex64)
    mixer._turn(np.stack([line, -line, 0 * line]))
    assert mixer._signs[:2].tolist() == [1, -1]
    # The first falls silent, and the third takes its part: what is heard of the second does not turn round.
    mixer._turn(np.stack([0 * line, -line, line]))
    assert mixer._signs[1:].tolist() == [-1, 1]


def test_most_of_the_power_is_most_of_the_sound() -> None:
    # A bass turned round, in one of a dozen bands, under what is the same on both sides in all of them.
    bass, rest = sine(100.0, 2.0), 0.1 * noise(2.0)
    mixer = Mixer(RATE, 2)
    mixer.push(np.stack([rest + bass, rest - bass]))
    mixer.flush()
    assert mixer.first_lost == 0


@pytest.mark.parametrize(("rate", "size"), [(1000, 64), (8000, 512), (22_050, 2048), (44_100, 4096), (768_000, 65_536)])
def test_windows_are_the_power_of_two_nearest_to_90_ms(rate: int, size: int) -> None:
    assert Mixer(rate, 2)._size == size


@pytest.mark.parametrize("signs", [(1, -1), (-1, 1), (1, -1, 1, -1)])
def test_what_is_turned_round_is_the_sound_to_its_end(signs: tuple[int, ...]) -> None:
    sound = noise(1.03)
    mixer = Mixer(RATE, len(signs))
    out = [mixer.push(np.float32([[sign] for sign in signs]) * sound), mixer.flush()]
    np.testing.assert_allclose(np.concatenate(out), signs[0] * sound, atol=1e-5)


def test_windows_that_half_overlap_sum_to_one_as_squares() -> None:
    window = Mixer(RATE, 2)._window
    np.testing.assert_allclose(np.square(window[:1024]) + np.square(window[1024:]), 1.0, atol=1e-6)
    assert window[[0, 512, 1024]] == pytest.approx([0.0, np.sqrt(0.5), 1.0], abs=1e-6)


def test_one_channel_is_mono_as_it_comes() -> None:
    mixer, one = Mixer(RATE, 1), noise(1.0)
    np.testing.assert_array_equal(mixer.push(one[None]), one)
    assert len(mixer.flush()) == 0


def test_bands_are_half_octaves_from_60_hz_on() -> None:
    # Lines of 15.6 Hz: 60 Hz is the fourth, and eleven half octaves above 2715 Hz is the 174th.
    assert _band_edges(8000, 512).tolist() == [4, 5, 8, 11, 15, 22, 31, 43, 61, 87, 123, 174]
    assert _band_edges(1000, 64).tolist() == [4, 5, 8, 11, 15, 22]
    # A line's power is in its own band alone: none below the first edge, and none from the last on.
    lines = np.zeros((1, 257), np.complex64)
    lines[0, [3, 4, 10, 173, 174]] = 1, 2 + 1j, 3, 4, 5
    assert Mixer(8000, 2)._in_bands(lines).tolist() == [[5, 0, 9, 0, 0, 0, 0, 0, 0, 0, 16]]


@pytest.mark.parametrize(
    ("beside", "is_lost"), [(-1.0, True), (-0.64, True), (-0.61, False), (0.0, False), (1.0, False)]
)
def test_sound_is_lost_where_a_tenth_of_it_would_be_left(beside: float, is_lost: bool) -> None:
    """Of two channels, one r times the other, (1 + r)² / (1 + r²) is left: a tenth at r = -0.627."""
    mixer, sound = Mixer(RATE, 2), noise(1.0)
    mixer.push(np.stack([sound, beside * sound]))
    mixer.flush()
    assert (mixer.first_lost is not None) is is_lost


def test_offsets_that_cancel_are_no_sound_that_does() -> None:
    mixer, sound = Mixer(RATE, 2), noise(1.0, level=0.001)
    for offset in (0.0, 0.5):
        found = mixer._cancels(np.stack([sound + offset, sound - offset]), 8, every=1, n_neighbours=0)
        assert found.tolist() == [False] * 8


LOUD = 1e-8 * 2048


@pytest.mark.parametrize(
    ("each", "mean", "is_lost"),
    [
        # Lost is a band of which less than a twentieth of the channels' mean power is in the mean of both.
        ([1, 1, 1, 1], [0.049] * 3 + [1], True),
        ([1, 1, 1, 1], [0.051] * 3 + [1], False),
        # More than half of the bands, or of the power.
        ([1, 1, 1, 1], [0, 0, 1, 1], False),
        ([2, 2, 2, 2, 1, 1, 1, 1, 1], [2, 2, 2, 2, 0, 0, 0, 0, 0], True),
        ([6, 2, 2], [0, 2, 2], True),
        ([3, 1, 1, 1], [0, 1, 1, 1], False),
        # What is 50 dB below the loudest of its moment has no say, nor what is below -80 dB.
        ([100, 1.1e-3, 1.1e-3], [100, 0, 0], True),
        ([100, 0.9e-3, 0.9e-3], [100, 0, 0], False),
        ([1.1 * LOUD] * 2, [0, 0], True),
        ([0.9 * LOUD] * 2, [0, 0], False),
        ([0, 0], [0, 0], False),
    ],
)
def test_a_moment_is_lost_by_its_bands(each: list[float], mean: list[float], is_lost: bool) -> None:
    mixer = Mixer(RATE, 2)
    powers = iter([np.array([each]), np.array([each]), 4 * np.array([mean])])  # of each channel, and of their sum
    mixer._in_bands = lambda _: next(powers)  # type: ignore[method-assign]
    found = mixer._cancels(np.zeros((2, mixer._size), np.float32), 1, every=1, n_neighbours=0)
    assert found.tolist() == [is_lost]


def test_moments_are_judged_with_two_on_each_side() -> None:
    values = 10.0 ** np.arange(6)[:, None]
    assert _summed(values, 2)[:, 0].tolist() == [111, 1111, 11_111, 111_110, 111_100, 111_000]
    assert _summed(values, 0) is values
    asked = []
    mixer = Mixer(RATE, 2)
    mixer._cancels = lambda *_, **how: asked.append(how) or np.ones(2, bool)  # type: ignore[method-assign, func-returns-value]
    assert mixer._lost_windows(np.zeros((2, 0), np.float32), 2) == [0, 1]
    # All of them where one of eight gives cause.
    assert asked == [{"every": 8, "n_neighbours": 0}, {"every": 1, "n_neighbours": 2}]


@pytest.mark.parametrize(("lost", "first"), [([[], [1]], 8 * 1024 + 512), ([[3], [1]], 2 * 1024 + 512), ([[0], []], 0)])
def test_where_the_first_sound_is_lost_is_amid_its_window(lost: list[list[int]], first: int) -> None:
    """Windows of 2048 samples begin every 1024, the first of them 1024 before the sound; eight are judged at once."""
    mixer, found = Mixer(RATE, 2), iter(lost)
    mixer._lost_windows = lambda *_: next(found)  # type: ignore[method-assign]
    for _ in lost:
        mixer.push(np.ones((2, 8 * 1024), np.float32))
    assert mixer.first_lost == first


@pytest.mark.parametrize(("level", "reference"), [(0.33, 0), (0.31, 1)])
def test_the_loudest_channel_tells_the_signs_where_the_former_one_is_10_db_below(level: float, reference: int) -> None:
    mixer, line = Mixer(RATE, 3), np.ones(5, np.complex64)
    mixer._turn(np.stack([level * line, -line, (1 - level) * line]))
    assert mixer._reference == reference
    assert mixer._signs.tolist() in ([1, -1, 1], [-1, 1, -1])


def test_signs_stay_where_a_tenth_or_more_of_a_line_is_left() -> None:
    mixer, line = Mixer(RATE, 2), np.ones(5, np.complex64)
    for beside, signs in ((-0.61, [1, 1]), (-0.64, [1, -1]), (-0.61, [1, -1]), (1.0, [1, -1])):
        mixer._turn(np.stack([line, beside * line]))
        assert mixer._signs.tolist() == signs


def test_signs_are_told_by_what_is_lost_alone_and_only_what_grows_is_added() -> None:
    """A hum on both sides, four times as loud as what is turned round, and a line that is louder on one side."""
    mixer = Mixer(RATE, 2)
    spectra = np.zeros((2, 1025), np.complex64)
    spectra[:, [40, 80, 120]] = [[4, 1, 2], [4, -1, -1]]
    mixer._turn(spectra)
    assert mixer._signs.tolist() == [1, -1]
    mixer._window = np.ones(2048, np.float32)
    samples = np.fft.irfft(spectra, 2048).astype(np.float32)
    gained = np.fft.rfft(mixer._found_again(samples))
    # Means are 4, 0 and 0.5; turned 0, 1 and 1.5.
    np.testing.assert_allclose(gained[[40, 80, 120]], [0, 1, 1], atol=1e-5)
