"""Sound in: every format, every fault by name, bounded memory."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from sounds import RATE, FloatArray, chirp, noise, sine, wav_bytes

from crnn.audio import clip as audio
from crnn.audio.clip import AudioStream, load_clip, load_part
from crnn.audio.folders import find_audio_files
from crnn.errors import (
    ClipTooShortError,
    UndecodableAudioError,
)

CLIPPED = "The recording is clipped"


def peak_hz(samples: FloatArray, rate: int = RATE) -> float:
    """Frequency of the strongest spectral line."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.fft.rfftfreq(len(samples), 1 / rate)[spectrum.argmax()])


# Formats


@pytest.mark.parametrize(
    ("kind", "subtype", "tolerance"),
    [
        ("WAV", "PCM_U8", 0.01),
        ("WAV", "PCM_16", 1e-4),
        ("WAV", "PCM_24", 1e-6),
        ("WAV", "PCM_32", 1e-6),
        ("WAV", "FLOAT", 0),
        ("WAV", "DOUBLE", 0),
        ("WAV", "ULAW", 0.02),
        ("WAV", "ALAW", 0.02),
        ("RF64", "PCM_16", 1e-4),
        ("W64", "PCM_16", 1e-4),
        ("FLAC", "PCM_16", 1e-4),
        ("AIFF", "PCM_16", 1e-4),
        ("AU", "PCM_16", 1e-4),
        ("CAF", "PCM_16", 1e-4),
    ],
)
def test_lossless_formats_give_the_samples(kind: str, subtype: str, tolerance: float) -> None:
    samples = chirp(2.0)
    clip = load_clip(wav_bytes(samples, RATE, subtype, kind), RATE)
    assert clip.samples.dtype == np.float32
    assert clip.notes == ()
    np.testing.assert_allclose(clip.samples, samples, atol=tolerance)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.mp3", ()),
        ("A.MP3", ()),
        ("a.ogg", ("-c:a", "libvorbis")),
        ("a.opus", ("-c:a", "libopus")),
        ("a.m4a", ("-c:a", "aac")),
        ("a.aac", ()),
        ("A.M4A", ("-c:a", "alac")),
        ("a.mp4", ("-movflags", "frag_keyframe+empty_moov")),
        ("a.webm", ()),
        ("a.wma", ()),
        ("a.mkv", ()),
        ("a.flac", ()),
        ("a.AIFF", ()),
        ("a.mp2", ()),
    ],
)
def test_compressed_formats_keep_tone_and_length(
    encode: Callable[..., Path], name: str, options: tuple[str, ...]
) -> None:
    path = encode(sine(1234.5, 3.0), name, *options)
    for source in (path, path.read_bytes()):
        clip = load_clip(source, RATE)
        assert peak_hz(clip.samples) == pytest.approx(1234.5, abs=1.0)
        assert clip.duration_seconds == pytest.approx(3.0, abs=0.1)
        assert not [note for note in clip.notes if "Resampled" not in note]


@pytest.mark.parametrize(
    "name", ["a.txt", "a.raw", "a.vox", "a.mp3", "a.snd", "noending", "new\nline.wav", "\udcff.wav"]
)
def test_content_decides_not_the_name(tmp_path: Path, name: str) -> None:
    if os.name == "nt" and not name.isprintable():
        pytest.skip("Windows has no such names")
    path = tmp_path / name
    path.write_bytes(wav_bytes(sine(440.0), subtype="PCM_16"))
    assert load_clip(path, RATE).duration_seconds == pytest.approx(2.0)


