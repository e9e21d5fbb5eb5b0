"""Files opened and decoded: samples as the file holds them, block by block.

Recognised by content, never by name. soundfile decodes first (it survives
damage), PyAV what soundfile does not know or gives up. Blocks have the shape
`(n_frames, n_channels)` and a bounded size, so a lying header allocates nothing.
PyAV is held to formats that carry their sound themselves: a playlist or a
manifest would have it open other files, or the network.
"""

from __future__ import annotations

import ctypes
import functools
import io
import logging
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import numpy.typing as npt

from crnn import containers
from crnn.errors import EmptyAudioError, UndecodableAudioError

if TYPE_CHECKING:
    import av
    from av.container import InputContainer

FloatArray = npt.NDArray[np.float32]
Source = Path | str | bytes

ACCEPTED_FORMATS = "wav, mp3, flac, ogg, opus, m4a, aac, mp4, webm, wma, aiff, au, caf"
MAX_CHANNELS = 32
MIN_RATE_HZ, MAX_RATE_HZ = 1000, 768_000

# Small enough that damage in a block costs little, large enough to read fast.
_SAMPLES_PER_READ = 1 << 17
_MAX_BAD_PACKETS = 50
# At once. The table of a film's pieces takes some 100 MB for a whole day.
_MAX_FFMPEG_BYTES = 200 * 2**20
_AV_FORMATS = (
    "mov,matroska,webm,asf,caf,aac,ac3,eac3,amr,amrnb,amrwb,aiff,au,avi,dsf,flac,flv,mp3,mpeg,mpegts,ogg,wav,w64,"
    "ape,tta,wv"
)
# Those whose header says how long they are; of the others PyAV gives a guess by bit rate.
_AV_TIMED_FORMATS = frozenset({"mov", "matroska", "asf", "tta", "wv", "ape", "flac"})
_log = logging.getLogger(__name__)


@dataclass
class _Opened:
    """What one library made of a file."""

    sample_rate: int
    n_channels: int
    blocks: Iterator[FloatArray]
    close: Callable[[], None]
    declared_seconds: float = 0.0
    is_damaged: bool = False


class Decoder:
    """Samples of an opened file, as they are in it.

    `is_damaged` is known when `blocks` has ended.

    Args:
        file: The file, seekable, open for reading.
        name: What to call it in messages.

    Raises:
        UndecodableAudioError: No library understands it, or it claims what no recording has.
    """

    def __init__(self, file: BinaryIO, name: str) -> None:
        self._file, self._name = file, name
        self._opened, self._can_retry = self._open()
        self.sample_rate, self.n_channels = self._opened.sample_rate, self._opened.n_channels
        self.declared_seconds = self._opened.declared_seconds
        self.is_damaged = False

    def close(self) -> None:
        """Let go of the libraries' handles; the file itself stays open."""
        self._opened.close()

    def blocks(self) -> Iterator[FloatArray]:
        """Blocks of shape `(n_frames, n_channels)`, up to the end or to damage that nothing reads over."""
        n_given, failed = 0, False
        try:
            for block in self._opened.blocks:
                yield block
                n_given += len(block)
        except Exception as err:  # noqa: BLE001 - decoders raise whatever they like on damage
            _log.info("%s: decoding stopped: %s", self._name, err)
            failed = True
        if self._can_retry and (failed or not n_given):
            yield from self._rest(n_given, failed)
        else:
            self.is_damaged = failed or self._opened.is_damaged

    def _rest(self, n_given: int, failed: bool) -> Iterator[FloatArray]:
        # A FLAC of unknown length, a wav whose length was never filled in: PyAV reads on where soundfile stops.
        self.is_damaged = failed
        try:
            self._file.seek(0)
            other = _open_av(self._file)
        except Exception as err:  # noqa: BLE001 - as above
            _log.debug("%s: no second decoder: %s", self._name, err)
            return
        self._opened.close()
        self._opened, self._can_retry = other, False
        if (other.sample_rate, other.n_channels) == (self.sample_rate, self.n_channels):
            other.blocks = _without_first(other.blocks, n_given)
            yield from self.blocks()

    def _open(self) -> tuple[_Opened, bool]:
        found_no_sound = False
        for open_with in (_open_soundfile, _open_av):
            try:
                self._file.seek(0)
                opened = open_with(self._file)
            except _NoSoundInsideError:
                found_no_sound = True
            except Exception as err:  # noqa: BLE001 - a library's own errors are many; the next one is tried
                _log.debug("%s: %s: %s", self._name, open_with.__name__, err)
            else:
                if opened.n_channels > 0 and opened.sample_rate > 0:
                    self._check_claims(opened)
                    return opened, open_with is _open_soundfile
                opened.close()
        check_was_read(self._file, self._name)
        found = "holds no sound that can be read" if found_no_sound else _UNKNOWN
        raise UndecodableAudioError(f"{called(self._name)} {found}. Give audio: {ACCEPTED_FORMATS}.")

    def _check_claims(self, opened: _Opened) -> None:
        if opened.n_channels <= MAX_CHANNELS and MIN_RATE_HZ <= opened.sample_rate <= MAX_RATE_HZ:
            return
        opened.close()
        channels = "1 channel" if opened.n_channels == 1 else f"{opened.n_channels} channels"
        raise UndecodableAudioError(
            f"{called(self._name)} claims {channels} at {opened.sample_rate} Hz. Up to {MAX_CHANNELS} channels "
            "and 1 to 768 kHz are accepted: export it as stereo at 44.1 kHz."
        )


