"""Fair splits: no track, duplicate or, where asked for, artist lies in two parts.

Same seed, same split, whatever the order of the tracks. Every part holds every genre.
"""

from __future__ import annotations

import contextlib
import csv
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

from crnn.data.dealing import by_id, stratified
from crnn.data.tracks import CSV_NAME, PART_NAMES, Track, part_name
from crnn.data.units import artist_key, units_of
from crnn.errors import DatasetError, TooFewTracksError
from crnn.text import listed

_PARTITION_FILE = Path(__file__).parent / "partitions" / "gtzan-fault-filtered.csv"
# Splits by which folds can be dealt; the others have fixed parts.
DEALT = ("artist", "random")
# More folds would cost more and say little more.
MOST_FOLDS = 5


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


def check_learnable(parts: dict[str, tuple[Track, ...]], genres: Sequence[str]) -> None:
    """Refuse parts of which a network could not learn every genre, before an hour is spent on features.

    Args:
        parts: Of a split.
        genres: What is to be learnt.

    Raises:
        TooFewTracksError: A genre has no track to learn from; all are named.
    """
    learnt = {track.genre for track in parts.get("train", ())}
    missing = sorted(set(genres) - learnt)
    if missing:
        raise TooFewTracksError(
            f"This way to keep tracks apart leaves none of {listed(missing)} to learn from. Choose another way, add "
            "tracks, or leave the genre out."
        )


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
        DatasetError: The data set does not say what the split needs, or its column names no track to learn from.
    """
    if name == "column":
        parts = _split_by_column(tracks)
        _require_train(parts, tracks)
        return parts
    if name == "fault-filtered":
        return _split_by_partition(tracks)
    if name not in {"random", "artist"}:
        raise DatasetError(f"There is no split “{name}”. Known: random, artist, column, fault-filtered.")
    if not 0 < valid_share < 1 or not 0 <= test_share < 1 - valid_share:
        raise DatasetError(f"Shares of {valid_share} and {test_share} leave nothing to learn from.")
    if name == "artist":
        _require_artists(tracks)
    shares = {"train": 1 - valid_share - test_share, "valid": valid_share, "test": test_share}
    parts = stratified(tracks, {k: v for k, v in shares.items() if v}, seed, by_artist=name == "artist")
    return {part: parts.get(part, ()) for part in PART_NAMES}


def fold_tracks(
    tracks: Sequence[Track], n_folds: int, *, seed: int, by_artist: bool = False
) -> tuple[tuple[Track, ...], ...]:
    """Parts of equal size for cross-validation, stratified by genre; each track is in one of them.

    Args:
        tracks: Those of a group (copies) come into one fold.
        n_folds: At least 2.
        seed: The same seed and tracks give the same folds, whatever their order.
        by_artist: Whether tracks of an artist come into one fold.

    Raises:
        TooFewTracksError: Some genres cannot be in every fold; all are named.
        DatasetError: `by_artist`, and no artist is known.
        ValueError: `n_folds` is below 2.
    """
    if n_folds < 2:
        raise ValueError(f"n_folds {n_folds}: 2 or more are needed")
    if by_artist:
        _require_artists(tracks)
    parts = stratified(tracks, {str(i): 1 / n_folds for i in range(n_folds)}, seed, by_artist=by_artist)
    return tuple(parts[str(i)] for i in range(n_folds))


def dealt_way(tracks: Sequence[Track], split: str | None) -> str:
    """How folds are dealt: `artist` or `random`.

    Args:
        tracks: What is dealt.
        split: One of the two, or anything else: by artist where those of half the tracks or more are known, so that
            one name among many decides nothing; a track without one is then kept apart by itself.
    """
    if split in DEALT:
        return str(split)
    return "artist" if 2 * sum(bool(track.artist) for track in tracks) >= len(tracks) else "random"


def fold_parts(tracks: Sequence[Track], n_folds: int, split: str | None, seed: int) -> dict[str, tuple[Track, ...]]:
    """The folds by their names, dealt by track or, if so asked or most artists are known, by artist.

    Args:
        tracks: What to deal.
        n_folds: How many.
        split: `random`, `artist`, or None for the better one that the data allow.
        seed: Same seed, same folds.

    Raises:
        DatasetError: Another split is named, or artists are asked for and not known.
        TooFewTracksError: Some genres cannot be in every fold; all are named.
    """
    if split is not None and split not in DEALT:
        raise DatasetError(f"Folds are dealt at random or by artist; the split “{split}” has parts of its own.")
    folds = fold_tracks(tracks, n_folds, seed=seed, by_artist=dealt_way(tracks, split) == "artist")
    return {f"fold {number}": fold for number, fold in enumerate(folds, start=1)}


def most_folds(tracks: Sequence[Track], split: str | None, seed: int) -> dict[str, tuple[Track, ...]]:
    """As many folds as the smallest genre allows, at most `MOST_FOLDS`, by their names.

    Args:
        tracks: What to deal; copies, and artists where that is asked for or most are known, stay in one fold.
        split: `random`, `artist` or None, as in `fold_parts`; another one has parts: `tracks` are some of them, and the
            folds of these are dealt as without a split.
        seed: Same seed, same folds.

    Raises:
        TooFewTracksError: Not even two folds can be dealt.
    """
    way = split if split in DEALT else None
    for n_folds in range(MOST_FOLDS, 2, -1):
        with contextlib.suppress(TooFewTracksError):
            return fold_parts(tracks, n_folds, way, seed)
    return fold_parts(tracks, 2, way, seed)


def select_part(tracks: Sequence[Track], part: str) -> tuple[Track, ...]:
    """The tracks of one part, by the data set's own column, or else by GTZAN's partition.

    Args:
        tracks: Of one data set.
        part: `train`, `valid`, `test`, or another word for one of them.

    Raises:
        DatasetError: Neither knows the part.
    """
    has_column = any(track.split for track in tracks)
    parts = _split_by_column(tracks) if has_column else _split_by_partition(tracks)
    chosen = parts.get(part_name(part) or "", ())
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
        both = _in_several(parts, artist_key)
        are = "artist is" if len(both) == 1 else "artists are"
        notes.append(
            f"{len(both)} {are} in two parts: the scores may be too good." if both else "No artist is in two parts."
        )
        if n_with_artist < len(tracks):
            notes.append(f"The artist of {len(tracks) - n_with_artist} of {len(tracks)} tracks is not known.")
    return tuple(notes)


def protection_of(parts: dict[str, tuple[Track, ...]], n_folds: int = 0) -> tuple[str, ...]:
    """Sentences on what a split, or so many folds, protects against, and what it cannot.

    Args:
        parts: Tracks by the name of their part or fold.
        n_folds: Number of folds that a score is pooled over; 0 for a split.
    """
    if not n_folds:
        return split_notes(parts)
    return (
        *split_notes(parts),
        f"Scored by {n_folds} folds, each answered by a network that had not learnt it; the model that is kept learnt "
        "all of them, so the score is a little cautious.",
        _what_the_interval_counts([track for part in parts.values() for track in part]),
    )


def _what_the_interval_counts(tracks: Sequence[Track]) -> str:
    if units_of(tracks):
        return (
            "The interval counts tracks of an artist as far as they are right or wrong together, but not that the "
            "folds share most of what they learnt."
        )
    return "The interval takes tracks for independent: a common artist, and what folds share, make the true one wider."


def _is_gtzan_partition(parts: dict[str, tuple[Track, ...]]) -> bool:
    return all(
        gtzan_partition().get(gtzan_id(track) or "") == part for part, tracks in parts.items() for track in tracks
    )


def _in_several(parts: dict[str, tuple[Track, ...]], key_of: Callable[[Track], str | None]) -> set[str]:
    counts = Counter(key for part in parts.values() for key in {key_of(track) for track in part} if key is not None)
    return {key for key, n in counts.items() if n > 1}


def _require_artists(tracks: Sequence[Track]) -> None:
    if not any(track.artist for track in tracks):
        raise DatasetError(
            f"No artist is known, so none can be kept apart. Add the column artist to {CSV_NAME}, or split by track."
        )


def _require_train(parts: dict[str, tuple[Track, ...]], tracks: Sequence[Track]) -> None:
    if "train" in parts:
        return
    *others, last = [f"“{name}” ({len(part)})" for name, part in parts.items()]
    said = f"{', '.join(others)} and {last}: none is train" if others else f"{last}, and nothing of train"
    other_way = "artist" if any(track.artist for track in tracks) else "random"
    raise DatasetError(f"The column split says {said}. Say train, valid or test, or use --split {other_way}.")


def _split_by_column(tracks: Sequence[Track]) -> dict[str, tuple[Track, ...]]:
    parts: dict[str, list[Track]] = defaultdict(list)
    for track in by_id(tracks):
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
        parts[name] = tuple(t for t in by_id(tracks) if partition[ids[t.track_id] or ""] == name)
    return parts
