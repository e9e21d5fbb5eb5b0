"""The table of several sounds, and its downloads."""

from __future__ import annotations

import csv
import dataclasses
import io
import json

import numpy as np
import pytest

from crnn.errors import AudioError
from crnn.inference.classifier import Cell, HeardTag, Prediction
from crnn.inference.verdict import Verdict
from ui.listen import batch
from ui.shared import state
from ui.shared.state import Sound

SONG = Sound("song.wav", b"song", "upload")


def heard(verdict: Verdict, second_half: tuple[float, float] = (0.9, 0.1)) -> Prediction:
    """80 s of jazz, 0.52 sure, whose second half may be something else."""
    halves = [np.array([0.9, 0.1], np.float32)] * 8 + [np.array(second_half, np.float32)] * 8
    cells = tuple(Cell(5.0 * k, 5.0 * (k + 1), shares, segment=k, is_silent=False) for k, shares in enumerate(halves))
    whole = np.array([0.52, 0.48], np.float32)
    genre = "jazz" if verdict.traits.names_genre else None
    return Prediction(
        ("jazz", "rock"), whole, verdict, genre, 0.52, ("jazz",), cells, (), np.zeros((0, 1)), 1.0, 80.0,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("verdict", "told"),
    [
        (Verdict.GENRE, "0.52"),
        (Verdict.UNSURE, "0.52"),
        (Verdict.OTHER, ""),
        (Verdict.NOT_MUSIC, ""),
        (Verdict.SILENCE, ""),
    ],
)
def test_confidence_in_a_genre_is_told_only_beside_one(verdict: Verdict, told: str) -> None:
    found = heard(verdict)
    assert batch._row(SONG, found)["Confidence"] == told
    (line,) = csv.DictReader(io.StringIO(batch.csv_lines([(SONG, found)])))
    assert (line["verdict"], line["confidence"]) == (verdict, told and "0.520000")
    # Programs are promised the number whatever the verdict.
    assert json.loads(batch.json_lines([(SONG, found)]))["confidence"] == 0.52


def test_sound_that_changes_has_no_one_confidence() -> None:
    row = batch._row(SONG, heard(Verdict.GENRE, (0.02, 0.98)))
    assert (row["Answer"], row["Confidence"]) == ("Changes: jazz, rock.", "")


def test_files_of_one_name_are_told_apart_in_every_download(monkeypatch: pytest.MonkeyPatch) -> None:
    twins = (SONG, Sound("song.wav", b"another", "upload"))
    monkeypatch.setattr(state.st, "session_state", {state.SOUNDS: twins})
    answered: batch.Answered = [(twins[0], heard(Verdict.GENRE)), (twins[1], AudioError("Broken."))]
    told = ["song.wav", "song.wav (2)"]
    assert [batch._row(*each)["File"] for each in answered] == told
    assert [line["file"] for line in csv.DictReader(io.StringIO(batch.csv_lines(answered)))] == told
    assert [json.loads(line)["file"] for line in batch.json_lines(answered).splitlines()] == told


def test_lengths_sort_as_text() -> None:
    songs = [dataclasses.replace(heard(Verdict.GENRE), duration_seconds=s) for s in (3723.0, 125.0, 605.0, 9.5)]
    rows = batch._rows([*((SONG, song) for song in songs), (SONG, AudioError("Broken."))])
    lengths = [row["Length"] for row in rows]
    assert lengths == ["1:02:03.0", "   2:05.0", "  10:05.0", "   0:09.5", ""]
    assert sorted(lengths) == ["", "   0:09.5", "   2:05.0", "  10:05.0", "1:02:03.0"]


def test_error_is_a_row() -> None:
    row = batch._row(SONG, AudioError("This is a text file. Give audio."))
    assert (row["Answer"], row["Confidence"]) == ("This is a text file.", "")


def test_every_cell_of_the_csv_stands_under_its_head() -> None:
    tags = (HeardTag("flute", "instrument", 0.9, True), HeardTag("organ", "instrument", 0.8, True))
    song = dataclasses.replace(heard(Verdict.GENRE), tags=tags)
    first, second = csv.DictReader(io.StringIO(batch.csv_lines([(SONG, song), (SONG, AudioError("Broken."))])))
    assert first == {
        "file": "song.wav", "verdict": "genre", "genre": "jazz", "confidence": "0.520000", "heard": "flute; organ",
        "error": "",
    }  # fmt: skip
    assert {name: value for name, value in second.items() if value} == {"file": "song.wav", "error": "Broken."}


def test_the_row_on_show_is_the_one_clicked_last_and_at_first_the_first_that_was_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kept: dict[str, object] = {}
    monkeypatch.setattr(batch.st, "session_state", kept)
    bad, good, other = (Sound(f"{name}.wav", name.encode(), "upload") for name in ("bad", "good", "other"))
    answered: batch.Answered = [
        (bad, AudioError("Broken.")),
        (good, heard(Verdict.GENRE)),
        (other, heard(Verdict.OTHER)),
    ]
    assert batch._chosen(answered, []) == good
    assert batch._chosen(answered, [(2, "File")]) == other
    # The table keeps its cell when others stand in it: nobody clicked it again.
    assert batch._chosen(answered[::-1], [(2, "File")]) == other
    assert batch._chosen(answered, [(0, "File")]) == bad
    # Nor is there a row for every cell that it kept.
    for row in (-1, 3):
        assert batch._chosen(answered, [(row, "File")]) == bad


@pytest.mark.parametrize(("verdict", "told"), [(Verdict.GENRE, "flute, organ, harp, cello"), (Verdict.NOT_MUSIC, "")])
def test_the_first_four_that_are_heard_beside_music_are_told(verdict: Verdict, told: str) -> None:
    names = ("flute", "organ", "harp", "cello", "banjo")
    tags = tuple(HeardTag(name, "instrument", 0.9, True) for name in names)
    assert batch._row(SONG, dataclasses.replace(heard(verdict), tags=tags))["Also heard"] == told
