"""What the browser may tell through our components, by the names under which it does: checked here and nowhere else.

A name means the same in every component. What does not fit is dropped before anything reads it (`ui.shared.sent`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeGuard

# Seconds, hertz, numbers of samples and messages: none of ours is larger, and each is exact as a float.
_MOST = 2**53
_MOST_ID = 64
_MOST_HELD = 10_000
# Ten seconds of a microphone at 192 kHz, as base64.
_MOST_LETTERS = 6 * 2**20


def fits(name: str, value: Any) -> bool:
    """Whether a value may have been told under a name.

    Args:
        name: As the browser's part of the component tells it.
        value: Parsed JSON. None takes back what was told.
    """
    check = _SHAPES.get(name)
    return check is not None and (value is None or check(value))


def _is_number(value: Any) -> TypeGuard[float]:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return -_MOST < value < _MOST and math.isfinite(value)


def _is_index(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and _is_number(value) and value >= 0


def _is_region(value: Any) -> bool:
    wanted = {"start", "end"}
    if not isinstance(value, dict) or not wanted <= value.keys() <= wanted | {"low", "high"}:
        return False
    return all(_is_number(value[name]) for name in wanted) and all(
        value.get(name) is None or _is_number(value[name]) for name in ("low", "high")
    )


def _is_stretch(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(map(_is_number, value))


def _is_message(value: Any) -> bool:
    if not isinstance(value, dict) or not _is_id(value.get("listening")):
        return False
    samples = value.get("samples")
    return (
        isinstance(samples, str)
        and len(samples) <= _MOST_LETTERS
        and all(_is_index(value.get(name)) for name in ("number", "rate", "at"))
        and all(isinstance(value.get(name, False), bool) for name in ("isLast", "keepsOn"))
    )


def _is_visit(value: Any) -> bool:
    if not isinstance(value, dict) or not _is_id(value.get("id")):
        return False
    n_held = value.get("holds")
    return _is_index(n_held) and n_held <= _MOST_HELD


def _is_id(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= _MOST_ID


_SHAPES: dict[str, Callable[[Any], bool]] = {
    "segment": _is_index,
    "region": _is_region,
    "moment": _is_number,
    "detail": _is_stretch,
    "told": _is_message,
    "former": _is_visit,
}