_UNKNOWN = "cannot be decoded: it is damaged, or of a kind that is not known here"


class _NoSoundInsideError(Exception):
    """The container is understood and has no audio stream."""


def called(name: str, at_start: bool = True) -> str:
    """How a message calls the sound: its name on one line, or "this recording"."""
    if name:
        return "“" + "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in name) + "”"
    return "This recording" if at_start else "this recording"


def open_file(source: Source, name: str) -> BinaryIO:
    """The file, open for reading, unless its first bytes say that it is no sound.

    Args:
        source: A path, or the bytes of a file.
        name: What to call it in messages.

    Raises:
        EmptyAudioError: It holds nothing.
        UndecodableAudioError: It cannot be opened, or is something else by its first bytes.
    """
    file = io.BytesIO(source) if isinstance(source, bytes) else _open_path(source, name)
    try:
        head = file.read(4096)
        check_was_read(file, name)
        if not head:
            raise EmptyAudioError(f"{called(name)} is empty (0 bytes). Choose a file that plays in a music player.")
        other = containers.describe_non_audio(head)
        if other:
            raise UndecodableAudioError(f"{called(name)} is {other}. Give audio: {ACCEPTED_FORMATS}.")
        file.seek(0)
    except BaseException:
        file.close()
        raise
    return file


class _WatchedFile(io.FileIO):
    """A file that ends where the disk fails, and remembers why: decoders lose what is raised in their callbacks."""

    fault: OSError | None = None

    def readinto(self, buffer: Any, /) -> int:
        try:
            return super().readinto(buffer)
        except OSError as err:
            self.fault = err
            return 0

    def readall(self) -> bytes:
        try:
            return super().readall()
        except OSError as err:
            self.fault = err
            return b""


class _NamelessFile(io.BufferedReader):
    """A file that does not tell its name, whose ending soundfile and PyAV would believe (.raw, .vox, .mp3)."""

    @property
    def name(self) -> str:
        raise AttributeError("name")


def check_was_read(file: BinaryIO, name: str) -> None:
    """Refuse a file whose end is that of the disk's patience: an unplugged stick, a share that went away.

    Args:
        file: From `open_file`.
        name: What to call it in messages.

    Raises:
        UndecodableAudioError: Reading it failed.
    """
    fault = getattr(getattr(file, "raw", None), "fault", None)
    if fault is not None:
        raise UndecodableAudioError(f"{called(name)} cannot be read: {fault.strerror or fault}.") from fault


