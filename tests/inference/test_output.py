"""Predictions in words and files."""

from __future__ import annotations

import csv
import dataclasses
import io
import json

import numpy as np
import pytest

from crnn.inference import output, rows
from crnn.inference.classifier import Cell, HeardTag, Prediction
from crnn.inference.stretches import Stretch
from crnn.inference.verdict import Verdict

GENRES = ("blues", "jazz", "metal", "rock")


def prediction(
    posterior: tuple[float, ...] = (0.1, 0.8, 0.06, 0.04),
    *,
    verdict: str = "genre",
    prediction_set: tuple[str, ...] = ("jazz", "blues"),
    seconds: float = 30.0,
) -> Prediction:
    values = np.float32(posterior)
    bluesy, uniform = np.float32([0.7, 0.1, 0.1, 0.1]), np.full(4, 0.25, dtype=np.float32)
    cells = (
        Cell(0.0, 5.0, values, False, 0),
        Cell(5.0, 7.5, values, False, 1),
        Cell(7.5, 10.0, bluesy, False, 2),
        Cell(10.0, seconds, uniform, True, 3),
    )
    return Prediction(
        genres=GENRES,
        posterior=values,
        verdict=Verdict(verdict),
        genre="jazz" if verdict == "genre" else None,
        confidence=float(values.max()),
        prediction_set=prediction_set,
        timeline=cells,
        segments=((0.0, 10.0), (2.5, 12.5), (5.0, 15.0), (10.0, seconds)),
        embeddings=np.zeros((4, 2), np.float32),
        music_probability=1.0,
        duration_seconds=seconds,
        notes=("2 channels were mixed to mono.",),
    )


@pytest.mark.parametrize(
    ("verdict", "prediction_set", "sentence"),
    [
        ("genre", ("jazz",), "Sounds like jazz. 80 % sure."),
        ("silence", (), "Silence: nothing above −60 dB."),
        ("not_music", ("jazz",), "That doesn't sound like music."),
        ("unsure", ("rock", "metal"), "Can't tell: between rock and metal."),
        ("unsure", ("rock", "metal", "blues"), "Can't tell: between rock, metal and blues."),
        ("unsure", ("rock",), "Can't tell: rock at best."),
        ("unsure", (), "Can't tell: jazz at best."),
    ],
)
def test_verdict_sentences(verdict: str, prediction_set: tuple[str, ...], sentence: str) -> None:
    assert output.verdict_sentence(prediction(verdict=verdict, prediction_set=prediction_set)) == sentence


def test_a_sentence_begins_with_a_capital_however_sure_it_is() -> None:
    certain = prediction((0.002, 0.996, 0.001, 0.001))
    assert output.verdict_sentence(certain).endswith(". Over 99 % sure.")


def test_unsure_among_many_names_two() -> None:
    sentence = output.verdict_sentence(prediction(verdict="unsure", prediction_set=GENRES))
    assert sentence.startswith("Can't tell: ")
    assert "blues" in sentence
    assert "jazz" in sentence
    assert "2 others" in sentence


@pytest.mark.parametrize(
    ("prediction_set", "sentence"),
    [
        (("jazz",), "No other candidate."),
        (("jazz", "blues"), "Blues is the only other candidate."),
        (("jazz", "blues", "rock"), "Other candidates: blues and rock."),
    ],
)
def test_candidates(prediction_set: tuple[str, ...], sentence: str) -> None:
    assert output.candidates_sentence(prediction(prediction_set=prediction_set)) == sentence
    assert output.candidates_sentence(prediction(prediction_set=prediction_set, verdict="unsure")) == ""


@pytest.mark.parametrize(("second", "sentence"), [(0.16, "Metal comes next."), (0.14, "No other candidate.")])
def test_what_the_bars_show_plainly_is_not_denied(second: float, sentence: str) -> None:
    found = prediction((0.1, 0.9 - second - 0.1, second, 0.1), prediction_set=("jazz",))
    assert output.candidates_sentence(found) == sentence


def test_json_follows_the_contract() -> None:
    values = json.loads(json.dumps(output.to_json(prediction(), "a/b.mp3"), allow_nan=False))
    assert list(values)[:7] == [
        "file",
        "duration_seconds",
        "verdict",
        "genre",
        "confidence",
        "genres",
        "prediction_set",
    ]
    assert (values["file"], values["verdict"], values["genre"]) == ("a/b.mp3", "genre", "jazz")
    assert values["genres"] == pytest.approx({"blues": 0.1, "jazz": 0.8, "metal": 0.06, "rock": 0.04}, abs=1e-6)
    assert values["prediction_set"] == ["jazz", "blues"]
    assert "2 channels were mixed to mono." in values["notes"]
    assert [set(cell) for cell in values["timeline"]] == [{"start_seconds", "end_seconds", "genres"}] * 4
    assert values["timeline"][-1]["end_seconds"] == values["duration_seconds"] == 30.0


