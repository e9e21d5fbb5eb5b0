"""Data sets by name: what a folder, `tracks.csv`, zip, log-mel archive or the word `demo` holds.

Scanning reads names and a little of each file, never whole sounds, and names every fault
at once. Tracks and splits come from their own modules and are given on here, so that
`crnn.dataset` is the one door to data.
"""

from __future__ import annotations

import csv
import hashlib
import io
import os
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path, PurePosixPath

from crnn import archive, containers, demo, paths
from crnn.audio import AUDIO_SUFFIXES, Clip, load_clip
from crnn.errors import DatasetError, EmptyGenreError
from crnn.limits import MAX_TRACKS
from crnn.splits import (
    check_trainable,
    fold_parts,
    fold_tracks,
    gtzan_id,
    gtzan_partition,
    protection_of,
    select_part,
    split_notes,
    split_tracks,
)
from crnn.tracks import CSV_NAME, PART_NAMES, Dataset, Fault, Track, normalised, part_name
from crnn.unpacking import listed, unpack

__all__ = [
    "CSV_NAME",
    "DEMO_NAME",
    "PART_NAMES",
    "Dataset",
    "Fault",
    "Track",
    "check_trainable",
    "fold_parts",
    "fold_tracks",
    "gtzan_id",
    "gtzan_partition",
    "protection_of",
    "scan",
    "select_part",
    "split_notes",
    "split_tracks",
    "track_clip",
]

DEMO_NAME = "demo"

_MAX_CSV_BYTES = 64 * 2**20
_SAMPLED_BYTES = 1 << 16


def scan(source: str | Path) -> Dataset:
    """What a data set holds, and every fault in it at once.

    Args:
        source: Folder, zip, log-mel archive (.npz), or the word `demo`.

    Raises:
        DatasetError: It is not there, of no known kind, or nothing in it can be used.
        EmptyGenreError: There is no genre, or no genre holds a usable track.
    """
    if str(source) == DEMO_NAME:
        return _scan_demo()
    path = Path(source).expanduser()
    if path.is_dir():
        return _scan_folder(path, normalised(path.resolve().name))
    if not path.exists():
        raise DatasetError(
            f"There is no data set {path}. Give a folder of genre/track files, a folder with {CSV_NAME}, a zip, "
            "a log-mel archive (.npz), or the word demo."
        )
    if path.suffix.lower() == ".npz":
        return _scan_archive(path)
    with path.open("rb") as file:
        is_zip = file.read(4) in {b"PK\x03\x04", b"PK\x05\x06"}
    if is_zip:
        folder = unpack(path, paths.home_dir() / "unpacked", csv_name=CSV_NAME)
        return replace(_scan_folder(folder, normalised(path.stem)), kind="zip", source=path)
    raise DatasetError(
        f"“{path.name}” is no data set: a folder, a zip or a log-mel archive (.npz) is accepted. "
        "To classify a single file, use classify."
    )


def track_clip(track: Track, sample_rate: int) -> Clip:
    """The sound of a track that has one: its file, or a piece of the demo.

    Raises:
        AudioError: The file cannot be used.
        ValueError: The track lies in an archive, which holds no sound.
    """
    if track.path is not None:
        return load_clip(track.path, sample_rate)
    return Clip(demo.render(track, sample_rate), sample_rate, track.track_id)


def _scan_demo() -> Dataset:
    notes = ("Synthesized on this machine: styles made by a program, not real music.",)
    return Dataset(DEMO_NAME, demo.tracks(), "demo", None, notes)


def _scan_archive(path: Path) -> Dataset:
    data = archive.read_archive(path)
    tracks = tuple(
        Track(
            track_id=normalised(data.track_ids[i]),
            genre=normalised(data.genres[i]),
            path=None,
            artist=data.artists[i],
            title=data.titles[i],
            split=part_name(data.splits[i]),
            group=data.groups[i],
            index=i,
            digest=hashlib.sha256(data.log_mel[i].tobytes()).hexdigest(),
        )
        for i in range(len(data.track_ids))
    )
    return _finished(Dataset(normalised(path.stem), tracks, "archive", path), [])


def _scan_folder(folder: Path, name: str) -> Dataset:
    root = _music_root(folder)
    faults: list[Fault] = []
    notes: list[str] = []
    has_csv = (root / CSV_NAME).is_file()
    found = _csv_tracks(root, faults, notes) if has_csv else _genre_folder_tracks(root, faults, notes)
    if len(found) > MAX_TRACKS:
        raise DatasetError(f"“{name}” holds {len(found)} tracks; at most {MAX_TRACKS} are accepted.")
    readable = []
    for track, relative in found:
        digest = _sampled_digest(root / relative, relative, faults)
        if digest is not None:
            readable.append((replace(track, digest=digest), relative))
    tracks = _with_ids(readable)
    if not tracks:
        raise _nothing_usable(name, faults)
    return _finished(Dataset(name, tracks, "csv" if has_csv else "folder", folder, tuple(notes)), faults)