def _open_path(source: Path | str, name: str) -> BinaryIO:
    try:
        mode = os.stat(source).st_mode
        if stat.S_ISREG(mode):
            return _NamelessFile(_WatchedFile(source))
    except (OSError, ValueError) as err:  # ValueError: a NUL in the name
        reason = getattr(err, "strerror", None) or err
        raise UndecodableAudioError(f"{called(name)} cannot be opened: {reason}.") from err
    # A pipe would block for ever, and a device never ends.
    found = "is a folder" if stat.S_ISDIR(mode) else "is no ordinary file"
    raise UndecodableAudioError(f"{called(name)} {found}. Give audio files: {ACCEPTED_FORMATS}.")


def _without_first(blocks: Iterator[FloatArray], n_frames: int) -> Iterator[FloatArray]:
    for block in blocks:
        if n_frames < len(block):
            yield block[n_frames:]
        n_frames = max(0, n_frames - len(block))


def _open_soundfile(file: BinaryIO) -> _Opened:
    import soundfile

    sound = soundfile.SoundFile(file)
    frames_per_read = max(1, _SAMPLES_PER_READ // max(1, sound.channels))

    def blocks() -> Iterator[FloatArray]:
        while len(block := sound.read(frames_per_read, dtype="float32", always_2d=True)):
            yield block

    return _Opened(sound.samplerate, sound.channels, blocks(), sound.close)


def declared_seconds(file: BinaryIO) -> float:
    """How long a file says that it is; 0 where it says nothing.

    Args:
        file: From `open_file`.
    """
    import soundfile

    try:
        with soundfile.SoundFile(file) as sound:
            return float(sound.frames / sound.samplerate)
    except (soundfile.SoundFileError, ZeroDivisionError):
        file.seek(0)
    import av

    try:
        with _open_container(file) as container:
            return float(container.duration or 0) / float(av.time_base)
    except (av.FFmpegError, OSError, ValueError):
        return 0.0


def _open_container(file: BinaryIO) -> InputContainer:
    import av

    _bound_ffmpeg()
    return av.open(file, mode="r", options={"format_whitelist": _AV_FORMATS, "protocol_whitelist": "none"})


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


def _open_av(file: BinaryIO) -> _Opened:
    container = _open_container(file)
    if not container.streams.audio:
        container.close()
        raise _NoSoundInsideError
    stream = container.streams.audio[0]
    opened = _Opened(int(stream.rate or 0), int(stream.channels or 0), iter(()), container.close)
    if container.format.name.split(",")[0] in _AV_TIMED_FORMATS:
        opened.declared_seconds = _declared_seconds(container, stream)
    opened.blocks = _av_blocks(container, stream, opened)
    return opened


def _declared_seconds(container: Any, stream: av.AudioStream) -> float:
    import av

    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    # A film may be longer than its sound.
    return float(container.duration or 0) / av.time_base if len(container.streams) == 1 else 0.0


def _av_blocks(container: Any, stream: av.AudioStream, opened: _Opened) -> Iterator[FloatArray]:
    import av

    # Planar float keeps the channels apart; the rate stays that of the stream.
    to_float = av.AudioResampler(format="fltp", layout=stream.layout, rate=opened.sample_rate)
    parts: list[FloatArray] = []
    try:
        for frame in _av_frames(container, stream, opened):
            parts.extend(_as_float32(converted) for converted in to_float.resample(frame))
            if sum(part.size for part in parts) >= _SAMPLES_PER_READ:
                yield np.concatenate(parts)
                parts = []
    except (av.FFmpegError, ValueError) as err:
        # What was decoded before the damage still counts.
        _log.info("decoding stopped: %s", err)
        opened.is_damaged = True
    if parts:
        yield np.concatenate(parts)


def _as_float32(frame: av.AudioFrame) -> FloatArray:
    return np.asarray(frame.to_ndarray().T, dtype=np.float32)


def _av_frames(container: Any, stream: av.AudioStream, opened: _Opened) -> Iterator[av.AudioFrame | None]:
    """Decoded frames, over packets that are damaged; None at the end empties the converter."""
    import av

    n_bad = 0
    for packet in container.demux(stream):
        try:
            frames = packet.decode()
        except av.FFmpegError:
            opened.is_damaged = True
            n_bad += 1
            if n_bad > _MAX_BAD_PACKETS:
                raise
            continue
        n_bad = 0
        yield from frames
    yield None
