"""The Models page: what is on the shelf, how good it is, and what can be done with it."""

from __future__ import annotations

import streamlit as st

from ui.models import compare, library
from ui.shared import chrome, state, visitor
from ui.shared.words import plain

chrome.page_setup("Models")
st.title("Models", anchor=False)
library.draw_news()
models, faults = state.find_models()
for fault in faults:
    st.warning(plain(fault))
if not models:
    st.info(chrome.no_model())
    library.draw_import()
    library.draw_deleted()
    st.stop()

listed, compared = st.tabs(["Shelf", "Compare two"], key="models.tabs")
with listed:
    chosen = library.choose_model(models)
    if chosen is None:
        acts = ", rename, export or delete it" if visitor.owner().may("keep") else ""
        st.caption(f"Choose a row to see that model’s card{acts}.")
    else:
        library.draw_model(chosen)
    library.draw_import()
    library.draw_deleted()
with compared:
    compare.draw_contest(models)
