"""A microphone that hands over what it hears while it listens: numbered samples, kept by the browser until they came.

The browser sends one message at a time and waits until the server says how far it has come.
What is lost on the way comes again, and what comes twice is known by its number.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import asdict, dataclass
from typing import Any

import streamlit as st

from ui.components import component, payload

# What sound cards record at.
_LEAST_RATE_HZ, _MOST_RATE_HZ = 8_000, 192_000
_MOST_ID = 64
_BYTES_PER_SAMPLE = 2
# A browser that was held up sends no more at once (`MOST_SECONDS` in `view.js`).
_MOST_MESSAGE_SECONDS = 11


@dataclass(frozen=True)
class Message:
    """What the browser hands over: the next samples of one listening.

    listening: Which one: each press of the button begins another.
    number: The message's own; it is answered by it.
    at: Number of the first sample, counted from the beginning.
    samples: 16-bit, little-endian.
    is_last: The listening has ended, and this is the rest.
    keeps_on: It is to go on until it is stopped.
    """

    listening: str
    number: int
    rate: int
    at: int
    samples: bytes
    is_last: bool
    keeps_on: bool


@dataclass(frozen=True)
class Cell:
    """A stretch of the timeline: from and to seconds, what it is named, in which colour."""

    start: float
    end: float
    name: str
    color: str


@dataclass(frozen=True)
class Shown:
    """What the server tells of a listening.

    listening: Which one; empty where there is none.
    number: Of the message that came last.
    n_heard: Samples that came; what is before them the browser lets go.
    is_over: It has ended; the browser closes the microphone.
    seconds: How much was answered for; 0 before the first answer.
    sentence, about: The answer, and what else is heard.
    cells: The timeline.
    words: What went wrong, or is to be said at the end.
    """

    listening: str = ""
    number: int = 0
    n_heard: int = 0
    is_over: bool = False
    seconds: float = 0.0
    sentence: str = ""
    about: str = ""
    cells: tuple[Cell, ...] = ()
    words: str = ""


def microphone(key: str, shown: Shown, *, most_seconds: float) -> None:
    """Draw the button that begins to listen, the level, and the answer so far.

    Args:
        key: Widget key; `message` reads what came by it.
        shown: What there is to tell.
        most_seconds: When it ends by itself, unless it is to go on.
    """
    values = asdict(shown) | {"mostSeconds": most_seconds}
    component("microphone")(key=key, data=payload(values), default={"told": None}, on_told_change=lambda: None)


def message(key: str) -> Message | None:
    """What the browser handed over last; None if it is nothing, or nothing that makes sense.

    Args:
        key: As given to `microphone`.
    """
    # It comes from the browser: nothing in it is taken on trust.
    found: Any = (st.session_state.get(key) or {}).get("told")
    if not isinstance(found, dict):
        return None
    listening, samples = found.get("listening"), found.get("samples")
    number, rate, at = (found.get(name) for name in ("number", "rate", "at"))
    if not isinstance(listening, str) or not 0 < len(listening) <= _MOST_ID or not isinstance(samples, str):
        return None
    if not isinstance(number, int) or not isinstance(rate, int) or not isinstance(at, int):
        return None
    most_letters = _MOST_MESSAGE_SECONDS * rate * _BYTES_PER_SAMPLE * 4 / 3
    if at < 0 or not _LEAST_RATE_HZ <= rate <= _MOST_RATE_HZ or len(samples) > most_letters:
        return None
    try:
        data = base64.b64decode(samples, validate=True)
    except (binascii.Error, ValueError):
        return None
    if len(data) % _BYTES_PER_SAMPLE:
        return None
    return Message(listening, number, rate, at, data, found.get("isLast") is True, found.get("keepsOn") is True)
