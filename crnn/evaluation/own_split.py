"""The split that a model was trained with, dealt again from what its bundle says: so that anyone can make its score."""

from __future__ import annotations

from typing import Any

from crnn.bundles.bundle import Bundle
from crnn.bundles.track_map import load_map
from crnn.data.collection import Collection, join, select_tracks, with_copies_together
from crnn.data.splits import DEALT
from crnn.data.tracks import Dataset, Track, part_name
from crnn.errors import DatasetError

Parts = dict[str, tuple[Track, ...]]


def own_part(bundle: Bundle, dataset: Dataset, part: str) -> tuple[Collection, tuple[Track, ...]] | None:
    """A part of the very tracks that a model was trained with, as training dealt them.

    Args:
        bundle: The model.
        dataset: As it was scanned.
        part: `train`, `valid` or `test`.

    Returns:
        The data set with its genres as they were learnt, and the tracks; None if the model says nothing of its
        split, or was trained on other data.

    Raises:
        DatasetError: It was judged by folds, and that part was not kept back from them; or it has no such part.
    """
    split, way = bundle.split, bundle.split.get("way")
    if not isinstance(way, str) or not isinstance(split.get("seed"), int):
        return None
    if not is_own(bundle, dataset):
        return None
    collection = join([dataset], _renamed(bundle, dataset))
    copies = [(str(first), str(second)) for first, second in _pairs(split.get("copies"))]
    parts = select_tracks(with_copies_together(collection, copies), way, split["seed"])
    parts = {name: tracks for name, tracks in parts.items() if tracks}
    name = part_name(part) or ""
    if split.get("folds"):
        parts = _not_learnt(bundle, parts) if way not in DEALT else {}
        if name not in parts:
            raise DatasetError(_of_folds(bundle, parts))
    if name not in parts:
        raise DatasetError(
            f"“{bundle.name}” was trained with a split that has no part “{part}”. Parts: {_numbered(parts)}."
        )
    return collection, parts[name]


def is_own(bundle: Bundle, dataset: Dataset) -> bool:
    """Whether a model was trained with the very tracks of a data set.

    Args:
        bundle: The model.
        dataset: As it was scanned.
    """
    return join([dataset], _renamed(bundle, dataset)).fingerprint == bundle.data.get("fingerprint")


def _not_learnt(bundle: Bundle, parts: Parts) -> Parts:
    """Parts that folds left out: neither those that are learnt by name, nor any of which the model knows a track."""
    found = load_map(bundle)
    learnt = set(found.track_ids) if found else set()
    return {
        name: tracks
        for name, tracks in parts.items()
        if name not in {"train", "valid"} and learnt.isdisjoint(track.track_id for track in tracks)
    }


def _of_folds(bundle: Bundle, parts: Parts) -> str:
    n_folds, seed = bundle.split["folds"], bundle.split["seed"]
    kept_back = f"every track of train and valid since; kept back: {_numbered(parts)}"
    found = kept_back if parts else "every track since: no part was kept back"
    return (
        f"“{bundle.name}” was judged by {n_folds} folds and has learnt {found}. Its score comes again by training it "
        f"again: the same folds are dealt by seed {seed}."
    )


def _numbered(parts: Parts) -> str:
    return ", ".join(f"{name} ({len(tracks)})" for name, tracks in parts.items())


def _renamed(bundle: Bundle, dataset: Dataset) -> dict[str, str | None]:
    renamed = bundle.data.get("renamed")
    if not isinstance(renamed, dict):
        return {}
    return {genre: name for genre, name in renamed.items() if genre in dataset.genres}


def _pairs(stored: Any) -> list[Any]:
    """Pairs of ids; an imported bundle may hold anything there."""
    pairs = stored if isinstance(stored, list) else []
    return [pair for pair in pairs if isinstance(pair, list) and len(pair) == 2]
