"""The split of a model, dealt again, and which tracks it is known to have learnt: small cases by hand."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from tiny_bundle import GENRES, tiny_bundle

from crnn.bundles.bundle import EMBEDDINGS_NAME, Bundle, save_bundle
from crnn.data.collection import join, select_tracks
from crnn.data.tracks import Dataset, Track
from crnn.errors import DatasetError
from crnn.evaluation.learnt import learnt_sentence
from crnn.evaluation.own_split import own_part
from crnn.evaluation.verdicts import Answered

GENRES_OF = GENRES[:2]


def dataset(**split_of: str) -> Dataset:
    """Ten tracks of each of two genres."""
    tracks = [
        Track(f"{genre}{number}", genre, None, split=split_of.get(f"{genre}{number}"))
        for genre in GENRES_OF
        for number in range(10)
    ]
    return Dataset("mine", tuple(tracks), "folder", None)


def bundle_of(folder: Path, tracks: Dataset, learnt: dict[str, int] | None = None, **split: Any) -> Bundle:
    """A model of that data set; `learnt` are the tracks of its map and their labels.

    The embedding of the map's track of row n is n + 1 in every dimension.
    """
    facts = dataclasses.replace(
        tiny_bundle(folder / "plain"),
        data={"name": tracks.name, "fingerprint": join([tracks]).fingerprint},
        split={"name": "random", "way": "random", "seed": 3, "folds": 0} | split,
    )
    learnt = learnt or {"nobody": 0}
    size = facts.embedding_size

    def write(draft: Path) -> None:
        for name in ("model.onnx", "README.md"):
            (draft / name).write_bytes((folder / "plain" / name).read_bytes())
        np.savez(
            draft / EMBEDDINGS_NAME,
            embeddings=np.repeat(np.arange(1.0, len(learnt) + 1)[:, None], size, axis=1).astype(np.float32),
            labels=np.array(list(learnt.values()), np.int16),
            track_ids=np.array(list(learnt)),
            centre=np.zeros(size, np.float32),
            axes=np.zeros((size, 2), np.float32),
        )

    return save_bundle(dataclasses.replace(facts, name="mapped", path=None), folder / "mapped", write)


def ids(part: tuple[Any, tuple[Track, ...]] | None) -> set[str]:
    assert part is not None
    return {track.track_id for track in part[1]}


def test_the_part_is_that_of_the_seed_of_the_training(tmp_path: Path) -> None:
    data = dataset()
    dealt = [{t.track_id for t in select_tracks(data, "random", seed)["valid"]} for seed in (0, 3)]
    assert dealt[0] != dealt[1]
    assert ids(own_part(bundle_of(tmp_path, data), data, "valid")) == dealt[1]


def test_copies_stay_together_as_they_did_in_the_training(tmp_path: Path) -> None:
    data = dataset()
    parts = select_tracks(data, "random", 3)
    genre = GENRES_OF[0]
    apart = [next(t.track_id for t in parts[name] if t.genre == genre) for name in ("train", "valid")]
    found = bundle_of(tmp_path, data, copies=[apart])
    valid = ids(own_part(found, data, "valid"))
    assert (apart[0] in valid) == (apart[1] in valid)


def test_of_folds_only_what_no_name_and_no_map_says_was_learnt_is_kept_back(tmp_path: Path) -> None:
    names = {
        f"{genre}{number}": ("train", "valid", "test", "outside")[number % 4]
        for genre in GENRES_OF
        for number in range(10)
    }
    data = dataset(**names)
    facts = {"name": "column", "way": "column", "folds": 5}
    clean = bundle_of(tmp_path / "a", data, **facts)
    assert ids(own_part(clean, data, "test")) == {name for name, part in names.items() if part == "test"}
    for part in ("train", "valid"):
        with pytest.raises(DatasetError, match=r"kept back: test \(4\), outside \(4\)"):
            own_part(clean, data, part)
    # A track of the test is on the map: all of that part counts as learnt.
    heard = bundle_of(tmp_path / "b", data, {f"{GENRES_OF[0]}2": 0}, **facts)
    with pytest.raises(DatasetError, match=r"kept back: outside \(4\)"):
        own_part(heard, data, "test")


def answered(name: str, genre: str, embedding: float) -> Answered:
    """What the model says of a track, whose embedding is the same number in every dimension of both segments."""
    size = len(GENRES)
    return Answered(name, genre, SimpleNamespace(embeddings=np.full((2, size), embedding)))  # type: ignore[arg-type]


def test_a_track_was_learnt_if_its_name_and_genre_are_and_it_sounds_as_that_one(tmp_path: Path) -> None:
    own, others = dataset(), dataclasses.replace(dataset(), name="others", tracks=dataset().tracks[1:])
    found = bundle_of(tmp_path, own, {"a": 0, "others/b": 1})
    genre, another = GENRES_OF
    said = "1 of these 1 track was learnt by the model: the scores say nothing of music unheard."
    # Within a fiftieth of the embedding's length, and beyond.
    assert learnt_sentence(found, others, [answered("a", genre, 1.019)]) == said
    assert learnt_sentence(found, others, [answered("a", genre, 1.021)]) == ""
    # Of the model's own data it need not sound alike; of another genre it is another.
    assert learnt_sentence(found, own, [answered("a", genre, 5.0)]) == said
    assert learnt_sentence(found, own, [answered("a", another, 1.0)]) == ""
    # Joined with other data it was learnt under their name.
    both = [answered("b", another, 2.0), answered("c", genre, 1.0), Answered("a", "polka", None)]
    assert learnt_sentence(found, others, both) == (
        "1 of these 2 tracks was learnt by the model: by these the scores are better than on music unheard."
    )
