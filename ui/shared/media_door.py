"""What plays and downloads here is fetched by its own visitor alone.

Streamlit's address of a sound, a picture or a download follows from its bytes, and answers whoever knows it: who has
the same song could find out that somebody listens to it here, and an address that was passed on served everybody.
Both are put right in its own objects. An address follows from the visit too, by a secret of this process; and it
answers only a browser that brings the cookie with which the visit was opened. Without cookies (a page in the frame of
another site) the address alone is the key, which nobody can guess, and it ends with the visit.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import os
import secrets
import zlib
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Any, cast

from streamlit.runtime import Runtime
from streamlit.runtime.media_file_storage import MediaFileKind
from streamlit.runtime.memory_media_file_storage import MemoryFile, MemoryMediaFileStorage, _calculate_file_id
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.web.server.starlette.starlette_app_utils import decode_xsrf_token_string
from streamlit.web.server.starlette.starlette_server_config import XSRF_COOKIE_NAME

from ui.shared import served_routes

_ROUTE = "media/{file_id:path}"
# No proxy may cache it, no browser guess another type, and no script in it run.
_HEADERS = (
    (b"cache-control", b"private"),
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'; media-src 'self'; img-src 'self'"),
)
_log = logging.getLogger("crnn.doorman")
# The visit whose download is made outside of any script.
_VISIT: ContextVar[str] = ContextVar("visit", default="")


class MediaDoor:
    """Streamlit's store of what plays and downloads, with a door.

    Args:
        runtime: The server's.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._manager = cast("Any", runtime.media_file_mgr)
        self._store = cast("MemoryMediaFileStorage", self._manager._storage)
        self._delete, self._execute = self._store.delete_file, self._manager.execute_deferred
        self._secret = secrets.token_bytes(32)
        # By a file's id: the visit that it was made for. By a visit: the secret of the browser that opened it.
        self._owners: dict[str, str] = {}
        self._tokens: dict[str, bytes] = {}

    def close(self) -> None:
        """Stand in the way of what comes in, and of who fetches it."""
        self._store.load_and_get_id = self._take_in  # type: ignore[method-assign]
        self._store.delete_file = self._let_go  # type: ignore[method-assign]
        self._manager.execute_deferred = self._execute_for_its_visit
        routes = served_routes.find(_ROUTE, "GET")
        for route in routes:
            route.app = self._guarded(route.app)
        if not routes:
            _log.warning("Media are told apart by their addresses alone: their route was not found in this Streamlit.")

    def may_fetch(self, name: str, cookies: Mapping[str, str]) -> bool:
        """Whether a request with these cookies may have a file.

        Args:
            name: As its address has it.
            cookies: Of the request.
        """
        token = self._tokens.get(self._owners.get(os.path.splitext(name)[0], ""), b"")
        return not token or hmac.compare_digest(token, _token(cookies))

    def weights(self, visit: str | None = None) -> dict[int, int]:
        """Bytes of what is there, by the objects that they are.

        Args:
            visit: The one that it was made for; None for all.
        """
        files, found = self._store._files_by_id, {}
        for file_id, made_for in list(self._owners.items()):
            file = files.get(file_id) if visit in {None, made_for} else None
            if file is not None:
                found[id(file.content)] = len(file.content)
        return found

    def forget(self, visits: set[str]) -> None:
        """Let go of what was made for all but these visits; Streamlit keeps a download until somebody else comes."""
        with self._manager._lock:
            for file_id in [key for key, visit in list(self._owners.items()) if visit and visit not in visits]:
                self._manager._file_metadata.pop(file_id, None)
                self._store.delete_file(file_id)
        for visit in set(self._tokens) - visits:
            self._tokens.pop(visit, None)

    def _take_in(
        self, path_or_data: str | bytes, mimetype: str, kind: MediaFileKind, filename: str | None = None
    ) -> str:
        data = self._store._read_file(path_or_data) if isinstance(path_or_data, str) else bytes(path_or_data)
        context = get_script_run_ctx()
        visit = _VISIT.get() or (context.session_id if context is not None else "")
        # Of large files Streamlit compares only length, beginning, middle and end: two tracks of one recording that are
        # silent there would be taken for the same.
        told = f"{visit}\0{_calculate_file_id(data, mimetype, filename)}\0{zlib.crc32(data)}"
        file_id = hashlib.blake2b(told.encode(), key=self._secret, digest_size=28).hexdigest()
        if file_id not in self._store._files_by_id:
            self._store._files_by_id[file_id] = MemoryFile(data, mimetype, kind, filename)
        self._owners[file_id] = visit
        # A visit that is disconnected for a moment has no token to show, and keeps the one it was opened with.
        token = self._token_of(visit)
        if token:
            self._tokens[visit] = token
        return file_id

    def _let_go(self, file_id: str) -> None:
        self._owners.pop(file_id, None)
        self._delete(file_id)

    def _execute_for_its_visit(self, file_id: str) -> str:
        entry = self._manager._deferred_callables.get(file_id)
        before = _VISIT.set(entry["session_id"] if entry is not None else "")
        try:
            return str(self._execute(file_id))
        finally:
            _VISIT.reset(before)

    def _token_of(self, visit: str) -> bytes:
        client = self._runtime.get_client(visit)
        context = client.client_context if client is not None else None
        return b"" if context is None else _token(context.cookies)

    def _guarded(self, app: Callable[..., Any]) -> Callable[..., Any]:
        async def serve(scope: Any, receive: Any, send: Any) -> None:
            from starlette.requests import Request
            from starlette.responses import PlainTextResponse

            request = Request(scope)
            if not self.may_fetch(request.path_params["file_id"], request.cookies):
                # As if it were not there.
                await PlainTextResponse("File not found", status_code=404)(scope, receive, send)
                return

            async def send_with_headers(message: Any) -> None:
                if message["type"] == "http.response.start":
                    message["headers"] = [*message["headers"], *_HEADERS]
                await send(message)

            await app(scope, receive, send_with_headers)

        return serve


def _token(cookies: Mapping[str, str]) -> bytes:
    """The secret in Streamlit's cookie against forged requests: one for each browser, however it is masked."""
    return decode_xsrf_token_string(cookies.get(XSRF_COOKIE_NAME, ""))[0] or b""
