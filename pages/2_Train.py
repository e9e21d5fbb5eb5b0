"""The Train page: choose and check data, watch it learn, read the report, keep the model."""

from __future__ import annotations

import streamlit as st

from crnn.errors import CrnnError
from ui.shared import chrome, state, visitor
from ui.shared.words import plain
from ui.train import augmentation, check, clips, data, options, start, teach, visit
from ui.train import report as training_report
from ui.train import run as training_run
from ui.train.given import draw_given
from ui.train.kept import draw_kept

chrome.page_setup("Train")
st.title("Train", anchor=False)
models, _ = state.find_models()
everything = start.Starts(models)
if not visitor.owner().may("train"):
    if teach.choose_way() == teach.HEARS:
        augmentation.draw_variations(options.features_of_choice(everything), options.start_of_choice(everything))
    else:
        visit.draw_lesson()
    st.stop()

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

way = teach.choose_way()
if way == teach.HEARS:
    augmentation.draw_variations(options.features_of_choice(everything), options.start_of_choice(everything))
    st.stop()
if way == teach.CLIPS:
    teach.draw_lesson()
    draw_given()
    training_run.draw_earlier()
    draw_kept(clips.chosen())
    st.stop()

sources = data.choose_data()
if not sources:
    st.info("Choose a data set, or add one. The demo needs none of your own music.")
    training_run.draw_earlier()
    draw_kept(sources)
    st.stop()
try:
    found = check.look_over(sources)
    starts = start.starts_for(found.collection, models)
except CrnnError as err:
    st.error(plain(str(err)))
    draw_kept(sources)
    st.stop()
config = options.features_of_choice(starts)
found = check.draw_check(found, config)
options.draw_options(found, sources, starts, config)
training_run.draw_earlier()
draw_kept(sources)
