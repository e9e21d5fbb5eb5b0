"""What changed on the page, told to those who hear it."""

from __future__ import annotations

from ui.components import component, payload


def announce(words: str) -> None:
    """Have screen readers say `words`, once, when they are no longer what was said last."""
    component("announcer")(key="announcer", data=payload({"words": words}))
