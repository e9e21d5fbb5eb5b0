"""Sounds too long to be held whole: the part that Explore looks at is chosen first."""

from __future__ import annotations

import math

import streamlit as st

from crnn import text
from crnn.inference.classifier import Prediction
from crnn.limits import MAX_CLIP_SECONDS, MIN_CLIP_SECONDS
from ui.components.player import listening_view
from ui.listen.answer import genre_lanes
from ui.shared import answer_cache, progress
from ui.shared.media import serve
from ui.shared.state import LONG_PART, WHY_AT, Model, Sound, name_of

_PART = "explore.long.part."
_STEP_SECONDS = 15
_FIRST_PART_SECONDS = 300


def choose_part(sound: Sound, prediction: Prediction | None) -> Sound:
    """Draw a long sound's timeline and the choice of a part; returns the part as a sound of its own.

    Args:
        sound: Longer than `MAX_CLIP_SECONDS`.
        prediction: The answer for all of it, where a model has heard it.

    Raises:
        AudioError: The part cannot be used.
    """
    seconds = answer_cache.seconds_of(sound)
    st.markdown(
        f"This sound is {text.clock(seconds)} long. Choose up to {MAX_CLIP_SECONDS / 60:.0f} minutes of it: "
        "below, or press “select” and drag over the timeline."
    )
    player = f"explore.long.player.{sound.digest}"
    region = listening_view(
        key=player,
        seconds=seconds,
        title=name_of(sound),
        url=serve(sound.data, "explore.long"),
        lanes=genre_lanes(prediction),
        can_select=True,
        is_docked=False,
    )
    n_steps = math.ceil(seconds / _STEP_SECONDS)
    key, dragged = f"{_PART}{sound.digest}", f"explore.long.dragged.{sound.digest}"
    if region is not None and region != st.session_state.get(dragged):
        st.session_state[dragged] = region
        st.session_state[key] = _steps(region.start_seconds, region.end_seconds, n_steps)
    digest, asked = st.session_state.pop(LONG_PART, ("", (0.0, 0.0)))
    if digest == sound.digest:
        st.session_state[key] = _steps(asked[0], asked[1], n_steps)
    first, last = st.select_slider(
        "Part to look at",
        range(n_steps + 1),
        (0, min(n_steps, _FIRST_PART_SECONDS // _STEP_SECONDS)),
        format_func=lambda step: text.clock(min(seconds, step * _STEP_SECONDS)).removesuffix(".0"),
        key=key,
    )
    if (last - first) * _STEP_SECONDS > MAX_CLIP_SECONDS:
        st.caption(f"More than {MAX_CLIP_SECONDS / 60:.0f} minutes were chosen: what follows shows the first of them.")
    part = part_of(first, last, seconds)
    found = _read(sound, part)
    digest, genre, at = st.session_state.get(WHY_AT) or ("", "", 0.0)
    if digest == sound.digest:
        # What was asked about a moment of the whole is asked about the part.
        st.session_state[WHY_AT] = (found.digest, genre, at - part[0])
    return found


def _steps(start: float, end: float, n_steps: int) -> tuple[int, int]:
    """The steps of the slider that hold a part, no more of them than are looked at."""
    first = min(int(start / _STEP_SECONDS), n_steps - 1)
    most = first + int(MAX_CLIP_SECONDS / _STEP_SECONDS)
    return first, min(max(math.ceil(end / _STEP_SECONDS), first + 1), n_steps, most)


def part_of(first: int, last: int, seconds: float) -> tuple[float, float]:
    """Where a part from one step of the slider to another starts and ends: 1 s to `MAX_CLIP_SECONDS`, within the sound.

    Args:
        first: Number of the step at which it starts.
        last: Number of the step at which it ends, not before `first`.
        seconds: Length of the sound.
    """
    last = max(last, first + 1)
    end = min(seconds, last * _STEP_SECONDS, first * _STEP_SECONDS + MAX_CLIP_SECONDS)
    # What is left for the last step may be too short to be judged.
    return max(0.0, min(first * _STEP_SECONDS, end - MIN_CLIP_SECONDS)), end


def answer(part: Sound, model: Model) -> Prediction:
    """The model's answer for the part.

    Args:
        part: As `excerpt` of `ui.shared.answer_cache` gives it.
        model: Who answers.

    Raises:
        CrnnError: The part or the model cannot be used.
    """
    return progress.answer_one(part, model, key="explore.long.stop_answer", on_stop=_start_over)


def _start_over() -> None:
    for key in [str(key) for key in st.session_state if str(key).startswith(_PART)]:
        del st.session_state[key]


def _read(sound: Sound, part: tuple[float, float]) -> Sound:
    bar = progress.Bar("explore.long.stop", _start_over)
    try:
        return answer_cache.excerpt(
            sound, part, lambda seconds: bar.show(seconds / part[1], f"Reading up to {text.clock(part[1])}")
        )
    finally:
        bar.clear()
