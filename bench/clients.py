"""A visitor without a browser: the page's socket, uploads, and what is written on the page."""

from __future__ import annotations

import contextlib
import http.client
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable
from typing import Any

_PATIENCE_SECONDS = 120.0


class Client:
    """A visitor without a browser: the page's socket, and uploads.

    Args:
        host: Name and port of the server.
        origin: Of the page that it would be; None for a client that is none.
    """

    def __init__(self, host: str, *, origin: str | None = None) -> None:
        from websockets.sync.client import connect
        from websockets.typing import Origin

        self.host, self.session_id = host, ""
        self._page = self._uploader = self._given = ""
        # Hashes of the pages by their names.
        self.pages: dict[str, str] = {}
        self.heard_at: list[float] = []
        page = None if origin is None else Origin(origin)
        self._stack = contextlib.ExitStack()
        # As a browser does, which has the cookie before it opens the socket.
        answer = urllib.request.urlopen(f"http://{host}/_stcore/health", timeout=30)
        self.cookie = answer.headers.get("Set-Cookie", "").partition(";")[0]
        self.socket = self._stack.enter_context(
            connect(
                f"ws://{host}/_stcore/stream",
                max_size=None,
                origin=page,
                additional_headers={"Cookie": self.cookie},
            )
        )

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def open_page(self, name: str = "") -> list[Any]:
        """Run a page; its messages.

        Args:
            name: As its address has it; empty for the one that is open, at first the first.
        """
        return self.say(lambda run: setattr(run, "page_script_hash", self.pages.get(name, self._page)))

    def say(self, write: Callable[[Any], object]) -> list[Any]:
        """Have the page run; its messages.

        Args:
            write: Writes into what is asked of the server, Streamlit's `ClientState`.
        """
        from streamlit.proto.BackMsg_pb2 import BackMsg

        message = BackMsg()
        message.rerun_script.query_string = ""
        message.rerun_script.page_script_hash = self._page
        write(message.rerun_script)
        self.socket.send(message.SerializeToString())
        found = self._until("script_finished")
        new = next(message for message in found if message.WhichOneof("type") == "new_session").new_session
        self.session_id, self._page = new.initialize.session_id, new.page_script_hash
        self.pages |= {page.url_pathname: page.page_script_hash for page in new.app_pages}
        return found

    def ask_for_ids(self, n_files: int, name: str = "a.wav") -> list[str]:
        """Ids of uploads that the server expects.

        Args:
            n_files: How many.
            name: Of each.
        """
        return [urls.file_id for urls in self._urls_of([name] * n_files)]

    def _urls_of(self, names: Iterable[str]) -> list[Any]:
        from streamlit.proto.BackMsg_pb2 import BackMsg

        message = BackMsg()
        message.file_urls_request.request_id = "1"
        message.file_urls_request.file_names.extend(names)
        self.socket.send(message.SerializeToString())
        return list(self._until("file_urls_response")[-1].file_urls_response.file_urls)

    def give(self, name: str, data: bytes) -> list[Any]:
        """Upload a sound in place of the last one, as the page does, and run the page; its messages.

        `heard_at` then holds the moment at which each came.

        Args:
            name: Of the file.
            data: Its content.

        Raises:
            ValueError: The upload was refused.
        """
        if not self._uploader:
            self.open_page()
        urls = self._urls_of([name])[0]
        status = self.upload(urls.file_id, data, name)
        if status != 204:
            raise ValueError(f"the upload was refused with {status}")

        def write(run: Any) -> None:
            state = run.widget_states.widgets.add()
            state.id = self._uploader
            state.file_uploader_state_value.uploaded_file_info.add(
                name=name, size=len(data), file_id=urls.file_id, file_urls=urls
            )

        found = self.say(write)
        if self._given:
            self._ask("DELETE", self._given)
        self._given = urls.file_id
        return found

    def upload(self, file_id: str, data: bytes, name: str = "a.wav") -> int:
        """HTTP status of an upload, 204 if it was taken; 0 if the connection broke.

        Args:
            file_id: An id that the server gave out, or a made-up one.
            data: Content of the file.
            name: Of the file.
        """
        edge = b"--edge\r\n"
        head = b'Content-Disposition: form-data; name="f"; filename="'
        body = edge + head + name.encode() + b'"\r\n\r\n' + data + b"\r\n--edge--\r\n"
        return self._ask("PUT", file_id, body)

    def fetch(self, address: str, *, cookie: str | None = None, part: str = "") -> tuple[int, bytes]:
        """Status and bytes of what an address of the server gives.

        Args:
            address: From the root on.
            cookie: Another than this visitor's; empty for none.
            part: A range of bytes, as `bytes=0-9`.
        """
        request = urllib.request.Request(f"http://{self.host}{address}", headers={"Cookie": self.cookie})
        if cookie is not None:
            request.headers["Cookie"] = cookie
        if part:
            request.headers["Range"] = part
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return int(answer.status), answer.read()
        except urllib.error.HTTPError as err:
            return err.code, b""

    def _ask(self, method: str, file_id: str, body: bytes | None = None) -> int:
        """Status of a request that concerns an upload."""
        request = urllib.request.Request(
            f"http://{self.host}/_stcore/upload_file/{self.session_id}/{file_id}",
            data=body,
            method=method,
            headers={
                "Content-Type": "multipart/form-data; boundary=edge",
                "Cookie": self.cookie,
                "X-Xsrftoken": self.cookie.partition("=")[2],
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as err:
            return err.code
        except (OSError, http.client.HTTPException):
            return 0

    def _until(self, kind: str) -> list[Any]:
        from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

        # The page runs at once again.
        early = ForwardMsg.ScriptFinishedStatus.FINISHED_EARLY_FOR_RERUN
        found: list[Any] = []
        self.heard_at = []
        while not found or found[-1].WhichOneof("type") != kind or found[-1].script_finished == early:
            message = ForwardMsg()
            message.ParseFromString(self.socket.recv(timeout=_PATIENCE_SECONDS))
            found.append(message)
            self.heard_at.append(time.monotonic())
            if message.delta.new_element.WhichOneof("type") == "file_uploader":
                # An emptied uploader is a new one.
                self._uploader = message.delta.new_element.file_uploader.id
        return found


def texts(messages: Iterable[Any]) -> list[str]:
    """What is written on a page, by its messages: headings, text, and the labels of what opens."""
    found = []
    for message in messages:
        element, block = message.delta.new_element, message.delta.add_block
        kind = element.WhichOneof("type")
        if kind in {"heading", "markdown", "alert", "text"}:
            found.append(str(getattr(element, kind).body).replace("\u00a0", " "))
        if block.WhichOneof("type") == "expandable":
            found.append(str(block.expandable.label))
    return found
