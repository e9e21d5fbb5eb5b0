"""Which figure `evaluate` prints beside which name, and what it says of tracks that are not among the scores."""

from __future__ import annotations

import numpy as np
import pytest

from crnn import intervals
from crnn.cli import evaluate
from crnn.data.tracks import Track
from crnn.evaluation.verdicts import Answered
from crnn.inference.classifier import Prediction
from crnn.inference.verdict import Verdict
from crnn.text import with_interval

GENRES = ("a", "b", "c", "d")


def answer(posterior: tuple[float, ...]) -> Prediction:
    values, nothing = np.float32(posterior), np.zeros((0, 1))
    return Prediction(GENRES, values, Verdict.GENRE, "a", 0.5, (), (), (), nothing, 1.0, 30.0)


def test_each_interval_is_of_its_score_and_counts_artists(capsys: pytest.CaptureFixture[str]) -> None:
    posteriors = [
        (0.7, 0.1, 0.1, 0.1),
        (0.2, 0.5, 0.2, 0.1),
        (0.1, 0.6, 0.2, 0.1),
        (0.4, 0.35, 0.15, 0.1),
        (0, 1, 0, 0),
    ]
    given = zip("aabcb", posteriors, "xxyzy", strict=True)
    answers = [Answered(f"{n}", truth, answer(row), unit) for n, (truth, row, unit) in enumerate(given)]
    scores = evaluate.score(answers, GENRES)
    # As of `metrics.score`: tracks of an artist go together.
    assert scores.independent_tracks == pytest.approx(0.24 / 0.0624)
    evaluate._print_scores(scores, ["A note."])
    lines = capsys.readouterr().out.splitlines()
    # Told as 3.8 of 5.
    share = 3.8 / 5
    confusion = scores.confusion.tolist()
    means = intervals.of_means(confusion, [2, 2, 1, 0], share)
    assert means.macro_f1 is not None
    assert means.macro_recall is not None
    low, high = intervals.wilson_interval(5 * share, 5 * share)
    assert f"macro-F1          0.433  ({means.macro_f1[0]:.3f} to {means.macro_f1[1]:.3f})" in lines
    assert f"macro recall      0.500  ({means.macro_recall[0]:.3f} to {means.macro_recall[1]:.3f})" in lines
    assert f"among first three 1.000  ({low:.3f} to {high:.3f})" in lines
    of_b = intervals.of_genres(confusion, [2, 2, 1, 0], share)[1]
    precision, recall = with_interval(2 / 3, of_b.precision), with_interval(1.0, of_b.recall)
    assert f"  {'b':<14} {2:>5}  precision {precision}  recall {recall}" in lines
    assert lines[-1] == "A note."


def test_other_music_is_told_apart_where_the_model_can_tell_it() -> None:
    tracks = [Track(f"{n}", genre, None) for n, genre in enumerate(("a", "techno", "techno", "other"))]
    strangers, others = evaluate._apart(tracks, GENRES, tells_other=True)
    assert strangers == "2 tracks of genres that the model does not know left out: techno."
    assert others.startswith("1 track of other, which is none of the genres, left out of the scores")
    (all_of_them,) = evaluate._apart(tracks, GENRES, tells_other=False)
    assert all_of_them == "3 tracks of genres that the model does not know left out: other, techno."


def test_each_line_of_what_is_answered_has_its_own_interval(capsys: pytest.CaptureFixture[str]) -> None:
    summary = {
        "verdicts": {"genre": 0.5, "not_music": 0.5},
        "answered_accuracy": 0.75,
        "answered_interval": [0.61, 0.82],
        "set_coverage": 0.9,
        "set_coverage_interval": [0.83, 0.94],
        "set_size": 1.255,
    }
    more = {
        "other": {"n_tracks": 1, "told": 0.4, "told_interval": [0.31, 0.52]},
        "unknown_genres": {"n_tracks": 7, "named": 0.3, "named_surely": 0.1, "named_surely_interval": [0.05, 0.22]},
    }
    evaluate._print_summary(summary | more)
    answered = "answers right     0.750  (0.610 to 0.820)"
    lines = [
        "verdicts          genre 0.500, not music 0.500",
        answered,
        "set holds truth   0.900  (0.830 to 0.940), of 1.25 genres on average",
        "other             1 track, 0.400 told to be none of the genres  (0.310 to 0.520)",
        "unknown genres    7 tracks, 0.300 named, 0.100 with 0.9 or more (0.050 to 0.220)",
    ]
    assert capsys.readouterr().out.splitlines() == lines
    # What nothing was answered of has no share that is right.
    evaluate._print_summary(summary | {"answered_accuracy": None})
    assert capsys.readouterr().out.splitlines() == [line for line in lines[:3] if line != answered]
