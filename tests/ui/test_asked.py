"""What of a page is heard where others are served."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from streamlit.proto.BackMsg_pb2 import BackMsg

from ui.shared.asked import Paces, Turns, is_heard


def message(write: Callable[[Any], object]) -> BackMsg:
    found = BackMsg()
    write(found)
    return found


def _ask_for_a_download(m: Any, request_id: str) -> None:
    m.backend_operation_request.deferred_file.SetInParent()
    m.backend_operation_request.request_id = request_id


@pytest.mark.parametrize(
    ("write", "heard"),
    [
        (lambda m: m.rerun_script.SetInParent(), True),
        (lambda m: setattr(m, "stop_script", True), True),
        (lambda m: setattr(m, "app_heartbeat", True), True),
        (lambda m: m.file_urls_request.SetInParent(), True),
        (lambda m: m.backend_operation_request.deferred_file.SetInParent(), True),
        (lambda m: m.backend_operation_request.dataframe_chunk.SetInParent(), True),
        (lambda m: setattr(m.file_urls_request, "request_id", "x" * 36), True),
        (lambda m: setattr(m.file_urls_request, "request_id", "x" * 5000), False),
        (lambda m: _ask_for_a_download(m, "x" * 36), True),
        (lambda m: _ask_for_a_download(m, "x" * 5000), False),
        (lambda m: m.backend_operation_request.install_skills.SetInParent(), False),
        (lambda m: m.backend_operation_request.dismiss_skills_nudge.SetInParent(), False),
        (lambda m: m.backend_operation_request.SetInParent(), False),
        (lambda m: setattr(m, "clear_cache", True), False),
        (lambda m: setattr(m, "load_git_info", True), False),
        (lambda m: setattr(m, "set_run_on_save", True), False),
        (lambda m: [m.rerun_script.widget_states.widgets.add() for _ in range(2001)], False),
        (lambda m: None, False),
    ],
)
def test_pages_are_heard_in_what_they_say(write: Callable[[Any], object], heard: bool) -> None:
    assert is_heard(message(write)) is heard


def test_who_says_no_more_than_a_page_is_heard() -> None:
    paces = Paces()
    # Ten seconds of a microphone at 192 kHz after it was held up, then two messages a second for an hour.
    assert paces.allow("ann", 5 * 2**20, 0.0)
    assert all(paces.allow("ann", 300_000, 1.0 + n / 2) for n in range(7200))


def test_who_never_stops_is_not_heard_and_nobody_else_is_the_worse() -> None:
    paces = Paces()
    heard = [paces.allow("ann", 50, n / 1000) for n in range(1000)]
    assert 95 <= sum(heard) <= 125
    assert not any(paces.allow("ann", 8 * 2**20, 1.0) for _ in range(3))
    assert paces.allow("ben", 8 * 2**20, 1.0)
    # A moment of silence, and he is heard again.
    assert paces.allow("ann", 50, 60.0)
    paces.forget({"ben"})
    assert set(paces._left) == {"ben"}


def test_each_is_heard_in_turn_and_in_his_own_order() -> None:
    heard: list[tuple[str, str]] = []
    later: list[Callable[[], None]] = []
    turns = Turns(lambda visit, msg, client: heard.append((visit, msg)), later.append)
    for visit, word in [("ann", "a"), ("ann", "b"), ("ann", "c"), ("ben", "x"), ("cid", "1"), ("ben", "y")]:
        turns.add(visit, word, None)  # type: ignore[arg-type]
    assert turns.n_waiting("ann") == 3
    # One word in each turn of the loop, so that everything else has its own.
    assert heard == []
    while later:
        assert len(later) == 1
        later.pop()()
    assert "".join(word for _, word in heard) == "ax1byc"
    turns.add("ben", "z", None)  # type: ignore[arg-type]
    later.pop()()
    assert heard[-1] == ("ben", "z")
    assert turns.n_waiting("ben") == 0
    assert not later


def test_a_pause_earns_no_more_than_may_be_said_at_once_and_long_words_count_as_several() -> None:
    paces = Paces()
    assert paces.allow("ann", 0, 0.0)
    # A hundred, however long he was silent: one of ninety-nine times 0.1 MB is as much.
    assert paces.allow("ann", 99 * 2**17, 3600.0)
    assert not paces.allow("ann", 0, 3600.0)
    assert paces.allow("ben", 98 * 2**17, 0.0)
    assert paces.allow("ben", 0, 0.0)
    assert not paces.allow("ben", 0, 0.0)
