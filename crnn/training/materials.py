"""What an order is carried out with, and what comes of it: shared by heads and networks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from crnn.bundles.bundle import Bundle
from crnn.data.collection import Collection, split_way
from crnn.data.labelled import NO_TRACKS, TrainingData, joined
from crnn.data.load import Loaded
from crnn.data.splits import DEALT, dealt_way
from crnn.data.tracks import Fault, Track
from crnn.data.units import artist_key
from crnn.evaluation.report import Report
from crnn.jobs.order import TrainingOrder, TrainingSettings
from crnn.text import number_of

Event = dict[str, Any]
Parts = dict[str, tuple[Track, ...]]

_DEALT_WORDS = {"artist": "by artist", "random": "at random"}


@dataclass(frozen=True)
class Outcome:
    """What came of an order.

    bundle: None if it was stopped before there was anything to keep.
    notes: what to know of it, as sentences.
    stopped: whether it was stopped before its end.
    faults: of the data sets and their tracks; what of them is in the notes too stands there as it is here.
    """

    bundle: Bundle | None
    notes: tuple[str, ...]
    stopped: bool
    report: Report | None = None
    faults: tuple[Fault, ...] = ()


@dataclass(frozen=True)
class Watcher:
    """Who is told how it goes, and who may stop it."""

    on_event: Callable[[Event], None] = lambda event: None
    on_progress: Callable[[int, int], None] = lambda done, total: None
    should_stop: Callable[[], bool] = lambda: False

    def stage(self, name: str) -> None:
        """Tell that a stage began."""
        self.on_event({"event": "stage", "stage": name})


@dataclass(frozen=True)
class Materials:
    """What learning and publishing take: the tracks, their parts and features, the settings, the place of checkpoints.

    copies: ids of tracks that are one recording though their bytes differ, by pairs.
    of_others: music of none of the genres, with its log-mels.
    protection: what the split guards against, as sentences; of a head, which is judged by folds of its own, none.
    found: all that is wrong with the data, by their scan and by listening.
    """

    collection: Collection
    parts: Parts
    loaded: Loaded
    settings: TrainingSettings
    run_dir: Path
    identity: str
    copies: list[list[str]] = field(default_factory=list)
    of_others: tuple[tuple[Track, npt.NDArray[np.uint8]], ...] = ()
    protection: tuple[str, ...] = ()
    found: tuple[Fault, ...] = ()

    @property
    def data(self) -> TrainingData:
        """What is learnt from and what is watched; of folds all is learnt from."""
        if "train" not in self.loaded.parts:
            return TrainingData(self.collection.genres, joined(list(self.loaded.parts.values())), NO_TRACKS)
        valid = self.loaded.parts.get("valid", NO_TRACKS)
        return TrainingData(self.collection.genres, self.loaded.parts["train"], valid)

    @property
    def folds(self) -> npt.NDArray[np.int64]:
        """Fold of each track of `data`, where the parts are folds."""
        return np.repeat(np.arange(len(self.loaded.parts)), [len(part) for part in self.loaded.parts.values()])

    @property
    def faults(self) -> tuple[str, ...]:
        """Tracks that could not be used, as sentences."""
        return tuple(fault.message for fault in self.loaded.faults)

    @property
    def others(self) -> tuple[npt.NDArray[np.uint8], ...]:
        """Log-mels of music of none of the genres."""
        return tuple(log_mel for _, log_mel in self.of_others)

    @property
    def other_tracks(self) -> tuple[Track, ...]:
        """Whose `others` are."""
        return tuple(track for track, _ in self.of_others)

    @property
    def tracks(self) -> dict[str, Track]:
        """Tracks of all parts by their ids."""
        return {track.track_id: track for tracks in self.parts.values() for track in tracks}


def stopped_early(materials: Materials) -> Outcome:
    """What a stop leaves before there is a model."""
    return Outcome(None, ("Stopped before there was a model: nothing was kept.", *materials.faults), stopped=True)


def kept_back(materials: Materials) -> dict[str, int]:
    """How many tracks neither teach nor check, by their part; "no part" for those that the split leaves out."""
    parts = materials.parts
    counts = {name: len(tracks) for name, tracks in parts.items() if tracks and name not in {"train", "valid"}}
    n_left_out = len(materials.collection.tracks) - sum(map(len, parts.values()))
    return counts | ({"no part": n_left_out} if n_left_out else {})


def split_sentences(order: TrainingOrder, materials: Materials, n_folds: int) -> tuple[str, ...]:
    """What became of a split of the data's own: what was kept back, how far apart, and where it was not kept to.

    Args:
        order: What was asked for.
        materials: Whose tracks.
        n_folds: Those that judge the model; 0 for a split.
    """
    tracks = materials.collection.tracks
    way = split_way(materials.collection, order.split)
    if way in DEALT or order.folds:
        return _unkept_sentence(tracks, order.split)
    sentences = []
    if n_folds:
        learnt = [track for name in ("train", "valid") for track in materials.parts.get(name, ())]
        dealt = _DEALT_WORDS[dealt_way(learnt, order.split)]
        said = f"Learnt are the {number_of(len(learnt), 'track')} of train and valid of the split {way}"
        judged = f"{said}, judged by folds dealt {dealt} over both together: the score is not that of valid alone"
        # Only the split itself knows what it keeps apart.
        apart = " and what the split keeps apart may lie in two folds, which makes it too good"
        sentences.append(f"{judged}." if dealt == _DEALT_WORDS["artist"] else f"{judged},{apart}.")
    return (*sentences, *_kept_back_sentence(kept_back(materials)), *_overlap_sentence(materials))


def _unkept_sentence(tracks: tuple[Track, ...], split: str | None) -> tuple[str, ...]:
    """That a column's parts are learnt all the same; empty where it names none."""
    n_test, n_without = sum(track.split == "test" for track in tracks), sum(not track.split for track in tracks)
    if n_without == len(tracks):
        return ()
    if split in DEALT:
        why = f": all tracks are dealt {_DEALT_WORDS[split]}, as was asked for"
    else:
        why = f": {n_without} of {len(tracks)} tracks have no part there" if n_without else " by folds of all tracks"
    learnt = f" The {number_of(n_test, 'track')} marked test may be learnt." if n_test else ""
    return (f"The column split is not kept to{why}.{learnt}",)


