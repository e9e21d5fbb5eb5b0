"""Work that may last: bars with words, which come only when it does, and a way to stop."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import streamlit as st

from crnn import reporting
from crnn.errors import CrnnError
from crnn.inference import Prediction
from ui import hearing
from ui.comparing import Answered
from ui.state import Model, Sound, give

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

# What is done sooner shows no bar: it would only flicker.
_PATIENCE_SECONDS = 0.6


class Bar:
    """A progress bar with a stop button, drawn when patience ends, redrawn a few times a second.

    A click on Stop ends the script at the next `show`, and runs it again after `on_stop`.

    Args:
        key: The button's, one for each place of a page.
        on_stop: What a click on Stop does.
        patience_seconds: What is done sooner shows no bar.
    """

    def __init__(self, key: str, on_stop: Callable[[], None], *, patience_seconds: float = _PATIENCE_SECONDS) -> None:
        self._key, self._on_stop, self._patience_seconds = key, on_stop, patience_seconds
        self._place = st.empty()
        self._started = time.monotonic()
        self._drawn_at = 0.0
        self._bar: DeltaGenerator | None = None

    def show(self, share: float, words: str) -> None:
        """Draw the share that is done, 0 to 1, with words."""
        now = time.monotonic()
        if now - self._started < self._patience_seconds or now - self._drawn_at < 0.2:
            return
        self._drawn_at = now
        if self._bar is None:
            with self._place.container():
                self._bar = st.progress(0.0)
                st.button("Stop", key=self._key, on_click=self._on_stop)
        self._bar.progress(min(1.0, share), words)

    def clear(self) -> None:
        """Take the bar away."""
        self._place.empty()


def _take_nothing() -> None:
    give(())


def answer_one(
    sound: Sound, model: Model, *, key: str = "listen.stop", on_stop: Callable[[], None] = _take_nothing
) -> Prediction:
    """The answer for one sound, with a bar if it takes long.

    Args:
        sound: What was given.
        model: Who answers.
        key: The stop button's; a page that asks twice needs two.
        on_stop: What a click on it does.

    Raises:
        CrnnError: The sound or the model cannot be used.
    """
    bar = Bar(key, on_stop)
    try:
        return hearing.answer(sound, model, _listening(bar, sound))
    finally:
        bar.clear()


def _listening(bar: Bar, sound: Sound) -> Callable[[float], None]:
    total = hearing.declared_seconds(sound)

    def on_progress(seconds: float) -> None:
        of = f" of {reporting.clock(total)}" if total else ""
        bar.show(seconds / total if total else 0.0, f"Listening: {reporting.clock(seconds)}{of}")

    return on_progress


def answer_all(given: tuple[Sound, ...], model: Model) -> Answered:
    """The answer, or what was wrong, for each sound."""
    bar = Bar("listen.stop", _take_nothing)
    answered: Answered = []
    for number, sound in enumerate(given, start=1):
        done, words = (number - 1) / len(given), f"Listening to {number} of {len(given)} files"
        bar.show(done, words)

        def on_progress(seconds: float, done: float = done, words: str = words) -> None:
            bar.show(done, f"{words}, {reporting.clock(seconds)} heard")

        try:
            answered.append((sound, hearing.answer(sound, model, on_progress)))
        except CrnnError as err:
            answered.append((sound, err))
    bar.clear()
    return answered
