"""The Explore page: see a sound in step with hearing it, and why the model named its genre."""

from __future__ import annotations

import streamlit as st

from crnn.config import FeatureConfig
from crnn.errors import CrnnError
from crnn.limits import MAX_CLIP_SECONDS
from ui.explore import excerpt, pair, reasons, track_map, views, what_if
from ui.listen import heard, sound_input
from ui.listen.answer import genre_lanes
from ui.shared import answer_cache, chrome, progress, state
from ui.shared.words import plain

WHAT_IF, MAP, PAIR = "What if", "Where it lies", "Two sounds"

chrome.page_setup("Explore")
models, _ = state.find_models()
model = sound_input.choose_source(models, "explore.model")
sound = views.choose_sound()
if sound is None:
    views.warm_up()
    st.markdown("Record, upload or choose an example above; a sound from the Listen page comes along by itself.")
    heard.draw_heard(model)
    st.stop()

place = st.empty()
try:
    prediction = progress.answer_one(sound, model) if model else None
    if model and prediction:
        progress.draw_stopped(place, sound, model, prediction)
    if answer_cache.seconds_of(sound) > MAX_CLIP_SECONDS:
        sound = excerpt.choose_part(sound, prediction)
        prediction = excerpt.answer(sound, model) if model else None
    played = answer_cache.view(sound, model.bundle.feature_config if model else FeatureConfig())
except CrnnError as err:
    st.error(plain(str(err)))
    heard.draw_heard(model)
    st.stop()
# Not before: the list tells the answer.
heard.draw_heard(model)

# In silence nothing is judged, and so nothing explained.
judged = [state.REASONS, WHAT_IF, MAP] if prediction and prediction.verdict.traits.is_heard else []
parts = [state.VIEWS, *judged, PAIR] if model else [state.VIEWS]
kept = st.session_state.get(state.EXPLORE_PART)
first = kept if kept in parts else state.VIEWS
part = st.segmented_control("Part", parts, default=first, key="explore.part", label_visibility="collapsed", wrap=True)
st.session_state[state.EXPLORE_PART] = part = part or state.VIEWS
try:
    if model is None or prediction is None or part == state.VIEWS:
        # Not before: compiling takes a core for many seconds, and the other parts do without.
        views.warm_up()
        views.draw_views(sound, played, genre_lanes(prediction))
    elif part == state.REASONS:
        reasons.draw_reasons(sound, model, prediction)
    elif part == WHAT_IF:
        what_if.draw_what_ifs(sound, model, prediction)
    elif part == MAP:
        track_map.draw_map(sound, model, prediction)
    else:
        pair.draw_pair(sound, model)
except CrnnError as err:
    st.error(plain(str(err)))
