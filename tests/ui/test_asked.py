"""What of a page is heard where others are served."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from streamlit.proto.BackMsg_pb2 import BackMsg

from ui.shared.asked import is_heard


def message(write: Callable[[Any], object]) -> BackMsg:
    found = BackMsg()
    write(found)
    return found


@pytest.mark.parametrize(
    ("write", "heard"),
    [
        (lambda m: m.rerun_script.SetInParent(), True),
        (lambda m: setattr(m, "stop_script", True), True),
        (lambda m: setattr(m, "app_heartbeat", True), True),
        (lambda m: m.file_urls_request.SetInParent(), True),
        (lambda m: m.backend_operation_request.deferred_file.SetInParent(), True),
        (lambda m: m.backend_operation_request.dataframe_chunk.SetInParent(), True),
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
