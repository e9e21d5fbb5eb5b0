"""Sound in: any common file as mono float32 blocks at the rate that is asked for.

Recognised by content, never by name. soundfile decodes first (it survives
damage), PyAV what soundfile does not know. Files are read in blocks of bounded
size, so a lying header allocates nothing and three hours fit in a few megabytes.
Facts that a musician should know are `notes`; what cannot be used is an error.
"""

from __future__ import annotations

import contextlib
import io
import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
import numpy.typing as npt

from crnn import containers
from crnn.config import MAX_CLIP_SECONDS, MIN_CLIP_SECONDS
from crnn.errors import ClipTooLongError, ClipTooShortError, EmptyAudioError, UndecodableAudioError

FloatArray = npt.NDArray[np.float32]
Source = Path | str | bytes

ACCEPTED_FORMATS = "wav, mp3, flac, ogg, opus, m4a, aac, mp4, webm, wma, aiff, au, caf"
AUDIO_SUFFIXES = frozenset(
    ".wav .wave .rf64 .w64 .mp3 .mp2 .flac .ogg .oga .opus .m4a .m4b .aac .mp4 .mov .mkv .webm .weba "
    ".wma .asf .aif .aiff .aifc .au .snd .caf .3gp .amr".split()
)
MAX_CHANNELS = 32
SILENCE_DB = -60.0

# Small enough that damage in a block costs little, large enough to read fast.
_SAMPLES_PER_READ = 1 << 17
_QUIET_PEAK_DB = -30.0
_CLIPPED_SHARE = 1e-3
_DC_OFFSET = 0.01
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Clip:
    """Decoded audio that a user gave: mono, at a known rate, with what is worth knowing."""

    samples: FloatArray
    sample_rate: int
    name: str = ""
    notes: tuple[str, ...] = ()

    @property
    def duration_seconds(self) -> float:
        """Length in seconds."""
        return len(self.samples) / self.sample_rate


@dataclass
class _Decoder:
    """An opened file: where it is at, and how to read on."""

    sample_rate: int
    n_channels: int
    blocks: Iterator[FloatArray]
    close: Callable[[], None]
    declared_seconds: float = 0.0


@dataclass
class _Levels:
    """Running level statistics of the decoded sound."""

    n_samples: int = 0
    peak: float = 0.0
    n_at_peak: int = 0
    n_invalid: int = 0
    offset: float | None = None
    rates: list[int] = field(default_factory=list)

    def clean(self, block: FloatArray) -> FloatArray:
        """`block` without NaN, infinity and constant offset; counts what was found."""
        valid = np.isfinite(block)
        if not valid.all():
            self.n_invalid += int(block.size - valid.sum())
            block = np.where(valid, block, np.float32(0))
        if self.offset is None and block.size:
            # The first block speaks for all: the correction never jumps in mid-clip.
            mean = float(block.mean())
            self.offset = mean if abs(mean) > _DC_OFFSET else 0.0
        self.n_samples += block.size
        magnitude = np.abs(block)
        block_peak = float(magnitude.max(initial=0.0))
        if block_peak > self.peak * 1.0001:
            self.peak, self.n_at_peak = block_peak, 0
        self.n_at_peak += int((magnitude >= 0.9999 * self.peak).sum()) if self.peak >= 0.5 else 0
        return block - np.float32(self.offset) if self.offset else block


