"""Data sets of labelled tracks: what they hold, what is wrong with them, and fair splits.

A data set is a folder of `genre/track.ext`, a folder with `tracks.csv`, a zip of
either, a log-mel archive or the word `demo`. Scanning reads names and a little of
each file, never whole sounds. Splits are by track; duplicates, and artists where that
is asked for, never lie in two parts, and the order of files on disk does not matter.
"""

from __future__ import annotations

import csv
import hashlib
import io
import os
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path, PurePosixPath
from typing import Literal

import numpy as np
import numpy.typing as npt

from crnn import archive, containers, paths
from crnn.audio import AUDIO_SUFFIXES
from crnn.errors import DatasetError, EmptyGenreError, TooFewTracksError
from crnn.unpacking import listed, unpack

IntArray = npt.NDArray[np.int64]

CSV_NAME = "tracks.csv"
DEMO_NAME = "demo"
MAX_TRACKS = 100_000
PART_NAMES = ("train", "valid", "test")

_PARTITION_FILE = Path(__file__).parent / "partitions" / "gtzan-fault-filtered.csv"
_PART_SYNONYMS = {"training": "train", "validation": "valid", "val": "valid", "dev": "valid", "testing": "test"}
_MAX_CSV_BYTES = 64 * 2**20
_SAMPLED_BYTES = 1 << 16
# Orders tried for an artist split; the best balanced one is taken.
_N_TRIES = 12


@dataclass(frozen=True)
class Track:
    """One work or file of a data set: the unit of splits and of scores.

    track_id: unique in its data set: the file's stem where stems are unique, else its path.
    path: the audio file; None in archives and in the demo.
    split: the data set's own part for it, if it names one.
    group: what must stay together in every split (duplicates share one).
    index: row in a log-mel archive.
    digest: a fingerprint of the content.
    """

    track_id: str
    genre: str
    path: Path | None
    artist: str | None = None
    title: str | None = None
    split: str | None = None
    group: str | None = None
    index: int | None = None
    digest: str | None = None


@dataclass(frozen=True)
class Fault:
    """Something wrong in a data set that does not stop its use.

    kind: `empty`, `not_audio`, `unreadable`, `missing`, `outside`, `no_genre`, `two_genres`, `twice`,
        `duplicate`, `empty_genre`.
    subject: file, row, genre or track that it is about.
    message: a sentence for the user.
    """

    kind: str
    subject: str
    message: str


@dataclass(frozen=True)
class Dataset:
    """What a scan found: usable tracks, and everything that is wrong with the others.

    kind: how the data set is stored.
    source: file or folder that was scanned; None for the demo.
    notes: facts that a musician should know, as sentences.
    faults: all faults at once.
    """

    name: str
    tracks: tuple[Track, ...]
    kind: Literal["folder", "csv", "zip", "archive", "demo"]
    source: Path | None
    notes: tuple[str, ...] = ()
    faults: tuple[Fault, ...] = ()

    @property
    def genres(self) -> tuple[str, ...]:
        """Genre names, sorted: the order of labels and logits."""
        return tuple(sorted({track.genre for track in self.tracks}))

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over the tracks' ids, genres, artists, splits and content, whatever their order."""
        facts = sorted(
            "\x1f".join(field or "" for field in (t.track_id, t.genre, t.artist, t.split, t.digest))
            for t in self.tracks
        )
        return hashlib.sha256("\x1e".join(facts).encode()).hexdigest()

    def with_genres(self, new_names: dict[str, str | None]) -> Dataset:
        """This data set with genres renamed, merged (one new name for two) or left out (None).

        Raises:
            EmptyGenreError: A genre that is named is not there.
            TooFewTracksError: Nothing is left.
        """
        unknown = sorted(set(new_names) - set(self.genres))
        if unknown:
            raise EmptyGenreError(f"“{self.name}” has no genre {listed(unknown)}. It has {', '.join(self.genres)}.")
        renamed = ((track, new_names.get(track.genre, track.genre)) for track in self.tracks)
        tracks = tuple(replace(track, genre=genre) for track, genre in renamed if genre is not None)
        if not tracks:
            raise TooFewTracksError("Every genre was left out. Keep two or more.")
        return replace(self, tracks=tracks)


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
        return _scan_folder(path, path.resolve().name)
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
        return replace(_scan_folder(folder, path.stem), kind="zip", source=path)
    raise DatasetError(
        f"“{path.name}” is no data set: a folder, a zip or a log-mel archive (.npz) is accepted. "
        "To classify a single file, use classify."
    )


