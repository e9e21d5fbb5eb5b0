"""The Models page's comparison: a table of all files, who is right more often, and what became of a model."""

from __future__ import annotations

import dataclasses
import struct
from pathlib import Path

import numpy as np
import pytest
import streamlit as st
from explore_page import players
from listen_page import component
from page_words import read
from sounds import RATE, sine, wav_bytes
from streamlit.testing.v1 import AppTest
from tiny_bundle import tiny_bundle
from train_page import APP

from crnn.bundles import library
from crnn.bundles.bundle import Rejection, load_bundle
from crnn.errors import CrnnError
from crnn.inference.classifier import Prediction
from crnn.inference.verdict import Verdict
from crnn.owner import MACHINE
from ui.models import compare
from ui.shared.state import Model, Sound


@pytest.fixture
def page(models: Path) -> AppTest:
    """Two models that agree on the middle and name the ends the other way round."""
    tiny_bundle(models / "one")
    tiny_bundle(models / "two", genres=("treble", "middle", "bass"))
    return AppTest.from_file(APP, default_timeout=240).switch_page("pages/3_Models.py").run()


def tagged(frequency_hz: float, genre: str = "") -> bytes:
    """Four seconds of a sine as a wav whose tag names a genre."""
    body = wav_bytes(sine(frequency_hz, 4.0))[12:]
    if genre:
        text = genre.encode() + bytes(2 - len(genre) % 2)
        entry = b"INFO" + b"IGNR" + struct.pack("<I", len(text)) + text
        body += b"LIST" + struct.pack("<I", len(entry)) + entry
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WAVE" + body


def give(app: AppTest, *songs: tuple[str, bytes]) -> AppTest:
    uploader = next(u for u in app.file_uploader if u.key.startswith("listen.uploads"))
    uploader.set_value([(name, data, "audio/wav") for name, data in songs]).run()
    assert not app.exception
    return app


def table(app: AppTest) -> list[dict[str, str]]:
    (found,) = [frame.value for frame in app.dataframe if "differ" in frame.value]
    return found.to_dict("records")


def columns(app: AppTest) -> list[str]:
    """Those of the table that are shown."""
    (found,) = [frame.proto for frame in app.dataframe if "differ" in frame.value]
    return list(found.column_order)


def answers(app: AppTest) -> list[str]:
    return [element.value for element in app.main.markdown if element.value.startswith("**Sounds like")]


