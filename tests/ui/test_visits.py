"""What is held of a visit, and for how long after its visitor left."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
import streamlit as st
from streamlit.runtime.state import SessionStateProxy

from ui.shared import state, visits
from ui.shared.state import Heard, Sound
from ui.shared.visits import Visits

ANN, BEN = ("", "ann"), ("", "ben")


def test_who_left_is_let_go_and_who_stays_is_not() -> None:
    visits = Visits(held_seconds=90.0)
    visits.hold(ANN, {"a": 1}, 10, 0.0, session_id="open")
    visits.hold(BEN, {"b": 2}, 10, 0.0, session_id="closed")
    assert visits.sweep({"open"}, 90.0) == 0
    assert visits.find(BEN, 90.0) == {"b": 2}
    assert visits.sweep({"open"}, 91.0) == 1
    assert (visits.find(ANN, 91.0), visits.find(BEN, 91.0)) == ({"a": 1}, None)
    # An hour on an open page, then gone.
    assert visits.sweep({"open"}, 3600.0) == 0
    assert visits.sweep(set(), 3691.0) == 1


def test_a_page_holds_one_visit_open() -> None:
    visits = Visits(held_seconds=90.0)
    visits.hold(ANN, {"a": 1}, 10, 0.0, session_id="page")
    visits.hold(BEN, {"b": 2}, 10, 1.0, session_id="page")
    assert (visits.find(ANN, 1.0), visits.find(BEN, 1.0)) == (None, {"b": 2})


def test_pages_without_a_session_do_not_push_each_other_out() -> None:
    visits = Visits()
    visits.hold(ANN, {"a": 1}, 10, 0.0)
    visits.hold(BEN, {"b": 2}, 10, 0.0)
    assert visits.find(ANN, 0.0) == {"a": 1}


def test_a_person_is_forgotten_with_all_his_visits_and_nobody_else() -> None:
    visits = Visits()
    for person, visit in (("ann", "a"), ("ann", "b"), ("ben", "a")):
        visits.hold((person, visit), {"x": person}, 1, 0.0, session_id=person + visit)
    visits.forget("ann")
    assert [visits.find(("ann", visit), 1.0) for visit in "ab"] == [None, None]
    assert visits.find(("ben", "a"), 1.0) == {"x": "ben"}


def test_more_than_is_held_goes_and_what_was_seen_last_stays() -> None:
    visits = Visits(held_bytes=100)
    visits.hold(ANN, {"a": 1}, 50, 0.0)
    visits.hold(BEN, {"b": 2}, 50, 1.0)
    visits.hold(ANN, {"a": 1}, 50, 2.0)
    assert visits.find(BEN, 2.0) == {"b": 2}
    visits.hold(("", "cid"), {"c": 3}, 1, 3.0)
    assert (visits.find(ANN, 3.0), visits.find(BEN, 3.0)) == ({"a": 1}, None)


def test_what_is_too_old_is_not_found_before_it_is_swept() -> None:
    visits = Visits(held_seconds=90.0)
    visits.hold(ANN, {"a": 1}, 10, 0.0)
    assert visits.find(ANN, 90.0) == {"a": 1}
    assert visits.find(ANN, 90.1) is None


def test_the_greatest_visit_is_held_and_what_is_greater_yet_goes_without_a_fault() -> None:
    held = Visits()
    held.hold(ANN, {"a": 1}, state._MAX_HEARD_BYTES, 0.0)
    assert held.find(ANN, 0.0) == {"a": 1}
    held.hold(BEN, {"b": 2}, visits.HELD_BYTES + 1, 0.0)
    assert (held.find(ANN, 0.0), held.find(BEN, 0.0)) == (None, None)


def test_what_is_too_old_goes_when_another_comes() -> None:
    held = Visits(held_seconds=90.0)
    for number, (now, n_held) in enumerate([(0.0, 1), (90.0, 2), (90.1, 2)]):
        held.hold(("", f"{number}"), {}, 1, now)
        assert len(held._held) == n_held


@pytest.mark.parametrize(("mode", "seconds"), [("local", 3600.0), ("shared", 90.0), ("public", 90.0)])
def test_where_others_are_served_a_visit_is_held_for_a_minute_and_a_half(
    monkeypatch: pytest.MonkeyPatch, mode: str, seconds: float
) -> None:
    monkeypatch.setenv("GENRESCOPE_MODE", mode)
    visits.visits.clear()  # type: ignore[attr-defined]
    try:
        assert visits.visits().held_seconds == seconds
    finally:
        visits.visits.clear()  # type: ignore[attr-defined]


class Told(NamedTuple):
    """What the tab is told, and what it says of the visit that it remembers."""

    visit_id: str
    n_held: int
    is_answered: bool
    on_former: Callable[[str, int], None]


@pytest.fixture
def tab(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Told]]:
    """In place of the browser's, with a server of its own."""
    told: list[Told] = []

    def remembered_visit(visit_id: str, holds: int, *, is_answered: bool, on_former: Any) -> None:
        told.append(Told(visit_id, holds, is_answered, on_former))

    here = Visits()
    monkeypatch.setattr(visits, "visits", lambda: here)
    monkeypatch.setattr(visits, "remembered_visit", remembered_visit)
    yield told
    st.session_state.clear()


