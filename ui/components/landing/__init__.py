"""Where the keyboard is once what it stood in has done its work and gone: at the box that it was in."""

from __future__ import annotations

from ui.components import component, payload


def landing(key: str, *, is_done: bool) -> None:
    """Hand the focus to the title of the box that this is drawn in, when its work is done.

    Args:
        key: Widget key; drawn from the beginning on, it knows when that changes.
        is_done: Whether it is.
    """
    component("landing")(key=key, data=payload({"isDone": is_done}))
