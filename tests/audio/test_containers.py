"""Files by their first bytes, and declared against real length."""

from __future__ import annotations

import io

import numpy as np
import pytest
from sounds import noise, sine, wav_bytes

from crnn.audio.containers import describe_non_audio, is_cut_short

KINDS = {
    "WAV": "PCM_16",
    "RF64": "PCM_16",
    "W64": "PCM_16",
    "AIFF": "PCM_16",
    "AU": "PCM_16",
    "CAF": "PCM_16",
    "FLAC": "PCM_16",
    "OGG": "VORBIS",
    "MP3": "MPEG_LAYER_III",
}


@pytest.mark.parametrize("kind", KINDS)
def test_whole_files_are_whole_and_cut_ones_cut(kind: str) -> None:
    content = wav_bytes(noise(5.0), subtype=KINDS[kind], kind=kind)
    assert not is_cut_short(io.BytesIO(content), 5.0)
    assert is_cut_short(io.BytesIO(content[: len(content) * 4 // 5]), 4.0)


def test_ogg_cut_between_two_pages_is_cut() -> None:
    content = wav_bytes(noise(5.0), subtype="VORBIS", kind="OGG")
    assert is_cut_short(io.BytesIO(content[: content.rindex(b"OggS")]), 4.9)


@pytest.mark.parametrize("kind", KINDS)
def test_sound_is_no_other_thing(kind: str) -> None:
    for samples in (noise(2.0), np.zeros(40_000), sine(440.0)):
        assert describe_non_audio(wav_bytes(samples, subtype=KINDS[kind], kind=kind)[:4096]) is None


@pytest.mark.parametrize("declared", [0, 0x7FFFF024, 0x7F000024, 0xFFFFFFFF])
def test_lengths_that_pipes_leave_declare_nothing(declared: int) -> None:
    content = bytearray(wav_bytes(noise(2.0), subtype="PCM_16"))
    content[4:8] = declared.to_bytes(4, "little")
    assert not is_cut_short(io.BytesIO(bytes(content)), 2.0)


def test_mp3_behind_a_large_tag_is_measured_from_the_tag() -> None:
    # The size in an ID3 header has seven bits a byte: (1, 0) is 128 bytes.
    tag = b"ID3\x04\x00\x00" + bytes([0, 0, 1, 0]) + b"\0" * 128
    content = tag + wav_bytes(noise(5.0), subtype="MPEG_LAYER_III", kind="MP3")
    assert not is_cut_short(io.BytesIO(content), 5.0)
    assert is_cut_short(io.BytesIO(content[: len(content) * 4 // 5]), 4.0)


@pytest.mark.parametrize("encoding", ["ascii", "utf-8", "utf-16", "cp1252"])
def test_text_in_any_encoding_is_text(encoding: str) -> None:
    text = "Plain words\n" if encoding == "ascii" else "Größe: drei Äpfel, naïve façade\n"
    assert describe_non_audio((text * 200).encode(encoding)[:4096]) == "a text file"


def test_cyrillic_text_is_text() -> None:
    assert describe_non_audio(("Привет, это не музыка\n" * 200).encode()[:4095]) == "a text file"


@pytest.mark.parametrize(
    "head", [b"\xff\xfb\x90\x00" * 100, b"OggS\0\x02" + b"\0" * 60, b"fLaC\0\0\0\x22" + b"\x10" * 40]
)
def test_binary_heads_are_not_called_text(head: bytes) -> None:
    assert describe_non_audio(head) is None


def test_headers_of_a_few_bytes_are_bearable() -> None:
    for magic in (b"RIFF", b"RF64", b"riff", b"FORM", b".snd", b"caff", b"fLaC", b"OggS", b"ID3", b"\xff\xfb"):
        for n_zeros in range(40):
            is_cut_short(io.BytesIO(magic + b"\xff" * n_zeros), 1.0)


def test_caf_with_a_chunk_of_no_size_ends() -> None:
    assert not is_cut_short(io.BytesIO(b"caff" + b"\0" * 5000), 1.0)
