"""What answers come to, worked out by hand on six tracks."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from crnn.evaluation.verdicts import Answered, is_other, summarize
from crnn.inference.classifier import HeardTag, Prediction
from crnn.inference.verdict import Verdict
from crnn.intervals import wilson_interval

GENRES = ("jazz", "rock")


def answer(verdict: str, jazz: float, held: tuple[str, ...] = ()) -> Prediction:
    posterior = np.array([jazz, 1 - jazz], np.float32)
    genre = GENRES[int(posterior.argmax())] if verdict == "genre" else None
    tags = (HeardTag("piano", "instrument", 0.75, True),)
    nothing = np.zeros((0, 2), np.float32)
    confidence = float(posterior.max())
    return Prediction(
        GENRES, posterior, Verdict(verdict), genre, confidence, held, (), (), nothing, 1.0, 30.0, tags=tags
    )


KNOWN = [
    Answered("a", "jazz", answer("genre", 0.95, ("jazz",))),
    Answered("b", "rock", answer("genre", 0.80, ("jazz", "rock"))),
    Answered("c", "rock", answer("unsure", 0.55, ("jazz",))),
    Answered("d", "rock", None),
]
UNKNOWN = [
    Answered("e", "techno", answer("genre", 0.92)),
    Answered("f", "salsa", answer("other", 0.99)),
]


def test_of_genres_that_the_model_knows() -> None:
    found = summarize(KNOWN, GENRES)
    assert found["verdicts"] == {"error": 0.25, "genre": 0.5, "unsure": 0.25}
    assert (found["answered"], found["answered_accuracy"]) == (0.5, 0.5)
    assert found["answered_interval"] == list(wilson_interval(1, 2))
    assert (found["set_coverage"], found["set_size"]) == (0.5, 1.0)
    assert "unknown_genres" not in found


def test_of_genres_that_it_does_not_know() -> None:
    found = summarize([*KNOWN, *UNKNOWN], GENRES)
    assert found["answered"] == 0.5
    unknown = found["unknown_genres"]
    assert (unknown["n_tracks"], unknown["named"], unknown["named_surely"]) == (2, 0.5, 0.5)
    assert unknown["verdicts"] == {"genre": 0.5, "other": 0.5}


def test_of_other_music_how_much_is_told_to_be_none_of_the_genres() -> None:
    """A folder `other` is no genre that the model does not know, where it was taught what is none."""
    others = [
        Answered("g", "Other", answer("other", 0.99)),
        Answered("h", "background", answer("not_music", 0.6)),
        Answered("i", "other", None),
        Answered("j", "other", answer("other", 0.7)),
    ]
    found = summarize([*KNOWN, *UNKNOWN, *others], GENRES, tells_other=True)
    assert (found["other"]["n_tracks"], found["other"]["told"]) == (4, 0.5)
    assert found["other"]["told_interval"] == list(wilson_interval(2, 4))
    assert found["other"]["verdicts"] == {"error": 0.25, "not_music": 0.25, "other": 0.5}
    # What was counted before is counted as before.
    assert found["unknown_genres"]["n_tracks"] == 6
    assert found["answered"] == 0.5
    assert "other" not in summarize([*KNOWN, *others], GENRES)
    assert "other" not in summarize([*KNOWN, *UNKNOWN], GENRES, tells_other=True)


def test_intervals_count_artists_where_they_are_known() -> None:
    """Two artists of three tracks, all of the one right and none of the other's: two answers, not six."""
    told = [("jazz", 0.9, "a")] * 3 + [("rock", 0.9, "b")] * 3
    answers = [Answered("x", truth, answer("genre", jazz, ("jazz",)), unit) for truth, jazz, unit in told]
    found = summarize(answers, GENRES)
    assert (found["answered_accuracy"], found["set_coverage"]) == (0.5, 0.5)
    assert found["answered_interval"] == found["set_coverage_interval"] == list(wilson_interval(1, 2))
    # Where of one it is not known whose it is, each counts for itself.
    found = summarize([*answers[:-1], Answered("x", "rock", answer("genre", 0.9))], GENRES)
    assert found["answered_interval"] == list(wilson_interval(3, 6))


def test_rows_say_all_of_a_track() -> None:
    assert KNOWN[3].to_row() == {"track": "d", "truth": "rock", "verdict": "error"}
    row = KNOWN[1].to_row()
    assert (row["track"], row["truth"], row["verdict"], row["genre"]) == ("b", "rock", "genre", "jazz")
    assert row["posterior"] == {"jazz": pytest.approx(0.8), "rock": pytest.approx(0.2)}
    assert row["tags"] == {"piano": 0.75}


def test_nine_tenths_are_sure_and_a_genre_of_that_name_is_no_other() -> None:
    for confidence, share in ((0.9, 1.0), (0.89, 0.0)):
        named = dataclasses.replace(answer("genre", 0.5), confidence=confidence)
        found = summarize([*KNOWN, Answered("g", "techno", named)], GENRES)
        assert found["unknown_genres"]["named_surely"] == share
    assert is_other("Other", GENRES)
    assert not is_other("other", (*GENRES, "other"))
