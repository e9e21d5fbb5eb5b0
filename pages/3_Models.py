"""The Models page: what is on the shelf, how good it is, and what can be done with it."""

from __future__ import annotations

import streamlit as st

from ui import chrome, contest, shelf, state
from ui.words import plain

chrome.page_setup("Models")
shelf.draw_news()
models, faults = state.find_models()
for fault in faults:
    st.warning(plain(fault))
if not models:
    st.info(chrome.NO_MODEL)
    shelf.draw_import()
    shelf.draw_deleted()
    st.stop()

listed, compared = st.tabs(["Shelf", "Compare two"])
with listed:
    chosen = shelf.choose_model(models)
    if chosen is None:
        st.caption("Choose a row to see that model's card, rename, export or delete it.")
    else:
        shelf.draw_model(chosen)
    shelf.draw_import()
    shelf.draw_deleted()
with compared:
    contest.draw_contest(models)
