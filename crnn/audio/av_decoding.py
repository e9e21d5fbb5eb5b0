"""What soundfile does not read, by PyAV: m4a, mp4, mkv, webm, wma, wv, tta, ac3 and more.

PyAV is held to formats that carry their sound themselves: a playlist or a manifest would have it open
other files, or the network. Frames are always made packed before they are read: PyAV's list of planes
runs past its end at eight channels and more.
"""

from __future__ import annotations

import ctypes
import functools
import logging
import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from crnn.audio.blocks import SAMPLES_PER_READ, Block, FloatArray, Opened

if TYPE_CHECKING:
    import av
    from av.container import InputContainer

_MAX_BAD_PACKETS = 50
# The most in one allocation. The index of a film of a whole day takes some 100 MB.
_MAX_FFMPEG_BYTES = 200 * 2**20
_FORMATS = (
    "mov,matroska,webm,asf,caf,aac,ac3,eac3,amr,amrnb,amrwb,aiff,au,avi,dsf,dts,dtshd,flac,flv,loas,mp3,mpc,mpc8,"
    "mlp,mpeg,mpegts,nut,ogg,rm,sox,truehd,wav,w64,ape,tak,tta,wv"
)
# Formats whose header gives the length; for the others PyAV guesses it from the bit rate.
_TIMED_FORMATS = frozenset({"mov", "matroska", "asf", "tta", "wv", "ape", "tak", "flac"})
# How far to look for sound in a track before another track is chosen.
_PROBED_SECONDS = 120.0
_AUDIBLE = 1e-3
# Chunks of w64 are padded to a multiple of this; FFmpeg takes the padding for a frame.
_CHUNK_STEP = 8
# For a codec whose frames differ in size, such as Opus.
_FRAME_SIZE = 1024
_log = logging.getLogger(__name__)


class NoSoundInsideError(Exception):
    """The container is understood and has no audio stream."""


def open_av(file: BinaryIO) -> Opened:
    """What PyAV makes of a file.

    Raises:
        NoSoundInsideError: It holds no sound track that can be decoded.
        Exception: PyAV's own, of many kinds.
    """
    container = open_container(file)
    options = {}
    if container.format.name.startswith("mov") and any(stream.duration == 0 for stream in container.streams.audio):
        # A list of edits that leaves nothing of the sound.
        container.close()
        options = {"ignore_editlist": "1"}
        container = open_container(file, options)
    tracks = [stream for stream in container.streams.audio if stream.codec_context is not None]
    if not tracks:
        has_sound = bool(container.streams.audio)
        container.close()
        raise ValueError("a codec that is not known here") if has_sound else NoSoundInsideError
    index, notes = tracks[0].index, tuple[str, ...]()
    if len(tracks) > 1:
        container.close()
        index, notes = _choose(file, options)
        container = open_container(file, options)
    stream = next(stream for stream in container.streams.audio if stream.index == index)
    n_channels = _plain_layout(stream)
    opened = Opened(int(stream.rate or 0), n_channels, iter(()), container.close, notes=notes)
    opened.format = container.format.name.split(",")[0]
    opened.coding = f"{stream.codec_context.name}, {_channels(n_channels)}"
    if opened.format in _TIMED_FORMATS:
        opened.declared_seconds = _declared_seconds(container, stream)
    opened.blocks = _blocks(container, stream, opened)
    if opened.format == "mov" and opened.declared_seconds and stream.rate:
        opened.blocks = _without_padding(opened.blocks, _end_seconds(container, stream), _padding_seconds(stream))
    return opened


def open_container(file: BinaryIO, options: dict[str, str] | None = None) -> InputContainer:
    """A container, from the start of the file, its tags of whatever encoding.

    Args:
        file: The file, seekable, open for reading.
        options: Of FFmpeg, beside those that hold it to one file.
    """
    import av

    _bound_ffmpeg()
    file.seek(0)
    options = {"format_whitelist": _FORMATS, "protocol_whitelist": "none", **(options or {})}
    try:
        return av.open(file, mode="r", options=options, metadata_errors="replace")
    except TypeError:
        # Later versions of PyAV always replace, and have no such argument.
        file.seek(0)
        return av.open(file, mode="r", options=options)


@functools.cache
def _bound_ffmpeg() -> None:
    """Let no header talk FFmpeg into much memory: a list in an AVI may claim 2 GB, which are then filled with zeros.

    PyAV does not offer FFmpeg's limit, so it is set in the library that PyAV brought along; another one is left alone.
    """
    import av

    package = Path(av.__file__).parent
    for path in (*package.parent.glob("av.libs/*avutil*"), *package.glob(".dylibs/*avutil*")):
        try:
            limit = ctypes.CDLL(str(path)).av_max_alloc
        except (OSError, AttributeError) as err:
            _log.info("FFmpeg goes without a limit of memory: %s", err)
        else:
            limit.argtypes, limit.restype = [ctypes.c_size_t], None
            limit(_MAX_FFMPEG_BYTES)


def _plain_layout(stream: av.AudioStream) -> int:
    """The number of channels, in a layout without a map.

    PyAV frees the map of a custom layout (the `chan` of a mov) with each copy that it makes of it. Where a channel
    stands does not matter here, so the decoder is given their number alone; the map is then freed once.
    """
    context = stream.codec_context
    layout = context.layout
    n_channels = int(layout.nb_channels)
    if n_channels:
        context.layout = _channels(n_channels)
    return n_channels


def _declared_seconds(container: Any, stream: av.AudioStream) -> float:
    import av

    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    # A film may be longer than its sound.
    return float(container.duration or 0) / av.time_base if len(container.streams) == 1 else 0.0


