"""Which split is made of what is known, and of how little none is."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from crnn.data.collection import select_tracks
from crnn.data.scan import Dataset, Track
from crnn.data.splits import check_trainable, fold_parts, split_tracks
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


def test_unasked_tracks_are_split_by_artist_only_where_all_are_known() -> None:
    known = tracks()
    one_unknown = (replace(known[0], artist=None), *known[1:])
    for found, name in ((known, "artist"), (one_unknown, "random")):
        parts = [ids(select_tracks(Dataset("d", found, "folder", None), None, seed)) for seed in range(4)]
        assert parts == [ids(split_tracks(found, name=name, seed=seed)) for seed in range(4)]
        other = {"artist": "random", "random": "artist"}[name]
        assert parts != [ids(split_tracks(found, name=other, seed=seed)) for seed in range(4)]


def test_folds_are_dealt_by_artist_only_where_all_are_known() -> None:
    known = tracks()
    one_unknown = (replace(known[0], artist=None), *known[1:])
    for found, split in ((known, "artist"), (one_unknown, "random")):
        assert fold_parts(found, 2, None, 1) == fold_parts(found, 2, split, 1)


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
