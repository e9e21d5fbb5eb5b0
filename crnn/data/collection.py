"""Several data sets as one: what a training order is carried out on.

Ids of tracks get the name of their data set in front where there are several. Copies of
one recording in two data sets share a group, so that no split parts them.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from crnn.config import FeatureConfig
from crnn.data.feature_cache import load_log_mel
from crnn.data.scan import scan
from crnn.data.splits import dealt_way, split_tracks
from crnn.data.tracks import Dataset, Fault, Track, copies_fault
from crnn.data.user_clips import is_corrections
from crnn.errors import TooFewTracksError
from crnn.features.archive import UInt8Array
from crnn.text import listed, number_of

# Names of folders and genres that stand for music of none of the other genres.
OTHER_NAMES = frozenset({"other", "background"})


@dataclass(frozen=True)
class Collection:
    """Data sets that are learnt from together.

    datasets: as they were scanned, their genres under their own names.
    tracks: all that is used, with their genres' new names.
    origins: by track id, the number of the data set and the track as its scan gave it.
    others: tracks of a genre called `other` or `background`: music of none of the genres, which is not learnt as
        one but teaches to tell it. Beside a single genre it is a genre like any other.
    waiting: corrections that are alone in their genre, of which nothing can be learnt until a second one comes.
    remarks: what became of labels, as sentences.
    """

    datasets: tuple[Dataset, ...]
    tracks: tuple[Track, ...]
    origins: dict[str, tuple[int, Track]]
    faults: tuple[Fault, ...]
    others: tuple[Track, ...] = ()
    waiting: tuple[Track, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def all_tracks(self) -> tuple[Track, ...]:
        """Tracks of the genres, then those of none."""
        return (*self.tracks, *self.others)

    @property
    def usable_tracks(self) -> tuple[Track, ...]:
        """Those of its tracks that no fault leaves out; which ones are, listening to all of them tells."""
        lost = {fault.subject for fault in self.faults if fault.loses_track}
        return tuple(track for track in self.tracks if track.track_id not in lost)

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
        notes = (*(note for dataset in self.datasets for note in dataset.notes), *self.remarks)
        if self.waiting:
            names = listed(sorted({track.genre for track in self.waiting}))
            notes = (*notes, f"A single correction is in {names}: it is learnt from once there is a second.")
        if not self.others:
            return notes
        names = " and ".join(sorted({track.genre for track in self.others}))
        said = f"What is called {names} ({number_of(len(self.others), 'track')}) is no genre, and teaches what is none."
        return (*notes, f"{said} To learn it as a genre, give it another name.")

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the tracks that are used, whatever their order."""
        facts = sorted(
            "\x1f".join((t.track_id, t.genre, t.artist or "", t.split or "", t.digest or "")) for t in self.all_tracks
        )
        return hashlib.sha256("\x1e".join(facts).encode()).hexdigest()


def with_copies_together(collection: Collection, pairs: Iterable[tuple[str, str]]) -> Collection:
    """The collection with a common group for tracks that hold one recording, and for all that is grouped with them.

    Args:
        collection: Some data sets.
        pairs: Ids of tracks that hold one recording.
    """
    from scipy.cluster.hierarchy import DisjointSet

    group_of = {track.track_id: f"group {track.group}" for track in collection.tracks if track.group}
    together = [(group_of.get(a, f"track {a}"), group_of.get(b, f"track {b}")) for a, b in pairs]
    joined = DisjointSet({name for pair in together for name in pair})
    for first, second in together:
        joined.merge(first, second)
    tracks = []
    for track in collection.tracks:
        name = group_of.get(track.track_id, f"track {track.track_id}")
        tracks.append(replace(track, group=f"same as {min(joined.subset(name))}") if name in joined else track)
    return replace(collection, tracks=tuple(tracks))


def check_usable(collection: Collection) -> None:
    """Refuse genres of which too little is left beside what cannot be used.

    Args:
        collection: With the faults that listening found.

    Raises:
        TooFewTracksError: A genre has fewer than two tracks left; all are named.
    """
    left = Counter(track.genre for track in collection.usable_tracks)
    few = [genre for genre in collection.genres if left[genre] < 2]
    if few:
        raise TooFewTracksError(
            f"Of {listed(few)} fewer than two tracks can be used: two are needed, one to learn and one to check. "
            "Add tracks, or leave the genre out."
        )


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
    """Data sets as one; see `gather`.

    Args:
        datasets: Scanned ones; the order of their tracks is kept.
        new_names: As of `gather`.

    Raises:
        DatasetError: A genre that is named is in none of them; nothing is left.
    """
    prefixes = _prefixes(datasets)
    tracks, origins = [], {}
    for number, (dataset, prefix) in enumerate(zip(datasets, prefixes, strict=True)):
        for track in dataset.tracks:
            group = f"{prefix}{track.group}" if track.group else None
            joined = replace(track, track_id=prefix + track.track_id, group=group)
            tracks.append(joined)
            origins[joined.track_id] = (number, track)
    faults = [fault for dataset in datasets for fault in dataset.faults]
    remarks: tuple[str, ...] = ()
    if len(datasets) > 1:
        tracks, remarks = _as_corrected(tracks, datasets, origins)
        tracks, copies = _with_common_groups(tracks)
        faults += copies
    joint = Collection(tuple(datasets), tuple(tracks), origins, tuple(faults), remarks=remarks)
    return with_genres(joint, new_names) if new_names else _lone_apart(_others_apart(joint))


