"""Which data sets a person chose last to learn from, on disk: a refresh or a restart finds them chosen."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

from crnn import atomic
from crnn.owner import Owner

_NAME, _WAY_NAME = "learn-from.json", "learn-by.txt"


def last_choice(owner: Owner) -> tuple[str, ...] | None:
    """The data sets as a training order names them; None if none was ever chosen."""
    try:
        values = json.loads((owner.home / _NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        return None
    return tuple(values)


def keep_choice(sources: tuple[str, ...], *, owner: Owner) -> None:
    """Remember a choice; a disk that refuses costs no more than that.

    Args:
        sources: As a training order names them.
        owner: Who chose.
    """
    _write(owner.home / _NAME, json.dumps(sources))


def last_way(owner: Owner) -> str:
    """In which way a person gave last what is learnt from; empty if he never chose."""
    try:
        return (owner.home / _WAY_NAME).read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        return ""


def keep_way(way: str, *, owner: Owner) -> None:
    """Remember a way; a disk that refuses costs no more than that.

    Args:
        way: A word for it.
        owner: Who chose.
    """
    _write(owner.home / _WAY_NAME, way)


def _write(path: Path, text: str) -> None:
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic.replacing(path, is_synced=False) as file:
            file.write(text.encode())
