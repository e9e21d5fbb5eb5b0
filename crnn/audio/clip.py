"""Sound in: any common file as mono float32 blocks at the rate that is asked for.

Files are read in blocks of bounded size, so three hours fit in a few megabytes.
Facts that a musician should know are `notes`; what cannot be used is an error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from crnn.audio import isolation
from crnn.audio.decoding import MAX_CHANNELS, MIN_RATE_HZ
from crnn.audio.files import ACCEPTED_FORMATS, Source, called, check_was_read, open_file
from crnn.audio.reading import SILENCE_DB
from crnn.errors import AudioError, ClipTooLongError, ClipTooShortError
from crnn.limits import MAX_CLIP_SECONDS, MIN_CLIP_SECONDS

__all__ = [
    "ACCEPTED_FORMATS",
    "MAX_CHANNELS",
    "SILENCE_DB",
    "AudioStream",
    "Clip",
    "Source",
    "check_duration",
    "declared_seconds",
    "from_samples",
    "load_clip",
]

FloatArray = npt.NDArray[np.float32]

# What is read before a part, so that the resampler's edge lies outside of it.
_EDGE_SECONDS = 0.1


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


class AudioStream:
    """Blocks of mono float32 samples of a file, at `sample_rate`; iterate once.

    Decoders run in a process of their own (`crnn.audio.isolation`). `notes` and `duration_seconds` are
    complete when the iteration has ended. Use it as a context manager, so that the file closes when the
    iteration is left early.

    Args:
        source: A path, or the bytes of a file.
        sample_rate: Hz of the blocks.
        name: What to call the sound in messages; a path's own name if empty.
        play_rate: Hz at which the same sound is wanted too, as `played`, if the file has so much; 0 where it is not.
        skip_seconds: Of its beginning, not wanted; `skipped_seconds` says how much was left out indeed.

    Raises:
        EmptyAudioError: The file holds nothing.
        UndecodableAudioError: No decoder understands it, or it holds no sound.
        DecoderFailedError: Its decoder crashed, hung, or took too much memory.
    """

    def __init__(
        self, source: Source, sample_rate: int, name: str = "", *, play_rate: int = 0, skip_seconds: float = 0.0
    ) -> None:
        self.sample_rate = sample_rate
        self.name = name or (Path(source).name if not isinstance(source, bytes) else "")
        self._file = open_file(source, self.name)
        try:
            self._reading = isolation.open_reading(self._file, sample_rate, self.name, play_rate, skip_seconds)
        except BaseException:
            self._file.close()
            raise
        self._n_out = 0
        self.source_rate = self._reading.source_rate
        self.n_channels = self._reading.n_channels
        self.play_rate = self._reading.play_rate
        self.skipped_seconds = self._reading.skipped_seconds

    def __enter__(self) -> AudioStream:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._reading.close()
        self._file.close()

    def __iter__(self) -> Iterator[FloatArray]:
        try:
            for block in self._reading.blocks():
                self._n_out += len(block)
                yield block
        except AudioError:
            check_was_read(self._file, self.name)
            raise
        check_was_read(self._file, self.name)

    @property
    def duration_seconds(self) -> float:
        """Seconds given so far."""
        return self._n_out / self.sample_rate

    @property
    def played(self) -> FloatArray:
        """The block that was given last, at `play_rate`."""
        return self._reading.played

    @property
    def is_clipped(self) -> bool:
        """Whether the loudest parts given so far are cut flat."""
        return self._reading.is_clipped

    @property
    def notes(self) -> tuple[str, ...]:
        """What a musician should know about the sound, as sentences."""
        return self._reading.notes


def is_readable(source: Source) -> bool:
    """Whether a decoder opens a file, whatever its first bytes look like."""
    try:
        with AudioStream(source, MIN_RATE_HZ):
            return True
    except AudioError:
        return False


def declared_seconds(source: Source, name: str = "") -> float:
    """How long a file says that it is; 0 where it says nothing. Only headers are read.

    Args:
        source: A path, or the bytes of a file.
        name: What to call it in messages; a path's own name if empty.

    Raises:
        AudioError: It cannot be opened, or holds nothing.
    """
    with open_file(source, name) as file:
        return isolation.declared_seconds(file, name)


def load_clip(
    source: Source,
    sample_rate: int,
    *,
    name: str = "",
    max_seconds: float = MAX_CLIP_SECONDS,
    play_rate: int = 0,
    keep: Callable[[AudioStream, FloatArray], None] | None = None,
) -> Clip:
    """A whole sound in memory.

    Args:
        source: A path, or the bytes of a file.
        sample_rate: Hz of the clip.
        name: What to call the sound in messages; a path's own name if empty.
        max_seconds: The longest that is accepted.
        play_rate: As of `AudioStream`.
        keep: Called with the stream and each block, for who wants what is played of it.

    Returns:
        The clip, float32 samples `(n_samples,)`, with its notes.

    Raises:
        EmptyAudioError: The file holds nothing.
        UndecodableAudioError: No decoder understands it, or it holds no sound.
        ClipTooShortError: Less than one second.
        ClipTooLongError: More than `max_seconds`.
    """
    with AudioStream(source, sample_rate, name, play_rate=play_rate) as stream:
        blocks = []
        for block in stream:
            blocks.append(block)
            if keep is not None:
                keep(stream, block)
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
    """A part of a sound of any length; what comes before it is left out where the file can be gone into, else let go.

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
    with AudioStream(source, sample_rate, name, skip_seconds=seconds[0] - _EDGE_SECONDS) as stream:
        blocks, at = [], round(stream.skipped_seconds * sample_rate)
        for block in stream:
            blocks.append(block[max(0, first - at) : max(0, last - at)])
            at += len(block)
            on_progress(stream.skipped_seconds + stream.duration_seconds)
            if at >= last:
                break
        samples = np.concatenate(blocks)
        check_duration(len(samples) / sample_rate, stream.name)
        # No notes: they are about whole files, and would call one that is left early cut short.
        return Clip(samples, sample_rate, stream.name)


def check_duration(duration_seconds: float, name: str = "") -> None:
    """Refuse a sound that is too short to be judged.

    Args:
        duration_seconds: How much was decoded.
        name: What the user calls the sound, for the message; empty for a recording.

    Raises:
        ClipTooShortError: Less than one second.
    """
    if duration_seconds < MIN_CLIP_SECONDS:
        raise ClipTooShortError(
            f"{called(name)} is {duration_seconds:.2f} s long. At least {MIN_CLIP_SECONDS:.0f} s is needed; "
            "ten seconds or more give a better answer."
        )


def from_samples(samples: npt.ArrayLike, source_rate: int, sample_rate: int) -> Clip:
    """A clip from samples in memory, resampled if need be.

    Args:
        samples: Mono audio, shape `(n_samples,)`.
        source_rate: Hz of `samples`.
        sample_rate: Hz of the clip.
    """
    import soxr

    mono = np.asarray(samples, dtype=np.float32)
    if source_rate != sample_rate:
        mono = soxr.resample(mono, source_rate, sample_rate, quality="HQ")
    return Clip(mono, sample_rate)
