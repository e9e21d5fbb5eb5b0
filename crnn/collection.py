"""Several data sets as one: what a training order is carried out on.

Ids of tracks get the name of their data set in front where there are several. Copies of
one recording in two data sets share a group, so that no split parts them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from crnn.archive import UInt8Array
from crnn.cache import load_log_mel
from crnn.config import FeatureConfig
from crnn.dataset import Dataset, Fault, Track, scan


@dataclass(frozen=True)
class Collection:
    """Data sets that are learnt from together.

    datasets: as they were scanned, their genres under their own names.
    tracks: all that is used, with their genres' new names.
    origins: by track id, the number of the data set and the track as its scan gave it.
    """

    datasets: tuple[Dataset, ...]
    tracks: tuple[Track, ...]
    origins: dict[str, tuple[int, Track]]
    faults: tuple[Fault, ...]

    @property
    def name(self) -> str:
        """Names of the data sets."""
        return " + ".join(dataset.name for dataset in self.datasets)

    @property
    def kind(self) -> str:
        """How they are stored; `several` if not all alike."""
        kinds = {dataset.kind for dataset in self.datasets}
        return kinds.pop() if len(kinds) == 1 else "several"

    @property
    def genres(self) -> tuple[str, ...]:
        """Genre names, sorted: the order of labels and logits."""
        return tuple(sorted({track.genre for track in self.tracks}))

    @property
    def notes(self) -> tuple[str, ...]:
        """Facts of all data sets, as sentences."""
        return tuple(note for dataset in self.datasets for note in dataset.notes)

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the tracks that are used, whatever their order."""
        facts = sorted(
            "\x1f".join((t.track_id, t.genre, t.artist or "", t.split or "", t.digest or "")) for t in self.tracks
        )
        return hashlib.sha256("\x1e".join(facts).encode()).hexdigest()


def with_copies_together(collection: Collection, pairs: Iterable[tuple[str, str]]) -> Collection:
    """The collection with a common group for tracks that hold one recording, and for all that is grouped with them.

    Args:
        collection: Some data sets.
        pairs: Ids of tracks that hold one recording.
    """
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        while parent.get(name, name) != name:
            name = parent[name]
        return name

    group_of = {track.track_id: f"group {track.group}" for track in collection.tracks if track.group}
    together = [(group_of.get(a, f"track {a}"), group_of.get(b, f"track {b}")) for a, b in pairs]
    for first, second in together:
        parent[root(second)] = root(first)
    joined = {name for pair in together for name in pair}
    tracks = []
    for track in collection.tracks:
        name = group_of.get(track.track_id, f"track {track.track_id}")
        tracks.append(replace(track, group=f"same as {root(name)}") if name in joined else track)
    return replace(collection, tracks=tuple(tracks))


def gather(sources: Iterable[str | Path], new_names: dict[str, str | None] | None = None) -> Collection:
    """Scan data sets and join them.

    Args:
        sources: As `scan` takes them.
        new_names: Genres renamed, merged (one new name for two) or left out (None).

    Raises:
        DatasetError: One of them cannot be used; a genre that is named is in none of them; nothing is left.
    """
    return join([scan(source) for source in sources], new_names)


def join(datasets: Sequence[Dataset], new_names: dict[str, str | None] | None = None) -> Collection:
    """Data sets as one; see `gather`."""
    prefixes = _prefixes(datasets)
    tracks, origins = [], {}
    for number, (dataset, prefix) in enumerate(zip(datasets, prefixes, strict=True)):
        for track in dataset.tracks:
            group = f"{prefix}{track.group}" if track.group else None
            joined = replace(track, track_id=prefix + track.track_id, group=group)
            tracks.append(joined)
            origins[joined.track_id] = (number, track)
    faults = [fault for dataset in datasets for fault in dataset.faults]
    if len(datasets) > 1:
        tracks, copies = _with_common_groups(tracks)
        faults += copies
    joint = Collection(tuple(datasets), tuple(tracks), origins, tuple(faults))
    return with_genres(joint, new_names) if new_names else joint


