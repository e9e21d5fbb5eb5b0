"""Files decoded: samples as they hold them, block by block, to the end of the data.

Recognised by content, never by name. soundfile decodes first (it survives damage), PyAV what soundfile
does not know, gives up, or would not hear whole. Blocks have a bounded size, so a lying header allocates
nothing. Runs in the process of `crnn.audio.worker`: see `crnn.audio.isolation`.
"""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Callable, Iterator
from typing import BinaryIO

from crnn.audio import containers
from crnn.audio.av_decoding import NoSoundInsideError, open_av, open_container
from crnn.audio.blocks import SAMPLES_PER_READ, Block, Opened
from crnn.audio.files import ACCEPTED_FORMATS, called, part_of
from crnn.audio.parts import Contents, Part, examine
from crnn.audio.starts import find_starts, is_all_zeros
from crnn.errors import UndecodableAudioError

MAX_CHANNELS = 64
MIN_RATE_HZ, MAX_RATE_HZ = 1000, 768_000

# Less than this missing at an end is a codec's delay or an incomplete frame.
_SHORT_SECONDS = 0.1
_WHOLE_SECONDS = 1e-3
UNKNOWN = "cannot be decoded: it is damaged, or of a kind that is not known here"
_log = logging.getLogger(__name__)


class Decoder:
    """Samples of an opened file, as they are in it.

    `is_damaged` and `notes` are known when `blocks` has ended.

    Args:
        file: The file, seekable, open for reading.
        name: What to call it in messages.

    Raises:
        UndecodableAudioError: No library understands it, or it claims what no recording has.
    """

    def __init__(self, file: BinaryIO, name: str) -> None:
        self._name = name
        archive = containers.describe_archive(_head(file))
        if archive:
            raise UndecodableAudioError(f"{called(name)} is {archive}. Give audio: {ACCEPTED_FORMATS}.")
        self._file = file
        self._contents, self._opened = self._open()
        self.sample_rate, self.n_channels = self._opened.sample_rate, self._opened.n_channels
        self.is_damaged = False
        self._n_seconds = self._skipped_seconds = 0.0
        self.notes = self._opened.notes
        declared = self._contents.declared_seconds
        self.declared_seconds = self._declared(self._opened) if declared is None else declared
        self.n_parts = len(self._contents.parts)

    def close(self) -> None:
        """Let go of the libraries' handles; the file itself stays open."""
        self._opened.close()

    @property
    def coding(self) -> str:
        """How the sound is coded, in parentheses; empty where that is not known."""
        return f" ({self._opened.coding})" if self._opened.coding else ""

    def skip(self, seconds: float) -> float:
        """Go on before the first block, without decoding what is left out; how many seconds that are.

        Where a file is joined, damaged, or known to no library that goes to a sample, nothing is left out.
        """
        opened, n_parts = self._opened, len(self._contents.parts)
        is_inside = 0 < seconds < opened.declared_seconds - 1
        if opened.seek is None or n_parts > 1 or self._contents.parts[0].prefers_av or not is_inside:
            return 0.0
        try:
            opened.seek(seconds)
        except _library_errors() as err:
            _log.info("%s: it cannot be gone to %.1f s: %s", self._name, seconds, err)
            self._contents, self._opened = self._open()
            return 0.0
        # Only the rest is to be read.
        opened.declared_seconds -= seconds
        self._skipped_seconds = seconds
        return seconds

    def blocks(self) -> Iterator[Block]:
        """Blocks up to the end of the data, or to damage that nothing reads over."""
        yield from self._judged_blocks(self._contents.parts[0], self._opened)
        for part in self._contents.parts[1:]:
            self._opened.close()
            try:
                self._opened = self._open_part(part)
            except UndecodableAudioError as err:
                _log.info("%s: a joined part cannot be read: %s", self._name, err)
                self.is_damaged = True
                continue
            yield from self._judged_blocks(part, self._opened)

    def _declared(self, opened: Opened) -> float:
        return opened.declared_seconds * self._contents.declared_share

    def _judged_blocks(self, part: Part, opened: Opened) -> Iterator[Block]:
        was_damaged, n_before = self.is_damaged, self._n_seconds
        yield from self._part_blocks(part, opened)
        known_seconds = self._known_seconds(part)
        if known_seconds:
            # A bad packet where files were joined is no damage if no sound is missing.
            is_short = self._n_seconds - n_before < known_seconds - 2 * _SHORT_SECONDS
            self.is_damaged = was_damaged or is_short

    def _known_seconds(self, part: Part) -> float:
        return max(0.0, part.known_seconds - self._skipped_seconds)

    def _part_blocks(self, part: Part, opened: Opened) -> Iterator[Block]:
        seconds, failed = 0.0, False
        try:
            for block in opened.blocks:
                yield block
                seconds += len(block.samples) / block.sample_rate
                self._n_seconds += len(block.samples) / block.sample_rate
        except _library_errors() as err:
            _log.info("%s: decoding stopped: %s", self._name, err)
            failed = True
        # Without a table soundfile guesses the length of an mp3 a little too long: not a reason to decode it all again.
        is_short = seconds < (self._known_seconds(part) or opened.declared_seconds) - _SHORT_SECONDS
        if opened.by_soundfile and (failed or is_short or not seconds):
            yield from self._rest(part, seconds, failed)
        else:
            self.is_damaged |= failed or opened.is_damaged

    def _rest(self, part: Part, n_seconds: float, failed: bool) -> Iterator[Block]:
        # A FLAC of unknown length, an mp3 that is damaged: PyAV reads on where soundfile stops.
        declared = self._opened.declared_seconds
        try:
            other = open_av(self._view(part))
        except _library_errors() as err:
            _log.debug("%s: no second decoder: %s", self._name, err)
            self.is_damaged |= failed
            return
        self._opened.close()
        self._opened = other
        was_damaged, n_before = self.is_damaged, self._n_seconds - n_seconds
        other.blocks = _without_first(other.blocks, n_seconds)
        yield from self._part_blocks(part, other)
        # If PyAV failed in the same place there is no more sound, whatever the header says.
        is_whole = 0 < declared <= self._n_seconds - n_before + _WHOLE_SECONDS
        self.is_damaged |= was_damaged or (failed and not is_whole)

    def _open(self) -> tuple[Contents, Opened]:
        contents = examine(self._file)
        try:
            opened = self._open_part(contents.parts[0])
        except UndecodableAudioError as err:
            found = self._open_behind_junk()
            if found is not None:
                return found
            other = "a file of zeros" if is_all_zeros(self._file) else containers.describe_non_audio(_head(self._file))
            if other:
                raise UndecodableAudioError(
                    f"{called(self._name)} is {other}. Give audio: {ACCEPTED_FORMATS}."
                ) from err
            raise
        if opened.format == "mp3" and contents.declared_seconds is None:
            # Junk stands before its first frame: read from there, it is the original file.
            found = self._open_behind_junk()
            if found is not None:
                opened.close()
                return found
        return contents, opened

    def _open_behind_junk(self) -> tuple[Contents, Opened] | None:
        """What begins behind zeros, the header of a download, a tag or other junk; None if nothing does."""
        whole = self._file
        size = whole.seek(0, io.SEEK_END)
        for start in find_starts(whole):
            self._file = part_of(whole, start, size)
            contents = examine(self._file)
            try:
                return contents, self._open_part(contents.parts[0])
            except UndecodableAudioError as err:
                _log.debug("%s: nothing to be read from byte %d on: %s", self._name, start, err)
        self._file = whole
        return None

    def _open_part(self, part: Part) -> Opened:
        found_no_sound = False
        openers: list[Callable[[BinaryIO], Opened]] = [_open_soundfile, open_av]
        for open_with in reversed(openers) if part.prefers_av else openers:
            try:
                opened = open_with(self._view(part))
            except NoSoundInsideError:
                found_no_sound = True
            except _library_errors() as err:
                _log.debug("%s: %s: %s", self._name, open_with.__name__, err)
            else:
                if opened.n_channels > 0 and opened.sample_rate > 0:
                    self._check_claims(opened)
                    return opened
                opened.close()
        found = "holds no sound that can be read" if found_no_sound else UNKNOWN
        raise UndecodableAudioError(f"{called(self._name)} {found}. Give audio: {ACCEPTED_FORMATS}.")

    def _view(self, part: Part) -> BinaryIO:
        size = self._file.seek(0, io.SEEK_END)
        self._file.seek(0)
        if (part.start, part.end, part.header) == (0, size, b""):
            return self._file
        return part_of(self._file, part.start, part.end, part.header)

    def _check_claims(self, opened: Opened) -> None:
        if opened.n_channels <= MAX_CHANNELS and MIN_RATE_HZ <= opened.sample_rate <= MAX_RATE_HZ:
            return
        opened.close()
        channels = "1 channel" if opened.n_channels == 1 else f"{opened.n_channels} channels"
        raise UndecodableAudioError(
            f"{called(self._name)} claims {channels} at {opened.sample_rate} Hz. Up to {MAX_CHANNELS} channels "
            "and 1 to 768 kHz are accepted: export it as stereo at 44.1 kHz."
        )