class AudioStream:
    """Blocks of mono float32 samples of a file, at `sample_rate`; iterate once.

    `notes` and `duration_seconds` are complete when the iteration has ended. Use
    it as a context manager, so that the file closes when the iteration is left early.

    Args:
        source: A path, or the bytes of a file.
        sample_rate: Hz of the blocks.
        name: What to call the sound in messages; a path's own name if empty.

    Raises:
        EmptyAudioError: The file holds nothing.
        UndecodableAudioError: No decoder understands it, or it holds no sound.
    """

    def __init__(self, source: Source, sample_rate: int, name: str = "") -> None:
        self.sample_rate = sample_rate
        self.name = name or (Path(source).name if not isinstance(source, bytes) else "")
        self._file = _open_file(source, self.name)
        self._levels = _Levels()
        self._n_out = 0
        self._stopped_early = False
        try:
            self._decoder = _open_decoder(self._file, source, self.name)
        except BaseException:
            self._file.close()
            raise
        self.source_rate = self._decoder.sample_rate
        self.n_channels = self._decoder.n_channels

    def __enter__(self) -> AudioStream:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._decoder.close()
        self._file.close()

    def __iter__(self) -> Iterator[FloatArray]:
        import soxr

        resampler = None
        if self.source_rate != self.sample_rate:
            resampler = soxr.ResampleStream(self.source_rate, self.sample_rate, 1, dtype="float32", quality="HQ")
        for block in self._decoded():
            mono = self._levels.clean(block)
            out = mono if resampler is None else resampler.resample_chunk(mono)
            self._n_out += len(out)
            yield out
        if resampler is not None:
            out = resampler.resample_chunk(np.zeros(0, dtype=np.float32), last=True)
            self._n_out += len(out)
            yield out
        self._check_content()

    def _decoded(self) -> Iterator[FloatArray]:
        blocks = iter(self._decoder.blocks)
        while True:
            try:
                block = next(blocks)
            except StopIteration:
                return
            except Exception as err:  # noqa: BLE001 - decoders raise whatever they like on damage
                _log.info("%s: decoding stopped: %s", self.name, err)
                self._stopped_early = True
                return
            if block.ndim == 2:
                block = block.mean(axis=1, dtype=np.float32) if block.shape[1] > 1 else block[:, 0]
            yield block

    def _check_content(self) -> None:
        if not self._levels.n_samples:
            raise EmptyAudioError(f"{_called(self.name)} holds no sound. Choose a file that plays in a music player.")
        if self._levels.n_invalid > self._levels.n_samples / 2:
            raise UndecodableAudioError(
                f"Most samples of {_called(self.name, False)} are not numbers (NaN or infinity). "
                "Export the sound again from its source."
            )

    @property
    def duration_seconds(self) -> float:
        """Seconds given so far."""
        return self._n_out / self.sample_rate

    @property
    def notes(self) -> tuple[str, ...]:
        """What a musician should know about the sound, as sentences."""
        levels, found = self._levels, []
        decoded_seconds = levels.n_samples / self.source_rate
        if self._stopped_early or self._is_cut_short(decoded_seconds):
            found.append(f"The file is damaged or cut short: {decoded_seconds:.1f} s of it could be read.")
        if levels.n_invalid:
            found.append(f"{levels.n_invalid} samples were not numbers; silence stands in for them.")
        if levels.offset:
            found.append(f"The recording had a constant offset of {levels.offset:+.2f}; it was removed.")
        if levels.n_samples and levels.n_at_peak > _CLIPPED_SHARE * levels.n_samples:
            found.append("The recording is clipped: its loudest parts are cut flat. Record it more quietly.")
        if 0 < levels.peak < 10 ** (_QUIET_PEAK_DB / 20) and levels.peak > 10 ** (SILENCE_DB / 20):
            found.append(
                f"Recorded quietly: its peak is {_decibels(levels.peak)} dB. The level does not change the answer."
            )
        if self.n_channels > 1:
            found.append(f"{self.n_channels} channels were mixed to mono.")
        if self.source_rate < self.sample_rate:
            found.append(
                f"Resampled from {_kilohertz(self.source_rate)} kHz: nothing above "
                f"{_kilohertz(self.source_rate / 2)} kHz is in the recording."
            )
        elif self.source_rate > self.sample_rate:
            found.append(f"Resampled from {_kilohertz(self.source_rate)} to {_kilohertz(self.sample_rate)} kHz.")
        return tuple(found)

    def _is_cut_short(self, decoded_seconds: float) -> bool:
        if self._decoder.declared_seconds > decoded_seconds * 1.02 + 0.2:
            return True
        return containers.is_cut_short(self._file, decoded_seconds)


def load_clip(source: Source, sample_rate: int, *, name: str = "", max_seconds: float = MAX_CLIP_SECONDS) -> Clip:
    """A whole sound in memory.

    Args:
        source: A path, or the bytes of a file.
        sample_rate: Hz of the clip.
        name: What to call the sound in messages; a path's own name if empty.
        max_seconds: The longest that is accepted.

    Returns:
        The clip, float32 samples `(n_samples,)`, with its notes.

    Raises:
        EmptyAudioError: The file holds nothing.
        UndecodableAudioError: No decoder understands it, or it holds no sound.
        ClipTooShortError: Less than one second.
        ClipTooLongError: More than `max_seconds`.
    """
    with AudioStream(source, sample_rate, name) as stream:
        blocks = []
        for block in stream:
            blocks.append(block)
            if stream.duration_seconds > max_seconds:
                raise ClipTooLongError(
                    f"{_called(stream.name)} is longer than {max_seconds / 60:.0f} minutes. "
                    "Cut a part of it, or classify the whole file from the command line."
                )
        check_duration(stream.duration_seconds, stream.name)
        return Clip(np.concatenate(blocks), sample_rate, stream.name, stream.notes)


def check_duration(duration_seconds: float, name: str = "") -> None:
    """Refuse a sound that is too short to be judged.

    Raises:
        ClipTooShortError: Less than one second.
    """
    if duration_seconds < MIN_CLIP_SECONDS:
        raise ClipTooShortError(
            f"{_called(name)} is {duration_seconds:.2f} s long. At least {MIN_CLIP_SECONDS:.0f} s is needed; "
            "ten seconds or more give a better answer."
        )


