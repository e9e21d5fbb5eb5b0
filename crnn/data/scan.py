"""Data sets by name: what a folder, `tracks.csv`, zip, log-mel archive or the word `demo` holds.

Scanning reads names and a little of each file, never whole sounds, and names every fault
at once.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import stat
from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path, PurePosixPath

from crnn import atomic, paths
from crnn.audio import containers, folders
from crnn.audio.clip import Clip, is_readable, load_clip
from crnn.audio.folders import is_audio_name, is_hidden
from crnn.data import demo
from crnn.data.tracks import CSV_NAME, Dataset, Fault, Track, copies_fault, normalised, part_name
from crnn.data.tracks_csv import csv_rows
from crnn.data.zips import unpack
from crnn.errors import DatasetError, EmptyGenreError
from crnn.features import archive
from crnn.limits import MAX_TRACKS
from crnn.text import listed

DEMO_NAME = "demo"

_SAMPLED_BYTES = 1 << 16
_ACCEPTED = "A folder, a zip of one, or a log-mel archive (.npz) is accepted."
_AS_FOLDERS = f"Make one folder for each genre with its audio files in it, or a {CSV_NAME} with the columns file,genre."


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
    path = paths.user_path(source)
    # Unlike Path's own, these do not raise where nothing may be looked at.
    if os.path.isdir(path):
        return _scan_folder(path, normalised(path.resolve().name))
    if not os.path.exists(path):
        raise DatasetError(
            f"There is no data set {path}. Give a folder of genre/track files, a folder with {CSV_NAME}, a zip, "
            "a log-mel archive (.npz), or the word demo."
        )
    if path.suffix.lower() == ".npz":
        return _scan_archive(path)
    if not os.path.isfile(path):
        raise DatasetError(f"“{path.name}” is no ordinary file. {_ACCEPTED}")
    with path.open("rb") as file:
        is_zip = file.read(4) in {b"PK\x03\x04", b"PK\x05\x06"}
    if is_zip:
        folder = unpack(path, _unpacked_dir(path), csv_name=CSV_NAME)
        return replace(_scan_folder(folder, normalised(path.stem)), kind="zip", source=path)
    raise DatasetError(f"“{path.name}” is {_other_than_a_set(path)}. {_ACCEPTED}")


def _other_than_a_set(path: Path) -> str:
    if path.suffix.lower() == ".zip":
        return "no zip, or it is damaged"
    return "a single sound, not a data set" if is_audio_name(path.name) else "no data set"


def _unpacked_dir(path: Path) -> Path:
    """Folder of unpacked zips: of an upload beside the uploads, so that it is its owner's and goes with him."""
    home, uploads = paths.home_dir().resolve(), path.resolve().parents[1]
    is_upload = uploads.name == "uploads" and uploads.is_relative_to(home)
    return (uploads.parent if is_upload else home) / "unpacked"