def test_the_newest_model_is_compared_with_the_one_that_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And never one model with itself, where nobody asked for that."""
    monkeypatch.setenv("GENRESCOPE_DEFAULT_MODEL", "host")
    made = {"early": "2026-11-01", "host": "2026-11-02", "mine": "2026-11-09", "older": "2026-11-03"}
    models = [
        Model(dataclasses.replace(tiny_bundle(tmp_path / name), created=day), fingerprint=name)
        for name, day in made.items()
    ]
    state: dict[str, tuple[str, str]] = {}
    monkeypatch.setattr(st, "session_state", state)
    assert compare._unchosen(models, 0).label == "mine"
    state["models.compare.0.kept"] = ("mine", "")
    assert compare._unchosen(models, 1).label == "host"
    state["models.compare.1.kept"] = ("host", "")
    assert compare._unchosen([models[0], models[1], models[3]], 0).label == "older"
    assert compare._unchosen([models[1]], 0).label == "host"


def test_every_file_is_answered_and_who_is_right_is_tested(page: AppTest) -> None:
    high = [(f"high {number}.wav", tagged(5000.0 + 100 * number, "Treble")) for number in range(6)]
    give(page, ("middle.wav", tagged(2000.0)), *high)
    rows = table(page)
    # Those to listen to stand first.
    assert [row["file"] for row in rows] == [*(f"high {number}.wav" for number in range(6)), "middle.wav"]
    assert {row["differ"] for row in rows[:6]} == {"differ"}
    assert {(row["genre"], row["right"]) for row in rows[:6]} == {("treble", "first")}
    assert rows[0]["first"].startswith("treble, ")
    assert rows[0]["second"].startswith("bass, ")
    assert (rows[6]["differ"], rows[6]["genre"], rows[6]["right"]) == ("", "", "")
    text = read(page)
    assert "They say the same of 1 of 7 files." in text
    assert (
        "Right of 6: one 6, two 0; 6 by one alone, 0 by two alone. "
        "Exact McNemar test: p = 0.031, a difference beyond chance."
    ) in text
    # Below stands the first where they differ, under what each says of each moment.
    assert ["treble" in answers(page)[0], "bass" in answers(page)[1]] == [True, True]
    (player,) = players(page)
    assert (player["title"], [lane["name"] for lane in player["lanes"]]) == ("high 0.wav", ["one", "two"])


def test_what_neither_can_read_is_no_agreement(page: AppTest) -> None:
    give(page, ("notes.mp3", b"These are words, and no sound."), ("a.wav", tagged(2000.0)), ("b.wav", tagged(6000.0)))
    assert [row["file"] for row in table(page)] == ["b.wav", "a.wav", "notes.mp3"]
    assert "They say the same of 1 of 2 files; 1 cannot be read." in read(page)


def test_a_row_that_is_clicked_is_heard(page: AppTest) -> None:
    give(page, ("a.wav", tagged(6000.0)), ("b.wav", tagged(5000.0)), ("c.wav", tagged(2000.0)))
    assert players(page)[0]["title"] == "a.wav"
    for row, title in (2, "c.wav"), (1, "b.wav"), (3, "b.wav"):
        page.session_state["models.compare.table"] = {
            "selection": {"rows": [], "columns": [], "cells": [[row, "file"]]}
        }
        page.run()
        assert not page.exception
        assert players(page)[0]["title"] == title


def test_what_is_said_in_a_row_is_an_answer_a_verdict_or_that_there_is_none() -> None:
    def answer(verdict: Verdict, genre: str | None) -> Prediction:
        whole, nothing = np.float32([0.7, 0.3]), np.zeros((0, 1))
        return Prediction(("jazz", "rock"), whole, verdict, genre, 0.7, (), (), (), nothing, 1.0, 4.0)

    jazz, rock = answer(Verdict.GENRE, "jazz"), answer(Verdict.GENRE, "rock")
    unsure, broken = answer(Verdict.UNSURE, None), CrnnError("It is damaged.")
    assert [compare._cell(found) for found in (jazz, unsure, broken)] == ["jazz, 0.70", "can't tell", "cannot be read"]
    sound = Sound("a.wav", b"a", "upload")
    for first, second, differ, right in (
        (jazz, jazz, False, "both"),
        (jazz, rock, True, "first"),
        (unsure, jazz, True, "second"),
        (unsure, broken, True, "neither"),
        (broken, broken, False, "neither"),
    ):
        answers = compare.Answers(sound, first, second)
        assert (answers.differ, compare._who(answers, "jazz"), compare._who(answers, "")) == (differ, right, "")


def test_what_a_sound_is_can_be_said_and_taken_back(page: AppTest) -> None:
    give(page, ("a.wav", tagged(6000.0, "Polka")), ("b.wav", tagged(2000.0)))
    assert "Right of" not in read(page)
    assert columns(page) == ["file", "first", "second", "differ"]
    # The answers stand on top, under one line of what was given.
    assert [box.proto.expanded for box in page.expander if box.label == "2 files · change"] == [False]
    box = next(box for box in page.selectbox if box.label == "It is")
    box.set_value("bass").run()
    assert "Right of 1: one 0, two 1; 0 by one alone, 1 by two alone." in read(page)
    assert table(page)[0]["right"] == "second"
    assert columns(page)[4:] == ["genre", "right"]
    page.session_state["models.compare.row"] = "gone"
    next(box for box in page.selectbox if box.label == "It is").set_value("not known").run()
    assert not page.exception
    assert "Right of" not in read(page)


def test_files_of_one_name_and_bad_ones_have_their_rows(page: AppTest) -> None:
    give(page, ("song.wav", tagged(6000.0)), ("song.wav", tagged(2000.0)), ("bad.wav", b"rubbish"))
    assert [(row["file"], row["second"].split(",")[0]) for row in table(page)] == [
        ("song.wav", "bass"),
        ("song.wav", "middle"),
        ("bad.wav", "cannot be read"),
    ]


def test_silence_has_no_bars_and_what_is_no_music_no_timeline(models: Path) -> None:
    tiny_bundle(models / "one")
    tiny_bundle(models / "two", rejection=Rejection(weights=(0.0, 0.0, 0.0), bias=-5.0))
    page = AppTest.from_file(APP, default_timeout=240).switch_page("pages/3_Models.py").run()
    give(page, ("quiet.wav", wav_bytes(np.zeros(4 * RATE, np.float32))))
    assert read(page).count("**Silence: nothing above") == 2
    with pytest.raises(AssertionError, match="no bars"):
        component(page, "bars")
    give(page, ("song.wav", tagged(6000.0)))
    assert "**That doesn't sound like music.**" in read(page)
    assert [lane["name"] for lane in component(page, "player")["lanes"]] == ["one"]


def test_sound_that_changes_is_told_as_listen_tells_it(page: AppTest) -> None:
    medley = np.concatenate([sine(60.0, 50.0), sine(6000.0, 60.0), sine(60.0, 40.0)])
    give(page, ("medley.wav", wav_bytes(medley, subtype="PCM_16")), ("middle.wav", tagged(2000.0)))
    text = read(page)
    assert "**Changes: bass 62 % of the time, treble 38 %.**" in text
    assert "Taken as a whole: Sounds like bass. 54 % sure." in text
    assert component(page, "bars")["title"] == "Share of the time"
    # No confidence of one genre beside several.
    first = next(row["first"] for row in table(page) if row["file"] == "medley.wav")
    assert first == "changes, bass as a whole"


def test_one_model_against_itself_is_no_difference(page: AppTest) -> None:
    page.selectbox(key="models.compare.1").set_value("one").run()
    give(page, ("a.wav", tagged(6000.0, "treble")), ("b.wav", tagged(2000.0, "middle")))
    assert "Right of 2: one, first 2, one, second 2; the same ones." in read(page)
    assert "They say the same of 2 of 2 files." in read(page)


def test_a_model_that_is_renamed_or_goes_elsewhere_is_not_replaced_silently(page: AppTest, models: Path) -> None:
    page.selectbox(key="models.compare.0").set_value("two").run()
    library.rename(load_bundle(models / "two"), "zwei", owner=MACHINE)
    page.run()
    assert page.selectbox(key="models.compare.0").value == "zwei"
    assert "two is called zwei now." in read(page)
    library.delete(models / "zwei", owner=MACHINE)
    page.run()
    assert page.selectbox(key="models.compare.0").value == "one"
    assert "zwei is no longer there. one stands in its place." in read(page)
