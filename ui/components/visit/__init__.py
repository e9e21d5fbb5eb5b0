"""The name of a visit, remembered by the browser's tab: it finds what the server still holds after a refresh."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

from ui.components import component, payload

_KEY = "visit"


def remembered_visit(visit_id: str, holds: int, *, is_answered: bool, on_former: Callable[[str, int], None]) -> None:
    """Have the tab remember this visit, and hear of the one that it remembers.

    Args:
        visit_id: By which the server knows the visit.
        holds: How many sounds it holds.
        is_answered: The tab has named its former visit already.
        on_former: Called with the id of a former visit, and with how many sounds it held.
    """

    def tell() -> None:
        # It comes from the browser: nothing in it is taken on trust.
        former: Any = (st.session_state.get(_KEY) or {}).get("former")
        if not isinstance(former, dict) or not isinstance(former.get("id"), str):
            return
        n_held = former.get("holds")
        on_former(former["id"], n_held if isinstance(n_held, int) else 0)

    values = {"id": visit_id, "holds": holds, "isAnswered": is_answered}
    component("visit")(key=_KEY, data=payload(values), on_former_change=tell)
