"""A visitor without a browser: the page's socket, uploads, and what is written on the page."""

from __future__ import annotations

import contextlib
import http.client
import time
import urllib.error
import urllib.request
from collections.abc import Iterable
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
        self.heard_at: list[float] = []
        page = None if origin is None else Origin(origin)
        self._stack = contextlib.ExitStack()
        self.socket = self._stack.enter_context(connect(f"ws://{host}/_stcore/stream", max_size=None, origin=page))
        answer = urllib.request.urlopen(f"http://{host}/_stcore/health", timeout=30)
        self._cookie = answer.headers.get("Set-Cookie", "").partition(";")[0]

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def open_page(self) -> list[Any]:
        """Run the page; its messages."""
        from streamlit.proto.BackMsg_pb2 import BackMsg

        message = BackMsg()
        message.rerun_script.query_string = ""
        self.socket.send(message.SerializeToString())
        found = self._until("script_finished")
        new = next(message for message in found if message.WhichOneof("type") == "new_session")
        self.session_id = new.new_session.initialize.session_id
        self._page = new.new_session.page_script_hash
        return found

    def ask_for_ids(self, n_files: int) -> list[str]:
        """Ids of uploads that the server expects."""
        return [urls.file_id for urls in self._urls_of(["a.wav"] * n_files)]

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

        Raises:
            ValueError: The upload was refused.
        """
        from streamlit.proto.BackMsg_pb2 import BackMsg

        if not self._uploader:
            self.open_page()
        urls = self._urls_of([name])[0]
        status = self.upload(urls.file_id, data, name)
        if status != 204:
            raise ValueError(f"the upload was refused with {status}")
        message = BackMsg()
        message.rerun_script.query_string = ""
        message.rerun_script.page_script_hash = self._page
        state = message.rerun_script.widget_states.widgets.add()
        state.id = self._uploader
        state.file_uploader_state_value.uploaded_file_info.add(
            name=name, size=len(data), file_id=urls.file_id, file_urls=urls
        )
        self.socket.send(message.SerializeToString())
        found = self._until("script_finished")
        if self._given:
            self._ask("DELETE", self._given)
        self._given = urls.file_id
        return found

    def upload(self, file_id: str, data: bytes, name: str = "a.wav") -> int:
        """Status of an upload."""
        edge = b"--edge\r\n"
        head = b'Content-Disposition: form-data; name="f"; filename="'
        body = edge + head + name.encode() + b'"\r\n\r\n' + data + b"\r\n--edge--\r\n"
        return self._ask("PUT", file_id, body)

    def _ask(self, method: str, file_id: str, body: bytes | None = None) -> int:
        """Status of a request that concerns an upload."""
        request = urllib.request.Request(
            f"http://{self.host}/_stcore/upload_file/{self.session_id}/{file_id}",
            data=body,
            method=method,
            headers={
                "Content-Type": "multipart/form-data; boundary=edge",
                "Cookie": self._cookie,
                "X-Xsrftoken": self._cookie.partition("=")[2],
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

        found: list[Any] = []
        self.heard_at = []
        while not found or found[-1].WhichOneof("type") != kind:
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
            found.append(str(getattr(element, kind).body))
        if block.WhichOneof("type") == "expandable":
            found.append(str(block.expandable.label))
    return found