def test_each_verdict_has_words_of_its_own() -> None:
    found = {verdict: prediction(verdict=verdict) for verdict in Verdict}
    assert len({output.verdict_sentence(each) for each in found.values()}) == len(found)
    assert {str(verdict): output.short_verdict(each) for verdict, each in found.items()} == {
        "silence": "silence",
        "not_music": "no music",
        "other": "none of these",
        "unsure": "can't tell",
        "genre": "jazz",
    }


def test_verdicts_are_written_as_their_names() -> None:
    written = [output.to_json(prediction(verdict=verdict), "a")["verdict"] for verdict in Verdict]
    assert json.dumps(written) == '["silence", "not_music", "other", "unsure", "genre"]'
    row = output.to_json(prediction(verdict="not_music"), "a.wav")
    assert rows.csv_row(row, GENRES).startswith("a.wav,30.0,not_music,,0.800000,")
    assert rows.table_lines(row).startswith("not music          a.wav\n")


@pytest.mark.parametrize("verdict", ["unsure", "not_music", "silence"])
def test_json_names_a_genre_only_when_sure(verdict: str) -> None:
    values = output.to_json(prediction(verdict=verdict), "a", with_timeline=False)
    assert values["genre"] is None
    assert set(values["genres"]) == set(GENRES)
    assert "timeline" not in values


def test_csv_of_the_timeline() -> None:
    rows = list(csv.DictReader(io.StringIO(output.timeline_csv(prediction()))))
    assert [row["genre"] for row in rows] == ["jazz", "jazz", "blues", "silence"]
    assert rows[1]["start_seconds"] == "5.000"
    assert float(rows[2]["blues"]) == pytest.approx(0.7)


def test_audacity_labels_are_the_stretches() -> None:
    # 2.5 s of blues are too little evidence for a change: 2.5 · log(0.7 / 0.1) is 4.9, and a change costs 18.
    assert output.audacity_labels(prediction()) == "0.000000\t10.000000\tjazz\n10.000000\t30.000000\tsilence\n"


def test_json_holds_stretches_and_shares() -> None:
    row = output.to_json(prediction(), "a.wav")
    # (5 · 0.8 + 2.5 · 0.8 + 2.5 · 0.1) / 10
    assert row["stretches"] == [
        {"start_seconds": 0.0, "end_seconds": 10.0, "genre": "jazz", "confidence": 0.625},
        {"start_seconds": 10.0, "end_seconds": 30.0, "genre": None, "confidence": None},
    ]
    assert row["shares"] == {"jazz": 1.0}


def test_what_is_no_music_has_no_stretches() -> None:
    row = output.to_json(prediction(verdict="not_music"), "a.wav")
    assert row["stretches"] == []
    assert row["shares"] == {}


def stretches_of(**shares: int) -> tuple[Stretch, ...]:
    """Stretches of so many seconds, one after the other."""
    ends = np.cumsum([0, *shares.values()]).tolist()
    return tuple(Stretch(ends[i], ends[i + 1], genre, 0.9) for i, genre in enumerate(shares))


def test_a_tenth_of_the_time_is_told_and_less_is_not() -> None:
    assert output.changes_sentence(stretches_of(jazz=80, rock=10, blues=9, metal=1)) == (
        "Changes: jazz 80 % of the time, rock 10 %."
    )
    assert output.changes_sentence(stretches_of(jazz=95, rock=5)) == ""


def test_beside_what_changes_stands_the_verdict_on_the_whole() -> None:
    assert output.beside_sentence(prediction()) == "Blues is the only other candidate."
    bluesy = np.float32([0.7, 0.1, 0.1, 0.1])
    cells = (Cell(0.0, 30.0, np.float32([0.1, 0.7, 0.1, 0.1]), False, 0), Cell(30.0, 60.0, bluesy, False, 1))
    changing = dataclasses.replace(prediction(seconds=60.0), timeline=cells)
    assert output.beside_sentence(changing) == "Taken as a whole: Sounds like jazz. 80 % sure."


def test_five_seconds_are_not_too_short() -> None:
    assert output.notes(prediction(seconds=5.0)) == ("2 channels were mixed to mono.",)
    assert output.notes(prediction(seconds=4.9))[0].startswith("Only 4.9 s long")


def test_of_what_is_heard_two_genres_come_first_and_none_of_the_models_own() -> None:
    kinds = {"Jazz": "genre", "swing": "genre", "salsa": "genre", "flute": "instrument", "techno": "genre"}
    tags = tuple(HeardTag(name, kind, 0.9, True) for name, kind in kinds.items())
    heard = dataclasses.replace(prediction(), tags=tags)
    assert output.heard_words(heard) == ("swing", "salsa", "flute", "techno")
    other = dataclasses.replace(prediction(verdict="other"), tags=tags)
    assert output.verdict_sentence(other) == "None of the four genres: swing, salsa."
    row = output.to_json(heard, "a.wav")
    assert "also heard: swing, salsa, flute, techno\n" in rows.table_lines(row)
    assert "heard" not in rows.table_lines(row | {"verdict": "not_music", "genre": None})