@pytest.mark.parametrize("ending", ["vox", "gsm", "snd", "au", "raw", "mp3", "wav"])
def test_random_bytes_are_not_believed_for_their_ending(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"noise.{ending}"
    path.write_bytes(np.random.default_rng(1).bytes(100_000))
    with pytest.raises(UndecodableAudioError, match="cannot be decoded"):
        load_clip(path, RATE)


# Rates, channels, levels


@pytest.mark.parametrize("rate", [8000, 16_000, 44_100, 48_000, 96_000])
def test_rates_become_the_one_asked_for(rate: int) -> None:
    clip = load_clip(wav_bytes(sine(1000.0, 3.0, rate), rate), RATE)
    assert clip.sample_rate == RATE
    assert clip.duration_seconds == pytest.approx(3.0, abs=0.001)
    assert peak_hz(clip.samples) == pytest.approx(1000.0, abs=0.5)
    assert len(clip.notes) == 1
    assert clip.notes[0].startswith("Resampled from")
    assert ("nothing above 4 kHz" in clip.notes[0]) == (rate == 8000)


def test_resampling_in_blocks_equals_resampling_at_once() -> None:
    samples = chirp(7.0, 48_000)
    clip = load_clip(wav_bytes(samples, 48_000), RATE)
    whole = audio.from_samples(samples, 48_000, RATE)
    assert len(clip.samples) == len(whole.samples)
    np.testing.assert_allclose(clip.samples, whole.samples, atol=1e-5)


@pytest.mark.parametrize("n_channels", [2, 6, 32, 64])
def test_equal_channels_equal_mono(n_channels: int) -> None:
    samples = chirp(2.0)
    clip = load_clip(wav_bytes(np.stack([samples] * n_channels, axis=1)), RATE)
    np.testing.assert_allclose(clip.samples, samples, atol=1e-6)
    assert clip.notes == (f"{n_channels} channels were mixed to mono.",)


def test_channels_of_opposite_phase_are_still_heard() -> None:
    samples = sine(440.0)
    clip = load_clip(wav_bytes(np.stack([samples, -0.7 * samples], axis=1)), RATE)
    np.testing.assert_allclose(clip.samples, 0.85 * samples, atol=1e-4)
    assert clip.notes == ("The channels cancel each other in mono: they were turned to agree before they were mixed.",)
    clip = load_clip(wav_bytes(np.stack([samples, -samples], axis=1)), RATE)
    np.testing.assert_allclose(clip.samples, samples, atol=1e-6)
    assert clip.notes == ("The channels cancel each other in mono: they were turned to agree before they were mixed.",)


def test_silence_is_noted_and_not_refused() -> None:
    clip = load_clip(wav_bytes(np.zeros(2 * RATE, dtype=np.float32)), RATE)
    assert clip.notes == ("Nothing in it is above −60 dB.",)


def test_quiet_sound_is_noted() -> None:
    assert (
        load_clip(wav_bytes(sine(440.0, level=0.01)), RATE).notes[0].startswith("Recorded quietly: its peak is −40 dB.")
    )


def test_constant_offset_is_removed_and_noted() -> None:
    samples = sine(440.0, level=0.2)
    clip = load_clip(wav_bytes(samples + np.float32(0.3)), RATE)
    np.testing.assert_allclose(clip.samples, samples, atol=1e-3)
    assert clip.notes == ("The recording had a constant offset of 0.30; it was removed.",)


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "FLOAT", "ULAW"])
@pytest.mark.parametrize("drive_db", [3, 12])
def test_clipping_is_noted(subtype: str, drive_db: float) -> None:
    samples = np.clip(sine(440.0, level=10 ** (drive_db / 20)) + noise(level=0.02), -1, 1)
    assert any(note.startswith(CLIPPED) for note in load_clip(wav_bytes(samples, subtype=subtype), RATE).notes)


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "FLOAT", "ULAW"])
@pytest.mark.parametrize("frequency_hz", [30.0, 441.0, 5000.0])
@pytest.mark.parametrize("level", [0.5, 0.999])
def test_loud_tones_are_not_called_clipped(subtype: str, frequency_hz: float, level: float) -> None:
    samples = sine(frequency_hz, 2.0, 48_000, level)
    notes = load_clip(wav_bytes(samples, 48_000, subtype), RATE).notes
    assert not [note for note in notes if note.startswith(CLIPPED)]


def test_clipping_in_one_channel_of_two_is_noted() -> None:
    clipped, clean = np.clip(sine(440.0, level=4.0), -1, 1), sine(310.0, level=0.4)
    notes = load_clip(wav_bytes(np.stack([clean, clipped], axis=1), subtype="PCM_16"), RATE).notes
    assert any(note.startswith(CLIPPED) for note in notes)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e38])
def test_samples_that_are_not_numbers_become_silence(value: float) -> None:
    samples = sine(440.0)
    samples[100:200] = value
    clip = load_clip(wav_bytes(samples), RATE)
    assert not clip.samples[100:200].any()
    assert clip.notes == ("Samples that are not numbers, or beyond any level: 100. Silence stands in for them.",)


