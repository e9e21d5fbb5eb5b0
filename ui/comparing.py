"""Several sounds at once: a table of answers, and the row that was chosen."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import streamlit as st

from crnn import reporting
from crnn.errors import CrnnError
from crnn.inference import Prediction
from ui.state import Sound

_ROW_PIXELS = 33
Answered = list[tuple[Sound, Prediction | CrnnError]]


def choose_sound(answered: Answered) -> int | None:
    """Draw the sortable table; returns the index of the row that was chosen."""
    rows = [_row(sound, found) for sound, found in answered]
    event: Any = st.dataframe(
        {title: [row[title] for row in rows] for title in rows[0]},
        hide_index=True,
        # A header and five rows; more scroll, so that the chosen one's answer stays near.
        height=_ROW_PIXELS * (min(len(rows), 5) + 1) + 3,
        row_height=_ROW_PIXELS,
        on_select="rerun",
        selection_mode="single-row",
        key="listen.table",
        column_config={
            "File": st.column_config.TextColumn(width="medium"),
            "Answer": st.column_config.TextColumn(width="large"),
            "Confidence": st.column_config.ProgressColumn(min_value=0.0, max_value=1.0, format="%.2f"),
        },
    )
    _draw_downloads(answered)
    chosen = event["selection"]["rows"]
    return int(chosen[0]) if chosen and chosen[0] < len(rows) else None


def _row(sound: Sound, found: Prediction | CrnnError) -> dict[str, str | float | None]:
    if isinstance(found, CrnnError):
        return {"File": sound.name, "Answer": str(found), "Confidence": None, "Length": ""}
    confidence = None if found.verdict == "silence" else found.confidence
    answer = found.genre if found.verdict == "genre" else reporting.verdict_sentence(found)
    return {
        "File": sound.name,
        "Answer": answer,
        "Confidence": confidence,
        "Length": reporting.clock(found.duration_seconds),
    }


def _draw_downloads(answered: Answered) -> None:
    with st.popover("Download all", icon=":material/download:"):
        st.download_button(
            "JSON Lines, everything", json_lines(answered), "genres.jsonl", "application/jsonl", on_click="ignore"
        )
        st.download_button("CSV, one line a file", _csv(answered), "genres.csv", "text/csv", on_click="ignore")


def json_lines(answered: Answered) -> str:
    """One object a file, as the command line writes them."""
    return "".join(
        json.dumps(
            reporting.error_json(found, sound.name)
            if isinstance(found, CrnnError)
            else reporting.to_json(found, sound.name),
            ensure_ascii=False,
        )
        + "\n"
        for sound, found in answered
    )


def _csv(answered: Answered) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["file", "verdict", "genre", "confidence", "error"])
    for sound, found in answered:
        if isinstance(found, CrnnError):
            writer.writerow([sound.name, "", "", "", str(found)])
        else:
            writer.writerow([sound.name, found.verdict, found.genre or "", f"{found.confidence:.6f}", ""])
    return out.getvalue()
