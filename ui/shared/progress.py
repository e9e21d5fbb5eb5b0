"""Work that may last: bars with words, which come only when it does, and a way to stop."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

from crnn import text
from crnn.errors import CrnnError
from crnn.inference.classifier import Prediction
from ui.listen.batch import Answered
from ui.shared import answer_cache
from ui.shared.state import Model, Sound

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
        place: Where it is drawn; here, if it is not given.
    """

    def __init__(
        self,
        key: str,
        on_stop: Callable[[], None],
        *,
        place: DeltaGenerator | None = None,
    ) -> None:
        self._key, self._on_stop = key, on_stop
        self._place = st.empty() if place is None else place
        self._started = time.monotonic()
        self._drawn_at = 0.0
        self._bar: DeltaGenerator | None = None

    def is_due(self) -> bool:
        """Whether `show` would draw now."""
        now = time.monotonic()
        return now - self._started >= _PATIENCE_SECONDS and now - self._drawn_at >= 0.2

    def show(self, share: float, words: str) -> None:
        """Draw the share that is done, 0 to 1, with words.

        Args:
            share: Between 0 and 1.
            words: Over the bar.
        """
        if not self.is_due():
            return
        self._drawn_at = time.monotonic()
        if self._bar is None:
            with self._place.container():
                self._bar = st.progress(0.0)
                st.button("Stop", key=self._key, on_click=self._on_stop)
        self._bar.progress(min(1.0, share), words)

    def clear(self) -> None:
        """Take the bar away."""
        self._place.empty()


def answer_one(
    sound: Sound,
    model: Model,
    *,
    key: str = "listen.stop",
    on_stop: Callable[[], None] | None = None,
    place: DeltaGenerator | None = None,
) -> Prediction:
    """The answer for one sound, with a bar if it takes long.

    Args:
        sound: What was given.
        model: Who answers.
        key: The stop button's; a page that asks twice needs two.
        on_stop: What a click on it does; else the answer is for what was heard by then.
        place: Where its bar is drawn, as that of `answer_all` is; here, if it is not given.

    Raises:
        CrnnError: The sound or the model cannot be used.
    """
    bar = Bar(key, on_stop or partial(answer_cache.stop, sound, model), place=place)
    try:
        return answer_cache.answer(sound, model, _listening(bar, sound, "Listening"))
    finally:
        bar.clear()


def draw_stopped(place: DeltaGenerator, sound: Sound, model: Model, prediction: Prediction) -> bool:
    """How much was heard of a sound that was stopped, and a way to go on; returns whether it was stopped.

    Args:
        place: Empty, and made before the sound was listened to: what stood there goes when it goes on.
        sound: What was given.
        model: Who answers.
        prediction: The answer so far.
    """
    if not answer_cache.is_stopped(sound, model):
        return False
    total = answer_cache.seconds_of(sound)
    of = f" of {text.clock(total)}" if total else ""
    with place.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"Stopped at {text.clock(prediction.duration_seconds)}{of}. So far:", width="content")
        st.button("Go on", on_click=answer_cache.go_on, args=(sound, model), key="listen.go_on")
    return True


def _listening(bar: Bar, sound: Sound, words: str, *, done: float = 0.0, part: float = 1.0) -> Callable[[float], None]:
    """Shows how far a sound was heard, which is a part of all that is to be done, after what is done."""

    def on_progress(seconds: float) -> None:
        # The length is read only if a bar is shown.
        if bar.is_due():
            total = answer_cache.seconds_of(sound)
            # A file may be longer than it says.
            of = f" of {text.clock(total)}" if total > seconds else ""
            heard = min(1.0, seconds / total) if total else 0.0
            bar.show(done + part * heard, f"{words}: {text.clock(seconds)}{of}")

    return on_progress


def answer_all(
    given: tuple[Sound, ...], model: Model, *, key: str = "listen", place: DeltaGenerator | None = None
) -> Answered:
    """The answer, or what was wrong, for each sound; for those heard so far, where it was stopped.

    Args:
        given: The sounds.
        model: Who answers.
        key: Beginning of its buttons' keys; a page that asks two models needs two.
        place: Where its bar is drawn: that of `answer_one`, where one file may become two while it is heard.
    """
    digests = tuple(sound.digest for sound in given)
    stopped = f"{key}.stopped_all"
    is_stopped = st.session_state.get(stopped) == digests
    bar = Bar(f"{key}.stop", partial(st.session_state.__setitem__, stopped, digests), place=place)
    answered: Answered = []
    for number, sound in enumerate(given, start=1):
        if is_stopped and not answer_cache.is_answered(sound, model):
            continue
        done, words = (number - 1) / len(given), f"Listening to {number} of {len(given)} files"
        bar.show(done, words)
        on_progress = _listening(bar, sound, words, done=done, part=1 / len(given))
        try:
            answered.append((sound, answer_cache.answer(sound, model, on_progress)))
        except CrnnError as err:
            answered.append((sound, err))
    bar.clear()
    if len(answered) < len(given):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"Stopped after {len(answered)} of {len(given)} files.", width="content")
            st.button("Go on", on_click=st.session_state.pop, args=(stopped, None), key=f"{key}.go_on_all")
    return answered