def _nothing_usable(name: str, faults: list[Fault]) -> EmptyGenreError:
    if faults:
        subjects = listed([f"{fault.subject} ({fault.message})" for fault in faults])
        return EmptyGenreError(f"“{name}” holds no usable track: {subjects}.")
    return EmptyGenreError(
        f"“{name}” holds no genres. Make one folder for each genre with its audio files in it, "
        f"or a {CSV_NAME} with the columns file,genre."
    )


def _music_root(folder: Path) -> Path:
    """`folder`, or the folder inside that alone holds everything, as zips often have it."""
    for _ in range(4):
        if (folder / CSV_NAME).is_file():
            return folder
        visible = [p for p in _listing(folder) if not _is_hidden(p.name)]
        folders = [p for p in visible if p.is_dir()]
        has_audio = any(p.suffix.lower() in AUDIO_SUFFIXES for p in visible if p not in folders)
        if has_audio or len(folders) != 1 or not _holds_folders(folders[0]):
            return folder
        folder = folders[0]
    return folder


def _holds_folders(folder: Path) -> bool:
    return (folder / CSV_NAME).is_file() or any(p.is_dir() and not _is_hidden(p.name) for p in _listing(folder))


def _listing(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir(), key=lambda p: p.name)
    except OSError as err:
        raise DatasetError(f"The folder {folder} cannot be read: {err.strerror or err}.") from err


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX"


def _genre_folder_tracks(root: Path, faults: list[Fault], notes: list[str]) -> list[tuple[Track, str]]:
    found: list[tuple[Track, str]] = []
    others: list[str] = []
    for entry in _listing(root):
        if _is_hidden(entry.name):
            continue
        if not entry.is_dir():
            if entry.suffix.lower() in AUDIO_SUFFIXES:
                faults.append(Fault("no_genre", normalised(entry.name), "It lies in no genre folder."))
            continue
        audio: list[str] = []
        for relative in _files_below(entry, root):
            (audio if PurePosixPath(relative).suffix.lower() in AUDIO_SUFFIXES else others).append(relative)
        if not audio:
            found_no = "holds no audio file" if os.access(entry, os.R_OK | os.X_OK) else "cannot be read"
            faults.append(Fault("empty_genre", normalised(entry.name), f"The folder {found_no}."))
        found += [(Track("", normalised(entry.name), root / relative), relative) for relative in audio]
        if len(found) > MAX_TRACKS:
            break
    if others:
        notes.append(f"{len(others)} files were left out because their endings are not audio: {listed(others, 3)}.")
    return found


def _files_below(folder: Path, root: Path) -> list[str]:
    files = []
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not _is_hidden(name))
        below = Path(parent).relative_to(root).as_posix()
        files += [f"{below}/{name}" for name in names if not _is_hidden(name)]
    return sorted(files)


def _csv_tracks(root: Path, faults: list[Fault], notes: list[str]) -> list[tuple[Track, str]]:
    found: dict[str, Track] = {}
    rejected: set[str] = set()
    for number, row in _csv_rows(root / CSV_NAME, notes):
        file, genre = row.get("file", "").replace("\\", "/"), normalised(row.get("genre", ""))
        path, fault = _csv_path(root, file, genre, number)
        if path is None:
            faults.append(fault)
            continue
        relative = PurePosixPath(os.path.normpath(file)).as_posix()
        earlier = found.get(relative)
        if earlier is not None and earlier.genre != genre:
            message = f"It is listed under both {earlier.genre} and {genre}; it was left out."
            faults.append(Fault("two_genres", file, message))
            rejected.add(relative)
        elif earlier is not None:
            faults.append(Fault("twice", file, "It is listed more than once; it counts once."))
        else:
            artist, title = row.get("artist") or None, row.get("title") or None
            found[relative] = Track("", genre, path, artist, title, part_name(row.get("split")))
    return [(track, relative) for relative, track in found.items() if relative not in rejected]


def _csv_path(root: Path, file: str, genre: str, number: int) -> tuple[Path | None, Fault]:
    """The file of a row, if it can be used, and else what is wrong with it."""
    subject = file or f"row {number}"
    if not file or not genre:
        return None, Fault("no_genre", subject, f"Row {number} lacks its {'file' if not file else 'genre'}.")
    outside = Fault("outside", subject, f"Row {number} leads out of the data set's folder.")
    pure = PurePosixPath(file)
    if pure.is_absolute() or ".." in pure.parts or "\0" in file or (len(file) > 1 and file[1] == ":"):
        return None, outside
    path = root / file
    try:
        if not path.is_file():
            return None, Fault("missing", subject, f"Row {number} names a file that is not there.")
        is_inside = path.resolve().is_relative_to(root.resolve())
    except OSError as err:
        return None, Fault("unreadable", subject, f"It cannot be opened: {err.strerror or err}.")
    return (path, outside) if is_inside else (None, outside)