def declared_seconds(file: BinaryIO) -> float:
    """How long a file says that it is; 0 where it says nothing. Only headers are read.

    Args:
        file: The file, seekable, open for reading.
    """
    import soundfile

    file.seek(0)
    try:
        with soundfile.SoundFile(file) as sound:
            return float(sound.frames / sound.samplerate)
    except (soundfile.SoundFileError, ZeroDivisionError):
        file.seek(0)
    import av

    try:
        with open_container(file) as container:
            return float(container.duration or 0) / float(av.time_base)
    except (av.FFmpegError, OSError, ValueError):
        return 0.0


def _library_errors() -> tuple[type[Exception], ...]:
    """What soundfile and PyAV raise on damaged files; a mistake of our own is none and shows its traceback."""
    import soundfile

    # What 1500 damaged files raised: the decoders' own errors, and their wrappers' ValueError and IndexError.
    common = (NoSoundInsideError, soundfile.SoundFileError, ValueError, IndexError, OSError, EOFError, ArithmeticError)
    # PyAV is imported by the first file that needs it.
    av = sys.modules.get("av")
    return common if av is None else (*common, av.FFmpegError)


def _head(file: BinaryIO) -> bytes:
    file.seek(0)
    return file.read(4096)


def _without_first(blocks: Iterator[Block], n_seconds: float) -> Iterator[Block]:
    for samples, rate in blocks:
        n_frames = round(n_seconds * rate)
        if n_frames < len(samples):
            yield Block(samples[n_frames:], rate)
        n_seconds = max(0.0, n_seconds - len(samples) / rate)


def _open_soundfile(file: BinaryIO) -> Opened:
    import soundfile

    sound = soundfile.SoundFile(file)
    can_seek = sound.seekable()
    if sound.format == "MP3":
        # soundfile goes, after each read, to where it is. In an mp3 that forgets the frames before, which the next
        # ones build on: a click at each block.
        sound.seekable = lambda: False
    frames_per_read = max(1, SAMPLES_PER_READ // max(1, sound.channels))

    def blocks() -> Iterator[Block]:
        while len(samples := sound.read(frames_per_read, dtype="float32", always_2d=True)):
            yield Block(samples, sound.samplerate)

    # A FLAC of unknown length claims the greatest possible number of frames.
    declared = sound.frames / sound.samplerate if 0 < sound.frames < 2**40 and sound.samplerate else 0.0

    def seek(seconds: float) -> None:
        sound.seek(round(seconds * sound.samplerate))

    return Opened(
        sound.samplerate, sound.channels, blocks(), sound.close, declared, format=sound.format.lower(),
        by_soundfile=True, seek=seek if can_seek else None,
    )  # fmt: skip
