"""The Listen page: give a sound, read its genre, hear and see why."""

from __future__ import annotations

import streamlit as st

from ui.listen import heard, live, opening, page, sound_input
from ui.shared import answer_cache, chrome, state
from ui.shared.words import plain

chrome.page_setup("Listen")

models, faults = state.find_models()
model = sound_input.choose_source(models, "listen.model")
for fault in faults:
    st.sidebar.warning(plain(fault))
if model is None:
    st.info(chrome.no_model())
    st.stop()

# The answer that grows is the one to read; that of the sound before comes back where nothing is heard.
if not live.is_open():
    if state.sounds():
        page.draw_answer(state.sounds(), model)
    else:
        st.markdown(chrome.welcome(model.bundle.genres))
        answer_cache.warm_up(model)
        opening.draw_opening(model)
heard.draw_heard(model)
