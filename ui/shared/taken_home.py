"""Files that take a while to be made: offered again where the page was loaded anew before they were there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import streamlit as st
from streamlit.runtime import Runtime
from streamlit.runtime.scriptrunner import get_script_run_ctx

from ui.shared.state import TAKEN_HOME
from ui.shared.words import plain

Make = Callable[[], str | bytes]


@dataclass(frozen=True)
class Wanted:
    """A file that was asked for: its name, what makes it, and Streamlit's id of the page that waits for it."""

    file_name: str
    mime: str
    make: Make
    session_id: str


def has_page(session_id: str) -> bool:
    """Whether the page of a session is open.

    Args:
        session_id: Streamlit's.
    """
    return Runtime.exists() and Runtime.instance()._session_mgr.is_active_session(session_id)


class TakenHome:
    """What a visit asked for last, until it is handed to the page that asked."""

    def __init__(self) -> None:
        self._wanted: Wanted | None = None

    def deferred(self, wanted: Wanted, is_open: Callable[[str], bool] = has_page) -> Make:
        """What makes the file once it is asked for, in a thread of the server, and remembers it until then.

        Args:
            wanted: The file.
            is_open: Whether the page of a session is there.
        """

        def make() -> str | bytes:
            self._wanted = wanted
            try:
                return wanted.make()
            finally:
                if self._wanted is wanted and is_open(wanted.session_id):
                    self._wanted = None

        return make

    def lost(self, session_id: str) -> Wanted | None:
        """What a page that is gone had asked for; None where there is nothing.

        Args:
            session_id: Of the page that is there now.
        """
        wanted = self._wanted
        return wanted if wanted is not None and wanted.session_id != session_id else None


def offer(label: str, file_name: str, mime: str, make: Make, *, key: str) -> None:
    """Draw a button that has a file made and downloads it.

    Args:
        label: The button's.
        file_name: The file's.
        mime: Its type.
        make: Makes it, in a thread that may not speak to the page.
        key: Widget key.
    """
    kept: TakenHome = st.session_state.setdefault(TAKEN_HOME, TakenHome())
    made = kept.deferred(Wanted(file_name, mime, make, _session_id()))
    st.download_button(label, made, file_name, mime, on_click="ignore", key=key)


def offer_what_was_lost() -> None:
    """Draw a button for the file that a refresh broke off; nothing where there is none."""
    kept: TakenHome = st.session_state.setdefault(TAKEN_HOME, TakenHome())
    lost = kept.lost(_session_id())
    # Its place is always there: what stands below would move.
    with st.container():
        if lost is not None:
            st.caption(plain(f"The page was loaded anew before {lost.file_name} was there."))
            offer("Download it again", lost.file_name, lost.mime, lost.make, key="taken_home.again")


def _session_id() -> str:
    context = get_script_run_ctx()
    return context.session_id if context else ""
