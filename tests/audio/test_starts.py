"""Sound behind zeros, junk and headers that are not its own, in formats of every make."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sounds import RATE, sine, wav_bytes

from crnn.audio.clip import load_clip
from crnn.audio.starts import find_starts, is_all_zeros
from crnn.errors import UndecodableAudioError

# Dozens of files of rare kinds, each made by ffmpeg.
pytestmark = pytest.mark.slow

HIGH = 1900.0
Encode = Callable[..., Path]

JUNK = np.random.default_rng(1).bytes(1 << 20)
BEFORE = {
    "a megabyte of junk": JUNK,
    "5 megabytes of zeros": bytes(5 << 20),
    "an HTTP header": b"HTTP/1.1 200 OK\r\nContent-Type: audio/mpeg\r\n\r\n",
}


def assert_is_heard(content: bytes, seconds: float = 3.0) -> None:
    clip = load_clip(content, RATE)
    assert clip.duration_seconds == pytest.approx(seconds, abs=0.15)
    middle = clip.samples[RATE // 2 : round((seconds - 0.5) * RATE)]
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle))))
    assert float(np.fft.rfftfreq(len(middle), 1 / RATE)[spectrum.argmax()]) == pytest.approx(HIGH, abs=2)


@pytest.mark.parametrize("before", BEFORE)
@pytest.mark.parametrize("name", ["a.ac3", "a.ts", "a.flac"])
def test_whatever_stands_before_it(encode: Encode, name: str, before: str) -> None:
    assert_is_heard(BEFORE[before] + encode(sine(HIGH, 3.0, 48_000), name, rate=48_000).read_bytes())


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.ac3", ()),
        ("a.ac3", ("-ar", "44100", "-b:a", "96k")),
        ("a.eac3", ()),
        ("a.ts", ("-c:a", "mp2")),
        ("a.m2ts", ("-c:a", "ac3")),
        ("a.mpg", ("-c:a", "mp2")),
        ("a.aac", ("-f", "latm")),
        ("a.thd", ("-strict", "-2", "-ac", "2")),
        ("a.wma", ()),
        ("a.nut", ()),
        ("a.sox", ()),
        ("a.rm", ("-c:a", "ac3")),
    ],
)
def test_encoded_sound_is_found(encode: Encode, name: str, options: tuple[str, ...]) -> None:
    assert_is_heard(JUNK + encode(sine(HIGH, 3.0, 48_000), name, *options, rate=48_000).read_bytes())


@pytest.mark.parametrize(
    ("kind", "subtype"),
    [
        ("IRCAM", "PCM_16"),
        ("IRCAM", "FLOAT"),
        ("NIST", "PCM_16"),
        ("PVF", "PCM_16"),
        ("PAF", "PCM_16"),
        ("AVR", "PCM_16"),
        ("SVX", "PCM_16"),
        ("W64", "PCM_16"),
    ],
)
def test_sound_of_rarer_kinds_is_found(kind: str, subtype: str) -> None:
    assert_is_heard(JUNK + wav_bytes(sine(HIGH, 3.0), RATE, subtype, kind))


def test_ircam_of_the_other_byte_order_is_found() -> None:
    import soundfile

    out = io.BytesIO()
    soundfile.write(out, sine(HIGH, 3.0), RATE, format="IRCAM", subtype="PCM_16", endian="BIG")
    assert_is_heard(JUNK + out.getvalue())


@pytest.mark.parametrize("content", [JUNK, bytes(1 << 20), b"\xff" * (2 << 20), b"GV\x0b\x77" * (1 << 18), b"ID3" * 9])
def test_what_holds_no_sound_ends_the_search(content: bytes) -> None:
    assert all(0 < at < len(content) for at in find_starts(io.BytesIO(content)))
    with pytest.raises(UndecodableAudioError):
        load_clip(content, RATE)


def test_only_zeros_are_called_zeros() -> None:
    zeros = bytes(3 << 20)
    assert is_all_zeros(io.BytesIO(zeros))
    with pytest.raises(UndecodableAudioError, match="is a file of zeros"):
        load_clip(zeros, RATE)
    with pytest.raises(UndecodableAudioError, match="cannot be decoded"):
        load_clip(zeros + JUNK[:50_000], RATE)
