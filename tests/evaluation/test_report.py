"""What luck would score, worked out by hand."""

import re
from pathlib import Path

import numpy as np
import pytest
from tiny_bundle import tiny_bundle

from crnn.data.collection import Collection
from crnn.data.tracks import Dataset, Track
from crnn.errors import CrnnError
from crnn.evaluation.report import (
    _history_table,
    build_report,
    calibration_sentence,
    check,
    costliest,
    genre_rows,
    headline,
    kept_sentence,
    learnt_from,
    macro_f1,
    mistakes,
    perspective,
    to_html,
)


def test_the_lucky_guess_is_the_share_of_the_commonest_genre(tmp_path):
    tracks = tuple(
        Track(name, genre, Path(name))
        for name, genre in (("a", "bass"), ("b", "treble"), ("c", "treble"), ("d", "bass"), ("e", "treble"))
    )
    data = Dataset("d", tracks, "folder", tmp_path)
    collection = Collection((data,), tracks, {track.track_id: (0, track) for track in tracks}, ())
    posteriors = np.array([[0.6, 0.3, 0.1], [0.1, 0.2, 0.7], [0.5, 0.1, 0.4], [0.1, 0.1, 0.8], [0.2, 0.2, 0.6]])
    report = build_report(
        tiny_bundle(tmp_path / "m"), collection, tracks, posteriors, history=[], kept_epoch=1, protection=(), notes=()
    )
    assert report["lucky_guess"] == {"genre": "treble", "accuracy": 3 / 5}
    assert [track["track_id"] for track in mistakes(report)] == ["d", "c"]
    check(report)
    scored = report | {"scores": {"n_tracks": 5, "accuracy": 0.6, "accuracy_interval": [0.23, 0.88]}}
    assert headline(scored) == "3 of 5 unheard tracks right: 60 % (23 to 88 %)."
    always = "Always saying treble would score 60 %."
    assert learnt_from(report | {"data": {"name": "mine", "n_tracks": 24}}) == "Learnt from mine, 24 tracks."
    assert perspective(scored) == f"In brackets: what it may be of others (95 % interval). {always}"
    of_artists = scored | {"scores": scored["scores"] | {"independent_tracks": 3.4}}
    as_many = "5 tracks tell as much as 3 of one artist each"
    assert perspective(of_artists) == f"In brackets: what it may be of others (95 % interval; {as_many}). {always}"


def test_confusions_come_by_what_they_cost():
    """Two tracks cost more than one; of one each, the surer; and what is right costs nothing."""
    answers = [("jazz", "pop", 0.5), ("pop", "jazz", 0.9), ("jazz", "rock", 0.6), ("jazz", "rock", 0.3)]
    answers += [("rock", "rock", 0.99)] * 5
    tracks = [{"track_id": str(i), "genre": g, "answer": a, "confidence": c} for i, (g, a, c) in enumerate(answers)]
    assert costliest({"tracks": tracks}) == [("jazz", "rock", 2), ("pop", "jazz", 1), ("jazz", "pop", 1)]


def test_a_share_of_few_tracks_has_its_interval():
    """Wilson's for 3 of 4: 0.30 to 0.95, and for 3 of 3: 0.44 to 1; nobody was told that he is pop."""
    scores = {
        "genres": ["jazz", "pop"],
        "confusion": [[3, 0], [0, 0]],
        "macro_f1": 0.857,
        "per_genre": {
            "jazz": {"n_tracks": 4.0, "precision": 1.0, "recall": 0.75, "f1": 0.857},
            "pop": {"n_tracks": 0, "precision": 0.0, "recall": 0.0, "f1": 0.0},
        },
    }
    assert genre_rows(scores) == [
        ("jazz", "4", "1.00 (0.44 to 1.00)", "0.75 (0.30 to 0.95)", "0.86 (0.46 to 0.98)"),
        ("pop", "0", "–", "–", "–"),
    ]
    low, high = map(float, re.findall(r"[\d.]+", macro_f1(scores))[1:])
    assert (low < 0.7, high >= 0.86) == (True, True)
    error = {"expected_calibration_error": 0.2, "n_tracks": 10, "reliability": [[0.5, 0.3, 6], [0.9, 1.0, 4]]}
    assert re.search(r"error 0.200, where up to 0.\d+ is chance on 10 tracks", calibration_sentence({"scores": error}))
    rough = {"part": "folds", "independent_tracks": 4.0, "overconfidence_interval": [-0.114, 0.146]}
    assert calibration_sentence({"scores": error | rough}).endswith(
        "calibrated on the others. On other artists the confidence may be from 0.11 too low to 0.15 too high (95 %)."
    )


