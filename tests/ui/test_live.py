"""A live listening without a page around it: its rate, what it skips, when it ends, and what is told of it."""

from __future__ import annotations

import dataclasses
import io
import wave
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import streamlit as st
from sounds import sine

from crnn import limits
from crnn.analysis.figures import genre_color
from crnn.bundles.bundle import Bundle
from crnn.inference.classifier import Classifier
from crnn.inference.live import Moment
from ui.components.microphone import Message
from ui.listen import live
from ui.shared.holdings import Holdings
from ui.shared.state import Sound

RATE = 44_100


@pytest.fixture
def hear(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Sound | None]:
    """Takes in what the browser hands over, without a page around it."""
    found = Classifier(bundle, n_threads=1)
    monkeypatch.setattr(live, "classifier", lambda _: found)
    monkeypatch.setattr(live, "HELD", Holdings())
    monkeypatch.setattr(st, "session_state", {})

    def one(start: float, end: float, number: int, *, rate: int = RATE, **others: Any) -> Sound | None:
        samples = np.round(32_767 * sine(6000.0, end, rate)).astype("<i2")[round(start * rate) :].tobytes()
        values: dict[str, Any] = {"listening": "one", "is_last": False, "keeps_on": True}
        message = Message(number=number, rate=rate, at=round(start * rate), samples=samples, **values | others)
        return live._hear(message, None)  # type: ignore[arg-type]

    return one


@pytest.mark.parametrize("rate", [16_000, 44_100, 48_000])
def test_sound_is_of_the_rate_that_the_microphone_has(
    hear: Callable[..., Sound | None], monkeypatch: pytest.MonkeyPatch, rate: int
) -> None:
    # An upload of five seconds, of which one is left free.
    small = dataclasses.replace(limits.BY_MODE["local"], upload_bytes=2 * rate * 5)
    monkeypatch.setitem(limits.BY_MODE, "local", small)
    for second in range(6):
        assert hear(second, second + 1, second, rate=rate) is None
        told = st.session_state[live._SHOWN]
        assert (told.n_heard, told.seconds) == ((second + 1) * rate, float(second + 1) if second >= 2 else 0.0)
    assert told.sentence.startswith("Sounds like treble.")
    sound = hear(6, 6, 6, rate=rate, is_last=True)
    assert sound is not None
    with wave.open(io.BytesIO(sound.data)) as file:
        assert (file.getframerate(), file.getnframes()) == (rate, 4 * rate)
    assert st.session_state[live._NEWS] == ("Of 0:06.0 heard, the last 0:04.0 are kept.", sound.digest)


@pytest.mark.parametrize(
    ("sent", "n_heard"), [((1.0, 2.0), 2.0), ((0.5, 2.0), 2.0), ((0.0, 1.0), 1.0), ((0.0, 0.5), 1.0)]
)
def test_what_came_twice_is_skipped(
    hear: Callable[..., Sound | None], sent: tuple[float, float], n_heard: float
) -> None:
    hear(0, 1, 1)
    hear(*sent, 2)
    opened = st.session_state[live._OPEN]
    assert opened.live.n_samples == n_heard * RATE
    assert opened.live.sound == np.round(32_767 * sine(6000.0, n_heard, RATE)).astype("<i2").tobytes()


@pytest.mark.parametrize(
    ("seconds", "words"), [(1.0, ""), (0.99, "Only 1.0 s were heard. Listen for three seconds or more.")]
)
def test_a_second_is_the_least_that_is_a_sound(hear: Callable[..., Sound | None], seconds: float, words: str) -> None:
    assert (hear(0, seconds, 1, is_last=True) is None) is bool(words)
    assert st.session_state[live._SHOWN].words == words


@pytest.mark.parametrize(
    ("seconds", "keeps_on", "is_over"), [(19.9, False, False), (20.0, False, True), (20.0, True, False)]
)
def test_it_ends_by_itself_after_twenty_seconds(
    hear: Callable[..., Sound | None], monkeypatch: pytest.MonkeyPatch, seconds: float, keeps_on: bool, is_over: bool
) -> None:
    monkeypatch.setattr("crnn.inference.live.SETTLED_SECONDS", 1000.0)
    assert (hear(0, seconds, 1, keeps_on=keeps_on) is not None) is is_over


@pytest.mark.parametrize(("seconds", "about"), [(30.0, ""), (30.1, "Of the last half a minute.")])
def test_it_says_where_the_timeline_shows_more_than_the_sentence_speaks_of(
    hear: Callable[..., Sound | None], seconds: float, about: str
) -> None:
    hear(0, seconds, 1)
    assert st.session_state[live._SHOWN].about == about


def test_why_it_ended_is_told_by_the_script_that_gives_its_sound(hear: Callable[..., Sound | None]) -> None:
    """The one in which it ended may have been stopped before."""
    hear(0, 2, 1)
    ended = hear(3, 4, 2)
    assert ended is not None
    again = live._hear(None, None)  # type: ignore[arg-type]
    assert again is not None
    assert again.digest == ended.digest
    assert st.session_state[live._NEWS] == (live._LOST_ON_ITS_WAY, ended.digest)


def test_neighbours_of_one_name_are_one_cell() -> None:
    share = np.ones(2, np.float32)
    moments = (
        Moment(0.0, 1.234, None, True, share),
        Moment(1.234, 2.0, None, False, share),
        Moment(2.0, 3.456, "jazz", False, share),
        Moment(3.456, 4.0, "jazz", False, share),
    )
    cells = live._cells(SimpleNamespace(moments=moments))  # type: ignore[arg-type]
    assert [(cell.start, cell.end, cell.name) for cell in cells] == [
        (0.0, 1.23, "silence"),
        (1.23, 2.0, "no music"),
        (2.0, 4.0, "jazz"),
    ]
    assert [cell.color for cell in cells] == ["#7A8899", "#7A8899", genre_color("jazz")]


def test_a_late_message_does_not_begin_what_has_ended_nor_say_that_it_was_lost(
    hear: Callable[..., Sound | None],
) -> None:
    assert hear(0, 2, 1, is_last=True) is not None
    st.session_state.pop(live._OPEN)
    assert hear(2, 3, 2) is None
    assert not live.is_open()
    assert st.session_state[live._SHOWN].words == ""
    # Another press begins another; of one that is not known the one before is over, too.
    hear(0, 1, 3, listening="two")
    assert live.is_open()
    hear(1, 2, 4, listening="three")
    assert not live.is_open()
    assert st.session_state[live._SHOWN].words == live._LOST
