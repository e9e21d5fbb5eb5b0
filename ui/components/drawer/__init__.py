"""The list of pages: where it lies over the page it goes once one was chosen, and closed it takes no focus."""

from __future__ import annotations

from ui.components import component, payload


def closing_drawer() -> None:
    """Have the sidebar close itself once a link in it was followed, where it covers the page; shut, it has no focus."""
    component("drawer")(key="drawer", data=payload({}))
