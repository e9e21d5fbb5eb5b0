"""The report on a finished training, and keeping its model."""

from __future__ import annotations

import json
from typing import Any

import streamlit as st

from crnn import report as reports
from crnn import shelf
from crnn.bundle import load_bundle
from crnn.errors import CrnnError
from crnn.runs import Run
from ui import state
from ui.media import play_track
from ui.training_charts import draw_confusion, draw_curves, draw_genre_scores, draw_reliability
from ui.training_run import draw_log
from ui.words import plain, table

_MAX_PLAYERS = 8
_SAVED = "train.saved"
_CLICKED = "train.report.clicked"
# A choice of its own: Streamlit shows None as nothing chosen.
_ALL = ("", "")


def draw_report(run: Run, report: dict[str, Any]) -> None:
    """Scores, confusion, reliability, mistakes with players, downloads."""
    st.subheader(plain(reports.headline(report)), anchor=False)
    for sentence in filter(None, (reports.perspective(report), *report["protection"], *report["notes"])):
        st.caption(plain(sentence))
    _draw_save(run, report)
    scores = report["scores"]
    tabs = st.tabs(["Curves", "Confusion", "By genre", "Reliability", "Log"])
    with tabs[0]:
        draw_curves(report["history"], "train.report")
        st.caption(f"Kept: epoch {report['kept_epoch']} of {len(report['history'])}.")
    if scores:
        with tabs[1]:
            clicked = draw_confusion(scores["genres"], scores["confusion"], "train.report.confusion", is_clickable=True)
            _draw_cell(report, clicked)
        with tabs[2]:
            st.caption(f"Macro F1 {scores['macro_f1']:.2f}: the mean over genres, whatever their number of tracks.")
            draw_genre_scores(scores["per_genre"], "train.report.genres")
            st.markdown(table(("genre", "tracks", "precision", "recall", "F1"), reports.genre_rows(scores)))
        with tabs[3]:
            draw_reliability(scores["reliability"], "train.report.reliability")
            st.caption(
                f"Expected calibration error {scores['expected_calibration_error']:.3f}, on the same tracks that the "
                "confidence was calibrated on: expect a little more on others."
            )
    with tabs[4]:
        draw_log(run.events())


def _draw_cell(report: dict[str, Any], clicked: tuple[str, str] | None) -> None:
    """The tracks of a cell, or all mistakes, with players; cells are chosen by a click or from the list."""
    tracks = sorted(report["tracks"], key=lambda track: -track["confidence"])
    wrong = reports.mistakes(report)
    cells = sorted({(track["genre"], track["answer"]) for track in tracks})
    # A click is news once: afterwards the list may say otherwise.
    if clicked is not None and clicked != st.session_state.get(_CLICKED) and clicked in cells:
        st.session_state["train.report.cell"] = clicked
    st.session_state[_CLICKED] = clicked
    chosen = st.selectbox(
        "Hear the tracks of a cell, the surest first: click it, or choose it here",
        [_ALL, *cells],
        format_func=lambda cell: f"all {len(wrong)} mistakes" if cell == _ALL else f"is {cell[0]}, answered {cell[1]}",
        key="train.report.cell",
    )
    shown = wrong if chosen in {None, _ALL} else [t for t in tracks if (t["genre"], t["answer"]) == chosen]
    if not shown:
        st.caption("No mistakes on these tracks.")
    for track in shown[:_MAX_PLAYERS]:
        words = f"{track['track_id']}: is {track['genre']}, answered {track['answer']} ({track['confidence']:.2f})"
        st.caption(plain(words))
        play_track(track["path"], track["demo_id"])
    if len(shown) > _MAX_PLAYERS:
        st.caption(f"And {len(shown) - _MAX_PLAYERS} more; the downloads name all.")


def _draw_save(run: Run, report: dict[str, Any]) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        saved = st.session_state.get(_SAVED)
        # Another key each time: a popover that stayed open would lie over the news.
        key = f"train.save.{saved[1] if saved else ''}"
        with (
            st.popover("Save as a model", icon=":material/save:", key=key),
            st.form("train.save", border=False),
        ):
            name = st.text_input("Name", key="train.save.name", placeholder="my-genres")
            notes = st.text_area("Notes", key="train.save.notes", placeholder="What it is for, what it was made of")
            if st.form_submit_button("Save", type="primary"):
                _save(run, name.strip(), notes.strip())
        # A path need not be valid UTF-8.
        document = json.dumps(report, indent=1, ensure_ascii=False).encode("utf-8", "replace")
        st.download_button("Report, HTML", reports.to_html(report), "report.html", "text/html", on_click="ignore")
        st.download_button("Report, JSON", document, "report.json", "application/json", on_click="ignore")
    if saved and saved[0] == run.run_id:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.success(plain(f"Saved as {saved[1]}."))
            if st.button("Use it on Listen", icon=":material/headphones:", key="train.use"):
                state.use_model(saved[1])
                st.switch_page("app.py")


def _save(run: Run, name: str, notes: str) -> None:
    try:
        shelf.save_copy(load_bundle(run.model_dir), name, notes)
    except CrnnError as err:
        st.error(plain(str(err)))
        return
    st.session_state[_SAVED] = (run.run_id, name)
    st.rerun()
