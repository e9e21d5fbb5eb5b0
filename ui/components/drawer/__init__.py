"""The list of pages: where it covers the page it goes once one was chosen, shut it takes no focus, and it leads on.

A link that is lost to another word of the browser, as a table's that comes late, is followed once more.
"""

from __future__ import annotations

from ui.components import component, payload


def closing_drawer() -> None:
    """Have the sidebar close itself once a link in it was followed, where it covers the page; shut, it has no focus.

    Every page draws it: it also sees to it that a link leads on.
    """
    component("drawer")(key="drawer", data=payload({}))
