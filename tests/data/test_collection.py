"""Copies share a group, across data sets and through a third; corrections have the last word."""

from dataclasses import replace
from pathlib import Path

import pytest

from crnn.data.collection import Collection, check_usable, join, with_copies_together, with_genres
from crnn.data.tracks import Dataset, Fault, Track
from crnn.errors import TooFewTracksError


def dataset(name: str, **digests: str) -> Dataset:
    tracks = tuple(Track(track, "jazz", Path(track), digest=digest) for track, digest in digests.items())
    return Dataset(name, tracks, "folder", None)


def test_one_recording_in_two_data_sets_is_one_group() -> None:
    joined = join([dataset("one", a="x", b="y"), dataset("two", c="x", d="z")])
    groups = {track.track_id: track.group for track in joined.tracks}
    assert groups["one/a"] == groups["two/c"] is not None
    assert groups["one/b"] is groups["two/d"] is None


def test_pairs_chain_into_one_group() -> None:
    whole = join([dataset("one", a="1", b="2", c="3", d="4", e="5")])
    groups = {t.track_id: t.group for t in with_copies_together(whole, [("a", "b"), ("d", "e"), ("b", "c")]).tracks}
    assert groups == {"a": "same as track a", "b": "same as track a", "c": "same as track a"} | dict.fromkeys(
        "de", "same as track d"
    )


def corrections(**genres: str) -> Dataset:
    """Each is a recording of that content, and its right genre."""
    tracks = tuple(Track(f"c-{digest}", genre, Path(digest), digest=digest) for digest, genre in genres.items())
    return Dataset("corrections", tracks, "folder", Path("/home/collections/corrections"))


def genres_of(collection: Collection) -> dict[str, str]:
    return {track.track_id: track.genre for track in collection.tracks}


def test_a_correction_replaces_the_wrong_label() -> None:
    """The recording counts once, under its own name, as its owner said that it is."""
    joined = join([dataset("music", a="x", b="y"), corrections(x="blues", y="jazz", z="blues")])
    assert genres_of(joined) == {"music/a": "blues", "music/b": "jazz", "corrections/c-z": "blues"}
    assert "As you corrected: “music/a is blues, not jazz”." in joined.notes
    assert not [fault for fault in joined.faults if fault.is_about_copies]
    # A data set of another place that is called so corrects nothing.
    other = replace(corrections(x="blues"), source=Path("/music/corrections"))
    assert genres_of(join([dataset("music", a="x"), other])) == {"music/a": "jazz", "corrections/c-x": "blues"}


def test_a_correction_alone_in_its_genre_waits_for_a_second() -> None:
    whole = join([corrections(a="jazz", b="jazz", c="rock", d="rock", e="ska")])
    assert set(genres_of(whole).values()) == {"jazz", "rock"}
    assert [track.genre for track in whole.waiting] == ["ska"]
    assert "A single correction is in “ska”: it is learnt from once there is a second." in whole.notes
    # Under another's name it is one more of that.
    renamed = with_genres(whole, {"ska": "rock"})
    assert (len(renamed.tracks), renamed.waiting) == (5, ())
    # Where nothing would be left, the refusal names all of them.
    few = join([corrections(a="jazz", b="rock")])
    assert (len(few.tracks), few.waiting) == (2, ())
    # Of a folder of one's own a single track is a mistake to be told of.
    alone = replace(corrections(a="jazz", b="jazz", c="rock", d="rock", e="ska"), source=Path("/music/mine"))
    assert not join([alone]).waiting


def test_what_holds_nothing_to_learn_from_is_counted_out() -> None:
    tracks = tuple(Track(f"{genre}{n}", genre, None) for genre in ("a", "b") for n in range(3))
    clipped = (Fault("clipped", "a0", ""), Fault("near_copy", "a1, a2", ""))
    lost = tuple(Fault(kind, subject, "") for kind, subject in (("silent", "b0"), ("too_short", "b1")))
    heard = join([Dataset("x", tracks, "folder", None)])
    check_usable(replace(heard, faults=(*clipped, lost[0])))
    heard = replace(heard, faults=(*clipped, *lost))
    assert [track.track_id for track in heard.usable_tracks] == ["a0", "a1", "a2", "b2"]
    with pytest.raises(TooFewTracksError, match="Of “b” fewer than two tracks can be used: two are needed"):
        check_usable(heard)
