"""What happened in a training, line by line on disk, where another version or another program may have written too."""

from __future__ import annotations

from typing import Any

# What each kind of event holds, beside its kind and the moment; other kinds are told by their message.
_HELD: dict[str, dict[str, type | tuple[type, ...]]] = {
    "stage": {"stage": str},
    "data": {"name": str, "parts": dict, "protection": list},
    "faults": {"messages": list},
    "epoch": {"epoch": int, "epochs": int, "loss": (int, float), "seconds": (int, float)},
}
# Of seconds since 1970: the end of the year 9998, beyond which no calendar here goes.
_LAST_MOMENT = 253_370_000_000


def is_event(event: dict[str, Any]) -> bool:
    """Whether it holds what its kind is told by.

    Args:
        event: A line of a run's events.
    """
    kind, at = event.get("event"), event.get("at")
    if not isinstance(kind, str) or not isinstance(at, int | float) or not 0 <= at < _LAST_MOMENT:
        return False
    sentences = [*_listed(event, "protection"), *_listed(event, "messages")]
    rows = _listed(event, "confusion")
    return (
        all(isinstance(event.get(name), kinds) for name, kinds in _HELD.get(kind, {}).items())
        and all(isinstance(sentence, str) for sentence in sentences)
        and all(isinstance(row, list) and len(row) == len(rows) for row in rows)
        and all(isinstance(count, int) for row in rows for count in row)
    )


def _listed(event: dict[str, Any], name: str) -> list[Any]:
    found = event.get(name)
    return found if isinstance(found, list) else []
