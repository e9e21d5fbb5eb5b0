"""A level meter for the microphone, off until asked for; it records nothing."""

from __future__ import annotations

from ui.components import component, payload


def level_meter(key: str) -> None:
    """Draw the button that shows the microphone's level."""
    component("meter")(key=key, data=payload({}))