def _csv_rows(path: Path, notes: list[str]) -> Iterable[tuple[int, dict[str, str]]]:
    try:
        if path.stat().st_size > _MAX_CSV_BYTES:
            raise DatasetError(f"{CSV_NAME} is larger than {_MAX_CSV_BYTES >> 20} MB.")
        raw = path.read_bytes()
    except OSError as err:
        raise DatasetError(f"{CSV_NAME} cannot be read: {err.strerror or err}.") from err
    try:
        text = raw.decode("utf-16" if raw[:2] in {b"\xff\xfe", b"\xfe\xff"} else "utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
        notes.append(f"{CSV_NAME} is not UTF-8; it was read as Western European text. Check names with accents.")
    header = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=header.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        rows = list(reader)
    except csv.Error as err:
        raise DatasetError(f"{CSV_NAME} is damaged near line {reader.line_num}: {err}.") from err
    columns = [name.strip().lower() for name in rows[0]] if rows else []
    if not {"file", "genre"} <= set(columns):
        raise DatasetError(
            f"{CSV_NAME} needs the columns file and genre (and may have artist, title, split); "
            f"found {', '.join(columns[:10]) or 'nothing'}."
        )
    for number, row in enumerate(rows[1:], start=2):
        if any(cell.strip() for cell in row):
            yield number, {name: cell.strip() for name, cell in zip(columns, row, strict=False)}


def _sampled_digest(path: Path, relative: str, faults: list[Fault]) -> str | None:
    """Hash of size, start, middle and end; None, and a fault, if the file cannot be audio."""
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            head = file.read(_SAMPLED_BYTES)
            if not head:
                faults.append(Fault("empty", normalised(relative), "The file is empty (0 bytes)."))
                return None
            other = containers.describe_non_audio(head[:512])
            if other:
                faults.append(Fault("not_audio", normalised(relative), f"The file is {other}."))
                return None
            digest = hashlib.sha256(f"{size}:".encode() + head)
            for position in (size // 2, size - _SAMPLED_BYTES):
                file.seek(max(0, position))
                digest.update(file.read(_SAMPLED_BYTES))
    except OSError as err:
        faults.append(Fault("unreadable", normalised(relative), f"The file cannot be opened: {err.strerror or err}."))
        return None
    return digest.hexdigest()


def _with_ids(found: list[tuple[Track, str]]) -> tuple[Track, ...]:
    stems = Counter(normalised(PurePosixPath(relative).stem).casefold() for _, relative in found)
    are_unique = all(n == 1 for n in stems.values())
    identified = (
        replace(track, track_id=normalised(PurePosixPath(relative).stem if are_unique else relative))
        for track, relative in found
    )
    return tuple(sorted(identified, key=lambda track: track.track_id))


def _finished(dataset: Dataset, faults: list[Fault]) -> Dataset:
    """The data set with its duplicates grouped and named, and with notes on look-alike genres."""
    tracks, duplicate_faults = _group_duplicates(dataset.tracks)
    alike = defaultdict(set)
    for genre in dataset.genres:
        alike["".join(c for c in genre.casefold() if c.isalnum())].add(genre)
    notes = [
        f"The genres {listed(sorted(names))} look like one. They are kept apart; merge them if they are the same."
        for names in alike.values()
        if len(names) > 1
    ]
    return replace(dataset, tracks=tracks, notes=(*dataset.notes, *notes), faults=(*faults, *duplicate_faults))


def _group_duplicates(tracks: tuple[Track, ...]) -> tuple[tuple[Track, ...], list[Fault]]:
    by_digest: dict[str, list[Track]] = defaultdict(list)
    for track in tracks:
        by_digest[track.digest or track.track_id].append(track)
    faults, group_of = [], {}
    for same in by_digest.values():
        for copies in _truly_same(same):
            ids = [track.track_id for track in copies]
            # A group that the data set names itself already joins more than the copies.
            group = next((track.group for track in copies if track.group), f"same as {ids[0]}")
            group_of.update(dict.fromkeys(ids, group))
            genres = sorted({track.genre for track in copies})
            where = f" It is filed under {' and '.join(genres)}." if len(genres) > 1 else ""
            kind = "two_genres" if len(genres) > 1 else "duplicate"
            faults.append(Fault(kind, ", ".join(ids), f"{len(ids)} tracks are the same recording.{where}"))
    return tuple(replace(track, group=group_of.get(track.track_id, track.group)) for track in tracks), faults


def _truly_same(tracks: list[Track]) -> list[list[Track]]:
    """Tracks of one sampled digest, by their whole content."""
    if len(tracks) < 2 or tracks[0].path is None:
        return [tracks] if len(tracks) > 1 else []
    by_content: dict[str, list[Track]] = defaultdict(list)
    for track in tracks:
        assert track.path is not None
        try:
            with track.path.open("rb") as file:
                by_content[hashlib.file_digest(file, "sha256").hexdigest()].append(track)
        except OSError:
            # Deleted since it was listed; whoever loads it will say so.
            continue
    return [same for same in by_content.values() if len(same) > 1]
