"""When a data set is called unbalanced, by the numbers."""

from pathlib import Path

import pytest

from crnn.data import overview
from crnn.data.collection import Collection
from crnn.data.tracks import Dataset, Track


def collection(n_jazz: int, n_rock: int) -> Collection:
    tracks = tuple(
        Track(f"{genre}{i}", genre, Path("none.wav"))
        for genre, n in (("jazz", n_jazz), ("rock", n_rock))
        for i in range(n)
    )
    return Collection((Dataset("d", tracks, "folder", None),), tracks, {t.track_id: (0, t) for t in tracks}, ())


@pytest.mark.parametrize(
    ("n_jazz", "n_rock", "said"),
    [
        (60, 20, ""),
        (61, 20, "Unbalanced: 61 tracks of jazz, 20 of rock."),
        (20, 90, "Unbalanced: 90 tracks of rock, 20 of jazz."),
    ],
)
def test_more_than_three_times_as_many_is_unbalanced(n_jazz: int, n_rock: int, said: str) -> None:
    advice = [sentence for sentence in overview.check(collection(n_jazz, n_rock)).advice if "Unbalanced" in sentence]
    assert (advice[0].split(" Training")[0] if advice else "") == said


def test_genres_of_fewer_than_twenty_tracks_are_named() -> None:
    (said,) = overview.check(collection(19, 20)).advice
    assert said == "Fewer than 20 tracks of “jazz”: leave “Start from” at a trained model."


@pytest.mark.parametrize(
    ("artists", "splits"),
    [
        # Of each genre two: by artist nobody is heard in both parts.
        (("a", "a", "b", "c", "d", "d"), ("artist", "random")),
        # One in all, or of one genre one alone: a split by artist keeps nothing apart, or leaves a genre out of a part.
        (("a", "a", "a", "a", "a", "a"), ("random",)),
        (("a", None, None, None, None, None), ("random",)),
        (("a", "a", "A ", "c", "d", "d"), ("random", "artist")),
        # Two of six are known: four may be of anybody.
        (("a", None, None, "b", None, None), ("random", "artist")),
    ],
)
def test_split_by_artist_comes_first_where_it_keeps_artists_apart(
    artists: tuple[str | None, ...], splits: tuple[str, ...]
) -> None:
    tracks = tuple(
        Track(f"{i}", "jazz" if i < 3 else "rock", Path("none.wav"), artist=artist) for i, artist in enumerate(artists)
    )
    found = Collection((Dataset("d", tracks, "folder", None),), tracks, {t.track_id: (0, t) for t in tracks}, ())
    assert overview.check(found).splits == splits


@pytest.mark.parametrize(
    ("genres", "said"),
    [
        (("pop", "rock"), ["By its names this is GTZAN: 1 of these tracks are copies, distorted or mislabelled"]),
        # A set that has genres of its own only names its tracks in the same way.
        (("pop", "rock", "electronic"), []),
    ],
)
def test_only_a_set_of_gtzans_tracks_alone_is_called_gtzan(genres: tuple[str, ...], said: list[str]) -> None:
    tracks = tuple(Track(f"{genre}/{genre}.00015.ogg", genre, Path("none.wav")) for genre in genres)
    found = Collection((Dataset("d", tracks, "folder", None),), tracks, {t.track_id: (0, t) for t in tracks}, ())
    advice = [sentence for sentence in overview.check(found).advice if "GTZAN" in sentence]
    assert [sentence.split(" (Sturm")[0] for sentence in advice] == said
    assert not any("fault-filtered" in sentence for sentence in advice)