def test_an_epoch_is_told_in_tracks_and_not_in_a_share_of_few():
    report = {
        "scores": None,
        "data": {},
        "created": "",
        "protection": [],
        "notes": [],
        "kept_epoch": 1,
        "lucky_guess": None,
    }
    report["history"] = [
        {"epoch": 1, "loss": 0.5, "valid_loss": 0.6, "valid_accuracy": 0.75, "confusion": [[2, 1], [0, 1]]}
    ]
    page = to_html(report)
    assert "<td>3 of 4</td>" in page
    assert "0.750" not in page
    # On a phone it is as wide as that, and what is wider scrolls by itself.
    assert "<meta name='viewport' content='width=device-width'>" in page
    assert "epoch</th>" in page
    assert "epoch</th>" not in to_html(report | {"history": []})
    assert learnt_from(report) in page


TRACK = {"track_id": "a", "genre": "jazz", "answer": "pop", "confidence": 0.5, "path": None, "demo_id": None}
REPORT = {
    "created": "2026-11-28",
    "data": {"name": "mine", "n_tracks": 2},
    "lucky_guess": None,
    "protection": ["By artist."],
    "notes": [],
    "kept_epoch": 0,
    "history": [],
    "tracks": [TRACK],
    "scores": None,
}


SCORES = {
    "n_tracks": 1,
    "accuracy": 0.0,
    "accuracy_interval": [0.0, 0.8],
    "macro_f1": 0.0,
    "expected_calibration_error": 0.5,
    "per_genre": {genre: {"n_tracks": 1, "precision": 0, "recall": 0, "f1": 0} for genre in ("jazz", "pop")},
    "genres": ["jazz", "pop"],
    "confusion": [[0, 1], [0, 0]],
    "reliability": [[0.5, 0.0, 1]],
}


@pytest.mark.parametrize(
    "change",
    [
        {"created": None, "data": None},
        {"protection": [1]},
        {"tracks": 0},
        {"tracks": [TRACK | {"answer": {}}]},
        {"tracks": [TRACK | {"confidence": "0.5"}]},
        {"tracks": [{"track_id": "a"}]},
        {"history": [{"loss": 1.0}]},
        {"scores": {"n_tracks": 1}},
        {"scores": True},
        {"scores": {name: value for name, value in SCORES.items() if name != "reliability"}},
    ],
)
def test_a_report_of_another_version_is_refused_in_a_sentence(change: dict[str, object]) -> None:
    check(REPORT)
    check(REPORT | {"scores": SCORES})
    with pytest.raises(CrnnError, match="cannot be shown: it is damaged, or of another version of GenreScope"):
        check(REPORT | change)


def test_why_an_epoch_was_kept_and_what_stands_under_which_head() -> None:
    epoch = {"epoch": 3, "loss": 0.25, "valid_loss": 0.75}
    found = {"kept_epoch": 3, "history": [epoch]}
    assert kept_sentence(found).endswith("the one with the lowest loss on the validation tracks.")
    assert kept_sentence({"kept_epoch": 3, "history": [{"epoch": 3, "loss": 0.25}]}).endswith("the last one.")
    assert "<td>3</td><td>0.250</td><td>0.750</td><td></td>" in _history_table(found)
