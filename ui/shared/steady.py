"""An upload that comes too slowly is ended: begun and never ended, it would hold its share of the server for good."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

# A kilobyte a second. The slowest mobile networks are several times as fast, and pauses of some seconds happen.
WINDOW_SECONDS, LEAST_BYTES = 20.0, 20 * 1024


def steadily(receive: Callable[[], Awaitable[Any]]) -> Callable[[], Awaitable[Any]]:
    """What is received, as long as it keeps coming.

    Args:
        receive: Of ASGI: gives one message of a request's body after the other.

    Returns:
        The like of `receive`. It raises Starlette's `HTTPException`, 408, where `WINDOW_SECONDS` pass in which fewer
        than `LEAST_BYTES` came.
    """
    loop = asyncio.get_running_loop()
    began, n_bytes = loop.time(), 0

    async def receive_in_time() -> Any:
        nonlocal began, n_bytes
        from starlette.exceptions import HTTPException

        try:
            message = await asyncio.wait_for(receive(), began + WINDOW_SECONDS - loop.time())
        except TimeoutError:
            words = "The upload came too slowly."
            raise HTTPException(408, words, headers={"Connection": "close"}) from None
        n_bytes += len(message.get("body", b""))
        if n_bytes >= LEAST_BYTES:
            began, n_bytes = loop.time(), 0
        return message

    return receive_in_time
