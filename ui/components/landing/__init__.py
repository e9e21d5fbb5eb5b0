"""Where the keyboard is once what it stood in has done its work and gone: at the box that it was in."""

from __future__ import annotations

from ui.components import component, payload


def landing(key: str, *, is_done: bool, field: str = "") -> None:
    """Hand the focus on, when the work is done: to the title of the box that this is drawn in, or to a field.

    Args:
        key: Widget key; drawn from the beginning on, it knows when that changes.
        is_done: Whether it is.
        field: The label of the field that is filled next; without one it is the box.
    """
    component("landing")(key=key, data=payload({"isDone": is_done, "field": field}))