def from_samples(samples: npt.ArrayLike, source_rate: int, sample_rate: int, name: str = "") -> Clip:
    """A clip from samples in memory, resampled if need be.

    Args:
        samples: Mono audio, shape `(n_samples,)`.
        source_rate: Hz of `samples`.
        sample_rate: Hz of the clip.
        name: What to call the sound.
    """
    import soxr

    mono = np.asarray(samples, dtype=np.float32)
    if source_rate != sample_rate:
        mono = soxr.resample(mono, source_rate, sample_rate, quality="HQ")
    return Clip(mono, sample_rate, name)


def find_audio_files(paths: Iterable[Path]) -> list[Path]:
    """Files named, and audio files (by ending) anywhere below folders named, sorted per folder."""
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = (p for p in path.rglob("*") if p.suffix.lower() in AUDIO_SUFFIXES and p.is_file())
            found.extend(sorted(inside, key=lambda p: p.as_posix()))
        else:
            found.append(path)
    return found


def _called(name: str, at_start: bool = True) -> str:
    if name:
        return f"“{name}”"
    return "This recording" if at_start else "this recording"


def _decibels(amplitude: float) -> str:
    value = f"{20 * np.log10(amplitude):.0f}"
    return value.replace("-", "−")


def _kilohertz(rate_hz: float) -> str:
    return f"{rate_hz / 1000:.5g}"


def _open_file(source: Source, name: str) -> BinaryIO:
    try:
        file: BinaryIO = io.BytesIO(source) if isinstance(source, bytes) else open(source, "rb")  # noqa: SIM115
    except OSError as err:
        raise UndecodableAudioError(f"{_called(name)} cannot be opened: {err.strerror or err}.") from err
    try:
        head = file.read(512)
        if not head:
            raise EmptyAudioError(f"{_called(name)} is empty (0 bytes). Choose a file that plays in a music player.")
        other = containers.describe_non_audio(head)
        if other:
            raise UndecodableAudioError(f"{_called(name)} is {other}. Give audio: {ACCEPTED_FORMATS}.")
        file.seek(0)
    except BaseException:
        file.close()
        raise
    return file


def _open_decoder(file: BinaryIO, source: Source, name: str) -> _Decoder:
    reasons = []
    for open_with in (_open_soundfile, _open_av):
        try:
            file.seek(0)
            decoder = open_with(file, source)
        except Exception as err:  # noqa: BLE001 - a decoder's own errors are many; the next one is tried
            _log.debug("%s: %s: %s", name, open_with.__name__, err)
            reasons.append(str(err))
            continue
        if not 1 <= decoder.n_channels <= MAX_CHANNELS or not 1000 <= decoder.sample_rate <= 768_000:
            decoder.close()
            raise UndecodableAudioError(
                f"{_called(name)} claims {decoder.n_channels} channels at {decoder.sample_rate} Hz. "
                f"Up to {MAX_CHANNELS} channels and 1 to 768 kHz are accepted: export it as stereo at 44.1 kHz."
            )
        return decoder
    _log.info("%s: no decoder: %s", name, reasons)
    raise UndecodableAudioError(
        f"{_called(name)} cannot be decoded: it is damaged, or of a kind that is not known here. "
        f"Give audio: {ACCEPTED_FORMATS}."
    )


def _open_soundfile(file: BinaryIO, source: Source) -> _Decoder:
    import soundfile

    # A path decodes faster than a Python file object; but an ending of .raw would be believed.
    by_path = not isinstance(source, bytes) and Path(source).suffix.lower() != ".raw"
    sound = soundfile.SoundFile(str(source) if by_path else file)
    frames_per_read = max(1, _SAMPLES_PER_READ // max(1, sound.channels))

    def blocks() -> Iterator[FloatArray]:
        while True:
            block = sound.read(frames_per_read, dtype="float32", always_2d=True)
            if not len(block):
                return
            yield cast(FloatArray, block)

    return _Decoder(sound.samplerate, sound.channels, blocks(), sound.close)


def _open_av(file: BinaryIO, source: Source) -> _Decoder:
    import av

    container = av.open(file)
    stack = contextlib.ExitStack()
    stack.callback(container.close)
    if not container.streams.audio:
        stack.close()
        raise UndecodableAudioError("no audio stream")
    stream = container.streams.audio[0]
    sample_rate, n_channels = int(stream.rate or 0), int(stream.channels or 0)

    def blocks() -> Iterator[FloatArray]:
        # Planar float keeps the channels apart; the rate stays that of the stream.
        to_float = av.AudioResampler(format="fltp", layout=stream.layout, rate=sample_rate)
        parts: list[FloatArray] = []
        size = 0
        try:
            for frame in container.decode(stream):
                for converted in to_float.resample(frame):
                    parts.append(converted.to_ndarray().T)
                    size += parts[-1].size
                if size >= _SAMPLES_PER_READ:
                    yield np.concatenate(parts)
                    parts, size = [], 0
        except av.FFmpegError:
            # What was decoded before the damage still counts.
            if parts:
                yield np.concatenate(parts)
            raise
        if parts:
            yield np.concatenate(parts)

    declared = float(container.duration or 0) / av.time_base
    return _Decoder(sample_rate, n_channels, blocks(), stack.close, declared)
