"""The button that makes a PNG of a card: the browser draws it, with its own fonts."""

from __future__ import annotations

from ui.components import component, payload


def card_picture(svg: str, stem: str, key: str) -> None:
    """Draw the button.

    Args:
        svg: The card.
        stem: What the file is called, before its ending.
        key: Widget key.
    """
    component("card")(key=key, data=payload({"svg": svg, "stem": stem}))
