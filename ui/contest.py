"""Two models on one sound, side by side."""

from __future__ import annotations

import streamlit as st

from crnn import reporting
from crnn.errors import CrnnError
from ui import hearing, sources
from ui.bars import genre_bars
from ui.state import Model, Sound, sounds
from ui.words import plain


def draw_contest(models: list[Model]) -> None:
    """Choose two models and give a sound; their answers stand beside each other."""
    names = [model.bundle.name for model in models]
    left, right = st.columns(2, gap="medium")
    first = left.selectbox("First model", names, key="models.first")
    second = right.selectbox("Second model", names, index=min(1, len(names) - 1), key="models.second")
    sources.give_a_sound()
    given = sounds()
    if not given:
        st.caption("Record, upload or choose an example: both models answer.")
        return
    st.caption(plain(given[0].name) or "The recording")
    answers = st.columns(2, gap="medium")
    for place, name, side in ((answers[0], first, "first"), (answers[1], second, "second")):
        with place:
            _draw_answer(given[0], models[names.index(name)], side)


def _draw_answer(sound: Sound, model: Model, side: str) -> None:
    try:
        with st.spinner("Listening"):
            prediction = hearing.answer(sound, model)
    except CrnnError as err:
        st.error(plain(str(err)))
        return
    st.markdown(f"**{plain(reporting.verdict_sentence(prediction))}**")
    if prediction.verdict != "silence":
        genre_bars(prediction.ranked(), key=f"models.bars.{side}")
