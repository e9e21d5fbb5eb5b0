"""Files to fuzz with: a good one of every format, made on the spot, and ways to damage them.

A case comes again from its seed and number. Headers, lengths, ends, single bits and whole stretches are changed, two
formats spliced, foreign headers and tags put in front.
"""

from __future__ import annotations

import collections
import io
import random
import struct
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

RATE = 22_050

Corpus = dict[str, list[bytes]]
Mutation = Callable[[bytearray, random.Random, Corpus], bytearray]


def make_corpus(seconds: float = 2.5) -> Corpus:
    """Good files by format, one or two each; formats whose encoder this machine lacks are left out."""
    rng = np.random.default_rng(3)
    t = np.arange(round(seconds * RATE)) / RATE
    tone = 0.4 * np.sin(2 * np.pi * (220 + 300 * t) * t) + 0.05 * rng.standard_normal(len(t))
    stereo = np.stack([tone, tone[::-1]], axis=1).astype(np.float32)
    corpus: Corpus = collections.defaultdict(list)
    for name, kind, subtype in (
        ("wav", "WAV", "PCM_16"),
        ("wav", "WAV", "FLOAT"),
        ("wav", "WAV", "IMA_ADPCM"),
        ("wav", "WAVEX", "PCM_24"),
        ("rf64", "RF64", "PCM_16"),
        ("w64", "W64", "PCM_16"),
        ("flac", "FLAC", "PCM_16"),
        ("mp3", "MP3", "MPEG_LAYER_III"),
        ("ogg", "OGG", "VORBIS"),
        ("opus", "OGG", "OPUS"),
        ("aiff", "AIFF", "PCM_16"),
        ("au", "AU", "ULAW"),
        ("caf", "CAF", "ALAC_16"),
        ("voc", "VOC", "PCM_16"),
        ("ircam", "IRCAM", "PCM_16"),
    ):
        corpus[name].append(_with_soundfile(stereo, kind, subtype))
    for name, container, codec in (
        ("m4a", "ipod", "aac"),
        ("m4a", "ipod", "alac"),
        ("mov", "mov", "pcm_s16le"),
        ("aac", "adts", "aac"),
        ("webm", "webm", "libopus"),
        ("mkv", "matroska", "flac"),
        ("wma", "asf", "wmav2"),
        ("avi", "avi", "libmp3lame"),
        ("flv", "flv", "aac"),
        ("ts", "mpegts", "mp2"),
        ("mpg", "mpeg", "mp2"),
        ("ac3", "ac3", "ac3"),
        ("tta", "tta", "tta"),
        ("wv", "wv", "wavpack"),
        ("nut", "nut", "mp2"),
        ("rm", "rm", "ac3"),
        ("sox", "sox", "pcm_s32le"),
    ):
        made = _with_av(stereo, container, codec)
        if made:
            corpus[name].append(made)
    _add_unusual(corpus, stereo)
    return dict(corpus)


def _add_unusual(corpus: Corpus, stereo: npt.NDArray[np.float32]) -> None:
    """Many channels, several tracks, joined streams, and sound of minutes."""
    for n_channels in (6, 8, 16, 64):
        many = np.repeat(stereo, n_channels // 2, axis=1)
        corpus["wav of many channels"].append(_with_soundfile(many, "WAV", "PCM_16"))
        if n_channels <= 8:
            corpus["flac of many channels"].append(_with_soundfile(many, "FLAC", "PCM_16"))
    for layout in ("5.1", "7.1"):
        for name, container, codec in (
            ("mkv", "matroska", "flac"),
            ("m4a", "ipod", "aac"),
            ("mov", "mov", "pcm_s24le"),
        ):
            made = _with_av(stereo, container, codec, layout)
            if made:
                corpus[f"{name} of many channels"].append(made)
    for name in ("mp3", "ogg", "opus", "flac", "aac", "wav", "aiff"):
        if name in corpus:
            corpus[f"joined {name}"].append(corpus[name][0] * 2)
    for container in ("matroska", "mov"):
        made = _with_av(stereo, container, "aac", n_tracks=3)
        if made:
            corpus["several tracks"].append(made)
    corpus["long"].append(_with_soundfile(np.tile(stereo, (60, 1)), "MP3", "MPEG_LAYER_III"))


def _with_soundfile(samples: npt.NDArray[np.float32], kind: str, subtype: str) -> bytes:
    import soundfile

    out = io.BytesIO()
    # Opus has few rates to choose from.
    soundfile.write(out, samples, 24_000 if subtype == "OPUS" else RATE, format=kind, subtype=subtype)
    return out.getvalue()


def _with_av(
    samples: npt.NDArray[np.float32], container: str, codec: str, layout: str = "stereo", n_tracks: int = 1
) -> bytes | None:
    import av

    out = io.BytesIO()
    rate = 48_000
    try:
        with av.open(out, "w", format=container) as file:
            streams = []
            for _ in range(n_tracks):
                stream = file.add_stream(codec, rate=rate, layout=layout)
                assert isinstance(stream, av.AudioStream)
                stream.bit_rate = 128_000
                stream.codec_context.open()
                streams.append(stream)
            for stream in streams:
                frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples.T), format="fltp", layout="stereo")
                frame.sample_rate, frame.pts = RATE, 0
                to_codec = av.AudioResampler(stream.format, layout, rate, frame_size=stream.frame_size or 4096)
                for each in [*to_codec.resample(frame), *to_codec.resample(None)]:
                    file.mux(stream.encode(each))
                file.mux(stream.encode(None))
    except (av.FFmpegError, ValueError):
        return None
    return out.getvalue()