def with_genres(collection: Collection, new_names: dict[str, str | None]) -> Collection:
    """The collection with genres renamed, merged or left out, as `gather` does it.

    Raises:
        DatasetError: A genre that is named is not in it; nothing is left.
    """
    # A data set of all of them renames as one data set does.
    whole = replace(collection.datasets[0], name=collection.name, tracks=collection.tracks)
    return replace(collection, tracks=whole.with_genres(new_names).tracks)


def log_mels(
    collection: Collection,
    tracks: Sequence[Track],
    config: FeatureConfig,
    *,
    folder: Path,
    n_jobs: int | None = None,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> tuple[list[UInt8Array | None], list[Fault]]:
    """Log-mels of tracks of a collection, and the faults of those that have none.

    Args:
        collection: Where the tracks come from.
        tracks: Which of them.
        config: Transform settings.
        folder: Where the cache lies.
        n_jobs: Processes for what is not in the cache.
        on_progress: Called with the tracks done and all tracks.
        should_stop: Asked after each track.

    Returns:
        uint8 arrays `(n_frames, n_mels)` in the order of `tracks`, None for a fault or a stop; the faults.

    Raises:
        DatasetError: An archive was made with other settings, or changed.
    """
    found: list[UInt8Array | None] = [None] * len(tracks)
    faults: list[Fault] = []
    n_before = 0
    for number, dataset in enumerate(collection.datasets):
        places = [i for i, track in enumerate(tracks) if collection.origins[track.track_id][0] == number]
        if not places or should_stop():
            continue
        n_done = n_before

        def advance(done: int, total: int, n_done: int = n_done) -> None:
            on_progress(n_done + done, len(tracks))

        part, part_faults = load_log_mel(
            dataset,
            config,
            folder=folder,
            tracks=[collection.origins[tracks[i].track_id][1] for i in places],
            n_jobs=n_jobs,
            on_progress=advance,
            should_stop=should_stop,
        )
        for place, log_mel in zip(places, part, strict=True):
            found[place] = log_mel
        faults += part_faults
        n_before += len(places)
    return found, faults


def _prefixes(datasets: Sequence[Dataset]) -> list[str]:
    """What stands before the ids of each data set's tracks, so that no two are the same."""
    if len(datasets) == 1:
        return [""]
    names = [dataset.name for dataset in datasets]
    return [f"{name}/" if names.count(name) == 1 else f"{name} {i}/" for i, name in enumerate(names, start=1)]


def _with_common_groups(tracks: list[Track]) -> tuple[list[Track], list[Fault]]:
    """Tracks in which copies across data sets share a group, and a fault for each set of copies."""
    parent = {track.track_id: track.track_id for track in tracks}

    def root(track_id: str) -> str:
        while parent[track_id] != track_id:
            track_id = parent[track_id]
        return track_id

    first_with: dict[tuple[str, str], str] = {}
    copies: dict[str, list[Track]] = {}
    for track in tracks:
        for kind, key in (("group", track.group), ("content", track.digest)):
            if key is None:
                continue
            first = first_with.setdefault((kind, key), track.track_id)
            parent[root(track.track_id)] = root(first)
            if kind == "content":
                copies.setdefault(key, []).append(track)
    members: dict[str, int] = {}
    for track in tracks:
        members[root(track.track_id)] = members.get(root(track.track_id), 0) + 1
    grouped = [
        replace(track, group=f"same as {root(track.track_id)}") if members[root(track.track_id)] > 1 else track
        for track in tracks
    ]
    return grouped, [fault for same in copies.values() if (fault := _copies_fault(same)) is not None]


def _copies_fault(same: list[Track]) -> Fault | None:
    """What to say of copies, unless one data set's own scan has said it."""
    if len({track.track_id.split("/", 1)[0] for track in same}) < 2:
        return None
    genres = sorted({track.genre for track in same})
    where = f" It is filed under {' and '.join(genres)}." if len(genres) > 1 else ""
    subject = ", ".join(track.track_id for track in same)
    return Fault("two_genres" if where else "duplicate", subject, f"{len(same)} tracks are the same recording.{where}")
