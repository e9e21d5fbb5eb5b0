"""The split that a model was trained with, dealt again from what its bundle says: so that anyone can make its score."""

from __future__ import annotations

from typing import Any

from crnn.bundles.bundle import Bundle
from crnn.data.collection import Collection, join, select_tracks, with_copies_together
from crnn.data.scan import Dataset, Track
from crnn.data.tracks import part_name
from crnn.errors import DatasetError


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
        DatasetError: It was judged by folds, of which no part was kept back; or it has no such part.
    """
    split, way = bundle.split, bundle.split.get("way")
    if not isinstance(way, str) or not isinstance(split.get("seed"), int):
        return None
    collection = join([dataset], _renamed(bundle, dataset))
    if collection.fingerprint != bundle.data.get("fingerprint"):
        return None
    if split.get("folds"):
        raise DatasetError(
            f"“{bundle.name}” was judged by {split['folds']} folds and has learnt every track since: no part was kept "
            f"back. Its score comes again by training it again: the same folds are dealt by seed {split['seed']}."
        )
    copies = [(str(first), str(second)) for first, second in _pairs(split.get("copies"))]
    parts = select_tracks(with_copies_together(collection, copies), way, split["seed"])
    chosen = parts.get(part_name(part) or "", ())
    if not chosen:
        known = ", ".join(f"{name} ({len(tracks)})" for name, tracks in parts.items() if tracks)
        raise DatasetError(f"“{bundle.name}” was trained with a split that has no part “{part}”. Parts: {known}.")
    return collection, chosen


def _renamed(bundle: Bundle, dataset: Dataset) -> dict[str, str | None]:
    renamed = bundle.data.get("renamed")
    if not isinstance(renamed, dict):
        return {}
    return {genre: name for genre, name in renamed.items() if genre in dataset.genres}


def _pairs(stored: Any) -> list[Any]:
    """Pairs of ids; an imported bundle may hold anything there."""
    pairs = stored if isinstance(stored, list) else []
    return [pair for pair in pairs if isinstance(pair, list) and len(pair) == 2]