def check_trainable(tracks: Sequence[Track]) -> None:
    """Refuse what no training can learn from.

    Raises:
        TooFewTracksError: Fewer than two genres, or genres with a single track; all are named.
    """
    counts = Counter(track.genre for track in tracks)
    if len(counts) < 2:
        found = f"only “{next(iter(counts))}”" if counts else "none"
        raise TooFewTracksError(f"At least two genres are needed to learn the difference; there is {found}.")
    single = sorted(genre for genre, n in counts.items() if n < 2)
    if single:
        raise TooFewTracksError(
            f"A single track in {listed(single)}: at least two are needed, one to learn and one to check. "
            "Add tracks, or leave the genre out."
        )


# Scanning


def _scan_demo() -> Dataset:
    from crnn import demo

    notes = ("Synthesized on this machine: styles made by a program, not real music.",)
    return Dataset(DEMO_NAME, demo.tracks(), "demo", None, notes)


def _scan_archive(path: Path) -> Dataset:
    data = archive.read_archive(path)
    tracks = tuple(
        Track(
            track_id=_normalised(data.track_ids[i]),
            genre=_normalised(data.genres[i]),
            path=None,
            artist=data.artists[i],
            title=data.titles[i],
            split=_part_name(data.splits[i]),
            group=data.groups[i],
            index=i,
            digest=hashlib.sha256(data.log_mel[i].tobytes()).hexdigest(),
        )
        for i in range(len(data.track_ids))
    )
    return _finished(Dataset(path.stem, tracks, "archive", path), [])


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
                faults.append(Fault("no_genre", _normalised(entry.name), "It lies in no genre folder."))
            continue
        audio: list[str] = []
        for relative in _files_below(entry, root):
            (audio if PurePosixPath(relative).suffix.lower() in AUDIO_SUFFIXES else others).append(relative)
        if not audio:
            faults.append(Fault("empty_genre", _normalised(entry.name), "The folder holds no audio file."))
        found += [(Track("", _normalised(entry.name), root / relative), relative) for relative in audio]
        if len(found) > MAX_TRACKS:
            break
    if others:
        notes.append(f"{len(others)} files were left out because their endings are not audio: {listed(others, 3)}.")
    return found


def _files_below(folder: Path, root: Path) -> list[str]:
    files = []
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not _is_hidden(name))
        files += [Path(parent, name).relative_to(root).as_posix() for name in names if not _is_hidden(name)]
    return sorted(files)


