"""The list of pages on a narrow screen: it lies over the page, and goes when a page was chosen."""

from __future__ import annotations

from ui.components import component, payload


def closing_drawer() -> None:
    """Have the sidebar close itself once a link in it was followed, where it covers the page."""
    component("drawer")(key="drawer", data=payload({}))
