"""What is in memory of all visitors' sounds, counted where it is made, whoever's visit holds it.

Things are known here weakly: what the last visit lets go of counts no more, with no word said.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from crnn.errors import CrnnError

_T = TypeVar("_T")
# Bytes by the object that they are: an uploader, a visit and a list of what was heard may share one.
Weights = Mapping[int, int]


@dataclass
class Holdings:
    """Things, and how each is weighed."""

    _known: dict[int, tuple[weakref.ref[Any], Callable[[Any], Weights]]] = field(default_factory=dict)

    def add(self, thing: _T, weigh: Callable[[_T], Weights]) -> None:
        """Count a thing as long as it lives.

        Args:
            thing: What can be referred to weakly.
            weigh: Its bytes now, by the objects that they are; it must not hold the thing.
        """
        key = id(thing)
        self._known[key] = (weakref.ref(thing, lambda _: self._known.pop(key, None)), weigh)

    def weights(self) -> dict[int, int]:
        """Bytes of all that is held, each object once."""
        found: dict[int, int] = {}
        # A copy: other threads add to it, and things end, meanwhile.
        for reference, weigh in list(self._known.values()):
            thing = reference()
            if thing is not None:
                found |= weigh(thing)
        return found

    def check_room(self, most_bytes: int) -> None:
        """Refuse to hold more.

        Args:
            most_bytes: Of all visitors together.

        Raises:
            CrnnError: As much is held.
        """
        if sum(self.weights().values()) >= most_bytes:
            raise CrnnError(
                "This server holds as much sound of its visitors as it can. Some of it goes when one of them leaves: "
                "try again in some minutes."
            )


# Those of this server.
HELD = Holdings()
