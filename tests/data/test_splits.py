"""Which split is made of what is known, and of how little none is."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from crnn.data.collection import select_tracks, split_way
from crnn.data.splits import check_trainable, dealt_way, fold_parts, split_notes, split_tracks
from crnn.data.tracks import Dataset, Track
from crnn.errors import TooFewTracksError


def tracks(n_per_genre: int = 8) -> tuple[Track, ...]:
    """Two genres; every two tracks are by one artist."""
    return tuple(
        Track(f"{genre}{i}", genre, Path(f"{genre}{i}.wav"), artist=f"{genre} {i // 2}")
        for genre in ("jazz", "rock")
        for i in range(n_per_genre)
    )


def ids(parts: dict[str, tuple[Track, ...]]) -> dict[str, list[str]]:
    return {name: [track.track_id for track in part] for name, part in parts.items()}


def known_of(n_known: int) -> tuple[Track, ...]:
    """Of 16 tracks so many with their artist."""
    return tuple(track if i < n_known else replace(track, artist=None) for i, track in enumerate(tracks()))


# One name missing turned the artist split off, and one name among many must not turn it on.
ARTISTS = [(16, "artist"), (15, "artist"), (8, "artist"), (7, "random"), (1, "random"), (0, "random")]


def test_unasked_tracks_are_split_by_artist_where_those_of_half_of_them_are_known() -> None:
    for n_known, name in ARTISTS:
        found = known_of(n_known)
        assert split_way(Dataset("d", found, "folder", None), None) == name
        if n_known < 2:
            continue
        parts = [ids(select_tracks(Dataset("d", found, "folder", None), None, seed)) for seed in range(4)]
        assert parts == [ids(split_tracks(found, name=name, seed=seed)) for seed in range(4)]
        other = {"artist": "random", "random": "artist"}[name]
        assert parts != [ids(split_tracks(found, name=other, seed=seed)) for seed in range(4)]


def test_folds_are_dealt_by_artist_where_those_of_half_of_the_tracks_are_known() -> None:
    for n_known, split in ARTISTS:
        found = known_of(n_known)
        assert dealt_way(found, None) == split
        assert fold_parts(found, 2, None, 1) == fold_parts(found, 2, split, 1)
        if n_known > 1:
            other = {"artist": "random", "random": "artist"}[split]
            assert any(fold_parts(found, 2, None, seed) != fold_parts(found, 2, other, seed) for seed in range(4))


def test_tracks_without_an_artist_are_kept_apart_by_themselves_and_counted() -> None:
    parts = select_tracks(Dataset("d", known_of(15), "folder", None), None, 0)
    artists = [{track.artist for track in part if track.artist} for part in parts.values()]
    assert not artists[0] & artists[1]
    assert split_notes(parts) == ("No artist is in two parts.", "The artist of 1 of 16 tracks is not known.")


def test_a_genre_of_one_track_is_too_few() -> None:
    check_trainable(tracks(2))
    with pytest.raises(TooFewTracksError, match="A single track in “polka”"):
        check_trainable((*tracks(2), Track("p", "polka", Path("p.wav"))))
    with pytest.raises(TooFewTracksError, match="there is only “jazz”"):
        check_trainable(tracks(2)[:2])


def test_a_part_for_each_needs_a_track_for_each() -> None:
    found = (*tracks(3), Track("p1", "polka", Path("p1.wav")), Track("p2", "polka", Path("p2.wav")))
    wanted = re.escape("Each genre needs at least 3 tracks that are no copies of each other")
    with pytest.raises(TooFewTracksError, match=wanted + r".*too few in: polka \(2\)"):
        split_tracks(found, name="random", seed=0, valid_share=0.3, test_share=0.3)