_NUMBERS = (0, 1, 2, 3, 7, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 2**63 - 1)


def _cut(data: bytearray, rng: random.Random, corpus: Corpus) -> bytearray:
    return data[: rng.randrange(len(data))]


def _flip_bits(data: bytearray, rng: random.Random, corpus: Corpus) -> bytearray:
    for _ in range(2 ** rng.randrange(8)):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return data


def _overwrite(data: bytearray, rng: random.Random, corpus: Corpus) -> bytearray:
    start, length = _stretch(data, rng)
    fill = rng.choice([rng.randbytes(length), bytes(length), b"\xff" * length])
    data[start : start + length] = fill
    return data


def _damage_header(data: bytearray, rng: random.Random, corpus: Corpus) -> bytearray:
    for _ in range(rng.randint(1, 4)):
        _write_number(data, rng.randrange(min(len(data), 256)), rng)
    return data


def _lie_about_length(data: bytearray, rng: random.Random, corpus: Corpus) -> bytearray:
    # Chunks of RIFF, AIFF, CAF and MP4 have four letters beside the number of their bytes.
    tags = [i for i in range(len(data) - 4) if data[i : i + 4].isalpha() and data[i : i + 4].isascii()]
    for at in rng.sample(tags, min(len(tags), rng.randint(1, 3))):
        _write_number(data, max(0, at + rng.choice([4, -4, 8, 12])), rng)
    return data


def _write_number(data: bytearray, at: int, rng: random.Random) -> None:
    value = rng.choice([*_NUMBERS, rng.getrandbits(32), rng.getrandbits(16), len(data)])
    n_bytes = rng.choice([1, 2, 4, 8])
    data[at : at + n_bytes] = (value % 256**n_bytes).to_bytes(n_bytes, rng.choice(["little", "big"]))


def _remove(data: bytearray, rng: random.Random, corpus: Corpus) -> bytearray:
    start, length = _stretch(data, rng)
    del data[start : start + length]
    return data


def _repeat(data: bytearray, rng: random.Random, corpus: Corpus) -> bytearray:
    start, length = _stretch(data, rng)
    data[start:start] = data[start : start + length] * rng.randint(1, 8)
    return data


def _insert(data: bytearray, rng: random.Random, corpus: Corpus) -> bytearray:
    at = rng.randrange(len(data))
    data[at:at] = rng.randbytes(2 ** rng.randrange(14))
    return data


def _splice(data: bytearray, rng: random.Random, corpus: Corpus) -> bytearray:
    other = rng.choice(corpus[rng.choice(sorted(corpus))])
    return data[: rng.randrange(1, len(data))] + other[rng.randrange(len(other)) :]


def _put_other_header(data: bytearray, rng: random.Random, corpus: Corpus) -> bytearray:
    other = rng.choice(corpus[rng.choice(sorted(corpus))])
    n_bytes = 2 ** rng.randrange(2, 12)
    return bytearray(other[:n_bytes]) + data[n_bytes:]


def _tag(data: bytearray, rng: random.Random, corpus: Corpus) -> bytearray:
    """An ID3 tag before it, whose size is right or not."""
    size = rng.choice([10, 4096, 2**20, rng.getrandbits(28)])
    spread = bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0))
    return bytearray(b"ID3" + struct.pack("BBB", rng.choice([2, 3, 4, 255]), 0, 0) + spread + rng.randbytes(10)) + data


def _only_its_magic(data: bytearray, rng: random.Random, corpus: Corpus) -> bytearray:
    return data[: rng.choice([4, 12, 36, 64])] + rng.randbytes(2 ** rng.randrange(17))


MUTATIONS: tuple[Mutation, ...] = (
    _cut,
    _flip_bits,
    _overwrite,
    _damage_header,
    _damage_header,
    _lie_about_length,
    _lie_about_length,
    _remove,
    _repeat,
    _insert,
    _splice,
    _put_other_header,
    _tag,
    _only_its_magic,
)


def _stretch(data: bytearray, rng: random.Random) -> tuple[int, int]:
    start = rng.randrange(len(data))
    return start, min(len(data) - start, 2 ** rng.randrange(16))


def make_case(corpus: Corpus, seed: int, number: int) -> tuple[str, bytes]:
    """Format and content of a case; the same seed, number and corpus give the same case.

    Args:
        corpus: Good files by format.
        seed: Of the whole run.
        number: Of the case; one format comes after the other.
    """
    rng = random.Random(f"{seed} {number}")
    kind = sorted(corpus)[number % len(corpus)]
    data = bytearray(rng.choice(corpus[kind]))
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        data = rng.choice(MUTATIONS)(data, rng, corpus) or bytearray(b"\0")
    return kind, bytes(data)
