"""The routes by which this process serves, found where they are: Streamlit hands its application to nobody."""

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

    # By its exact kind: to ask some objects for theirs has them do things.
    found = [thing for thing in gc.get_objects() if type(thing) is Route]
    return [route for route in found if route.path.endswith(ending) and method in (route.methods or ())]