def _kept_back_sentence(counts: dict[str, int]) -> tuple[str, ...]:
    if not counts:
        return ()
    found = ", ".join(f"{name} ({n})" for name, n in counts.items())
    hint = " They are scored by evaluate --split test." if "test" in counts else ""
    return (f"Kept back, and not learnt: {found}.{hint}",)


def _overlap(materials: Materials) -> tuple[int, int, int]:
    """Of the tracks of parts kept back: all, those of a recording that is learnt, those by an artist that is."""
    parts = materials.parts
    learnt = [track for name in ("train", "valid") for track in parts.get(name, ())]
    apart = [track for name, tracks in parts.items() if name not in {"train", "valid"} for track in tracks]
    groups = {track.group for track in learnt if track.group}
    artists = {artist_key(track) for track in learnt if track.artist}
    n_copies = sum(track.group in groups for track in apart)
    return len(apart), n_copies, sum(artist_key(track) in artists for track in apart)


def _overlap_sentence(materials: Materials) -> tuple[str, ...]:
    """How far what is kept back is apart from what is learnt."""
    n, n_copies, n_by_artists = _overlap(materials)
    if not n:
        return ()
    found = [
        *([f"{n_copies} {'holds' if n_copies == 1 else 'hold'} a recording that is learnt"] if n_copies else []),
        *(
            [f"{n_by_artists} {'is' if n_by_artists == 1 else 'are'} by an artist that is learnt"]
            if n_by_artists
            else []
        ),
    ]
    if found:
        said = f"Of the {number_of(n, 'track')} kept back {' and '.join(found)}"
        return (f"{said}: scores on them are too good.",)
    knows_artists = any(track.artist for track in materials.collection.tracks)
    artist = ", and none is by an artist that is learnt, as far as artists are known" if knows_artists else ""
    return (f"None of the tracks kept back holds a recording that is learnt{artist}.",)


def data_facts(order: TrainingOrder, materials: Materials, n_learnt: int) -> dict[str, Any]:
    """What a bundle says of its data; enough to know them again.

    Args:
        order: Which genres were renamed.
        materials: Whose data.
        n_learnt: Tracks that the model learnt, of all.
    """
    collection = materials.collection
    facts: dict[str, Any] = {
        "name": collection.name,
        "kind": collection.kind,
        "n_tracks": len(collection.tracks),
        "n_learnt": n_learnt,
        "fingerprint": collection.fingerprint,
    }
    return facts | ({"renamed": order.genres} if order.genres else {})


def split_facts(order: TrainingOrder, materials: Materials, parts: Parts, n_folds: int) -> dict[str, Any]:
    """What a bundle says of its split; enough to deal the same data the same way again.

    Args:
        order: What was asked for.
        materials: Whose data, and the copies that were found in them.
        parts: Tracks by part or fold, told by their number.
        n_folds: 0 for a split.
    """
    way, counts = split_way(materials.collection, order.split), {part: len(tracks) for part, tracks in parts.items()}
    name = way
    if n_folds:
        dealt = dealt_way([track for part in parts.values() for track in part], order.split)
        way = dealt if order.folds else way
        name = f"{n_folds} folds, {way}"
    if n_folds and way not in DEALT:
        # Folds are dealt over what is learnt; the other parts stay as the split has them.
        others = kept_back(materials)
        told = "".join(f"; {n} tracks of {part} kept back" for part, n in others.items())
        name, counts = f"{n_folds} folds, {_DEALT_WORDS[dealt]}, of train and valid of {way}{told}", counts | others
    facts = {
        "name": name,
        "way": way,
        "folds": n_folds,
        "seed": order.settings.train.seed,
        **{f"n_{part.replace(' ', '_')}": n for part, n in counts.items()},
    }
    _, n_copies, n_by_artists = (0, 0, 0) if order.folds or way in DEALT else _overlap(materials)
    if n_copies or n_by_artists:
        facts |= {"n_kept_back_copies": n_copies, "n_kept_back_by_learnt_artists": n_by_artists}
    return facts | ({"copies": materials.copies} if materials.copies else {})