def track_clip(track: Track, sample_rate: int) -> Clip:
    """The sound of a track that has one: its file, or a piece of the demo.

    Args:
        track: Of a scan.
        sample_rate: In Hz, of the clip; a file is resampled to it.

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
            digest=hashlib.sha256(data.log_mel[i].data).hexdigest(),
        )
        for i in range(len(data.track_ids))
    )
    return _finished(Dataset(normalised(path.stem), tracks, "archive", path, made_with=data.made_with), [])


def _scan_folder(folder: Path, name: str) -> Dataset:
    root = _music_root(folder)
    faults: list[Fault] = []
    notes: list[str] = []
    has_csv = os.path.isfile(root / CSV_NAME)
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
        raise _nothing_usable(name, faults, has_csv=has_csv)
    return _finished(Dataset(name, tracks, "csv" if has_csv else "folder", folder, tuple(notes)), faults)


def _nothing_usable(name: str, faults: list[Fault], *, has_csv: bool) -> EmptyGenreError:
    """What is wrong, each fault once with the names that it befell, and what would do."""
    if not faults:
        return EmptyGenreError(f"“{name}” holds no genres. {_AS_FOLDERS}")
    subjects: dict[str, list[str]] = defaultdict(list)
    for fault in faults:
        subjects[fault.message].append(fault.subject)
    # Each row of a list has a fault of its own, told by its number, so only the first few are named.
    told = [f"{listed(names, 3)}: {message}" for message, names in list(subjects.items())[:3]]
    more = [] if len(subjects) <= len(told) else [f"{len(subjects) - len(told)} more faults are like these."]
    return EmptyGenreError(
        " ".join([f"“{name}” holds no usable track.", *told, *more, *([] if has_csv else [_AS_FOLDERS])])
    )


def _music_root(folder: Path) -> Path:
    """`folder`, or the folder inside that alone holds everything, as zips often have it."""
    for _ in range(4):
        if os.path.isfile(folder / CSV_NAME):
            return folder
        visible = [p for p in _listing(folder) if not is_hidden(p.name)]
        inner = [p for p in visible if os.path.isdir(p)]
        has_audio = any(is_audio_name(p.name) for p in visible if p not in inner)
        if has_audio or len(inner) != 1 or not _holds_folders(inner[0]):
            return folder
        folder = inner[0]
    return folder


def _holds_folders(folder: Path) -> bool:
    return os.path.isfile(folder / CSV_NAME) or any(
        os.path.isdir(p) and not is_hidden(p.name) for p in _listing(folder)
    )


def _listing(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir(), key=lambda p: p.name)
    except OSError as err:
        raise DatasetError(f"The folder {folder} cannot be read: {err.strerror or err}.") from err


def _genre_folder_tracks(root: Path, faults: list[Fault], notes: list[str]) -> list[tuple[Track, str]]:
    found: list[tuple[Track, str]] = []
    inside: list[folders.Contents] = []
    for entry in _listing(root):
        if is_hidden(entry.name):
            continue
        if not os.path.isdir(entry):
            if is_audio_name(entry.name):
                faults.append(Fault("no_genre", normalised(entry.name), "It lies in no genre folder."))
            continue
        inside.append(folders.contents(entry))
        audio = [path.relative_to(root).as_posix() for path in inside[-1].audio]
        if not audio:
            found_no = "holds no audio file" if os.access(entry, os.R_OK | os.X_OK) else "cannot be read"
            faults.append(Fault("empty_genre", normalised(entry.name), f"The folder {found_no}."))
        found += [(Track("", normalised(entry.name), root / relative), relative) for relative in audio]
        if len(found) > MAX_TRACKS:
            break
    notes += folders.merged(inside).notes()
    return found


def _csv_tracks(root: Path, faults: list[Fault], notes: list[str]) -> list[tuple[Track, str]]:
    found: dict[str, Track] = {}
    rejected: set[str] = set()
    for number, row in csv_rows(root / CSV_NAME, notes):
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


def _sampled_digest(path: Path, relative: str, faults: list[Fault]) -> str | None:
    """Hash of size, start, middle and end; None, and a fault, if the file cannot be audio."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            faults.append(Fault("unreadable", normalised(relative), "It is no ordinary file."))
            return None
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            head = file.read(_SAMPLED_BYTES)
            if not head:
                faults.append(Fault("empty", normalised(relative), "The file is empty (0 bytes)."))
                return None
            other = containers.describe_non_audio(head[:512])
            if other and not is_readable(path):
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
    taken: set[str] = set()
    identified = []
    for track, relative in sorted(found, key=lambda pair: pair[1]):
        name = normalised(PurePosixPath(relative).stem if are_unique else relative)
        # Files whose names differ in spaces or in Unicode's forms alone print alike, and are two tracks.
        others = (f"{name} ({n})" for n in itertools.count(2))
        track_id = next(i for i in itertools.chain([name], others) if i not in taken)
        taken.add(track_id)
        identified.append(replace(track, track_id=track_id))
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
            # A group that the data set itself names may join more than the copies.
            group = next((track.group for track in copies if track.group), f"same as {ids[0]}")
            group_of.update(dict.fromkeys(ids, group))
            faults.append(copies_fault(copies))
    return tuple(replace(track, group=group_of.get(track.track_id, track.group)) for track in tracks), faults


def _truly_same(tracks: list[Track]) -> list[list[Track]]:
    """Tracks of one sampled digest, by their whole content."""
    if len(tracks) < 2 or tracks[0].path is None:
        return [tracks] if len(tracks) > 1 else []
    by_content: dict[str, list[Track]] = defaultdict(list)
    for track in tracks:
        assert track.path is not None
        try:
            by_content[atomic.sha256_of(track.path)].append(track)
        except OSError:
            # Deleted since it was listed; whoever loads it will say so.
            continue
    return [same for same in by_content.values() if len(same) > 1]