@pytest.fixture
def session() -> SessionStateProxy:
    return st.session_state


def heard(name: str, at: float) -> Heard:
    return Heard(Sound(name, b"12345", "upload"), at)


def test_a_page_that_is_loaded_anew_finds_what_was_given(tab: list[Told], session: SessionStateProxy) -> None:
    before, since = heard("a.wav", 1.0), heard("b.wav", 2.0)
    session[state.HEARD], session[state.MODEL], session["explore.view"] = (before,), "mine", "not held"
    session[state.LISTENING] = "a microphone"
    visits.keep_visit("ann")
    # What a microphone hears counts as a sound; nothing was asked of the tab before.
    assert tab[-1][1:3] == (2, False)
    facts = visits.visits().find(("ann", tab[-1].visit_id), 0.0)
    assert facts is not None
    assert facts.keys() == {state.HEARD, state.MODEL, state.LISTENING, state.TAKEN_HOME}
    assert [held.n_bytes for held in visits.visits()._held.values()] == [5]

    session.clear()
    # Given before the tab has spoken.
    session[state.HEARD], session[state.MODEL] = (since,), "another"
    visits.keep_visit("ann")
    former, now = tab
    assert former.visit_id != now.visit_id
    now.on_former(former.visit_id, former.n_held)
    assert state.heard() == (since, before)
    assert (session[state.MODEL], session[state.LISTENING]) == ("another", "a microphone")
    visits.tell_what_is_lost()
    assert visits._LOST not in session
    # It goes on under its former name, and the tab need say it no more.
    visits.keep_visit("ann")
    assert (tab[-1].visit_id, tab[-1].is_answered) == (former.visit_id, True)


def test_nobody_else_is_brought_it_and_how_much_is_gone_is_known(tab: list[Told], session: SessionStateProxy) -> None:
    session[state.HEARD] = (heard("a.wav", 1.0),)
    visits.keep_visit("ann")
    session.clear()
    visits.keep_visit("ben")
    former, now = tab
    now.on_former(former.visit_id, 3)
    assert (state.heard(), session[visits._LOST]) == ((), 3)
    # What is on this page is not gone, whatever the server holds of it.
    session.pop(visits._LOST)
    visits.visits().forget("ben")
    now.on_former(now.visit_id, 1)
    assert visits._LOST not in session


def test_who_signs_out_is_brought_back_nothing_and_misses_nothing(tab: list[Told], session: SessionStateProxy) -> None:
    visits.keep_visit("ann")
    visits.forget_visits_of("ann")
    assert visits.visits().find(("ann", tab[-1].visit_id), 0.0) is None
    visits.keep_visit("")
    assert tab[-1].is_answered
    # Without a sound there is nothing that a download could need.
    assert state.TAKEN_HOME not in session