@pytest.mark.parametrize("n_bits", [16, 24, 32])
def test_floats_that_are_scaled_like_integers_are_heard_whole(n_bits: int) -> None:
    samples = sine(440.0)
    clip = load_clip(wav_bytes(samples * 2.0 ** (n_bits - 1)), RATE)
    np.testing.assert_allclose(clip.samples / 2.0 ** (n_bits - 1), samples, atol=1e-3)
    assert not [note for note in clip.notes if "not numbers" in note]


def test_nan_in_one_channel_leaves_the_other() -> None:
    left, right = sine(440.0), np.full(2 * RATE, np.nan, dtype=np.float32)
    right[:] = np.where(np.arange(len(right)) % 2, np.nan, left)
    clip = load_clip(wav_bytes(np.stack([left, right], axis=1)), RATE)
    assert np.isfinite(clip.samples).all()
    assert peak_hz(clip.samples) == pytest.approx(440, abs=1)


# Folders


def test_find_audio_files_takes_endings_in_any_case_and_names_as_given(tmp_path: Path) -> None:
    for name in ("b/2.MP3", "b/1.wav", "b/notes.txt", "b/c/3.Opus"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    odd = tmp_path / "named.xyz"
    found, _ = find_audio_files([odd, tmp_path / "b"])
    assert [path.name for path in found] == ["named.xyz", "1.wav", "2.MP3", "3.Opus"]


# Parts


@pytest.mark.parametrize("rate", [RATE, 44_100])
def test_part_is_what_the_whole_has_there(rate: int) -> None:
    data = wav_bytes(chirp(6.0, rate), rate)
    whole = load_clip(data, RATE).samples
    heard: list[float] = []
    part = load_part(data, RATE, (2.0, 4.5), on_progress=heard.append)
    np.testing.assert_allclose(part.samples, whole[2 * RATE : round(4.5 * RATE)], atol=1e-6)
    assert part.notes == ()
    assert heard
    assert load_part(data, RATE, (4.0, 99.0)).duration_seconds == pytest.approx(2.0, abs=0.01)


def test_part_beyond_the_end_is_refused() -> None:
    with pytest.raises(ClipTooShortError, match="0.00 s long"):
        load_part(wav_bytes(sine(440.0, 3.0)), RATE, (5.0, 9.0))


@pytest.mark.parametrize("name", ["long.wav", "long.flac", "long.ogg", "long.mp3", "long.m4a", "long.opus"])
def test_part_late_in_a_file_is_what_the_whole_has_there(encode, name: str) -> None:
    """Gone to where the library goes there to the sample, decoded up to there where it does not."""
    data = encode(chirp(30.0), name).read_bytes()
    whole, part = load_clip(data, RATE).samples, load_part(data, RATE, (20.0, 26.0)).samples
    there = whole[20 * RATE : 26 * RATE]
    # A lossy decoder that begins in the middle needs a frame or two until it is where it would have been.
    assert np.abs(part - there)[RATE // 4 :].max() < 2e-3


def test_file_is_gone_into_and_not_decoded_up_to_there() -> None:
    with AudioStream(wav_bytes(chirp(30.0)), RATE, skip_seconds=20.0) as stream:
        seconds = sum(len(block) for block in stream) / RATE
        assert stream.skipped_seconds == 20.0
    assert seconds == pytest.approx(10.0, abs=0.001)
    assert not [note for note in stream.notes if "cut short" in note]
    for beyond in (29.5, 31.0, -1.0):
        with AudioStream(wav_bytes(chirp(30.0)), RATE, skip_seconds=beyond) as stream:
            assert stream.skipped_seconds == 0.0


def test_mp3_has_no_click_between_the_blocks_that_it_is_read_in(encode) -> None:
    """What soundfile gives of the whole at once; block by block it went to where it was, and lost what came before."""
    data = encode(chirp(30.0), "long.mp3").read_bytes()
    whole, _ = soundfile.read(io.BytesIO(data), dtype="float32")
    np.testing.assert_allclose(load_clip(data, RATE).samples, whole, atol=1e-5)
