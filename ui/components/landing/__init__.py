"""Where the keyboard, or the eye, is led once what it stood in has done its work."""

from __future__ import annotations

from ui.components import component, payload


def landing(key: str, *, is_done: bool, field: str = "") -> None:
    """Hand the focus on, when the work is done: to the title of the box that this is drawn in, or to a field.

    Args:
        key: Widget key; drawn from the beginning on, it knows when that changes.
        is_done: Whether it is.
        field: The label of the field that is filled next; without one it is the box.
    """
    component("landing")(key=key, data=payload({"done": "done" if is_done else "", "field": field, "scrolls": False}))


def arrival(key: str, *, done: str) -> None:
    """Bring the place where this is drawn into sight, when something new stands there.

    Args:
        key: Widget key; drawn from the beginning on, it knows when that changes.
        done: What stands there; empty for nothing.
    """
    component("landing")(key=key, data=payload({"done": done, "field": "", "scrolls": True}))
