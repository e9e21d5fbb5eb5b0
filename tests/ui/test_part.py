"""The answer for a part of a sound: how long it may be, and what is said of it."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from crnn.errors import AudioError
from crnn.inference.classifier import Cell, Prediction
from crnn.inference.verdict import Verdict
from ui.components.player import Region, chosen_region
from ui.listen import part
from ui.listen.part import Part
from ui.shared.state import Sound

SONG = Sound("song.wav", b"song", "upload")
SHORT = "Too short for an answer: a part needs 1 s."
LONG = "Too long a part: at most 15 minutes of it can be asked about at once."
CELL = Cell(0.0, 2.0, np.array([0.9, 0.1], np.float32), segment=0, is_silent=False)
JAZZ = Prediction(
    ("jazz", "rock"), CELL.posterior, Verdict.GENRE, "jazz", 0.9, ("jazz",), (CELL,), (), np.zeros((0, 1)), 1.0, 2.0,
)  # fmt: skip


@pytest.mark.parametrize(
    ("told", "region"),
    [
        ({"start": 2, "end": 3.5}, Region(2.0, 3.5)),
        ({"start": 2, "end": 3, "low": 0, "high": 600}, Region(2.0, 3.0, (0.0, 600.0))),
        # To the end of a sound that the browser has a little longer.
        ({"start": 9, "end": 10.1, "low": 300}, Region(9.0, 10.1)),
        ({"end": 3, "high": 300}, Region(0.0, 3.0)),
        ({"start": 2, "end": 3, "low": 600, "high": 600}, Region(2.0, 3.0)),
        ({"start": 2, "end": 3, "low": -1, "high": 600}, Region(2.0, 3.0)),
        ({"start": 2, "end": 2}, None),
        ({"start": -1, "end": 2}, None),
        ({"start": 9, "end": 10.2}, None),
        ({"start": "2", "end": None}, None),
        ([2, 3], None),
    ],
)
def test_what_the_browser_says_of_a_part_is_not_taken_on_trust(
    monkeypatch: pytest.MonkeyPatch, told: object, region: Region | None
) -> None:
    monkeypatch.setattr("streamlit.session_state", {"player": {"region": told}})
    assert chosen_region("player", 10.0) == region
    assert chosen_region("another", 10.0) is None
    if region is not None:
        assert chosen_region("player", 20.0) == region
        drawn = region.to_dict()
        assert drawn == {name: value for name, value in told.items() if name in drawn} | {  # type: ignore[attr-defined]
            "start": region.start_seconds
        }
        assert ("low" in drawn) is ("high" in drawn) is (region.hertz is not None)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[float, float]]:
    """Spans that were answered."""
    spans: list[tuple[float, float]] = []

    def answer(_: Any, __: Any, ___: Any, span: tuple[float, float]) -> Prediction:
        spans.append(span)
        if span[0] == 7.0:
            raise AudioError("Nothing is there.")
        return JAZZ

    monkeypatch.setattr(part, "_wav", lambda *_: b"wav")
    monkeypatch.setattr(part, "_answer", answer)
    return spans


@pytest.mark.parametrize(
    ("start", "end", "refusal", "is_error"),
    [
        (2.0, 2.99, SHORT, False),
        (2.0, 3.0, "", False),
        (10.0, 910.0, "", False),
        (10.0, 910.1, LONG, False),
        (7.0, 9.0, "Nothing is there.", True),
    ],
)
def test_parts_of_a_second_to_fifteen_minutes_are_answered(
    asked: list[tuple[float, float]], start: float, end: float, refusal: str, is_error: bool
) -> None:
    found = part.ask(SONG, None, None, Region(start, end))  # type: ignore[arg-type]
    assert found is not None
    assert (found.span, found.refusal, found.is_error) == ((start, end), refusal, is_error)
    assert (found.found is JAZZ) is (refusal == "")
    assert asked == ([] if refusal in {SHORT, LONG} else [(start, end)])
    assert part.ask(SONG, None, None, None) is None  # type: ignore[arg-type]


def test_what_is_told_of_a_part_is_its_genre_its_answer_or_why_there_is_none() -> None:
    assert Part((0.0, 1.0), refusal=SHORT).told() == SHORT
    assert Part((0.0, 2.0), found=JAZZ).told() == "This part: jazz, 0.90"
    unsure = dataclasses.replace(JAZZ, verdict=Verdict.SILENCE, genre=None)
    assert Part((0.0, 2.0), found=unsure).told().startswith("This part. Silence: nothing above")
