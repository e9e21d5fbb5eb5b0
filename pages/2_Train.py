"""The Train page: choose and check data, watch it learn, read the report, keep the model."""

from __future__ import annotations

import streamlit as st

from crnn.errors import CrnnError
from ui import chrome, state, training_check, training_data, training_options, training_report, training_run
from ui.words import plain

chrome.page_setup(
    "Train",
    "Audio stays on this machine. What you add on this page is kept in the app's own folder, because training reads "
    "it from there.",
)

run = training_run.run_on_show()
if run is not None and run.is_active():
    training_run.draw_active(run)
    st.stop()
if run is not None:
    report = run.report()
    if run.state() != "done":
        training_run.draw_unfinished(run)
    else:
        training_run.draw_close(run)
    if report is not None:
        training_report.draw_report(run, report)
    training_run.draw_earlier()
    st.stop()

sources = training_data.choose_data()
if not sources:
    st.info("Choose a data set, or add one. The demo needs none of your own music.")
    training_run.draw_earlier()
    st.stop()
try:
    found = training_check.look_over(sources)
except CrnnError as err:
    st.error(plain(str(err)))
    st.stop()
found = training_check.draw_check(found)
models, _ = state.find_models()
training_options.draw_options(found, sources, models)
training_run.draw_earlier()
