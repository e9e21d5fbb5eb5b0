"""What a page of this app may ask of the server; what else Streamlit would do for any page is the host's to do.

Whoever can open the page's socket may, in Streamlit, clear the caches of all visitors, read which files of the
checkout are not committed, and have files written beside the app. Where others are served none of it is heard.
Nor is one that says more than a person could. Streamlit hears what has come of one page to its end before it turns to
another, and each word has a script begin: he who never stopped talking kept everybody waiting until their connections
ended. Here each has a turn.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.runtime import Runtime
from streamlit.runtime.app_session import AppSession
from streamlit.runtime.session_manager import SessionClient

from ui.shared import served_routes

_HEARD = frozenset({"rerun_script", "stop_script", "app_heartbeat", "file_urls_request"})
_OPERATIONS = frozenset({"deferred_file", "dataframe_chunk"})
_WITH_ID = frozenset({"file_urls_request", "backend_operation_request"})
# A page of ours has a hundred.
_MOST_WIDGETS = 2000
# A live microphone sends two a second, of 0.1 MB each; after a delay more at once, 5 MB at most.
_A_SECOND, _AT_ONCE = 20.0, 100.0
_BYTES_OF_ONE = 2**17
# Streamlit accepts 200 MB, all of it in memory before anybody sees it, and for good if the message never ends.
_LONGEST_BYTES = 8 * 2**20
# Streamlit's own ids have 36 characters.
_LONGEST_ID = 100
_log = logging.getLogger("crnn.doorman")


def hear_pages_alone() -> None:
    """From now on hear no more of a page than this app's own pages say."""
    if getattr(AppSession.handle_backmsg, "is_ours", False):
        return
    handle = AppSession.handle_backmsg

    def handle_if_heard(self: AppSession, msg: BackMsg) -> None:
        if is_heard(msg):
            handle(self, msg)
        else:
            _log.warning("A page asked for what is not its own: %s", msg.WhichOneof("type"))

    handle_if_heard.is_ours = True  # type: ignore[attr-defined]
    AppSession.handle_backmsg = handle_if_heard  # type: ignore[method-assign]
    if not served_routes.shorten_messages(_LONGEST_BYTES):
        _log.warning("Messages may be as long as Streamlit has them: its server's settings were not found.")


class Paces:
    """How much each visit may say: so many messages at once, and so many a second after that."""

    def __init__(self) -> None:
        # By visit: what is left, and when that was.
        self._left: dict[str, tuple[float, float]] = {}

    def allow(self, visit: str, n_bytes: int, now: float) -> bool:
        """Whether a message is heard.

        Args:
            visit: Streamlit's id.
            n_bytes: Its length; a long one counts as several.
            now: Seconds of `time.monotonic`.
        """
        left, at = self._left.get(visit, (_AT_ONCE, now))
        left = min(_AT_ONCE, left + _A_SECOND * (now - at)) - 1 - n_bytes / _BYTES_OF_ONE
        self._left[visit] = (left, now)
        return left >= 0

    def forget(self, visits: set[str]) -> None:
        """Let go of all but these visits."""
        for visit in set(self._left) - visits:
            self._left.pop(visit, None)


class Turns:
    """What visits said, heard one word of each after the other.

    Args:
        handle: Hears a word.
        call_soon: Has the event loop call something once it did what else waits.
    """

    def __init__(self, handle: Callable[..., None], call_soon: Callable[[Callable[[], None]], object]) -> None:
        self._handle, self._call_soon = handle, call_soon
        self._waiting: dict[str, deque[Callable[[], None]]] = {}

    def add(self, visit: str, msg: BackMsg, client: SessionClient | None) -> None:
        """Let a word wait for its turn.

        Args:
            visit: Streamlit's id.
            msg: What was said.
            client: By which connection; None for whichever it is.
        """
        is_idle = not self._waiting
        self._waiting.setdefault(visit, deque()).append(partial(self._handle, visit, msg, client=client))
        if is_idle:
            self._call_soon(self._next)

    def n_waiting(self, visit: str) -> int:
        """How many words of a visit wait."""
        return len(self._waiting.get(visit, ()))

    def _next(self) -> None:
        visit, words = next(iter(self._waiting.items()))
        del self._waiting[visit]
        word = words.popleft()
        if words:
            # Its next word waits behind all others.
            self._waiting[visit] = words
        if self._waiting:
            self._call_soon(self._next)
        word()


def hear_in_turn(runtime: Runtime, paces: Paces) -> None:
    """From now on hear visits in turn, and end the connection of who says too much.

    Args:
        runtime: The server's.
        paces: How much that is.
    """
    turns = Turns(runtime.handle_backmsg, runtime._get_async_objs().eventloop.call_soon)

    def handle_in_turn(session_id: str, msg: BackMsg, *, client: SessionClient | None = None) -> None:
        from starlette.websockets import WebSocketDisconnect

        is_too_much = turns.n_waiting(session_id) >= _AT_ONCE
        if is_too_much or not paces.allow(session_id, msg.ByteSize(), time.monotonic()):
            _log.warning("A page said too much at once, and was disconnected.")
            # As if the page had gone by itself: any other end of the socket is an error to Streamlit. What it said
            # before is not heard any more either.
            raise WebSocketDisconnect(code=1008)
        turns.add(session_id, msg, client)

    runtime.handle_backmsg = handle_in_turn  # type: ignore[method-assign]


def is_heard(msg: Any) -> bool:
    """Whether it is something that this app's own pages say.

    Args:
        msg: A message of a page.
    """
    kind = msg.WhichOneof("type")
    # The reply repeats it, and stays in memory if nobody reads it.
    if kind in _WITH_ID and len(getattr(msg, kind).request_id) > _LONGEST_ID:
        return False
    if kind == "backend_operation_request":
        return msg.backend_operation_request.WhichOneof("payload") in _OPERATIONS
    if kind == "rerun_script" and len(msg.rerun_script.widget_states.widgets) > _MOST_WIDGETS:
        return False
    return kind in _HEARD
