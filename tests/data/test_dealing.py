"""Tracks dealt into splits and folds: stratified, artists and copies whole, by a column or a partition."""

import random
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from crnn.data import splits
from crnn.data.scan import scan
from crnn.data.splits import split_tracks
from crnn.data.tracks import Track
from crnn.errors import DatasetError, TooFewTracksError


def make_tracks(counts: dict[str, int], n_artists: int = 0) -> list[Track]:
    return [
        Track(f"{genre}{i:03d}", genre, None, artist=f"{genre} band {i % n_artists}" if n_artists else None)
        for genre, n in counts.items()
        for i in range(n)
    ]


@pytest.mark.parametrize("name", ["random", "artist"])
def test_splits_are_stratified_and_complete(name: str):
    tracks = make_tracks({"jazz": 100, "rock": 50, "pop": 10}, n_artists=10)
    parts = split_tracks(tracks, name=name, seed=1, valid_share=0.2, test_share=0.1)
    assert sorted(t.track_id for part in parts.values() for t in part) == sorted(t.track_id for t in tracks)
    shares = {part: Counter(t.genre for t in chosen) for part, chosen in parts.items()}
    assert shares["valid"] == {"jazz": 20, "rock": 10, "pop": 2}
    assert shares["test"] == {"jazz": 10, "rock": 5, "pop": 1}


@pytest.mark.parametrize("name", ["random", "artist"])
def test_the_order_on_disk_does_not_matter_and_the_seed_does(name: str):
    tracks = make_tracks({"jazz": 30, "rock": 30}, n_artists=15)
    shuffled = random.Random(3).sample(tracks, len(tracks))
    assert split_tracks(tracks, name=name, seed=5) == split_tracks(shuffled, name=name, seed=5)
    assert split_tracks(tracks, name=name, seed=5) != split_tracks(tracks, name=name, seed=6)
    assert splits.fold_tracks(tracks, 3, seed=5) == splits.fold_tracks(shuffled, 3, seed=5)


def test_no_artist_is_in_two_parts_though_artists_differ_in_size():
    rng = np.random.default_rng(0)
    tracks = [
        Track(f"{genre}{i}", genre, None, artist=f"Band {int(rng.geometric(0.12))}")
        for genre in ("jazz", "rock", "pop")
        for i in range(80)
    ]
    parts = split_tracks(tracks, name="artist", seed=2)
    artists = [{t.artist for t in part} for part in parts.values()]
    assert not artists[0] & artists[1]
    assert {t.genre for t in parts["valid"]} == {"jazz", "rock", "pop"}
    assert 30 <= len(parts["valid"]) <= 66
    assert "No artist is in two parts." in splits.split_notes(parts)


def test_artists_are_the_same_whatever_their_case():
    tracks = make_tracks({"jazz": 8, "rock": 8}, n_artists=4)
    tracks = [
        Track(t.track_id, t.genre, None, artist=(t.artist or "").upper() if i % 2 else t.artist)
        for i, t in enumerate(tracks)
    ]
    parts = split_tracks(tracks, name="artist", seed=0)
    names = [{(t.artist or "").lower() for t in part} for part in parts.values()]
    assert not names[0] & names[1]


@pytest.mark.parametrize("name", ["random", "artist"])
def test_copies_stay_together_even_across_artists(name: str):
    tracks = make_tracks({"jazz": 40, "rock": 40}, n_artists=20)
    tracks = [
        Track(t.track_id, t.genre, None, artist=t.artist, group="same" if t.track_id.endswith("7") else None)
        for t in tracks
    ]
    for seed in range(5):
        parts = split_tracks(tracks, name=name, seed=seed)
        assert sum(any(t.group for t in part) for part in parts.values()) == 1


def test_folds_are_even_and_disjoint():
    tracks = make_tracks({"jazz": 33, "rock": 21, "pop": 10})
    folds = splits.fold_tracks(tracks, 5, seed=0)
    assert sorted(t.track_id for fold in folds for t in fold) == sorted(t.track_id for t in tracks)
    assert max(map(len, folds)) - min(map(len, folds)) <= 2
    for genre in ("jazz", "rock", "pop"):
        sizes = [sum(t.genre == genre for t in fold) for fold in folds]
        assert max(sizes) - min(sizes) <= 1


def test_folds_by_artist_keep_artists_whole():
    folds = splits.fold_tracks(make_tracks({"jazz": 30, "rock": 30}, n_artists=6), 3, seed=0, by_artist=True)
    artists = [{t.artist for t in fold} for fold in folds]
    assert sum(len(names) for names in artists) == len(set().union(*artists)) == 12


def test_genres_that_are_too_small_are_all_named():
    tracks = make_tracks({"jazz": 10, "polka": 1, "waltz": 1})
    with pytest.raises(TooFewTracksError, match=r"polka \(1\), waltz \(1\)"):
        split_tracks(tracks, name="random", seed=0)
    with pytest.raises(TooFewTracksError, match=r"5 tracks.*polka \(1\)"):
        splits.fold_tracks(tracks, 5, seed=0)


