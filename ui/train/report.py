"""The report on a finished training, and keeping its model."""

from __future__ import annotations

import json
from typing import Any

import streamlit as st

from crnn.errors import CrnnError
from crnn.evaluation import report as reports
from crnn.jobs.runs import Run
from crnn.text import confidence, number_of
from ui.shared import state
from ui.shared.media import play_track
from ui.shared.words import plain, table
from ui.train import by_ear, saving, teach
from ui.train.charts import draw_confusion, draw_curves, draw_genre_scores, draw_reliability
from ui.train.run import draw_log

_MAX_PLAYERS = 8
_CLICKED = "train.report.clicked"
# A choice of its own: Streamlit shows None as nothing chosen.
_ALL = ("", "")


def draw_report(run: Run, report: dict[str, Any]) -> None:
    """Scores, confusion, reliability, mistakes with players, downloads.

    Args:
        run: Whose report it is.
        report: As the run wrote it.
    """
    try:
        reports.check(report)
    except CrnnError as err:
        st.error(plain(str(err)))
        saving.draw_save(run.model_dir)
        saving.draw_saved(run.model_dir)
        return
    st.subheader(plain(reports.headline(report)), anchor=False)
    about = f"{reports.learnt_from(report)} {reports.perspective(report)}"
    for sentence in filter(None, (about, " ".join(report["protection"]), *report["notes"])):
        st.caption(plain(sentence))
    _draw_save(run, report)
    _draw_try(run, report)
    scores = report["scores"]
    # What was only fitted has no epochs, and nothing to draw of them.
    names = [*(["Curves"] if report["history"] else []), "Confusion", "By genre", "Reliability", "Log"]
    tabs = dict(zip(names, st.tabs(names, key=f"train.report.{run.run_id}"), strict=True))
    if report["history"]:
        with tabs["Curves"]:
            draw_curves(report["history"], "train.report")
            st.caption(reports.kept_sentence(report))
    if scores:
        with tabs["Confusion"]:
            clicked = draw_confusion(scores["genres"], scores["confusion"], "train.report.confusion", is_clickable=True)
            _draw_cell(report, clicked)
        with tabs["By genre"]:
            st.caption(
                f"Macro F1 {reports.macro_f1(scores)}: the mean over genres, whatever their number of tracks. "
                "In brackets, and as lines on the bars, 95 % intervals: how far chance alone moves it."
            )
            draw_genre_scores(scores, "train.report.genres")
            st.markdown(table(("genre", "tracks", "precision", "recall", "F1"), reports.genre_rows(scores)))
        with tabs["Reliability"]:
            draw_reliability(scores["reliability"], "train.report.reliability")
            st.caption(plain(reports.calibration_sentence(report)))
    with tabs["Log"]:
        draw_log(run.events())


def _draw_try(run: Run, report: dict[str, Any]) -> None:
    """What the new model says of a sound, before it is saved under a name."""
    with st.expander("Try it: play it something, or give it a song", icon=":material/hearing:", key="train.report.try"):
        try:
            model = state.model_in(run.model_dir)
        except CrnnError as err:
            st.error(plain(str(err)))
            return
        teach.draw_try(model, news=reports.headline(report))


def _draw_cell(report: dict[str, Any], clicked: tuple[str, str] | None) -> None:
    """The tracks of a cell, or all mistakes, with players; cells are chosen by a click or from the list."""
    tracks = sorted(report["tracks"], key=lambda track: -track["confidence"])
    wrong = reports.mistakes(report)
    if not wrong:
        # Nothing to choose from; a cell can be clicked all the same.
        st.caption("No mistakes on these tracks.")
        _draw_tracks([track for track in tracks if (track["genre"], track["answer"]) == clicked])
        return
    dearest = reports.costliest(report)
    right = sorted({(track["genre"], track["answer"]) for track in tracks if track["genre"] == track["answer"]})
    cells = [*((genre, answer) for genre, answer, _ in dearest), *right]
    n_in = {(genre, answer): n for genre, answer, n in dearest}
    # A click is news once: afterwards the list may say otherwise.
    if clicked is not None and clicked != st.session_state.get(_CLICKED) and clicked in cells:
        st.session_state["train.report.cell"] = clicked
    st.session_state[_CLICKED] = clicked
    chosen = st.selectbox(
        "Hear what is confused, the costliest first: choose it here, or click a cell",
        [_ALL, *cells],
        format_func=lambda cell: _cell_words(cell, n_in, len(wrong)),
        key="train.report.cell",
    )
    shown = wrong if chosen in {None, _ALL} else [t for t in tracks if (t["genre"], t["answer"]) == chosen]
    if chosen in n_in and st.toggle("Judge by ear first, without the answers", key="train.report.by_ear"):
        pair = {chosen, chosen[::-1]}
        by_ear.draw_test([track for track in wrong if (track["genre"], track["answer"]) in pair], *sorted(chosen))
        return
    _draw_tracks(shown)


def _draw_tracks(shown: list[dict[str, Any]]) -> None:
    for track in shown[:_MAX_PLAYERS]:
        words = (
            f"{track['track_id']}: is {track['genre']}, answered {track['answer']} ({confidence(track['confidence'])})"
        )
        st.caption(plain(words))
        play_track(track["path"], track["demo_id"])
    if len(shown) > _MAX_PLAYERS:
        st.caption(f"And {len(shown) - _MAX_PLAYERS} more; the downloads name all.")


def _cell_words(cell: tuple[str, str], n_in: dict[tuple[str, str], int], n_wrong: int) -> str:
    if cell == _ALL:
        return "the one mistake" if n_wrong == 1 else f"all {n_wrong} mistakes"
    words = f"is {cell[0]}, answered {cell[1]}"
    return f"{words}: {n_in[cell]} of {number_of(n_wrong, 'mistake')}" if cell in n_in else f"{words}: right"


def _draw_save(run: Run, report: dict[str, Any]) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        saving.draw_save(run.model_dir)
        # A path need not be valid UTF-8.
        document = json.dumps(report, indent=1, ensure_ascii=False).encode("utf-8", "replace")
        st.download_button("Report, HTML", reports.to_html(report), "report.html", "text/html", on_click="ignore")
        st.download_button("Report, JSON", document, "report.json", "application/json", on_click="ignore")
    saving.draw_saved(run.model_dir)
