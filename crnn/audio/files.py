"""Files opened for decoding: watched for disks that fail, nameless, and seen in part.

A decoder must believe neither a file's name nor, where they are wrong, its headers: `PartFile` shows it
a stretch of the file, with other first bytes if need be.
"""

from __future__ import annotations

import io
import os
import stat
from pathlib import Path
from typing import Any, BinaryIO

from crnn.errors import EmptyAudioError, UndecodableAudioError

Source = Path | str | bytes

# Endings of files that are taken for sound, and those of them that users are told of.
AUDIO_SUFFIXES = frozenset(
    ".wav .wave .bwf .rf64 .w64 .mp3 .mp2 .mp1 .mpga .flac .ogg .oga .ogx .opus .spx .m4a .m4b .m4r .aac .adts "
    ".loas .mp4 .m4v .mov .qt .mkv .mka .webm .weba .wma .wmv .asf .aif .aiff .aifc .au .snd .caf .3gp .3g2 .amr "
    ".awb .ac3 .eac3 .ec3 .dts .dtshd .thd .mlp .wv .tta .ape .tak .mpc .dsf .avi .flv .f4v .mpg .mpeg .vob .ts .mts "
    ".m2ts .ogv .voc .avr .8svx .iff .nist .sph .ircam .pvf .sds .xi .paf .nut .sox .rm .ra".split()
)
ACCEPTED_FORMATS = "wav, mp3, flac, ogg, opus, m4a, aac, mp4, webm, wma, aiff, au, caf"


def called(name: str, at_start: bool = True) -> str:
    """How a message calls the sound: its name on one line, or "this recording".

    Args:
        name: The sound's name, of any characters; what is not printable is replaced.
        at_start: Whether the sentence begins with it.
    """
    if name:
        return "“" + "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in name) + "”"
    return "This recording" if at_start else "this recording"


def open_file(source: Source, name: str) -> BinaryIO:
    """The file, open for reading at its start.

    Args:
        source: A path, or the bytes of a file.
        name: What to call it in messages.

    Raises:
        EmptyAudioError: It holds nothing.
        UndecodableAudioError: It cannot be opened.
    """
    file = io.BytesIO(source) if isinstance(source, bytes) else _open_path(source, name)
    try:
        head = file.read(1)
        check_was_read(file, name)
        if not head:
            raise EmptyAudioError(f"{called(name)} is empty (0 bytes). Choose a file that plays in a music player.")
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


class NamelessFile(io.BufferedReader):
    """A file that does not tell its name, whose ending soundfile and PyAV would believe (.raw, .vox, .mp3)."""

    @property
    def name(self) -> str:
        """None is told."""
        raise AttributeError("name")


class RawStretch(io.RawIOBase):
    """Bytes of a known number, read from a position that can be moved; `readinto` is left to the kind.

    Args:
        size: How many bytes there are.
    """

    def __init__(self, size: int) -> None:
        self._size, self._at = size, 0

    def readable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """Yes."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """The new position; nothing is read yet, and beyond the end nothing ever is.

        Args:
            offset: Bytes from where `whence` says.
            whence: `io.SEEK_SET`, `io.SEEK_CUR` or `io.SEEK_END`.

        Raises:
            OSError: It would lie before the beginning.
        """
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise OSError("a position before the start")
        self._at = base + offset
        return self._at

    def tell(self) -> int:
        """Position."""
        return self._at


class PartFile(RawStretch):
    """A stretch of another file, as if it were all of it.

    Args:
        file: The whole.
        start: Where the stretch begins.
        end: Where it ends.
        header: Bytes that stand in for the first ones of the stretch.
    """

    def __init__(self, file: BinaryIO, start: int, end: int, header: bytes = b"") -> None:
        super().__init__(max(0, end - start))
        self._file, self._start, self._header = file, start, header

    def readinto(self, buffer: Any, /) -> int:
        """Read what lies there, from the header that stands in or from the file."""
        n_bytes = max(0, min(len(buffer), self._size - self._at))
        if self._at < len(self._header):
            data = self._header[self._at : self._at + n_bytes]
        else:
            self._file.seek(self._start + self._at)
            data = self._file.read(n_bytes)
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)


def part_of(file: BinaryIO, start: int, end: int, header: bytes = b"") -> BinaryIO:
    """A stretch of a file as a file; see `PartFile`.

    Args:
        file: The whole, which must stay open and is read by nobody else meanwhile.
        start: Byte where the stretch begins.
        end: Byte behind its last one.
        header: Bytes that stand in for the first ones of the stretch.
    """
    return NamelessFile(PartFile(file, start, end, header), 1 << 16)


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
            return NamelessFile(_WatchedFile(source))
        if stat.S_ISDIR(mode):
            # Raises where it may not be opened; otherwise it is told below that it is a folder.
            os.scandir(source).close()
    except (OSError, ValueError) as err:  # ValueError: a NUL in the name
        reason = getattr(err, "strerror", None) or err
        raise UndecodableAudioError(f"{called(name)} cannot be opened: {reason}.") from err
    # A pipe would block for ever, and a device never ends.
    found = "is a folder" if stat.S_ISDIR(mode) else "is no ordinary file"
    raise UndecodableAudioError(f"{called(name)} {found}. Give audio files: {ACCEPTED_FORMATS}.")