# What an encoder added


def _end_seconds(container: Any, stream: av.AudioStream) -> float:
    """Where the sound ends by the list of edits or by the words of iTunes, of which FFmpeg heeds the start alone."""
    end = _declared_seconds(container, stream)
    words = str(container.metadata.get("iTunSMPB", "")).split()
    try:
        # Nothing, samples before the sound, samples behind it, samples of it.
        n_samples = int(words[3], 16)
    except (IndexError, ValueError):
        return end
    return min(end, n_samples / stream.rate) if n_samples else end


def _padding_seconds(stream: av.AudioStream) -> float:
    """More than this behind the end is no codec's padding, which fills up frames."""
    return 2.0 * (stream.codec_context.frame_size or _FRAME_SIZE) / stream.rate


def _without_padding(blocks: Iterator[Block], end: float, most: float) -> Iterator[Block]:
    """Blocks up to where the sound ends; all of them where more follows than padding, for then the end is wrong."""
    at, behind = 0.0, list[Block]()
    for samples, rate in blocks:
        n_inside = len(samples) if math.isinf(end) else max(0, math.ceil((end - at) * rate - 1e-3))
        if n_inside:
            yield Block(samples[:n_inside], rate)
        if n_inside < len(samples):
            behind.append(Block(samples[n_inside:], rate))
        at += len(samples) / rate
        if at > end + most:
            yield from behind
            behind, end = [], math.inf


# Several tracks


def _choose(file: BinaryIO, options: dict[str, str]) -> tuple[int, tuple[str, ...]]:
    """The index of the track to be heard: the default one, else the first, of those that have sound."""
    with open_container(file, options) as container:
        tracks = [(s.index, _described(s), _is_default(s)) for s in container.streams.audio if s.codec_context]
    in_order = sorted(range(len(tracks)), key=lambda i: not tracks[i][2])
    silent: set[int] = set()
    for i in in_order:
        if _is_heard(file, tracks[i][0], options):
            break
        silent.add(i)
    else:
        i = in_order[0]
    names = []
    for number, (_, what, is_default) in enumerate(tracks):
        marks = [what, *(["default"] if is_default else []), *(["silent"] if number in silent else [])]
        names.append(f"{number + 1} ({', '.join(marks)})")
    return tracks[i][0], (f"It has {len(tracks)} sound tracks: {'; '.join(names)}. Track {i + 1} was heard.",)


def _described(stream: Any) -> str:
    channels = _channels(_plain_layout(stream))
    tags = dict(stream.metadata)
    language = tags.get("language", "")
    title = tags.get("title") or ("" if language == "und" else language)
    title = "".join(char for char in title if char.isprintable())[:40]
    return ", ".join(filter(None, (title, stream.codec_context.name, channels)))


def _channels(n_channels: int) -> str:
    return {1: "mono", 2: "stereo"}.get(n_channels, f"{n_channels} channels")


def _is_default(stream: Any) -> bool:
    import av

    return bool(int(stream.disposition) & int(av.stream.Disposition.default))


def _is_heard(file: BinaryIO, index: int, options: dict[str, str]) -> bool:
    """Whether a track has sound in its first minutes."""
    import av

    seconds = 0.0
    try:
        with open_container(file, options) as container:
            stream = next(stream for stream in container.streams.audio if stream.index == index)
            _plain_layout(stream)
            for block in _blocks(container, stream, Opened(0, 0, iter(()), container.close)):
                if float(np.abs(block.samples).max(initial=0.0)) > _AUDIBLE:
                    return True
                seconds += len(block.samples) / block.sample_rate
                if seconds > _PROBED_SECONDS:
                    break
    except (av.FFmpegError, ValueError, OSError) as err:
        _log.info("track %d cannot be read: %s", index, err)
    return False


# Frames


def _blocks(container: Any, stream: av.AudioStream, opened: Opened) -> Iterator[Block]:
    import av

    parts: list[FloatArray] = []
    kind, n_samples, to_packed = (0, 0), 0, None
    try:
        for frame in _frames(container, stream, opened):
            now = (frame.sample_rate, frame.layout.nb_channels)
            if now != kind or to_packed is None:
                # A change in mid-stream: what is left of the old goes first.
                if parts:
                    yield Block(np.concatenate(parts), kind[0])
                parts, n_samples, kind = [], 0, now
                to_packed = av.AudioResampler(format="flt")
            for packed in to_packed.resample(frame):
                parts.append(packed.to_ndarray().reshape(-1, kind[1]).astype(np.float32, copy=False))
                n_samples += parts[-1].size
            if n_samples >= SAMPLES_PER_READ:
                yield Block(np.concatenate(parts), kind[0])
                parts, n_samples = [], 0
    except (av.FFmpegError, ValueError) as err:
        # What was decoded before the damage still counts.
        _log.info("decoding stopped: %s", err)
        opened.is_damaged = True
    if parts:
        yield Block(np.concatenate(parts), kind[0])


def _frames(container: Any, stream: av.AudioStream, opened: Opened) -> Iterator[av.AudioFrame]:
    """Decoded frames, over packets that are damaged."""
    import av

    n_bad = 0
    for packet in container.demux(stream):
        try:
            frames = packet.decode()
        except av.FFmpegError:
            if packet.size < _CHUNK_STEP:
                continue
            opened.is_damaged = True
            n_bad += 1
            if n_bad > _MAX_BAD_PACKETS:
                raise
            continue
        n_bad = 0
        yield from frames
