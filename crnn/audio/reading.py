"""A file read: decoded, made mono and finite, at the rate that is asked for, and what is to be said of it.

`Reader` does the work, in whichever process; `crnn.audio.isolation` has it done where a decoder's crash
takes nobody along.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO, Protocol

import numpy as np
import numpy.typing as npt

from crnn.audio import containers
from crnn.audio.cleaning import Cleaner, Findings
from crnn.audio.decoding import UNKNOWN, Decoder
from crnn.audio.files import ACCEPTED_FORMATS, called
from crnn.errors import EmptyAudioError, UndecodableAudioError
from crnn.limits import MIN_CLIP_SECONDS

if TYPE_CHECKING:
    import soxr

FloatArray = npt.NDArray[np.float32]

SILENCE_DB = -60.0

_QUIET_PEAK_DB = -30.0


class Reading(Protocol):
    """A file being read, here or in a worker process.

    source_rate: Hz of the file, where it begins.
    n_channels: of the file, where it begins.
    play_rate: Hz of `played`; that of the blocks where no other was asked for.
    played: what there is to be played by the block that was given last: the same sound at another rate.
    notes: complete when `blocks` has ended.
    skipped_seconds: how much was left out before the first block.
    """

    skipped_seconds: float
    source_rate: int
    n_channels: int
    play_rate: int
    played: FloatArray
    notes: tuple[str, ...]

    @property
    def is_clipped(self) -> bool:
        """Whether the loudest parts given so far are cut flat."""
        ...

    def blocks(self) -> Iterator[FloatArray]:
        """Mono blocks; iterate once."""
        ...

    def close(self) -> None:
        """Let go of decoders; the file itself stays open."""
        ...


class Reader:
    """Reads a file in this process.

    Args:
        file: From `open_file`.
        sample_rate: Hz of the blocks.
        name: What to call it in messages.
        play_rate: Hz at which the sound is wanted too, if the file has so much; 0 where it is not.
        skip_seconds: Of its beginning, not wanted; where the file can be gone into, it is not decoded.

    Raises:
        UndecodableAudioError: No decoder understands it, or it holds no sound.
    """

    def __init__(
        self, file: BinaryIO, sample_rate: int, name: str, play_rate: int = 0, skip_seconds: float = 0.0
    ) -> None:
        self._file, self._rate, self._name = file, sample_rate, name
        self._decoder = Decoder(file, name)
        self.skipped_seconds = self._decoder.skip(skip_seconds)
        self.source_rate, self.n_channels = self._decoder.sample_rate, self._decoder.n_channels
        self.play_rate = max(sample_rate, min(play_rate, self.source_rate))
        self.played: FloatArray = np.zeros(0, dtype=np.float32)
        self.notes: tuple[str, ...] = ()
        self._findings = Findings()
        self._kinds: dict[tuple[int, int], float] = {}

    @property
    def is_clipped(self) -> bool:
        """Whether the loudest parts given so far are cut flat."""
        return self._findings.is_clipped

    def close(self) -> None:
        """Let go of the decoders' handles."""
        self._decoder.close()

    def blocks(self) -> Iterator[FloatArray]:
        """Mono float32 blocks at the rate that was asked for.

        Raises:
            EmptyAudioError: There was nothing in it.
            UndecodableAudioError: Most of it are no numbers.
        """
        rate, cleaner, resamplers = 0, Cleaner(self.source_rate, self._findings), (None, None)
        played: list[FloatArray] = []

        def at_its_rates(mono: FloatArray, last: bool = False) -> FloatArray:
            out = _resampled(resamplers[0], mono, last)
            played.append(_resampled(resamplers[1], mono, last) if self.play_rate != self._rate else out)
            if len(out) or last:
                self.played = np.concatenate(played)
                played.clear()
            return out

        for samples, block_rate in self._decoder.blocks():
            if block_rate != rate:
                if rate:
                    yield at_its_rates(cleaner.flush(), last=True)
                    cleaner = Cleaner(block_rate, self._findings)
                rate = block_rate
                second = self._resampler(rate, self.play_rate) if self.play_rate != self._rate else None
                resamplers = self._resampler(rate, self._rate), second
            kind = (rate, samples.shape[1])
            self._kinds[kind] = self._kinds.get(kind, 0.0) + len(samples) / rate
            out = at_its_rates(cleaner.push(samples))
            if len(out):
                yield out
        if rate:
            yield at_its_rates(cleaner.flush(), last=True)
        self._check_content()
        self.notes = tuple((*self._damage_notes(), *self._level_notes(), *self._conversion_notes()))

    def _resampler(self, source_rate: int, rate: int) -> soxr.ResampleStream | None:
        import soxr

        return None if source_rate == rate else soxr.ResampleStream(source_rate, rate, 1, dtype="float32", quality="HQ")

    def _check_content(self) -> None:
        seconds = self.skipped_seconds + sum(self._kinds.values())
        if self._decoder.is_damaged and seconds < MIN_CLIP_SECONDS:
            read = f"; {seconds:.2f} s of it could be read" if seconds else ""
            raise UndecodableAudioError(
                f"{called(self._name)} {UNKNOWN}{self._decoder.coding}{read}. Give audio: {ACCEPTED_FORMATS}."
            )
        if not self._kinds:
            raise EmptyAudioError(f"{called(self._name)} holds no sound. Choose a file that plays in a music player.")
        if self._findings.is_mostly_invalid:
            raise UndecodableAudioError(
                f"Most samples of {called(self._name, False)} are not numbers, or beyond any level. "
                "Export the sound again from its source."
            )

    # What is to be said

    def _damage_notes(self) -> Iterator[str]:
        decoder, seconds = self._decoder, self.skipped_seconds + sum(self._kinds.values())
        if (
            decoder.is_damaged
            or decoder.declared_seconds > seconds * 1.02 + 0.2
            or containers.is_cut_short(self._file, seconds)
        ):
            yield f"The file is damaged or cut short: {seconds:.1f} s of it could be read."
        elif 0 < decoder.declared_seconds < seconds * 0.99 - 0.1:
            yield (
                f"The file's header says that it is {decoder.declared_seconds:.1f} s long; {seconds:.1f} s are there, "
                "and all of it was heard."
            )
        n_invalid = self._findings.n_invalid
        if n_invalid:
            yield f"Samples that are not numbers, or beyond any level: {n_invalid}. Silence stands in for them."
        yield from decoder.notes

    def _level_notes(self) -> Iterator[str]:
        found = self._findings
        if found.offset:
            yield f"The recording had a constant offset of {_signed(found.offset)}; it was removed."
        if found.is_clipped:
            yield "The recording is clipped: its loudest parts are cut flat. Record it more quietly."
        peak_db = 20 * np.log10(max(found.peak, 1e-10))
        if peak_db <= SILENCE_DB:
            yield f"Nothing in it is above {_signed(SILENCE_DB, 0)} dB."
        elif peak_db < _QUIET_PEAK_DB:
            yield f"Recorded quietly: its peak is {_signed(peak_db, 0)} dB. The level does not change the answer."

    def _conversion_notes(self) -> Iterator[str]:
        rates, channels = ([kind[i] for kind in self._kinds] for i in (0, 1))
        turned_from = self._findings.turned_from_seconds
        if turned_from is not None:
            since = f" from {turned_from:.1f} s on" if turned_from > 0.2 else ""
            yield f"The channels cancel each other in mono{since}: they were turned to agree before they were mixed."
        elif len(set(channels)) > 1:
            yield f"The number of channels changes on the way ({_numbers(channels)}); all were mixed to mono."
        elif channels[0] > 1:
            yield f"{channels[0]} channels were mixed to mono."
        if len(set(rates)) > 1:
            listed, to = ", ".join(_kilohertz(rate) for rate in dict.fromkeys(rates)), _kilohertz(self._rate)
            yield f"The sample rate changes on the way ({listed} kHz); all was resampled to {to} kHz."
        elif rates[0] < self._rate:
            yield (
                f"Resampled from {_kilohertz(rates[0])} kHz: nothing above {_kilohertz(rates[0] / 2)} kHz is in the "
                "recording."
            )
        elif rates[0] > self._rate:
            yield f"Resampled from {_kilohertz(rates[0])} to {_kilohertz(self._rate)} kHz."


def _resampled(resampler: soxr.ResampleStream | None, mono: FloatArray, last: bool = False) -> FloatArray:
    if resampler is None or not (len(mono) or last):
        return mono
    out: FloatArray = resampler.resample_chunk(mono, last=last)
    return out


def _numbers(values: list[int]) -> str:
    return ", ".join(str(value) for value in dict.fromkeys(values))


def _signed(value: float, digits: int = 2) -> str:
    """A number with a true minus sign."""
    return f"{value:.{digits}f}".replace("-", "−")


def _kilohertz(rate_hz: float) -> str:
    return f"{rate_hz / 1000:.5g}"
