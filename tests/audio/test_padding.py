"""What an encoder adds before and behind the sound is left out where the file says how much it is."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import mutagen.mp4
import numpy as np
import pytest
from sounds import RATE, FloatArray, chirp, noise

from crnn.audio import av_decoding
from crnn.audio.blocks import Block
from crnn.audio.clip import load_clip
from crnn.audio.decoding import Decoder

Encode = Callable[..., Path]


def sound(seconds: float, rate: int) -> FloatArray:
    """A sweep in noise: nothing in it comes twice."""
    return chirp(seconds, rate, high_hz=3000.0) + noise(seconds, rate, 0.05)


def decoded(content: bytes) -> FloatArray:
    """All samples, as the file holds them."""
    return np.concatenate([block.samples.mean(axis=1) for block in Decoder(io.BytesIO(content), "a").blocks()])


def lag(samples: FloatArray, original: FloatArray) -> int:
    """By how many samples the one is late."""
    size = 2 * (len(samples) + len(original))
    found = np.fft.irfft(np.fft.rfft(samples, size) * np.fft.rfft(original, size).conj(), size).argmax()
    return int(found if found < size // 2 else found - size)


@pytest.mark.slow
@pytest.mark.parametrize("rate", [16_000, 44_100])
@pytest.mark.parametrize("seconds", [3.0, 2.0371])
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.m4a", ()),
        ("a.mov", ("-c:a", "aac")),
        ("a.3gp", ("-c:a", "aac")),
        ("a.m4a", ("-c:a", "alac")),
        ("a.mp4", ("-c:a", "libmp3lame")),
        ("a.mp3", ()),
        ("a.mp3", ("-q:a", "3")),
    ],
)
def test_start_and_end_are_those_of_the_sound(
    encode: Encode, name: str, options: tuple[str, ...], seconds: float, rate: int
) -> None:
    original = sound(seconds, rate)
    samples = decoded(encode(original, name, *options, rate=rate).read_bytes())
    # The list of edits counts milliseconds.
    assert len(samples) == pytest.approx(len(original), abs=0 if seconds == 3.0 else rate / 1000)
    assert lag(samples, original) == 0


def test_opus_in_an_mp4_ends_with_the_sound(encode: Encode) -> None:
    original = sound(2.0371, 48_000)
    samples = decoded(encode(original, "a.mp4", "-c:a", "libopus", rate=48_000).read_bytes())
    assert len(samples) == pytest.approx(len(original), abs=48)
    assert lag(samples, original) == 0


def test_what_itunes_writes_of_the_end_is_kept_to(encode: Encode) -> None:
    original = sound(2.5, RATE)
    path = encode(original, "a.m4a", "-use_editlist", "0", rate=RATE)
    assert len(decoded(path.read_bytes())) >= len(original) + 1024
    tags = mutagen.mp4.MP4(path)
    words = f" 00000000 00000400 000002DB {len(original):016X} 00000000"
    tags["----:com.apple.iTunes:iTunSMPB"] = [words.encode()]
    tags.save()
    samples = decoded(path.read_bytes())
    assert len(samples) == len(original)
    assert lag(samples, original) == 0


def test_words_of_itunes_that_say_nothing_are_passed_over(encode: Encode) -> None:
    path = encode(sound(2.5, RATE), "a.m4a", rate=RATE)
    n_whole = len(decoded(path.read_bytes()))
    for words in (b"", b" 0 0 0 0 0", b" 00000000 00000840 000001CA", b" 0 0 0 what", b" 0 0 0 FFFFFFFFFFFFFFFF"):
        tags = mutagen.mp4.MP4(path)
        tags["----:com.apple.iTunes:iTunSMPB"] = [words]
        tags.save()
        assert len(decoded(path.read_bytes())) == n_whole


@pytest.mark.parametrize("n_per_block", [7, 64, 1000])
def test_only_padding_is_left_out(n_per_block: int) -> None:
    samples = np.arange(1000, dtype=np.float32)[:, None]
    for end, n_kept in ((9.37, 937), (9.1, 910), (8.9, 1000), (1.0, 1000), (10.0, 1000), (12.0, 1000)):
        blocks = (Block(samples[at : at + n_per_block], 100) for at in range(0, 1000, n_per_block))
        kept = [block.samples for block in av_decoding._without_padding(blocks, end, 1.0)]
        np.testing.assert_array_equal(np.concatenate(kept), samples[:n_kept])


@pytest.mark.parametrize(
    "files",
    [
        ((16_000, ()), (16_000, ())),
        ((8_000, ()), (44_100, ())),
        ((44_100, ("-q:a", "2")), (8_000, ("-b:a", "8k")), (48_000, ("-q:a", "6", "-write_id3v1", "1"))),
    ],
)
def test_joined_mp3s_are_each_as_long_as_alone(encode: Encode, files: tuple[tuple[int, tuple[str, ...]], ...]) -> None:
    """Were the second one's delay heard, there would be a gap."""
    alone = [encode(sound(3.0, rate), "a.mp3", *options, rate=rate).read_bytes() for rate, options in files]
    joined = decoded(b"".join(alone))
    assert len(joined) == sum(3 * rate for rate, _ in files)
    np.testing.assert_array_equal(joined, np.concatenate([decoded(content) for content in alone]))
    notes = load_clip(b"".join(alone), RATE).notes
    n = len(files)
    assert notes[0] == (
        f"The file's header says that it is 3.0 s long; {3.0 * n:.1f} s are there, and all of it was heard."
    )
    assert not any("damaged" in note for note in notes)


@pytest.mark.parametrize("before", [bytes(5000), b"HTTP/1.1 200 OK\r\n\r\n", b"a radio\n" * 300, bytes(300_000)])
@pytest.mark.parametrize("options", [(), ("-q:a", "4", "-id3v2_version", "0")])
def test_an_mp3_behind_other_things_is_what_it_was(encode: Encode, before: bytes, options: tuple[str, ...]) -> None:
    content = encode(sound(3.0, 16_000), "a.mp3", *options, rate=16_000).read_bytes()
    samples = decoded(before + content)
    assert len(samples) == 48_000
    np.testing.assert_array_equal(samples, decoded(content))


def test_the_end_of_an_mp3_without_a_table_is_read_once_after_a_leap(encode: Encode) -> None:
    content = encode(sound(20.0, RATE), "a.mp3", "-write_xing", "0", rate=RATE).read_bytes()
    whole = decoded(content)
    decoder = Decoder(io.BytesIO(content), "a")
    skipped = decoder.skip(12.0)
    rest = np.concatenate([block.samples[:, 0] for block in decoder.blocks()])
    assert skipped == 12.0
    assert len(rest) == len(whole) - 12 * RATE
    assert not decoder.is_damaged
