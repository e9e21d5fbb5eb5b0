"""Damaged and cut files, headers that lie, and bounded memory whatever they say."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sounds import RATE, FloatArray, noise, pcm, riff, sine, wav_bytes

from crnn.audio.clip import AudioStream, load_clip
from crnn.errors import (
    AudioError,
)

CUT_SHORT = "damaged or cut short"


@pytest.mark.parametrize("kind", ["WAV", "AIFF", "AU", "CAF", "FLAC", "RF64", "W64"])
def test_half_a_file_gives_half_the_sound_and_says_so(kind: str) -> None:
    content = wav_bytes(noise(6.0), subtype="PCM_16", kind=kind)
    clip = load_clip(content[: len(content) // 2], RATE)
    assert clip.duration_seconds == pytest.approx(3.0, abs=0.4)
    assert CUT_SHORT in clip.notes[0]
    assert f"{clip.duration_seconds:.1f} s of it could be read" in clip.notes[0]


@pytest.mark.parametrize(
    ("name", "options"),
    [("a.mp3", ()), ("a.ogg", ()), ("a.mp4", ("-movflags", "frag_keyframe+empty_moov")), ("a.webm", ()), ("a.wma", ())],
)
def test_half_a_compressed_file_says_so(encode: Callable[..., Path], name: str, options: tuple[str, ...]) -> None:
    content = encode(noise(20.0), name, *options).read_bytes()
    clip = load_clip(content[: len(content) // 2], RATE)
    assert 6 < clip.duration_seconds < 14
    assert CUT_SHORT in clip.notes[0]


def test_damaged_packets_are_skipped(encode: Callable[..., Path]) -> None:
    content = bytearray(encode(noise(20.0), "a.m4a").read_bytes())
    for position in np.random.default_rng(3).integers(len(content) // 4, len(content) // 2, 10):
        content[position] ^= 0xFF
    clip = load_clip(bytes(content), RATE)
    assert clip.duration_seconds > 15
    assert CUT_SHORT in clip.notes[0]


@pytest.mark.parametrize("declared", [0xFFFFFFFF, 0xFFFFFFF0, 0x7FFFF000, 0])
def test_wav_written_to_a_pipe_is_whole(declared: int) -> None:
    clip = load_clip(riff(pcm(sine(440.0, 3.0)), declared=declared), RATE)
    assert clip.duration_seconds == pytest.approx(3.0)
    assert clip.notes == ()


def flac_with_length(samples: FloatArray, n_frames: int) -> bytes:
    content = bytearray(wav_bytes(samples, subtype="PCM_16", kind="FLAC"))
    packed = int.from_bytes(content[18:26], "big") & ~(2**36 - 1) | n_frames
    content[18:26] = packed.to_bytes(8, "big")
    return bytes(content)


@pytest.mark.parametrize("seconds", [3.0, 20.0])
def test_flac_of_unknown_length_is_whole(seconds: float) -> None:
    samples = noise(seconds)
    clip = load_clip(flac_with_length(samples, 0), RATE)
    assert len(clip.samples) == len(samples)
    np.testing.assert_allclose(clip.samples, samples, atol=1e-4)
    assert clip.notes == ()


@pytest.mark.parametrize("seconds", [3.0, 20.0])
def test_flac_that_lies_about_its_length_allocates_nothing(seconds: float) -> None:
    samples = noise(seconds)
    clip = load_clip(flac_with_length(samples, 2**36 - 1), RATE)
    assert len(clip.samples) == len(samples)
    np.testing.assert_allclose(clip.samples, samples, atol=1e-4)
    assert CUT_SHORT in clip.notes[0]


@pytest.mark.parametrize("kind", ["WAV", "FLAC", "OGG", "MP3"])
def test_no_truncation_raises_anything_but_audio_errors(kind: str) -> None:
    subtype = {"OGG": "VORBIS", "MP3": "MPEG_LAYER_III"}.get(kind, "PCM_16")
    content = wav_bytes(noise(1.5), RATE, subtype, kind)
    for length in np.linspace(1, len(content), 60, dtype=int):
        try:
            load_clip(content[:length], RATE)
        except AudioError:
            continue


# Streams


def test_stream_gives_blocks_of_bounded_size() -> None:
    with AudioStream(wav_bytes(noise(60.0), subtype="PCM_16"), RATE) as stream:
        sizes = [len(block) for block in stream]
        assert max(sizes) <= (1 << 17) + RATE
        assert sum(sizes) == 60 * RATE
        assert stream.duration_seconds == 60.0


def test_stream_closes_its_file_when_left_early(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(wav_bytes(noise(60.0), subtype="PCM_16"))
    with AudioStream(path, RATE) as stream:
        next(iter(stream))
    assert stream._file.closed
    path.unlink()


MEMORY_SCRIPT = """
import resource, sys
from crnn.audio.clip import AudioStream
with AudioStream(sys.argv[1], 22050) as stream:
    next(blocks := iter(stream))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for block in blocks:
        pass
grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
print(stream.duration_seconds, grown / (1 if sys.platform == "darwin" else 1024) / 1024 ** (sys.platform == "darwin"))
"""


CLAIM_SCRIPT = """
import resource, sys
from crnn.audio.clip import load_clip
from crnn.errors import UndecodableAudioError
def load(path):
    try:
        load_clip(path, 22050)
    except UndecodableAudioError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024**2 if sys.platform == "darwin" else 1024)
before = load(sys.argv[1])
print(load(sys.argv[2]) - before)
"""


@pytest.mark.skipif(os.name == "nt", reason="needs the resource module")
def test_a_header_that_claims_gigabytes_gets_no_memory(tmp_path: Path) -> None:
    """A list in an AVI says that it is 2 GB long, and FFmpeg would fill as much with zeros."""
    claims = struct.pack("<4sI4s4sI", b"LIST", 2**31 - 8, b"INFO", b"ISFT", 2**31 - 100)
    (tmp_path / "harmless.avi").write_bytes(b"RIFF" + struct.pack("<I", 200) + b"AVI " + bytes(200))
    (tmp_path / "claims.avi").write_bytes(b"RIFF" + struct.pack("<I", 2**31) + b"AVI " + claims + bytes(200))
    command = [sys.executable, "-c", CLAIM_SCRIPT, str(tmp_path / "harmless.avi"), str(tmp_path / "claims.avi")]
    root = Path(__file__).parents[2]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=root, timeout=240)
    assert float(done.stdout) < 50


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="needs the resource module")
def test_three_hours_fit_in_a_few_megabytes(ffmpeg: str, tmp_path: Path) -> None:
    path = tmp_path / "long.flac"
    tone = "sine=f=440:r=8000:d=10800"
    subprocess.run([ffmpeg, "-v", "error", "-f", "lavfi", "-i", tone, str(path)], check=True, timeout=240)
    done = subprocess.run(
        [sys.executable, "-c", MEMORY_SCRIPT, str(path)],
        check=True,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        timeout=240,
    )
    seconds, grown_mb = map(float, done.stdout.split())
    assert seconds == pytest.approx(10_800, abs=1)
    assert grown_mb < 30  # whole, it would take 950
