"""Keeps what visitors hold in memory within bounds, and lets it go when they have left.

Streamlit takes an upload under any made-up id, keeps a visit that ended until another visitor leaves, opens its
socket to pages of every port of this machine, does for any page what is the host's to do, and searches all objects for
garbage after each script. All are put right in its own objects, once for each server: an upload counts against its
visitor and is refused beyond his share, every few seconds the visits that are over are ended and garbage is searched
for (`ui.shared.garbage`), the socket is for this app's own pages, and they are heard in what a page
needs (`ui.shared.asked`) and fetch what is their own (`ui.shared.media_door`).
"""

from __future__ import annotations

import ctypes
import gc
import itertools
import logging
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, Protocol, cast

import streamlit as st
from streamlit import config
from streamlit.runtime import Runtime, exists, get_instance
from streamlit.web.server import server_util
from streamlit.web.server.starlette import starlette_websocket

from crnn.limits import BY_MODE, Limits
from crnn.mode import Mode
from crnn.owner import sweep_visits
from ui.shared import asked, served_routes, visitor
from ui.shared.garbage import GARBAGE
from ui.shared.holdings import HELD, Holdings
from ui.shared.media_door import MediaDoor
from ui.shared.steady import steadily
from ui.shared.visits import Visits, visits

_LOOK_EVERY_SECONDS = 10.0
_log = logging.getLogger("crnn.doorman")


# Not `st.cache_resource`: after its cache is cleared all of this would be set up a second time, on top of itself.
_standing: set[Mode] = set()
_lock = threading.Lock()


def stand(mode: Mode) -> None:
    """Begin to watch, once for each server; nothing happens where there is none, as in tests of pages."""
    if not exists():
        return
    with _lock:
        if mode not in _standing:
            _standing.add(mode)
            _stand(get_instance(), mode)


def _stand(runtime: Runtime, mode: Mode) -> None:
    limits, left = BY_MODE[mode], visits()
    most_mb = limits.upload_bytes >> 20
    if int(st.get_option("server.maxUploadSize")) > most_mb:
        config.set_option("server.maxUploadSize", most_mb)
    config.set_option("runner.postScriptGC", False)
    media = MediaDoor(runtime)
    media.close()
    uploads = _Uploads(runtime, limits, HELD, media)
    uploads.close_the_door()
    _keep_other_pages_out(mode)
    paces = asked.Paces()
    if mode != "local":
        # The text of an error may name what belongs to another visitor. The log has it.
        config.set_option("client.showErrorDetails", "none")
        asked.hear_pages_alone()
        asked.hear_in_turn(runtime, paces)
        sweep_visits()
    threading.Thread(target=_sweep, args=(mode,), name="sweep", daemon=True).start()
    threading.Thread(
        target=_look_on, args=(runtime, (uploads, media, paces), left), name="doorman", daemon=True
    ).start()


class _Door(Protocol):
    """What remembers visits."""

    def forget(self, visits: set[str]) -> None:
        """Let go of all but these visits."""


def _keep_other_pages_out(mode: Mode) -> None:
    # Streamlit's own check admits every page of this machine, and asks a server of the web for its own address before
    # it refuses. The very first page comes before this; `visitor.mode` checks that one.
    def is_allowed(origin: str | None, host: str | None) -> bool:
        # A proxy may leave the port out, and who signed in is told by the whole address of his page.
        is_own = visitor.is_own_page(origin, host, port_matters=mode == "local")
        return is_own or (origin is not None and server_util.is_allowed_origin(origin))

    starlette_websocket._is_origin_allowed = is_allowed


def _sweep(mode: Mode) -> None:
    # Imported late: it runs beside the first page, and nobody waits for it.
    from crnn.jobs import kept

    kept.sweep(mode)


