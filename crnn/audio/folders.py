"""What a folder holds: the one rule by which `classify`, `scan`, zips and recipes find sound in it.

Hidden files and folders are left out (names with a dot first, `__MACOSX`), as are endings that no sound
has. A file that is named by itself is always taken. What was left out is counted and named.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from crnn.audio.files import AUDIO_SUFFIXES, called
from crnn.text import listed

# Ending of MPEG transport streams, and of a programming language.
_AMBIGUOUS = ".ts"
_TS_PACKET, _TS_SYNC = 188, 0x47


@dataclass(frozen=True)
class Contents:
    """What lies anywhere below a folder, each sorted.

    audio: files whose ending is that of sound; links that lead nowhere and pipes, too.
    others: files with other endings.
    hidden: files and folders whose name hides them.
    closed: folders that may not be read, and links to folders, which are not followed.
    """

    audio: tuple[Path, ...]
    others: tuple[Path, ...]
    hidden: tuple[Path, ...]
    closed: tuple[Path, ...]

    def notes(self) -> tuple[str, ...]:
        """What was left out, as sentences."""
        told = []
        if self.others:
            why = "its ending is" if len(self.others) == 1 else "their endings are"
            told.append(f"{_left_out(self.others, 'file')} because {why} not audio: {_first(self.others)}.")
        if self.hidden:
            told.append(f"{_left_out(self.hidden, 'hidden file or folder')}: {_first(self.hidden)}.")
        if self.closed:
            is_one = len(self.closed) == 1
            why = "that is a link or may not be read" if is_one else "that are links or may not be read"
            told.append(f"{_left_out(self.closed, 'folder')} {why}: {_first(self.closed)}.")
        return tuple(told)


def _left_out(paths: tuple[Path, ...], what: str) -> str:
    many = " or ".join(f"{word}s" for word in what.split(" or "))
    return f"1 {what} was left out" if len(paths) == 1 else f"{len(paths)} {many} were left out"


def _first(paths: tuple[Path, ...]) -> str:
    return listed([path.name for path in paths], 3)


def is_hidden(name: str) -> bool:
    """Whether a file or folder of this name is left out: `.name`, `._name`, `__MACOSX`."""
    return name.startswith(".") or name == "__MACOSX"


def is_audio_name(name: str) -> bool:
    """Whether a file of this name is taken for sound, and found in a folder."""
    return not is_hidden(name) and os.path.splitext(name)[1].lower() in AUDIO_SUFFIXES


def merged(found: Iterable[Contents]) -> Contents:
    """What several folders hold together."""
    each = list(found)
    fields = ("audio", "others", "hidden", "closed")
    return Contents(*(tuple(path for one in each for path in getattr(one, field)) for field in fields))


def contents(folder: Path) -> Contents:
    """What lies anywhere below a folder. Only names are read."""
    audio: list[Path] = []
    others: list[Path] = []
    hidden: list[Path] = []
    closed: list[Path] = []

    def note_closed(err: OSError) -> None:
        closed.append(Path(err.filename))

    for parent, folders, names in os.walk(folder, onerror=note_closed):
        here = Path(parent)
        hidden += [here / name for name in (*folders, *names) if is_hidden(name)]
        closed += [here / name for name in folders if not is_hidden(name) and (here / name).is_symlink()]
        folders[:] = sorted(name for name in folders if not is_hidden(name))
        for name in names:
            path = here / name
            if is_hidden(name):
                continue
            if not is_audio_name(name) or (path.suffix.lower() == _AMBIGUOUS and not _is_transport_stream(path)):
                others.append(path)
                continue
            audio.append(path)
    return Contents(*(tuple(sorted(paths, key=Path.as_posix)) for paths in (audio, others, hidden, closed)))


def find_audio_files(paths: Sequence[Path]) -> tuple[list[Path], list[str]]:
    """Files named, and those that folders named hold; and what was left out, as sentences.

    Links that lead nowhere, pipes and folders named that may not be read are among them, so that whoever reads them
    tells of them.
    """
    found: list[Path] = []
    notes: list[str] = []
    for path in paths:
        if os.path.isdir(path):
            inside = contents(path)
            if path in inside.closed:
                found.append(path)
                continue
            found.extend(inside.audio)
            notes.extend(f"{called(str(path))}: {note}" for note in inside.notes())
            # If it is the only one, the caller says so.
            if not inside.audio and len(paths) > 1:
                notes.append(f"{called(str(path))} holds no sound file.")
        else:
            found.append(path)
    return found, notes


def _is_file(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return False


def _is_transport_stream(path: Path) -> bool:
    if not _is_file(path):
        return False
    try:
        with path.open("rb") as file:
            head = file.read(_TS_PACKET + 1)
    except OSError:
        return True
    return len(head) > _TS_PACKET and head[0] == head[_TS_PACKET] == _TS_SYNC
