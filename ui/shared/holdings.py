"""What is in memory of all visitors' sounds, counted where it is made, and for whose visit.

Things are known here weakly: what the last visit lets go of counts no more, with no word said.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from streamlit.runtime.scriptrunner import get_script_run_ctx

from crnn.errors import CrnnError
from crnn.limits import Limits
from ui.shared.garbage import GARBAGE

_T = TypeVar("_T")
# Bytes by the object that they are: an uploader, a visit and a list of what was heard may share one.
Weights = Mapping[int, int]


@dataclass
class Holdings:
    """Things, and how each is weighed."""

    _known: dict[int, tuple[weakref.ref[Any], Callable[[Any], Weights], str]] = field(default_factory=dict)

    def add(self, thing: _T, weigh: Callable[[_T], Weights]) -> None:
        """Count a thing as long as it lives, for the visit whose script made it.

        Args:
            thing: What can be referred to weakly.
            weigh: Its bytes now, by the objects that they are; it must not hold the thing.
        """
        key, context = id(thing), get_script_run_ctx()
        visit = context.session_id if context is not None else ""
        self._known[key] = (weakref.ref(thing, lambda _: self._known.pop(key, None)), weigh, visit)

    def weights(self, visit: str | None = None) -> dict[int, int]:
        """Bytes of all that is held, each object once.

        Args:
            visit: Streamlit's id of the one that it was made for; None for all.
        """
        found: dict[int, int] = {}
        # A copy: other threads add to it, and things end, meanwhile.
        for reference, weigh, made_for in list(self._known.values()):
            thing = reference() if visit in {None, made_for} else None
            if thing is not None:
                found |= weigh(thing)
        return found

    def check_room(self, limits: Limits) -> None:
        """Refuse to hold more, for the visit whose script asks or for all.

        Args:
            limits: What may be held.

        Raises:
            CrnnError: As much is held.
        """
        refusal = self._refusal(limits)
        if refusal and GARBAGE.collect():
            refusal = self._refusal(limits)
        if refusal:
            raise CrnnError(refusal)

    def _refusal(self, limits: Limits) -> str:
        context = get_script_run_ctx()
        if context is not None and sum(self.weights(context.session_id).values()) >= limits.visit_bytes:
            return (
                "This server holds as much for you as it holds for one visitor. Delete some of what was heard, or come "
                "back later."
            )
        if sum(self.weights().values()) >= limits.server_bytes:
            return (
                "This server holds as much sound of its visitors as it can. Some of it goes when one of them leaves: "
                "try again in some minutes."
            )
        return ""


# Those of this server.
HELD = Holdings()