class _Uploads:
    """Streamlit's store of uploads, with a door.

    An upload is kept if a page of its visitor asked for it, and neither he nor all visitors hold too much by it.

    Args:
        runtime: The server's.
        limits: What one visitor may hold.
        held: What is held of all visitors' sounds beside it, which counts as well.
        media: What they play and download, which counts, too.
    """

    def __init__(self, runtime: Runtime, limits: Limits, held: Holdings, media: MediaDoor) -> None:
        self._runtime, self._limits, self._held, self._media = runtime, limits, held, media
        # Its own manager of uploads has more to it than the protocol of that name.
        self._store = cast("Any", runtime.uploaded_file_mgr)
        self._is_active, self._add, self._urls = (
            runtime.is_active_session,
            self._store.add_file,
            self._store.get_upload_urls,
        )
        # By visit: ids that were given out and not used yet, and bytes that are being uploaded.
        self._expected: dict[str, set[str]] = {}
        self._under_way: Counter[str] = Counter()

    def close_the_door(self) -> None:
        """Stand in the way of the three calls by which an upload comes in, and of its way."""
        self._store.get_upload_urls, self._store.add_file = self._get_upload_urls, self._add_file
        self._runtime.is_active_session = self._is_expected  # type: ignore[method-assign]
        for route in served_routes.find("upload_file/{session_id}/{file_id}", "PUT"):
            route.app = self.counted(route.app)

    def counted(self, app: Callable[..., Any]) -> Callable[..., Any]:
        """What takes uploads, so that one counts from its first byte on: many at once would fill the memory.

        Args:
            app: Takes them.
        """

        async def take(scope: Any, receive: Any, send: Any) -> None:
            from starlette.requests import Request
            from starlette.responses import PlainTextResponse

            request = Request(scope)
            visit, told = request.path_params["session_id"], request.headers.get("content-length", "")
            # One that does not tell its length counts as the largest. More than that is refused before its end.
            most = self._limits.upload_bytes + 2**20
            n_bytes = min(int(told), most) if told.isascii() and told.isdigit() and len(told) < 16 else most
            if self._is_active(visit) and not self._has_room(visit, n_bytes):
                await PlainTextResponse("More than this server holds.", status_code=413)(scope, receive, send)
                return
            self._under_way[visit] += n_bytes
            try:
                await app(scope, steadily(receive), send)
            finally:
                self._under_way[visit] -= n_bytes
                # Drops the zeros, which a Counter keeps.
                self._under_way += Counter()

        return take

    def forget(self, visits: set[str]) -> None:
        """Expect nothing more of all but these visits."""
        for session_id in set(self._expected) - visits:
            self._expected.pop(session_id, None)

    def _has_room(self, session_id: str, n_bytes: int) -> bool:
        return self._fits(session_id, n_bytes) or (GARBAGE.collect() and self._fits(session_id, n_bytes))

    def _fits(self, session_id: str, n_bytes: int) -> bool:
        # Copies first: other threads may add to them meanwhile.
        stored = {
            visit: [file.data for file in list(files.values())]
            for visit, files in list(self._store.file_storage.items())
        }
        # What was heard before makes room for what comes (`state.add_heard`), so the uploaders have a bound of their
        # own. Each object counts once: an uploader, the list of what was heard and a player may share it.
        mine = {id(data): len(data) for data in stored.get(session_id, ())}
        visit = self._held.weights(session_id) | self._media.weights(session_id) | mine
        everything = self._held.weights() | self._media.weights()
        everything |= {id(data): len(data) for sounds in stored.values() for data in sounds}
        coming = self._under_way[session_id] + n_bytes
        return all(
            sum(weights.values()) + more <= most
            for weights, more, most in (
                (mine, coming, self._limits.held_bytes),
                (visit, coming, self._limits.visit_bytes),
                (everything, self._under_way.total() + n_bytes, self._limits.server_bytes),
            )
        )

    def _get_upload_urls(self, session_id: str, file_names: Any) -> Any:
        ids = self._expected.setdefault(session_id, set())
        room = max(0, 10 * self._limits.files_at_once - len(ids))
        # One message can hold millions of empty names, each of which would get an id.
        found = self._urls(session_id, list(itertools.islice(file_names, room)))
        ids.update(info.file_id for info in found)
        return found

    def _is_expected(self, session_id: str) -> bool:
        # Asked before an upload is read, so that one which is not expected, or has no room, costs nothing.
        return self._is_active(session_id) and bool(self._expected.get(session_id)) and self._has_room(session_id, 0)

    def _add_file(self, session_id: str, file: Any) -> None:
        from starlette.exceptions import HTTPException

        ids = self._expected.get(session_id, set())
        if file.file_id not in ids:
            raise HTTPException(status_code=400, detail="No page asked for this file.")
        # What is on its way has been counted.
        if not self._has_room(session_id, max(0, len(file.data) - self._under_way[session_id])):
            raise HTTPException(status_code=413, detail="More than this server holds for its visitors.")
        ids.discard(file.file_id)
        self._add(session_id, file)


def _look_on(runtime: Runtime, doors: tuple[_Door, ...], left: Visits) -> None:
    loop = runtime._get_async_objs().eventloop
    while not loop.is_closed():
        time.sleep(_LOOK_EVERY_SECONDS)
        GARBAGE.collect()
        try:
            # Visits belong to the event loop; no other thread may touch them.
            loop.call_soon_threadsafe(_end_left, runtime, doors, left)
        except RuntimeError:  # the server ended between the two lines
            return


def _end_left(runtime: Runtime, doors: tuple[_Door, ...], left: Visits) -> None:
    """End the visits whose time to come back is over, and give their memory back to the system."""
    manager: Any = runtime._session_mgr
    kept = manager._session_storage._cache
    before = dict(kept._data)
    kept.expire()
    over = [visit.session for session_id, visit in before.items() if session_id not in kept._data]
    n_over = len(over)
    before.clear()
    while over:
        over.pop().shutdown()
    n_gone = left.sweep({info.session.id for info in manager.list_active_sessions()}, time.monotonic())
    still_there = {info.session.id for info in manager.list_sessions()}
    for door in doors:
        door.forget(still_there)
    if n_over or n_gone:
        _log.info("%d visits ended", n_over)
        # Some objects of a visit refer to each other: collected now, not some time later.
        gc.collect()
        _give_memory_back()


def _give_memory_back() -> None:
    if sys.platform == "linux":
        # glibc keeps what was freed; other C libraries have no such call.
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
