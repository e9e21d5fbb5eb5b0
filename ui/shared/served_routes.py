"""The routes and settings by which this process serves, found where they are: Streamlit hands them to nobody."""

from __future__ import annotations

import gc
from typing import Any


def find(ending: str, method: str) -> list[Any]:
    """Routes whose `app` may be put behind a door.

    Args:
        ending: Of their path, as Streamlit writes it.
        method: One that they answer.
    """
    from starlette.routing import Route

    # By `type`: `isinstance` reads `__class__`, which makes some lazy objects do things.
    found = [thing for thing in gc.get_objects() if type(thing) is Route]
    return [route for route in found if route.path.endswith(ending) and method in (route.methods or ())]


def shorten_messages(n_bytes: int) -> bool:
    """Have the server end a socket once a message is longer than this, before it has been received.

    Args:
        n_bytes: The most that a message may have, on every connection that is opened from now on.

    Returns:
        Whether the server's settings were found.
    """
    from uvicorn.config import Config

    found = [thing for thing in gc.get_objects() if type(thing) is Config]
    for settings in found:
        settings.ws_max_size = min(settings.ws_max_size, n_bytes)
    return bool(found)
