"""What Explore worked out for a visit, kept so that a click does not ask for it again."""

from __future__ import annotations

from typing import Any

import streamlit as st

from ui.shared.state import visit_lock

_KEPT = "explore.kept"
_MOST_KEPT = 12


def kept(key: tuple[object, ...], work: Any) -> Any:
    """What `work` gives, kept for the visit; the oldest go first.

    Args:
        key: All that the work depends on.
        work: Called where nothing is kept for the key.
    """
    with visit_lock():
        found_before: dict[tuple[object, ...], Any] = st.session_state.setdefault(_KEPT, {})
        if key not in found_before:
            found = work()
            while len(found_before) >= _MOST_KEPT:
                del found_before[next(iter(found_before))]
            found_before[key] = found
        return found_before[key]


def kept_before(key: tuple[object, ...], otherwise: Any = None) -> Any:
    """What is kept for the key.

    Args:
        key: As of `kept`.
        otherwise: Where nothing is.
    """
    return st.session_state.get(_KEPT, {}).get(key, otherwise)