def _csv_tracks(root: Path, faults: list[Fault], notes: list[str]) -> list[tuple[Track, str]]:
    found: dict[str, Track] = {}
    rejected: set[str] = set()
    for number, row in _csv_rows(root / CSV_NAME, notes):
        file, genre = row.get("file", "").replace("\\", "/"), _normalised(row.get("genre", ""))
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
            found[relative] = Track("", genre, path, artist, title, _part_name(row.get("split")))
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
                faults.append(Fault("empty", _normalised(relative), "The file is empty (0 bytes)."))
                return None
            other = containers.describe_non_audio(head[:512])
            if other:
                faults.append(Fault("not_audio", _normalised(relative), f"The file is {other}."))
                return None
            digest = hashlib.sha256(f"{size}:".encode() + head)
            for position in (size // 2, size - _SAMPLED_BYTES):
                file.seek(max(0, position))
                digest.update(file.read(_SAMPLED_BYTES))
    except OSError as err:
        faults.append(Fault("unreadable", _normalised(relative), f"The file cannot be opened: {err.strerror or err}."))
        return None
    return digest.hexdigest()


def _with_ids(found: list[tuple[Track, str]]) -> tuple[Track, ...]:
    stems = Counter(_normalised(PurePosixPath(relative).stem).casefold() for _, relative in found)
    are_unique = all(n == 1 for n in stems.values())
    identified = (
        replace(track, track_id=_normalised(PurePosixPath(relative).stem if are_unique else relative))
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


def _normalised(name: str) -> str:
    """A name that prints and compares the same on every system; bytes that are no UTF-8 become marks."""
    printable = name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return unicodedata.normalize("NFC", " ".join(printable.split()))


def _part_name(value: str | None) -> str | None:
    name = (value or "").strip().lower()
    return _PART_SYNONYMS.get(name, name) or None


# Splits


def split_tracks(
    tracks: Sequence[Track], *, name: str, seed: int, valid_share: float = 0.2, test_share: float = 0.0
) -> dict[str, tuple[Track, ...]]:
    """Parts of a data set in which no track, duplicate or (by artist) artist occurs twice.

    Args:
        tracks: What to split, in any order.
        name: `random` (by track, stratified by genre), `artist` (by artist, stratified as well as
            possible), `column` (the data set's own), `fault-filtered` (GTZAN's partition by Kereliuk,
            Sturm and Larsen 2015, by track id; excluded tracks are left out).
        seed: Same seed, same split, for `random` and `artist`.
        valid_share: Share of the tracks that choose the model.
        test_share: Share of the tracks that are kept back.

    Returns:
        `train`, `valid` and `test`, each sorted by track id; `column` gives the parts that it names.

    Raises:
        TooFewTracksError: Some genres cannot be in every part; all are named.
        DatasetError: The data set does not say what the split needs.
    """
    if name == "column":
        return _split_by_column(tracks)
    if name == "fault-filtered":
        return _split_by_partition(tracks)
    if name not in {"random", "artist"}:
        raise DatasetError(f"There is no split “{name}”. Known: random, artist, column, fault-filtered.")
    if not 0 < valid_share < 1 or not 0 <= test_share < 1 - valid_share:
        raise DatasetError(f"Shares of {valid_share} and {test_share} leave nothing to learn from.")
    if name == "artist":
        _require_artists(tracks)
    shares = {"train": 1 - valid_share - test_share, "valid": valid_share, "test": test_share}
    parts = _stratified(tracks, {k: v for k, v in shares.items() if v}, seed, by_artist=name == "artist")
    return {part: parts.get(part, ()) for part in PART_NAMES}


def fold_tracks(
    tracks: Sequence[Track], n_folds: int, *, seed: int, by_artist: bool = False
) -> tuple[tuple[Track, ...], ...]:
    """Parts of equal size for cross-validation, stratified by genre; each track is in one of them.

    Raises:
        TooFewTracksError: Some genres cannot be in every fold; all are named.
        DatasetError: `by_artist`, and no artist is known.
    """
    if n_folds < 2:
        raise ValueError(f"n_folds {n_folds}: 2 or more are needed")
    if by_artist:
        _require_artists(tracks)
    parts = _stratified(tracks, {str(i): 1 / n_folds for i in range(n_folds)}, seed, by_artist=by_artist)
    return tuple(parts[str(i)] for i in range(n_folds))


def select_part(tracks: Sequence[Track], part: str) -> tuple[Track, ...]:
    """The tracks of one part, by the data set's own column, or else by GTZAN's partition.

    Raises:
        DatasetError: Neither knows the part.
    """
    has_column = any(track.split for track in tracks)
    parts = _split_by_column(tracks) if has_column else _split_by_partition(tracks)
    chosen = parts.get(_part_name(part) or "", ())
    if not chosen:
        raise DatasetError(
            f"No track is in the part “{part}”. Parts: {', '.join(f'{k} ({len(v)})' for k, v in parts.items() if v)}."
        )
    return chosen


def split_notes(parts: dict[str, tuple[Track, ...]]) -> tuple[str, ...]:
    """Sentences on what a split protects against, and what it cannot."""
    notes = []
    tracks = [track for part in parts.values() for track in part]
    shared = _in_several(parts, lambda track: track.group)
    if shared:
        notes.append(f"The same recording lies in two parts ({len(shared)} times): scores will be too good.")
    elif any(track.group for track in tracks):
        notes.append("Copies of one recording stay in one part.")
    n_with_artist = sum(track.artist is not None for track in tracks)
    if not n_with_artist and _is_gtzan_partition(parts):
        notes.append("GTZAN's fault-filtered partition: artists and copies were kept apart by listening (Sturm 2013).")
    elif not n_with_artist:
        notes.append("Artists are not known: one artist may be in two parts, and the scores too good.")
    else:
        both = _in_several(parts, _artist_key)
        notes.append(
            f"{len(both)} artists are in two parts: the scores may be too good."
            if both
            else "No artist is in two parts."
        )
        if n_with_artist < len(tracks):
            notes.append(f"The artist of {len(tracks) - n_with_artist} of {len(tracks)} tracks is not known.")
    return tuple(notes)


def _is_gtzan_partition(parts: dict[str, tuple[Track, ...]]) -> bool:
    return all(
        gtzan_partition().get(gtzan_id(track) or "") == part for part, tracks in parts.items() for track in tracks
    )


def _in_several(parts: dict[str, tuple[Track, ...]], key_of: Callable[[Track], str | None]) -> set[str]:
    counts = Counter(key for part in parts.values() for key in {key_of(track) for track in part} if key is not None)
    return {key for key, n in counts.items() if n > 1}


def _artist_key(track: Track) -> str | None:
    return " ".join(track.artist.casefold().split()) if track.artist else None


def _require_artists(tracks: Sequence[Track]) -> None:
    if not any(track.artist for track in tracks):
        raise DatasetError(
            f"No artist is known, so none can be kept apart. Add the column artist to {CSV_NAME}, or split by track."
        )


def _split_by_column(tracks: Sequence[Track]) -> dict[str, tuple[Track, ...]]:
    parts: dict[str, list[Track]] = defaultdict(list)
    for track in _by_id(tracks):
        if track.split:
            parts[track.split].append(track)
    if not parts:
        raise DatasetError(
            f"The data set names no split of its own. Add the column split to {CSV_NAME}, or split at random."
        )
    order = [*PART_NAMES, *sorted(set(parts) - set(PART_NAMES))]
    return {name: tuple(parts[name]) for name in order if name in parts}


@cache
def gtzan_partition() -> dict[str, str]:
    """Track id → `train`, `valid`, `test` or `excluded` of the fault-filtered GTZAN partition."""
    with _PARTITION_FILE.open(encoding="utf-8", newline="") as file:
        return {row["track_id"]: row["split"] for row in csv.DictReader(file)}


def gtzan_id(track: Track) -> str | None:
    """The GTZAN id of a track, by its id or its file's name; None if it has none."""
    name = track.track_id.rsplit("/", 1)[-1]
    candidates = (name, name.rsplit(".", 1)[0])
    return next((candidate for candidate in candidates if candidate in gtzan_partition()), None)


def _split_by_partition(tracks: Sequence[Track]) -> dict[str, tuple[Track, ...]]:
    partition = gtzan_partition()
    ids = {track.track_id: gtzan_id(track) for track in tracks}
    strangers = sorted(track_id for track_id, known in ids.items() if known is None)
    if strangers:
        raise DatasetError(
            f"The split fault-filtered is GTZAN's. {len(strangers)} tracks are not of it: {listed(strangers)}."
        )
    parts: dict[str, tuple[Track, ...]] = {}
    for name in PART_NAMES:
        parts[name] = tuple(t for t in _by_id(tracks) if partition[ids[t.track_id] or ""] == name)
    return parts


def _by_id(tracks: Iterable[Track]) -> list[Track]:
    return sorted(tracks, key=lambda track: (track.track_id, track.genre))


def _stratified(
    tracks: Sequence[Track], shares: dict[str, float], seed: int, *, by_artist: bool
) -> dict[str, tuple[Track, ...]]:
    units = _units(_by_id(tracks), by_artist=by_artist)
    _require_units(units, len(shares), by_artist=by_artist)
    genres = sorted({track.genre for track in tracks})
    label = {genre: i for i, genre in enumerate(genres)}
    counts = np.array([np.bincount([label[t.genre] for t in unit], minlength=len(genres)) for unit in units])
    # At least one track of each genre in each part, however small the genre.
    targets = np.maximum(np.outer(list(shares.values()), counts.sum(axis=0)), 1.0)
    rng = np.random.default_rng(seed)
    tries = [_assign(counts, targets, rng) for _ in range(_N_TRIES if counts.max() > 1 else 1)]
    best = min(tries, key=lambda parts: _imbalance(parts, counts, targets))
    names = list(shares)
    missing = _absent_genres(best, counts, genres, names)
    if missing:
        raise TooFewTracksError(
            f"These genres could not be put into every part: {', '.join(missing)}. "
            f"Add tracks{' by more artists' if by_artist else ''}, or leave them out."
        )
    chosen: dict[str, list[Track]] = {name: [] for name in names}
    for unit, part in zip(units, best, strict=True):
        chosen[names[part]].extend(unit)
    return {name: tuple(_by_id(part)) for name, part in chosen.items()}


def _units(tracks: list[Track], *, by_artist: bool) -> list[list[Track]]:
    """Tracks that must stay together: connected by a group or, if asked for, by an artist."""
    parent = list(range(len(tracks)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    first_with: dict[tuple[str, str], int] = {}
    for i, track in enumerate(tracks):
        keys = [("group", track.group), ("artist", _artist_key(track) if by_artist else None)]
        for kind, key in keys:
            if key is not None:
                parent[root(i)] = root(first_with.setdefault((kind, key), i))
    units: dict[int, list[Track]] = defaultdict(list)
    for i, track in enumerate(tracks):
        units[root(i)].append(track)
    return list(units.values())


def _require_units(units: list[list[Track]], n_parts: int, *, by_artist: bool) -> None:
    n_units = Counter(genre for unit in units for genre in {track.genre for track in unit})
    few = [f"{genre} ({n})" for genre, n in sorted(n_units.items()) if n < n_parts]
    if few:
        what = "artists" if by_artist else "tracks that are no copies of each other"
        raise TooFewTracksError(
            f"Each genre needs at least {n_parts} {what} for this split; too few in: {', '.join(few)}. "
            "Add tracks, or leave these genres out."
        )


def _assign(
    counts: IntArray,
    targets: npt.NDArray[np.float64],
    rng: np.random.Generator,
) -> list[int]:
    """A part for each unit, large units first, each where its genres are missed most."""
    order = rng.permutation(len(counts))
    order = order[np.argsort(-counts[order].sum(axis=1), kind="stable")]
    missing = targets.copy()
    parts = [0] * len(counts)
    for i in order:
        # Among parts that miss a genre equally, the one that misses most tracks.
        need = missing @ (counts[i] / counts[i].sum()) + 1e-3 * missing.mean(axis=1)
        part = int(np.argmax(need))
        parts[i] = part
        missing[part] -= counts[i]
    return parts


def _imbalance(
    parts: list[int],
    counts: IntArray,
    targets: npt.NDArray[np.float64],
) -> float:
    have = np.zeros_like(targets)
    np.add.at(have, parts, counts)
    return float((np.abs(have - targets) / targets).sum() + 1000 * (have == 0).sum())


def _absent_genres(parts: list[int], counts: IntArray, genres: list[str], names: list[str]) -> list[str]:
    have = np.zeros((len(names), len(genres)), dtype=np.int64)
    np.add.at(have, parts, counts)
    return [genre for i, genre in enumerate(genres) if (have[:, i] == 0).any()]
