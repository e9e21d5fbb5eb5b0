"""What a visitor gave, found again after a refresh, a lost connection or another tab's page.

Streamlit forgets a session when its page is reloaded. What pages share is therefore also
held here, in this process's memory, under a name that only the visitor's tab knows; for
an hour after the visitor was last seen, and no more than a bounded number of bytes. Where others
are served it is a minute and a half after he left, and `ui.shared.doorman` sees to it.
"""

from __future__ import annotations

import secrets
import threading
import time
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from ui.components.visit import remembered_visit
from ui.shared import state, visitor
from ui.shared.answer_cache import ANSWERS, LONG_PICTURE
from ui.shared.taken_home import TakenHome

HELD_SECONDS = 3600.0
# More than one visit may hold, or the largest could not be brought back.
HELD_BYTES = 512 * 2**20
# On a server for others. With the doorman's interval it is less than two minutes.
LEFT_SECONDS = 90.0

_ID = "visit.id"
_IS_ANSWERED = "visit.is_answered"
_LOST = "visit.lost"
# The facts that pages share; what is derived from them is worked out again.
_FACTS = (
    state.SOUNDS,
    state.HEARD,
    state.LISTENING,
    state.MODEL,
    state.MODEL_CONTENT,
    state.LESSON,
    state.TAUGHT,
    state.TAUGHT_REPORT,
    state.EXPLORE_PART,
    state.EXPLORE_SOUND,
    state.ROW,
    state.SHELF_MODEL,
    state.TAKEN_HOME,
    state.MAKING,
    ANSWERS,
    LONG_PICTURE,
)


@dataclass
class _Held:
    facts: dict[str, Any]
    n_bytes: int
    seen: float
    session_id: str = ""


@dataclass
class Visits:
    """The facts of visits, by who visits and their ids; the ones not seen for longest go first.

    Args:
        held_bytes: How much is held in all.
        held_seconds: How long after a visit was last seen.
    """

    held_bytes: int = HELD_BYTES
    held_seconds: float = HELD_SECONDS
    _held: dict[tuple[str, str], _Held] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def hold(
        self, visit: tuple[str, str], facts: dict[str, Any], n_bytes: int, now: float, *, session_id: str = ""
    ) -> None:
        """Hold a visit's facts, which weigh `n_bytes`, in place of those held before; `session_id` is Streamlit's.

        Args:
            visit: Person and visit.
            facts: Of the session's state.
            n_bytes: What they weigh.
            now: Seconds of `time.monotonic`.
            session_id: Streamlit's.
        """
        with self._lock:
            # A page has one visit: an earlier one under another name is dropped.
            for former in [key for key, held in self._held.items() if session_id and held.session_id == session_id]:
                del self._held[former]
            self._held.pop(visit, None)
            self._held[visit] = _Held(facts, n_bytes, now, session_id)
            while self._held and (
                sum(held.n_bytes for held in self._held.values()) > self.held_bytes
                or next(iter(self._held.values())).seen < now - self.held_seconds
            ):
                del self._held[next(iter(self._held))]

    def sweep(self, connected: set[str], now: float) -> int:
        """Let go of those who left; how many did.

        Args:
            connected: Streamlit's ids of the sessions whose page is open.
            now: As in `hold`.
        """
        with self._lock:
            for held in self._held.values():
                if held.session_id in connected:
                    held.seen = now
            gone = [visit for visit, held in self._held.items() if held.seen < now - self.held_seconds]
            for visit in gone:
                del self._held[visit]
            return len(gone)

    def forget(self, person: str) -> None:
        """Let go of all visits of a person.

        Args:
            person: As in `hold`.
        """
        with self._lock:
            for visit in [visit for visit in self._held if visit[0] == person]:
                del self._held[visit]

    def find(self, visit: tuple[str, str], now: float) -> dict[str, Any] | None:
        """A visit's facts; None if they are held no more.

        Args:
            visit: Person and visit.
            now: Seconds of `time.monotonic`.
        """
        with self._lock:
            held = self._held.get(visit)
            return dict(held.facts) if held and held.seen >= now - self.held_seconds else None


@st.cache_resource(show_spinner=False)
def visits() -> Visits:
    """Those of this server."""
    return Visits(held_seconds=HELD_SECONDS if visitor.server_mode() == "local" else LEFT_SECONDS)


def keep_visit(person: str) -> None:
    """Hold what this visitor gave, and bring back what the tab remembers; once on every page.

    Args:
        person: Who signed in, whose visits are nobody else's; empty where nobody does.
    """
    visit_id = st.session_state.setdefault(_ID, secrets.token_urlsafe(16))
    sounds = state.heard()
    if sounds:
        # Made now: a download does not run the page again, which could hold it then.
        st.session_state.setdefault(state.TAKEN_HOME, TakenHome())
    facts = {key: st.session_state[key] for key in _FACTS if key in st.session_state}
    n_bytes = sum(len(heard.sound.data) for heard in sounds)
    context = get_script_run_ctx()
    session_id = context.session_id if context else ""
    visits().hold((person, visit_id), facts, n_bytes, time.monotonic(), session_id=session_id)
    is_answered = st.session_state.get(_IS_ANSWERED, False)
    # What a microphone hears counts like a sound that was given.
    n_held = len(sounds) + (state.LISTENING in facts)
    remembered_visit(visit_id, n_held, is_answered=is_answered, on_former=partial(_bring_back, person))


def tell_what_is_lost() -> None:
    """Say so where the tab remembers sounds that the server does not."""
    n_lost = st.session_state.pop(_LOST, 0)
    # Always a container: otherwise what stands below would move, and open boxes close.
    with st.container():
        if n_lost:
            sounds = "The sound that was given here is" if n_lost == 1 else f"The {n_lost} sounds given here are"
            st.warning(
                f"{sounds} gone from the server’s memory: it was restarted, or the last visit was too long ago. "
                f"Give {'it' if n_lost == 1 else 'them'} again."
            )


def forget_visits_of(person: str) -> None:
    """Bring nothing back of what a person's tabs remember, and miss nothing of it.

    Args:
        person: As in `keep_visit`.
    """
    visits().forget(person)
    st.session_state[_IS_ANSWERED] = True


def _bring_back(person: str, former: str, n_held: int) -> None:
    st.session_state[_IS_ANSWERED] = True
    if former == st.session_state.get(_ID):
        return
    facts = visits().find((person, former), time.monotonic())
    if facts is None:
        st.session_state[_LOST] = n_held
        return
    # What was given since then comes first.
    since = state.heard()
    for key, value in facts.items():
        st.session_state.setdefault(key, value)
    state.add_heard(facts.get(state.HEARD, ()), since)
    st.session_state[_ID] = former
