"""The Explore page: see a sound in step with hearing it, and why the model named its genre."""

from __future__ import annotations

import streamlit as st

from crnn.config import FeatureConfig
from crnn.errors import CrnnError
from crnn.limits import MAX_CLIP_SECONDS
from ui import chrome, excerpts, exploring, hearing, placing, progress, reasons, sources, state, varying
from ui.answers import genre_lane
from ui.words import plain

VIEWS, WHAT_IF, MAP, PAIR, VARY = "Views", "What if", "Where it lies", "Two sounds", "What training hears"

chrome.page_setup("Explore")
exploring.warm_up()

models, _ = state.find_models()
left, right = st.columns([7, 3], gap="medium")
with left, st.expander("Give another sound" if state.sounds() else "Give a sound", expanded=not state.sounds()):
    sources.give_a_sound()
with right:
    model = state.choose_model(models, "explore.model")
    sound = exploring.choose_sound()
if sound is None:
    st.markdown("Record, upload or choose an example above; a sound from the Listen page comes along by itself.")
    st.stop()

try:
    prediction = progress.answer_one(sound, model) if model else None
    if excerpts.seconds_of(sound, prediction) > MAX_CLIP_SECONDS:
        sound = excerpts.choose_part(sound, prediction)
        prediction = excerpts.answer(sound, model) if model else None
    heard = hearing.view(sound, model.bundle.feature_config if model else FeatureConfig())
except CrnnError as err:
    st.error(plain(str(err)))
    st.stop()

parts = [VIEWS, state.REASONS, WHAT_IF, MAP, PAIR, VARY] if model else [VIEWS]
kept = st.session_state.get(state.EXPLORE_PART)
first = kept if kept in parts else VIEWS
part = st.segmented_control("Part", parts, default=first, key="explore.part", label_visibility="collapsed", wrap=True)
st.session_state[state.EXPLORE_PART] = part = part or VIEWS
try:
    if model is None or prediction is None or part == VIEWS:
        exploring.draw_views(sound, heard, (genre_lane(prediction),) if prediction else ())
    elif part == state.REASONS:
        reasons.draw_reasons(sound, model, prediction)
    elif part == WHAT_IF:
        reasons.draw_what_ifs(sound, model, prediction)
    elif part == MAP:
        placing.draw_map(sound, model, prediction)
    elif part == PAIR:
        placing.draw_pair(sound, model)
    else:
        varying.draw_variations(sound, model)
except CrnnError as err:
    st.error(plain(str(err)))
