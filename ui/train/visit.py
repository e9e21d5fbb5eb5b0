"""Train where nothing is kept: genres of a visitor's own, taught in seconds, for him alone and for his visit."""

from __future__ import annotations

import streamlit as st

from crnn.errors import CrnnError
from crnn.evaluation import report as reports
from crnn.evaluation.report import Report
from crnn.text import number_of
from crnn.training import visit_head
from crnn.training.own_genres import LEAST_CLIPS
from ui.shared import lesson, limits, promises, state, uploads
from ui.shared.words import plain
from ui.train.results import draw_results

_FAULTS = "train.visit.faults"
_GIVEN = "train.visit.given"


def draw_lesson() -> None:
    """The way from clips to a model: give, teach, read how good it is, use it."""
    st.subheader("Teach it genres of your own", anchor=False)
    st.markdown(
        f"Name a genre and give clips of it, {LEAST_CLIPS} at least; then another genre. Ten of each make a "
        "better model. It learns them in seconds, serves you alone, and is gone when you leave."
    )
    left, right = st.columns([3, 2], gap="medium")
    with left:
        _draw_form()
    with right:
        _draw_given()
    report = lesson.report()
    if report is not None:
        _draw_report(report)
    st.caption(promises.NO_TRAINING)


def _draw_form() -> None:
    number = st.session_state.get(_GIVEN, 0)
    with st.form(f"train.visit.{number}", border=True):
        genre = st.text_input("Genre", placeholder="bossa nova", key=f"train.visit.genre.{number}", max_chars=60)
        files = st.file_uploader("Clips of it", accept_multiple_files=True, key=f"train.visit.clips.{number}")
        recording = st.audio_input("Or record one", sample_rate=44_100, key=f"train.visit.recording.{number}")
        st.caption(limits.of_visit_clips())
        is_sent = st.form_submit_button("Add them", icon=":material/add:")
    for fault in st.session_state.pop(_FAULTS, []):
        st.error(plain(fault))
    if not is_sent:
        return
    taken, surplus = limits.as_many_as_fit(files or [])
    clips = [(uploads.file_name(upload), upload.getvalue()) for upload in taken]
    clips += [("", recording.getvalue())] if recording is not None else []
    if not genre.strip() or not clips:
        st.error("Both are needed: the genre's name, and clips of it.")
        return
    bar = st.progress(0.0, "Listening")
    faults = lesson.add(genre, clips, bar.progress)
    bar.empty()
    limits.release([*(files or []), *([recording] if recording is not None else [])])
    st.session_state[_FAULTS] = [*faults, *([surplus] if surplus else [])]
    # A new form each time: the files that the last one showed are gone.
    st.session_state[_GIVEN] = number + 1
    st.rerun()


def _draw_given() -> None:
    counts = lesson.counts()
    if not counts:
        st.caption("Nothing was given yet.")
    for genre, n in counts.items():
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{plain(genre)}** · {number_of(n, 'clip')}", width="stretch")
            st.button(
                ":material/close:",
                help=f"Take {plain(genre)} away",
                on_click=lesson.remove,
                args=(genre,),
                key=f"train.visit.remove.{genre}",
                type="tertiary",
            )
    missing = visit_head.what_is_missing(lesson.tracks())
    if counts and missing:
        st.caption(plain(missing))
    if st.button("Learn them", type="primary", disabled=bool(missing), key="train.visit.learn"):
        try:
            with st.spinner("Fitting the head, and judging it by folds"):
                lesson.teach()
        except CrnnError as err:
            st.error(plain(str(err)))
    if counts:
        st.button("Delete all of it", on_click=lesson.forget, key="train.visit.forget", type="tertiary")


def _draw_report(report: Report) -> None:
    st.subheader(plain(reports.headline(report, "clip")), anchor=False)
    st.caption(plain(reports.perspective(report)))
    _draw_use()
    draw_results(report, "train.visit")


def _draw_use() -> None:
    model = lesson.model()
    if model is not None and st.button("Use it on Listen", icon=":material/headphones:", key="train.visit.use"):
        state.use_model(model.label)
        st.switch_page("app.py")
