"""What to know of data sets before an hour is spent on them: counts, minutes, balance, faults, splits.

Only names and headers are read, so that a thousand files take a second or two. What
only shows when a file is decoded is told by the run, before it begins to learn.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from crnn.audio.clip import declared_seconds
from crnn.data import demo
from crnn.data.collection import Collection, select_tracks
from crnn.data.splits import (
    check_learnable,
    check_trainable,
    dealt_way,
    fold_parts,
    gtzan_id,
    gtzan_partition,
    most_folds,
    protection_of,
    split_notes,
    split_tracks,
)
from crnn.data.tracks import Track
from crnn.data.units import artist_key, units_of
from crnn.errors import AudioError, DatasetError
from crnn.features.archive import read_archive
from crnn.text import listed

# If one genre has three times the tracks of another, the answers lean towards it.
_UNBALANCED_RATIO = 3.0
_FEW_TRACKS = 20


@dataclass(frozen=True)
class GenreFacts:
    """What a collection holds of a genre; `seconds` leaves out files whose header does not say."""

    genre: str
    n_tracks: int
    n_artists: int
    seconds: float


@dataclass(frozen=True)
class Check:
    """The outcome of a check.

    advice: what would make a better model, as sentences.
    obstacle: why nothing can be learnt from it; empty if something can.
    splits: names of the splits that the data allow, the best first.
    """

    collection: Collection
    genres: tuple[GenreFacts, ...]
    advice: tuple[str, ...]
    obstacle: str
    splits: tuple[str, ...]


def check(collection: Collection, on_progress: Callable[[int, int], None] = lambda done, total: None) -> Check:
    """Look a collection over.

    Args:
        collection: Scanned data sets.
        on_progress: Called with the headers read and all of them.
    """
    tracks = collection.tracks
    seconds = dict.fromkeys(collection.genres, 0.0)
    lengths = _archive_seconds(collection)
    for done, track in enumerate(tracks, start=1):
        seconds[track.genre] += _seconds(track, collection, lengths)
        on_progress(done, len(tracks))
    n_tracks = Counter(track.genre for track in tracks)
    artists = {(track.genre, track.artist.casefold()) for track in tracks if track.artist}
    n_artists = Counter(genre for genre, _ in artists)
    facts = tuple(GenreFacts(g, n_tracks[g], n_artists[g], seconds[g]) for g in collection.genres)
    obstacle = ""
    try:
        check_trainable(tracks)
    except DatasetError as err:
        obstacle = str(err)
    splits = _possible_splits(tracks)
    return Check(collection, facts, tuple(_advice(collection, n_tracks, splits)), obstacle, splits)


def protection(collection: Collection, split: str | None, seed: int, n_folds: int = 0) -> tuple[str, ...]:
    """How the tracks will be parted, and what that guards against, as sentences.

    Args:
        collection: What is to be split.
        split: As in a training order.
        seed: As in a training order.
        n_folds: As in a training order.

    Raises:
        DatasetError: The tracks do not allow it.
    """
    if n_folds:
        parts = fold_parts(collection.tracks, n_folds, split, seed)
        sizes = sorted(len(part) for part in parts.values())
        return (f"{n_folds} folds of {sizes[0]} to {sizes[-1]} tracks.", *protection_of(parts, n_folds))
    parts = select_tracks(collection, split, seed)
    check_learnable(parts, collection.genres)
    counts = {name: len(part) for name, part in parts.items() if part}
    learn, choose = counts.get("train", 0), counts.get("valid", 0)
    first = f"{learn} tracks to learn from, {choose} to check with"
    first += f", {counts['test']} kept back." if counts.get("test") else "."
    return (first, *split_notes(parts))


def head_protection(collection: Collection, split: str | None, seed: int) -> tuple[str, ...]:
    """How a fitted head will be judged, and what that guards against, as sentences.

    Args:
        collection: Scanned data sets.
        split: As of `--split`; by artist, folds keep artists apart.
        seed: Of the folds.

    Raises:
        DatasetError: The tracks do not allow it.
    """
    folds = most_folds(collection.tracks, split, seed)
    n = len(folds)
    return (f"Learns all {len(collection.tracks)} tracks, judged by {n} folds of them.", *split_notes(folds))


def _possible_splits(tracks: tuple[Track, ...]) -> tuple[str, ...]:
    names = []
    if tracks and all(track.split for track in tracks) and any(track.split == "train" for track in tracks):
        names.append("column")
    if tracks and all(gtzan_id(track) for track in tracks):
        # With only a part of GTZAN a genre may have no tracks on one side.
        genres = {track.genre for track in tracks}
        parts = split_tracks(tracks, name="fault-filtered", seed=0)
        if all({track.genre for track in parts[part]} == genres for part in ("train", "valid")):
            names.append("fault-filtered")
    known = [artist_key(track) for track in tracks if track.artist]
    if len(set(known)) < 2:
        return (*names, "random")
    # Artists separate little where most are unknown, or where a genre has only one.
    units = units_of(tracks) or []
    per_genre = Counter(genre for genre, _ in {(track.genre, unit) for track, unit in zip(tracks, units, strict=True)})
    is_better = dealt_way(tracks, None) == "artist" and min(per_genre.values()) > 1
    return (*names, "artist", "random") if is_better else (*names, "random", "artist")


def _advice(collection: Collection, n_tracks: Counter[str], splits: tuple[str, ...]) -> list[str]:
    advice = []
    if n_tracks and max(n_tracks.values()) > _UNBALANCED_RATIO * min(n_tracks.values()):
        (most, n_most), (least, n_least) = n_tracks.most_common()[0], n_tracks.most_common()[-1]
        advice.append(
            f"Unbalanced: {n_most} tracks of {most}, {n_least} of {least}. Training shows all genres equally often, "
            f"but of {least} it has heard less; more tracks of it would help most."
        )
    few = sorted(genre for genre, n in n_tracks.items() if 1 < n < _FEW_TRACKS)
    if few:
        advice.append(f"Fewer than {_FEW_TRACKS} tracks of {listed(few)}: leave “Start from” at a trained model.")
    faulty = _faulty_of_gtzan(collection)
    if faulty:
        way = " The split fault-filtered leaves them out." if "fault-filtered" in splits else ""
        advice.append(
            f"By its names this is GTZAN: {len(faulty)} of these tracks are copies, distorted or mislabelled (Sturm "
            f"2013): {listed(faulty, 5)}.{way}"
        )
    return advice


def _faulty_of_gtzan(collection: Collection) -> list[str]:
    """GTZAN's known faults; others name their tracks “pop.00015”, too, and have some that GTZAN has not."""
    number_of = {track.track_id: collection.origins[track.track_id][0] for track in collection.tracks}
    others = {number_of[track.track_id] for track in collection.tracks if gtzan_id(track) is None}
    return [
        track.track_id
        for track in collection.tracks
        if number_of[track.track_id] not in others and gtzan_partition().get(gtzan_id(track) or "") == "excluded"
    ]


def _archive_seconds(collection: Collection) -> dict[int, list[float]]:
    """Seconds of each row, by the number of the data set, for those that are archives."""
    lengths = {}
    for number, dataset in enumerate(collection.datasets):
        if dataset.kind == "archive" and dataset.source is not None:
            stored = read_archive(dataset.source)
            rate = stored.made_with.frame_rate_hz
            lengths[number] = [len(log_mel) / rate for log_mel in stored.log_mel]
    return lengths


def _seconds(track: Track, collection: Collection, lengths: dict[int, list[float]]) -> float:
    number, original = collection.origins[track.track_id]
    if number in lengths:
        return lengths[number][original.index or 0]
    return demo.TRACK_SECONDS if track.path is None else _declared_seconds(track.path)


def _declared_seconds(path: Path) -> float:
    try:
        return declared_seconds(path, path.name)
    except AudioError:
        # Decoding will find and report what is wrong with it.
        return 0.0