def test_a_genre_of_one_artist_cannot_be_split_by_artist():
    tracks = make_tracks({"jazz": 10}, n_artists=5) + make_tracks({"reggae": 10}, n_artists=1)
    with pytest.raises(TooFewTracksError, match=r"artists.*reggae \(1\)"):
        split_tracks(tracks, name="artist", seed=0)


@pytest.mark.parametrize(
    ("name", "message"),
    [("artist", "No artist is known"), ("column", "no split of its own"), ("magic", "no split “magic”")],
)
def test_splits_say_what_they_lack(name: str, message: str):
    with pytest.raises(DatasetError, match=message):
        split_tracks(make_tracks({"jazz": 5, "rock": 5}), name=name, seed=0)


@pytest.mark.parametrize(("valid", "test"), [(0, 0), (1, 0), (0.5, 0.5), (0.2, -0.1)])
def test_impossible_shares_are_refused(valid: float, test: float):
    with pytest.raises(DatasetError, match="leave nothing"):
        split_tracks(make_tracks({"jazz": 5}), name="random", seed=0, valid_share=valid, test_share=test)


def test_the_own_column_keeps_its_parts():
    tracks = [Track(str(i), "jazz", None, split=split) for i, split in enumerate(["valid", "train", None, "outside"])]
    parts = split_tracks(tracks, name="column", seed=0)
    assert {name: [t.track_id for t in part] for name, part in parts.items()} == {
        "train": ["1"],
        "valid": ["0"],
        "outside": ["3"],
    }
    assert [t.track_id for t in splits.select_part(tracks, "Validation")] == ["0"]
    with pytest.raises(DatasetError, match=r"part “test”.*outside \(1\)"):
        splits.select_part(tracks, "test")


@pytest.mark.parametrize(
    ("words", "artist", "message"),
    [
        (["outside", "unlabelled", "outside"], "Ann", "says “outside” (2) and “unlabelled” (1): none is train. Say"),
        (["outside", "test", "valid"], None, "says “valid” (1), “test” (1) and “outside” (1): none is train."),
        (["test"] * 3, None, "says “test” (3), and nothing of train. Say train, valid or test, or use --split random."),
    ],
)
def test_a_column_without_train_is_refused_by_its_words(words: list[str], artist: str | None, message: str):
    tracks = [Track(str(i), "jazz", None, artist=artist, split=word) for i, word in enumerate(words)]
    with pytest.raises(DatasetError, match=re.escape(message)):
        split_tracks(tracks, name="column", seed=0)


def test_the_gtzan_partition_is_complete():
    assert Counter(splits.gtzan_partition().values()) == {"train": 443, "valid": 197, "test": 290, "excluded": 70}


@pytest.mark.parametrize("form", ["{}", "{}.wav", "blues/{}.au"])
def test_gtzan_tracks_are_known_by_id_or_file(form: str):
    ids = list(splits.gtzan_partition())
    tracks = [Track(form.format(track_id), track_id.split(".")[0], None) for track_id in ids]
    parts = split_tracks(tracks, name="fault-filtered", seed=0)
    assert {name: len(part) for name, part in parts.items()} == {"train": 443, "valid": 197, "test": 290}
    assert "artists and copies were kept apart" in splits.split_notes(parts)[0]
    assert len(splits.select_part(tracks, "test")) == 290


def test_tracks_foreign_to_gtzan_are_named():
    tracks = [Track("blues.00000", "blues", None), Track("mysong", "blues", None)]
    with pytest.raises(DatasetError, match="1 tracks are not of it: “mysong”"):
        split_tracks(tracks, name="fault-filtered", seed=0)


def test_leaks_in_a_given_column_are_told():
    tracks = [
        Track("a", "jazz", None, artist="Ann", split="train", group="g"),
        Track("b", "jazz", None, artist="ann", split="valid", group="g"),
        Track("c", "jazz", None, split="valid"),
    ]
    notes = " ".join(splits.split_notes(split_tracks(tracks, name="column", seed=0)))
    assert "same recording lies in two parts" in notes
    assert "1 artist is in two parts" in notes
    assert "artist of 1 of 3 tracks is not known" in notes


@pytest.mark.parametrize(
    ("counts", "message"), [({}, "there is none"), ({"jazz": 9}, "only “jazz”"), ({"a": 1, "b": 1, "c": 2}, "“a”, “b”")]
)
def test_what_cannot_be_learnt_from_is_refused(counts: dict[str, int], message: str):
    with pytest.raises(TooFewTracksError, match=message):
        splits.check_trainable(make_tracks(counts))


def test_the_given_data_has_the_published_partition(data_dir: Path):
    found = scan(data_dir / "gtzan-logmel.npz")
    assert found.faults == ()
    by_column = split_tracks(found.tracks, name="column", seed=0)
    by_partition = split_tracks(found.tracks, name="fault-filtered", seed=0)
    assert by_column == {name: part for name, part in by_partition.items() if part}
