"""The Listen page: give a sound, read its genre, hear and see why."""

from __future__ import annotations

import streamlit as st

from crnn.errors import CrnnError
from ui import answers, chrome, comparing, correcting, hearing, progress, sources, state
from ui.words import plain

chrome.page_setup("Listen")

left, right = st.columns([7, 3], gap="medium")
with left:
    sources.give_a_sound()
models, faults = state.find_models()
with right:
    model = state.choose_model(models, "listen.model")
for fault in faults:
    st.sidebar.warning(plain(fault))
if model is None:
    st.info(chrome.NO_MODEL)
    st.stop()

given = state.sounds()
if not given:
    st.markdown(chrome.welcome(model.bundle.genres))
    hearing.warm_up(model)
    st.stop()

chosen = 0
if len(given) > 1:
    index = comparing.choose_sound(progress.answer_all(given, model))
    if index is None:
        st.caption("Choose a row to see and hear that sound; click a column's title to sort.")
        st.stop()
    chosen = index

sound, config = given[chosen], model.bundle.feature_config
try:
    prediction = progress.answer_one(sound, model)
except CrnnError as err:
    st.error(plain(str(err)))
    st.stop()
place = answers.draw_verdict(sound, prediction)
with st.spinner("Drawing the sound"):
    view = hearing.view(sound, config) if hearing.fits_in_memory(prediction) else None
if view is not None:
    answers.draw_level(place, sound, view)
answers.draw_listening_view(sound, prediction, view, config)
answers.draw_numbers(prediction, view, config)
correcting.draw_correction(sound, model.bundle.genres)
