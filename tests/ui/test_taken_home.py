"""A file that a refresh broke off is offered again, and one that arrived is not."""

from __future__ import annotations

import pytest

from ui.shared import state, visits
from ui.shared.taken_home import TakenHome, Wanted


@pytest.mark.parametrize("is_open", [True, False])
def test_file_whose_page_is_gone_when_it_is_made_is_lost(is_open: bool) -> None:
    kept = TakenHome()
    under_way: list[Wanted | None] = []

    def make() -> str:
        # The page that asked waits for it; another one of the visit finds it missing.
        under_way.extend([kept.lost("one"), kept.lost("two")])
        return "seconds\n"

    wanted = Wanted("song mel.csv", "text/csv", make, "one")
    assert kept.lost("two") is None
    assert kept.deferred(wanted, lambda session_id: is_open and session_id == "one")() == "seconds\n"
    assert under_way == [None, wanted]
    assert kept.lost("two") == (None if is_open else wanted)


def test_what_was_asked_for_is_found_after_a_refresh() -> None:
    assert {state.TAKEN_HOME, state.MAKING} <= set(visits._FACTS)


def test_what_was_asked_for_since_is_not_let_go_with_what_was_asked_for_before() -> None:
    kept = TakenHome()
    second = Wanted("b.csv", "text/csv", str, "two")
    # While the first is made its page asks for another, and is gone before that is there.
    first = Wanted("a.csv", "text/csv", lambda: kept.deferred(second, lambda _: False)() + "a", "one")
    assert kept.deferred(first, lambda _: True)() == "a"
    assert kept.lost("three") == second
