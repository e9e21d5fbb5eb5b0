"""Zip uploads of music, unpacked with limits.

Nothing is written outside the target folder: absolute names, `..`, drive letters,
links and devices are refused, all offenders named at once. Counts, sizes and ratios
are read from the directory first and enforced while reading. Only audio and
`tracks.csv` are unpacked. The folder is named by the zip's content, so that the same
upload is unpacked once.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import zipfile
from collections import Counter
from pathlib import Path, PurePosixPath

from crnn import atomic
from crnn.audio.folders import is_audio_name, is_hidden
from crnn.errors import DatasetError
from crnn.limits import MAX_CSV_BYTES, MAX_DIRECTORY_BYTES, MAX_UNPACKED_BYTES, MAX_ZIP_FILES, check_room
from crnn.text import listed
from crnn.zip_directory import DAMAGE, check_directory, reason

# Sound hardly deflates; digital silence does, a thousandfold, but a data set is not made of it.
MAX_RATIO = 100
SMALL_BYTES = 100 * 2**20

_UTF8_FLAG = 0x800
_ENCRYPTED_FLAG = 0x1


def unpack(path: Path, into: Path, *, csv_name: str) -> Path:
    """The folder below `into` that holds the audio of the zip `path`.

    Args:
        path: A zip file.
        into: Parent of the unpacked folders; made if need be.
        csv_name: The one file besides audio that is unpacked too.

    Raises:
        DatasetError: It is no zip, damaged, encrypted, hostile, too large, or the disk refuses.
        DiskFullError: There is no room for what it holds.
    """
    try:
        target = into / atomic.sha256_of(path)[:32]
        if target.is_dir():
            with contextlib.suppress(OSError):
                # When it was used last: what nobody uses goes in time (`crnn.jobs.kept`).
                os.utime(target)
            return target
        with path.open("rb") as file:
            check_directory(file, MAX_DIRECTORY_BYTES)
        with zipfile.ZipFile(path) as zip_file:
            wanted = _wanted(zip_file, path, csv_name)
            into.mkdir(parents=True, exist_ok=True)
            check_room(into, sum(info.file_size for info in wanted.values()), f"Unpacking “{path.name}”")
            return _extract(zip_file, wanted, target)
    except FileNotFoundError as err:
        raise DatasetError(f"There is no file {path}.") from err
    except DAMAGE as err:
        raise DatasetError(f"“{path.name}” is no zip, or it is damaged{reason(err)}. Pack it again.") from err
    except OSError as err:
        raise DatasetError(f"“{path.name}” could not be unpacked: {err.strerror or err}.") from err


def _wanted(zip_file: zipfile.ZipFile, path: Path, csv_name: str) -> dict[str, zipfile.ZipInfo]:
    infos = [info for info in zip_file.infolist() if not info.is_dir()]
    _check_sizes(infos, path)
    names = {info.filename: _decoded_name(info) for info in infos}
    bad = [names[info.filename] for info in infos if not _is_safe(info, names[info.filename])]
    if bad:
        raise DatasetError(
            f"“{path.name}” was refused: {listed(bad)} would be written outside its folder, or is a link. "
            "Pack the music folder again."
        )
    if any(info.flag_bits & _ENCRYPTED_FLAG for info in infos):
        raise DatasetError(f"“{path.name}” is locked with a password. Pack it without one.")
    lists = [info for info in infos if names[info.filename].rpartition("/")[2] == csv_name]
    if sum(info.file_size for info in lists) > MAX_CSV_BYTES:
        raise DatasetError(f"{csv_name} in “{path.name}” is larger than {MAX_CSV_BYTES >> 20} MB.")
    wanted = {}
    for info in infos:
        name = PurePosixPath(names[info.filename])
        if not any(map(is_hidden, name.parts)) and (is_audio_name(name.name) or name.name == csv_name):
            wanted[str(name)] = info
    # Two names that one disk cannot tell apart would overwrite each other.
    twice = [name for name, n in Counter(name.casefold() for name in names.values()).items() if n > 1]
    if twice:
        raise DatasetError(f"“{path.name}” was refused: it holds {listed(twice)} twice.")
    return wanted


def _check_sizes(infos: list[zipfile.ZipInfo], path: Path) -> None:
    if len(infos) > MAX_ZIP_FILES:
        raise DatasetError(f"“{path.name}” holds {len(infos)} files; at most {MAX_ZIP_FILES} are accepted in a zip.")
    total = sum(info.file_size for info in infos)
    if total > MAX_UNPACKED_BYTES or total > SMALL_BYTES + MAX_RATIO * path.stat().st_size:
        raise DatasetError(
            f"“{path.name}” would unpack to {total / 2**30:.1f} GiB, {total / max(1, path.stat().st_size):.0f} times "
            f"its size. At most {MAX_UNPACKED_BYTES >> 30} GiB and {MAX_RATIO} times are accepted."
        )


def _decoded_name(info: zipfile.ZipInfo) -> str:
    """The entry's name with `/` between its parts; UTF-8 without its flag is common, and recognised."""
    name = info.orig_filename
    if not info.flag_bits & _UTF8_FLAG:
        try:
            name = name.encode("cp437").decode("utf-8")
        except UnicodeError:
            name = info.orig_filename
    return name.replace("\\", "/")


def _is_safe(info: zipfile.ZipInfo, name: str) -> bool:
    kind = stat.S_IFMT(info.external_attr >> 16)
    parts = name.split("/")
    has_bad_part = any(part in {"", ".", ".."} or len(part.encode()) > 255 for part in parts)
    is_plain_text = all(character.isprintable() for character in name)
    has_drive = len(name) > 1 and name[1] == ":"
    return kind in {0, stat.S_IFREG} and not has_bad_part and is_plain_text and not has_drive


def _extract(zip_file: zipfile.ZipFile, wanted: dict[str, zipfile.ZipInfo], target: Path) -> Path:
    with atomic.draft_folder(target) as draft:
        for name, info in wanted.items():
            place = draft / name
            place.parent.mkdir(parents=True, exist_ok=True)
            with zip_file.open(info) as source, place.open("xb") as sink:
                shutil.copyfileobj(source, sink, 1 << 20)
        try:
            draft.rename(target)
        except OSError:
            # Another process unpacked the same zip meanwhile.
            if not target.is_dir():
                raise
    return target
