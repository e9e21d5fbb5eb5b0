"""Sound in: any common file as mono float32 blocks at the rate that is asked for.

Files are read in blocks of bounded size, so three hours fit in a few megabytes.
Facts that a musician should know are `notes`; what cannot be used is an error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from crnn import containers
from crnn.decoding import ACCEPTED_FORMATS, MAX_CHANNELS, Decoder, Source, called, check_was_read, open_file
from crnn.errors import ClipTooLongError, ClipTooShortError, EmptyAudioError, UndecodableAudioError
from crnn.limits import MAX_CLIP_SECONDS, MIN_CLIP_SECONDS

__all__ = [
    "ACCEPTED_FORMATS",
    "AUDIO_SUFFIXES",
    "MAX_CHANNELS",
    "SILENCE_DB",
    "AudioStream",
    "Clip",
    "Source",
    "check_duration",
    "find_audio_files",
    "from_samples",
    "load_clip",
]

FloatArray = npt.NDArray[np.float32]

AUDIO_SUFFIXES = frozenset(
    ".wav .wave .rf64 .w64 .mp3 .mp2 .flac .ogg .oga .opus .m4a .m4b .aac .mp4 .mov .mkv .webm .weba "
    ".wma .asf .aif .aiff .aifc .au .snd .caf .3gp .amr".split()
)
SILENCE_DB = -60.0

_QUIET_PEAK_DB = -30.0
_CLIPPED_SHARE = 1e-3
_DC_OFFSET = 0.01
# Floating-point files may be scaled like integers; beyond this a sample is damage, and its power would overflow.
_MAX_SAMPLE = 1e6
# Channels whose mix is 26 dB below the loudest of them cancel each other.
_CANCELLED_SHARE = 0.05
_AUDIBLE_POWER = 10 ** (SILENCE_DB / 10)


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


class _Cleaner:
    """Makes decoded blocks mono and finite, without constant offset, and keeps count of what it found."""

    def __init__(self) -> None:
        self.n_frames = 0
        self.n_invalid = 0
        self.peak = 0.0
        self.offset: float | None = None
        self.lone_channel: int | None = None
        self._n_values = 0
        self._file_peak = 0.0
        self._n_cut_flat = 0

    def clean(self, block: FloatArray) -> FloatArray:
        """Mono samples `(n_frames,)` of a block `(n_frames, n_channels)`."""
        # Channel by channel: NumPy is four times slower across a row of two than along one of thousands.
        channels = np.ascontiguousarray(block.T)
        magnitude = np.abs(channels)
        valid = magnitude <= _MAX_SAMPLE
        if not valid.all():
            self.n_invalid += int(valid.size - valid.sum())
            channels, magnitude = np.where(valid, channels, np.float32(0)), np.where(valid, magnitude, np.float32(0))
        self.n_frames += channels.shape[1]
        self._n_values += channels.size
        self._count_cut_flat(magnitude)
        mono = self._mix(channels, magnitude)
        if self.offset is None:
            # The first block speaks for all: the correction never jumps in mid-clip.
            mean = float(mono.mean())
            self.offset = mean if abs(mean) > _DC_OFFSET else 0.0
        if self.offset:
            mono = mono - np.float32(self.offset)
        self.peak = max(self.peak, float(np.abs(mono).max()))
        return mono

    @property
    def is_clipped(self) -> bool:
        """Whether more than a thousandth of the samples are cut flat at the peak."""
        return self._n_cut_flat > _CLIPPED_SHARE * self._n_values

    @property
    def is_mostly_invalid(self) -> bool:
        """Whether more than half of the samples are no numbers."""
        return self.n_invalid > self._n_values / 2

    def _count_cut_flat(self, magnitude: FloatArray) -> None:
        peak = float(magnitude.max())
        if peak > self._file_peak * 1.0001:
            self._file_peak, self._n_cut_flat = peak, 0
        if self._file_peak >= 0.5 and peak >= 0.9999 * self._file_peak:
            self._n_cut_flat += _n_cut_flat(magnitude.ravel(), self._file_peak)

    def _mix(self, channels: FloatArray, magnitude: FloatArray) -> FloatArray:
        if len(channels) == 1:
            return channels[0]
        mono = channels.mean(axis=0, dtype=np.float32)
        loudness = np.square(magnitude).mean(axis=1) if self.lone_channel is None else np.zeros(1)
        if loudness.max() > _AUDIBLE_POWER:
            is_cancelled = np.square(mono).mean() < _CANCELLED_SHARE**2 * loudness.max()
            self.lone_channel = int(loudness.argmax()) if is_cancelled else -1
        if self.lone_channel is None or self.lone_channel < 0:
            return mono
        return channels[self.lone_channel]


def _n_cut_flat(magnitude: FloatArray, peak: float) -> int:
    """Samples in flat tops: three or more at the peak with a sudden fall beside them, which no tone has."""
    at_peak = magnitude >= 0.9999 * peak
    nearly = magnitude[(magnitude > 0.9 * peak) & ~at_peak]
    # In 8-bit and mu-law sound a single step of the scale looks sudden: the fall must be greater than that.
    step = peak - float(nearly.max()) if nearly.size else 0.0
    edges = np.flatnonzero(np.diff(at_peak, prepend=False, append=False))
    starts, ends = edges[::2], edges[1::2]
    before, after = magnitude[np.maximum(starts - 1, 0)], magnitude[np.minimum(ends, len(magnitude) - 1)]
    is_sudden = peak - np.minimum(before, after) > max(1e-3 * peak, 2.5 * step)
    lengths = ends - starts
    return int(lengths[(lengths >= 3) & is_sudden].sum())


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
        self._file = open_file(source, self.name)
        try:
            self._decoder = Decoder(self._file, self.name)
        except BaseException:
            self._file.close()
            raise
        self._cleaner = _Cleaner()
        self._n_out = 0
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
        for block in self._decoder.blocks():
            mono = self._cleaner.clean(block)
            out = mono if resampler is None else resampler.resample_chunk(mono)
            self._n_out += len(out)
            yield out
        if resampler is not None:
            out = resampler.resample_chunk(np.zeros(0, dtype=np.float32), last=True)
            self._n_out += len(out)
            yield out
        self._check_content()

    def _check_content(self) -> None:
        check_was_read(self._file, self.name)
        if not self._cleaner.n_frames:
            raise EmptyAudioError(f"{called(self.name)} holds no sound. Choose a file that plays in a music player.")
        if self._cleaner.is_mostly_invalid:
            raise UndecodableAudioError(
                f"Most samples of {called(self.name, False)} are not numbers (NaN or infinity). "
                "Export the sound again from its source."
            )

    @property
    def duration_seconds(self) -> float:
        """Seconds given so far."""
        return self._n_out / self.sample_rate

    @property
    def is_clipped(self) -> bool:
        """Whether the loudest parts given so far are cut flat."""
        return self._cleaner.is_clipped

    @property
    def notes(self) -> tuple[str, ...]:
        """What a musician should know about the sound, as sentences."""
        return (*self._damage_notes(), *self._level_notes(), *self._conversion_notes())

    def _damage_notes(self) -> Iterator[str]:
        decoded_seconds = self._cleaner.n_frames / self.source_rate
        if (
            self._decoder.is_damaged
            or self._decoder.declared_seconds > decoded_seconds * 1.02 + 0.2
            or containers.is_cut_short(self._file, decoded_seconds)
        ):
            yield f"The file is damaged or cut short: {decoded_seconds:.1f} s of it could be read."
        if self._cleaner.n_invalid:
            yield f"Samples that are not numbers: {self._cleaner.n_invalid}. Silence stands in for them."

    def _level_notes(self) -> Iterator[str]:
        cleaner = self._cleaner
        if cleaner.offset:
            yield f"The recording had a constant offset of {_signed(cleaner.offset)}; it was removed."
        if cleaner.is_clipped:
            yield "The recording is clipped: its loudest parts are cut flat. Record it more quietly."
        peak_db = 20 * np.log10(max(cleaner.peak, 1e-10))
        if peak_db <= SILENCE_DB:
            yield f"Nothing in it is above {_signed(SILENCE_DB, 0)} dB."
        elif peak_db < _QUIET_PEAK_DB:
            yield f"Recorded quietly: its peak is {_signed(peak_db, 0)} dB. The level does not change the answer."

    def _conversion_notes(self) -> Iterator[str]:
        lone_channel, n_channels = self._cleaner.lone_channel, self.n_channels
        if lone_channel is not None and lone_channel >= 0:
            yield f"The channels cancel each other in mono: only channel {lone_channel + 1} of {n_channels} was used."
        elif n_channels > 1:
            yield f"{n_channels} channels were mixed to mono."
        if self.source_rate < self.sample_rate:
            yield (
                f"Resampled from {_kilohertz(self.source_rate)} kHz: nothing above "
                f"{_kilohertz(self.source_rate / 2)} kHz is in the recording."
            )
        elif self.source_rate > self.sample_rate:
            yield f"Resampled from {_kilohertz(self.source_rate)} to {_kilohertz(self.sample_rate)} kHz."


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
                    f"{called(stream.name)} is longer than {max_seconds / 60:.0f} minutes. "
                    "Cut a part of it, or classify the whole file from the command line."
                )
        check_duration(stream.duration_seconds, stream.name)
        return Clip(np.concatenate(blocks), sample_rate, stream.name, stream.notes)


def load_part(
    source: Source,
    sample_rate: int,
    seconds: tuple[float, float],
    *,
    name: str = "",
    on_progress: Callable[[float], None] = lambda seconds: None,
) -> Clip:
    """A part of a sound of any length; what comes before it is read in blocks and let go.

    Args:
        source: A path, or the bytes of a file.
        sample_rate: Hz of the clip.
        seconds: Where the part starts and ends; it ends with the sound if that is sooner.
        name: What to call the sound in messages; a path's own name if empty.
        on_progress: Called with the seconds read so far.

    Returns:
        The clip, float32 samples `(n_samples,)`, without notes.

    Raises:
        EmptyAudioError: The file holds nothing.
        UndecodableAudioError: No decoder understands it, or it holds no sound.
        ClipTooShortError: The part is shorter than a second.
    """
    first, last = (round(at * sample_rate) for at in seconds)
    with AudioStream(source, sample_rate, name) as stream:
        blocks, at = [], 0
        for block in stream:
            blocks.append(block[max(0, first - at) : max(0, last - at)])
            at += len(block)
            on_progress(stream.duration_seconds)
            if at >= last:
                break
        samples = np.concatenate(blocks)
        check_duration(len(samples) / sample_rate, stream.name)
        # The notes speak of whole files: one that is left early would seem cut short.
        return Clip(samples, sample_rate, stream.name)


def check_duration(duration_seconds: float, name: str = "") -> None:
    """Refuse a sound that is too short to be judged.

    Raises:
        ClipTooShortError: Less than one second.
    """
    if duration_seconds < MIN_CLIP_SECONDS:
        raise ClipTooShortError(
            f"{called(name)} is {duration_seconds:.2f} s long. At least {MIN_CLIP_SECONDS:.0f} s is needed; "
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


def _signed(value: float, digits: int = 2) -> str:
    """A number with a true minus sign."""
    return f"{value:.{digits}f}".replace("-", "−")


def _kilohertz(rate_hz: float) -> str:
    return f"{rate_hz / 1000:.5g}"
