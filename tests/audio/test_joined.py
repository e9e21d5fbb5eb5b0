"""Files of self-measured containers joined to one another, and headers of them that count too little."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from sounds import RATE, chirp, noise, sine, wav_bytes

from crnn.audio import extents
from crnn.audio.clip import load_clip
from crnn.errors import UndecodableAudioError

# Dozens of files of rare kinds, each made by ffmpeg.
pytestmark = pytest.mark.slow

LOW, HIGH = 400.0, 1900.0
Encode = Callable[..., Path]


def tones(encode: Encode, name: str, rates: tuple[int, int], *options: str) -> bytes:
    """Three seconds of a low tone, and a file of four of a high one behind it."""
    return b"".join(
        encode(sine(tone, seconds, rate), name, *options, rate=rate).read_bytes()
        for tone, seconds, rate in zip((LOW, HIGH), (3.0, 4.0), rates, strict=True)
    )


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.m4a", ()),
        ("a.m4a", ("-c:a", "alac")),
        ("a.m4a", ("-movflags", "+faststart")),
        ("a.mov", ("-c:a", "pcm_s16le")),
        ("a.mka", ("-c:a", "flac")),
        ("a.webm", ("-c:a", "libopus")),
        ("a.wma", ()),
        ("a.wv", ("-metadata", "title=One")),
        ("a.tta", ("-metadata", "title=One")),
        ("a.caf", ()),
        ("a.au", ()),
        ("a.w64", ()),
        ("a.sox", ()),
        ("a.flv", ("-c:a", "pcm_s16le", "-ar", "22050")),
        ("a.voc", ()),
    ],
)
@pytest.mark.parametrize("rates", [(48_000, 48_000), (44_100, 32_000)])
def test_each_of_the_joined_is_heard(
    encode: Encode, name: str, options: tuple[str, ...], rates: tuple[int, int]
) -> None:
    content = tones(encode, name, (48_000, 48_000) if name == "a.webm" else rates, *options)
    clip = load_clip(content, RATE)
    assert clip.duration_seconds == pytest.approx(7.0, abs=0.2)
    for at, tone in ((1.5, LOW), (5.0, HIGH)):
        second = clip.samples[round((at - 0.5) * RATE) : round((at + 0.5) * RATE)]
        spectrum = np.abs(np.fft.rfft(second * np.hanning(len(second))))
        assert float(np.fft.rfftfreq(len(second), 1 / RATE)[spectrum.argmax()]) == pytest.approx(tone, abs=2)
    assert not any("damaged" in note for note in clip.notes)


def test_joined_mp3s_without_tables_are_no_damage(encode: Encode) -> None:
    content = tones(encode, "a.mp3", (48_000, 48_000), "-q:a", "5", "-write_xing", "0")
    clip = load_clip(content, RATE)
    assert clip.duration_seconds == pytest.approx(7.05, abs=0.1)
    assert not any("damaged" in note for note in clip.notes)


def test_opus_of_channels_without_a_layout_is_no_damage(encode: Encode) -> None:
    samples = np.repeat(sine(HIGH, 3.0, 48_000, 0.3)[:, None], 5, axis=1)
    options = ("-c:a", "libopus", "-mapping_family", "255")
    clip = load_clip(encode(samples, "a.opus", *options, rate=48_000).read_bytes(), RATE)
    assert clip.duration_seconds == pytest.approx(3.0, abs=0.01)
    assert not any("damaged" in note for note in clip.notes)


@pytest.mark.parametrize(
    "magic",
    [
        b"Creative Voice File\x1a",
        b"FLV\1",
        b".SoX",
        b"wvpk",
        b"caff",
        b"TTA1",
        b"\x1a\x45\xdf\xa3",
        b".snd",
        b"\0\0\0\x18ftyp",
    ],
)
def test_sizes_that_lead_nowhere_end_the_search(magic: bytes) -> None:
    for seed in range(50):
        content = magic + np.random.default_rng(seed).bytes(500)
        for size in (len(content), 20, 9):
            (span, *_) = extents.joined(io.BytesIO(content[:size]), size)
            assert span[0] == 0
    assert extents.joined(io.BytesIO(magic + b"\xff" * 60), 60 + len(magic)) == [(0, 60 + len(magic))]
    assert extents.joined(io.BytesIO(magic + bytes(60)), 60 + len(magic)) == [(0, 60 + len(magic))]


@pytest.mark.parametrize("options", [("-c:a", "mp3", "-q:a", "2"), ("-c:a", "mp3", "-b:a", "128k"), ("-c:a", "mp2")])
def test_mpeg_audio_in_a_wav_is_heard_to_its_end(encode: Encode, options: tuple[str, ...]) -> None:
    """Its length would be guessed by its first frames, which are the largest."""
    samples = np.concatenate([noise(5.0, 44_100), sine(LOW, 15.0, 44_100)])
    clip = load_clip(encode(samples, "a.wav", *options, rate=44_100).read_bytes(), RATE)
    assert clip.duration_seconds == pytest.approx(20.0, abs=0.1)
    assert float(np.abs(clip.samples[-RATE : -RATE // 2]).max()) > 0.1
    assert not any("damaged" in note or "header" in note for note in clip.notes)


@pytest.mark.parametrize("codec", ["libmp3lame", "wmav2"])
@pytest.mark.parametrize("seconds", [5.0, 5.1, 5.25])
def test_what_fills_up_a_chunk_is_no_damage(encode: Encode, codec: str, seconds: float) -> None:
    """Chunks of a w64 end at a multiple of eight bytes; the rest is given to the decoder like a frame."""
    path = encode(sine(LOW, seconds, 16_000), "a.w64", "-c:a", codec, rate=16_000)
    clip = load_clip(path.read_bytes(), RATE)
    assert clip.duration_seconds == pytest.approx(seconds, abs=0.15)
    assert not any("damaged" in note for note in clip.notes)


def test_mlp_of_a_dvd_is_heard(encode: Encode) -> None:
    path = encode(sine(LOW, 2.0, 48_000), "a.mlp", "-ac", "2", "-strict", "-2", rate=48_000)
    assert load_clip(path.read_bytes(), RATE).duration_seconds == pytest.approx(2.0, abs=0.01)


# Headers that count too little


def recounted(content: bytes, at: int, value: int, n_bytes: int, order: str = "little") -> bytes:
    return content[:at] + value.to_bytes(n_bytes, order) + content[at + n_bytes :]  # type: ignore[arg-type]


@pytest.mark.parametrize("seconds", [1.0, 0.0])
@pytest.mark.parametrize("kind", ["RF64", "CAF", "AU"])
def test_sound_beyond_what_a_header_counts_is_read(kind: str, seconds: float) -> None:
    samples = chirp(5.0)
    content = wav_bytes(samples, RATE, "PCM_16", kind)
    n_bytes = round(2 * seconds * RATE)
    if kind == "RF64":
        content = recounted(content, content.find(b"ds64") + 16, n_bytes or 2**64 - 1, 8)
    elif kind == "CAF":
        at = content.find(b"data") + 4
        content = recounted(content, at, 4 + n_bytes if n_bytes else 2**64 - 1, 8, "big")
    else:
        content = recounted(content, 8, n_bytes, 4, "big")
    clip = load_clip(content, RATE)
    np.testing.assert_allclose(clip.samples, samples, atol=0.001)
    told = "The file's header says that it is 1.0 s long; 5.0 s are there, and all of it was heard."
    assert clip.notes == ((told,) if seconds else ())


@pytest.mark.parametrize("declared", [2**31, 2**32 - 2])
def test_an_au_that_counts_beyond_all_files_is_read(declared: int) -> None:
    samples = chirp(3.0)
    content = wav_bytes(samples, RATE, "PCM_16", "AU")
    clip = load_clip(recounted(content, 8, declared, 4, "big"), RATE)
    np.testing.assert_allclose(clip.samples, samples, atol=0.001)


def test_an_mp4_whose_edits_leave_nothing_is_heard(encode: Encode) -> None:
    content = encode(sine(LOW, 3.0), "a.m4a").read_bytes()
    at = content.find(b"elst") + 12
    clip = load_clip(recounted(content, at, 0, 4, "big"), RATE)
    assert clip.duration_seconds == pytest.approx(3.0, abs=0.1)


@pytest.mark.parametrize("name", ["a.avi", "a.sox"])
def test_what_is_cut_short_is_told(encode: Encode, name: str) -> None:
    content = encode(sine(LOW, 4.0, 44_100), name, rate=44_100).read_bytes()
    assert load_clip(content[: len(content) // 2], RATE).notes[0].startswith("The file is damaged or cut short")
    assert not any("damaged" in note for note in load_clip(content, RATE).notes)


@pytest.mark.parametrize("first", ["a.wav", "a.aiff"])
@pytest.mark.parametrize("second", ["a.flac", "a.ogg", "a.m4a", "a.wma"])
def test_another_kind_behind_plain_samples_is_no_noise(encode: Encode, first: str, second: str) -> None:
    content = encode(sine(LOW, 3.0), first).read_bytes() + encode(sine(HIGH, 4.0), second).read_bytes()
    clip = load_clip(content, RATE)
    assert clip.duration_seconds == pytest.approx(7.0, abs=0.1)
    spectrum = np.abs(np.fft.rfft(clip.samples[round(3.5 * RATE) : round(6.5 * RATE)]))
    assert int(spectrum.argmax()) == pytest.approx(3 * HIGH, abs=6)


def test_chunks_behind_the_sound_of_a_caf_are_no_sound() -> None:
    samples = sine(LOW, 3.0)
    behind = b"info" + struct.pack(">q", 5000) + b"x" * 5000
    clip = load_clip(wav_bytes(samples, RATE, "PCM_16", "CAF") + behind, RATE)
    assert len(clip.samples) == len(samples)
    assert clip.notes == ()


@pytest.mark.parametrize("declared_seconds", [0.0, 2.0])
def test_flac_whose_total_is_too_small_before_a_large_tag(declared_seconds: float) -> None:
    samples = noise(5.0)
    content = wav_bytes(samples, RATE, "PCM_16", "FLAC")
    packed = int.from_bytes(content[18:26], "big") & ~(2**36 - 1) | round(declared_seconds * RATE)
    clip = load_clip(recounted(content, 18, packed, 8, "big") + b"TAG" + b"\xff\xf8" * 400_000, RATE)
    np.testing.assert_allclose(clip.samples, samples, atol=1e-4)
    assert not any("damaged" in note for note in clip.notes)


# Behind junk, and what cannot be read


@pytest.mark.parametrize("kind", ["AU", "W64", "VOC"])
@pytest.mark.parametrize("before", [bytes(5000), b"HTTP/1.1 200 OK\r\n\r\n", b"text of a radio\n" * 300])
def test_rarer_formats_are_found_behind_junk(kind: str, before: bytes) -> None:
    samples = sine(HIGH, 3.0, level=0.3)
    clip = load_clip(before + wav_bytes(samples, RATE, "PCM_16", kind), RATE)
    assert len(clip.samples) == pytest.approx(len(samples), abs=8)


def test_what_a_decoder_knows_and_cannot_decode_is_not_called_empty(encode: Encode) -> None:
    content = bytearray(encode(sine(LOW, 3.0, 48_000), "a.m4a", rate=48_000).read_bytes())
    start, end = content.find(b"mdat") + 4, content.find(b"moov") - 4
    content[start:end] = np.random.default_rng(1).bytes(end - start)
    with pytest.raises(UndecodableAudioError, match=r"cannot be decoded.* \(aac, mono\)(; 0.\d\d s of it .*)?\. Give"):
        load_clip(bytes(content), RATE)


def test_written_by_others_it_reads_the_same(tmp_path: Path) -> None:
    """What is whole is not touched: no header is made for it."""
    samples = np.stack([chirp(3.0), noise(3.0)], axis=1)
    for kind in ("RF64", "CAF", "AU", "W64"):
        path = tmp_path / kind
        soundfile.write(path, samples, RATE, format=kind, subtype="PCM_16")
        assert load_clip(path, RATE).notes == ("2 channels were mixed to mono.",)


@pytest.mark.parametrize("size", [2**63 - 1, 2**63, 2**64 - 1, 2**64 - 25])
@pytest.mark.parametrize(
    ("head", "order"),
    [
        (bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c"), "<Q"),
        (b"\0\0\0\x10ftypM4A \0\0\0\0\0\0\0\x01moov", ">Q"),
        (b"caff\0\x01\0\0free", ">Q"),
        (b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\x00\x00", "<Q"),
        (b"\x1a\x45\xdf\xa3\x01", ">Q"),
    ],
)
def test_sizes_beyond_all_files_end_the_search(head: bytes, order: str, size: int) -> None:
    content = head + struct.pack(order, size) + bytes(300)
    assert extents.joined(io.BytesIO(content), len(content)) == [(0, len(content))]
    with pytest.raises(UndecodableAudioError):
        load_clip(content, RATE)
