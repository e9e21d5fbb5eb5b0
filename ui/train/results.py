"""What a head that was just taught gets right and wrong."""

from __future__ import annotations

import streamlit as st

from crnn.evaluation import report as reports
from crnn.evaluation.report import Report
from crnn.text import confidence
from ui.shared.words import plain, table
from ui.train.charts import draw_confusion


def draw_results(report: Report, key: str) -> None:
    """Confusion, scores by genre and mistakes, in tabs.

    Args:
        report: On the head.
        key: Beginning of the charts' keys.
    """
    scores = report["scores"]
    for sentence in filter(None, (" ".join(report["protection"]), *report["notes"])):
        st.caption(plain(sentence))
    confusion, by_genre, wrong = st.tabs(["Confusion", "By genre", "Mistakes"], key=f"{key}.tabs")
    with confusion:
        draw_confusion(scores["genres"], scores["confusion"], f"{key}.confusion")
    with by_genre:
        st.markdown(table(("genre", "clips", "precision", "recall", "F1"), reports.genre_rows(scores)))
        st.caption(plain(reports.calibration_sentence(report)))
    with wrong:
        rows = [(t["track_id"], t["genre"], t["answer"], confidence(t["confidence"])) for t in reports.mistakes(report)]
        said = table(("clip", "is", "answered", "confidence"), rows) if rows else "No mistakes on these clips."
        st.markdown(said)