def with_genres(collection: Collection, new_names: dict[str, str | None]) -> Collection:
    """The collection with genres renamed, merged or left out, as `gather` does it.

    Args:
        collection: Some data sets.
        new_names: New name by old one; one new name for two merges them, None leaves out.

    Raises:
        DatasetError: A genre that is named is not in it; nothing is left.
    """
    # All data sets are renamed as if they were one.
    tracks = (*collection.all_tracks, *collection.waiting)
    whole = replace(collection.datasets[0], name=collection.name, tracks=tracks)
    renamed = replace(collection, tracks=whole.with_genres(new_names).tracks, others=(), waiting=())
    return _lone_apart(_others_apart(renamed))


def _as_corrected(
    tracks: list[Track], datasets: Sequence[Dataset], origins: dict[str, tuple[int, Track]]
) -> tuple[list[Track], tuple[str, ...]]:
    """Tracks under the genre that their owner corrected them to, each once; and what was changed, as a sentence.

    A correction of a recording that another data set holds too would else stand beside the label that it corrects.
    """
    numbers = {number for number, dataset in enumerate(datasets) if is_corrections(dataset.source)}
    corrected = {t.digest: t for t in tracks if t.digest and origins[t.track_id][0] in numbers}
    elsewhere = {t.digest for t in tracks if origins[t.track_id][0] not in numbers}
    found, changed = [], []
    for track in tracks:
        is_correction = origins[track.track_id][0] in numbers
        if is_correction and track.digest in elsewhere:
            continue
        correction = None if is_correction else corrected.get(track.digest or "")
        if correction is not None and correction.genre != track.genre:
            changed.append(f"{track.track_id} is {correction.genre}, not {track.genre}")
            track = replace(track, genre=correction.genre)  # noqa: PLW2901 - the same track, relabelled
        found.append(track)
    return found, ((f"As you corrected: {listed(changed)}.",) if changed else ())


def _lone_apart(collection: Collection) -> Collection:
    """The collection with corrections aside that are alone in their genre, where enough is left without them."""
    counts = Counter(track.genre for track in collection.tracks)
    waiting = [
        track
        for track in collection.tracks
        if counts[track.genre] == 1
        and is_corrections(collection.datasets[collection.origins[track.track_id][0]].source)
    ]
    if not waiting or len(counts) - len(waiting) < 2:
        return collection
    names = {track.genre for track in waiting}
    tracks = tuple(track for track in collection.tracks if track.genre not in names)
    return replace(collection, tracks=tracks, waiting=tuple(waiting))


def _others_apart(collection: Collection) -> Collection:
    genres = [track for track in collection.tracks if track.genre.casefold() not in OTHER_NAMES]
    others = [track for track in collection.tracks if track.genre.casefold() in OTHER_NAMES]
    if not others or len({track.genre for track in genres}) < 2:
        return collection
    return replace(collection, tracks=tuple(genres), others=tuple(others))


def select_tracks(dataset: Dataset | Collection, split: str | None, seed: int) -> dict[str, tuple[Track, ...]]:
    """The parts of a data set under the option `--split`.

    Args:
        dataset: What is to be split.
        split: Name of a way to split; None leaves it to the data, see `split_way`.
        seed: For the ways that leave something to chance.

    Raises:
        DatasetError: The data do not allow that split.
    """
    return split_tracks(dataset.tracks, name=split_way(dataset, split), seed=seed)


def split_way(dataset: Dataset | Collection, split: str | None) -> str:
    """The way to split that `--split` names: `column`, `fault-filtered`, `artist` or `random`.

    Without one: the data set's own column if every track has a part there, else by artist where most are known (see
    `dealt_way`), else at random.

    Args:
        dataset: What is to be split.
        split: What was asked for, None for nothing.
    """
    if split is not None:
        return split
    if all(track.split for track in dataset.tracks):
        return "column"
    return dealt_way(dataset.tracks, None)


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

    def advance(done: int, _: int) -> None:
        on_progress(n_before + done, len(tracks))

    for number, dataset in enumerate(collection.datasets):
        places = [i for i, track in enumerate(tracks) if collection.origins[track.track_id][0] == number]
        if not places or should_stop():
            continue
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
        # A data set's faults name its tracks as they were called before they were joined.
        id_of = {collection.origins[tracks[i].track_id][1].track_id: tracks[i].track_id for i in places}
        faults += [replace(fault, subject=id_of[fault.subject]) for fault in part_faults]
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
    from scipy.cluster.hierarchy import DisjointSet

    together = DisjointSet(track.track_id for track in tracks)
    first_with: dict[tuple[str, str], str] = {}
    copies: dict[str, list[Track]] = {}
    for track in tracks:
        for kind, key in (("group", track.group), ("content", track.digest)):
            if key is None:
                continue
            first = first_with.setdefault((kind, key), track.track_id)
            together.merge(first, track.track_id)
            if kind == "content":
                copies.setdefault(key, []).append(track)
    sizes = Counter(together[track.track_id] for track in tracks)
    grouped = [
        replace(track, group=f"same as {together[track.track_id]}") if sizes[together[track.track_id]] > 1 else track
        for track in tracks
    ]
    # Copies within one data set were reported by its own scan.
    across = [same for same in copies.values() if len({track.track_id.split("/", 1)[0] for track in same}) > 1]
    return grouped, [copies_fault(same) for same in across]
