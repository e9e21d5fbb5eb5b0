"""Uploads that come too slowly are ended, and slow ones that keep coming are not."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ui.shared import steady


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, int]]:
    """A real server whose one route reads uploads as the app's does, with a window of a second for 1000 bytes."""
    monkeypatch.setattr(steady, "WINDOW_SECONDS", 1.0)
    monkeypatch.setattr(steady, "LEAST_BYTES", 1000)

    async def take(request: Request) -> Response:
        return Response(str(len(await request.body())))

    route = Route("/", take, methods=["PUT"])
    app = route.app

    async def taken(scope, receive, send) -> None:
        await app(scope, steady.steadily(receive), send)

    route.app = taken
    server = uvicorn.Server(uvicorn.Config(Starlette(routes=[route]), port=0, log_level="error"))
    listening = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([listening])), daemon=True)
    thread.start()
    yield listening.getsockname()
    server.should_exit = True
    thread.join(10)


def answer(client: socket.socket) -> bytes:
    """All that the server says until it hangs up."""
    said = b""
    with contextlib.suppress(OSError):
        while part := client.recv(4096):
            said += part
    return said


def begin(address: tuple[str, int], n_bytes: int) -> socket.socket:
    client = socket.create_connection(address, timeout=30)
    client.sendall(f"PUT / HTTP/1.1\r\nHost: here\r\nContent-Length: {n_bytes}\r\n\r\n".encode())
    return client


@pytest.mark.slow
def test_an_upload_that_stands_still_is_ended(address: tuple[str, int]) -> None:
    with begin(address, 10**6) as client:
        client.sendall(b"x" * 5000)
        said = answer(client)
    assert said.startswith(b"HTTP/1.1 408")
    assert said.endswith(b"The upload came too slowly.")


def test_an_upload_of_drops_is_ended(address: tuple[str, int]) -> None:
    with begin(address, 10**6) as client, contextlib.suppress(OSError):
        deadline = time.monotonic() + 30
        client.settimeout(0.1)
        said = b""
        while not said and time.monotonic() < deadline:
            client.sendall(b"x")
            with contextlib.suppress(TimeoutError):
                said = client.recv(4096)
    assert said.startswith(b"HTTP/1.1 408")


@pytest.mark.slow
def test_a_slow_one_that_keeps_coming_ends_well(address: tuple[str, int]) -> None:
    with begin(address, 12_000) as client:
        # Longer than a window in all, and in each far more than is needed.
        for _ in range(12):
            client.sendall(b"x" * 1000)
            time.sleep(0.15)
        assert client.recv(4096).endswith(b"12000")
