"""Several sounds at once: a table of answers, and the row that was chosen."""

from __future__ import annotations

import re
from typing import Any

import streamlit as st

from crnn import text
from crnn.errors import CrnnError
from crnn.inference import output
from crnn.inference.classifier import Prediction
from crnn.inference.rows import Row, error_row
from crnn.inference.stretches import of_prediction
from crnn.untrusted import csv_line, json_line
from ui.shared.state import ROW, Sound, name_of
from ui.shared.words import plain

_ROW_PIXELS = 33
_SHARE = re.compile(r" \d+ %( of the time)?")
_MOST_ROWS = 8
_CLICKED = "listen.clicked"
Answered = list[tuple[Sound, Prediction | CrnnError]]


def choose_sound(answered: Answered) -> Sound:
    """Draw the sortable table; returns the sound whose row was clicked last, at first the first that was answered."""
    rows = _rows(answered)
    event: Any = st.dataframe(
        {title: [row[title] for row in rows] for title in rows[0]},
        hide_index=True,
        height=_ROW_PIXELS * (min(len(rows), _MOST_ROWS) + 1) + 3,
        row_height=_ROW_PIXELS,
        on_select="rerun",
        # The whole row answers to a click, not a box before it alone.
        selection_mode="single-cell",
        key="listen.table",
        column_config={
            "File": st.column_config.TextColumn(width=150),
            "Answer": st.column_config.TextColumn(width=300),
            "Confidence": st.column_config.TextColumn(width="small"),
            "Length": st.column_config.TextColumn(width="small"),
            "Also heard": st.column_config.TextColumn(width=290),
        },
    )
    chosen = _chosen(answered, event["selection"]["cells"])
    with st.container(horizontal=True, vertical_alignment="center"):
        _draw_downloads(answered)
        more = f"{len(rows)} files: the table scrolls. " if len(rows) > _MOST_ROWS else ""
        st.caption(f"{more}Click a row to see and hear it; click a column’s title to sort.", width="content")
    st.markdown(f"**{plain(name_of(chosen))}**")
    return chosen


def _chosen(answered: Answered, cells: list[Any]) -> Sound:
    by_digest = {sound.digest: sound for sound, _ in answered}
    is_new, st.session_state[_CLICKED] = cells != st.session_state.get(_CLICKED), cells
    # A table keeps its selected cell when its files change: only a new cell is a click.
    if is_new and cells and 0 <= cells[0][0] < len(answered):
        st.session_state[ROW] = answered[cells[0][0]][0].digest
    kept = by_digest.get(st.session_state.get(ROW, ""))
    if kept is not None:
        return kept
    return next((sound for sound, found in answered if isinstance(found, Prediction)), answered[0][0])


def _rows(answered: Answered) -> list[dict[str, str]]:
    """The cells; lengths stand right-aligned, for Streamlit sorts them letter by letter: 2:05 would follow 10:05."""
    rows = [_row(sound, found) for sound, found in answered]
    longest = max(len(row["Length"]) for row in rows)
    return [row | {"Length": row["Length"] and row["Length"].rjust(longest)} for row in rows]


def _row(sound: Sound, found: Prediction | CrnnError) -> dict[str, str]:
    if isinstance(found, CrnnError):
        return {
            "File": name_of(sound),
            "Answer": _first_sentence(str(found)),
            "Confidence": "",
            "Also heard": "",
            "Length": "",
        }
    changes = output.changes_sentence(of_prediction(found))
    return {
        "File": name_of(sound),
        # The shares are told below, for the chosen row.
        "Answer": _SHARE.sub("", changes) or found.genre or output.verdict_sentence(found),
        # One confidence says nothing if there are several genres, or none.
        "Confidence": "" if changes or not _is_of_genres(found) else text.confidence(found.confidence),
        "Length": text.clock(found.duration_seconds),
        "Also heard": _heard(found),
    }


def _is_of_genres(found: Prediction) -> bool:
    """Whether it is judged by the model's genres: else the best of them, if it were one, is no confidence in it."""
    return found.verdict.traits.has_stretches


def _heard(found: Prediction) -> str:
    words = output.heard_words(found) if found.is_music else ()
    return ", ".join(words[: output.MOST_HEARD])


def _first_sentence(text: str) -> str:
    # The rest is told in full below the table, where the row is chosen.
    return f"{text.split('. ', maxsplit=1)[0].rstrip('.')}."


def _draw_downloads(answered: Answered) -> None:
    with st.popover("Download all", icon=":material/download:", key="listen.download_all"):
        st.download_button(
            "JSON Lines, everything", json_lines(answered), "genres.jsonl", "application/jsonl", on_click="ignore"
        )
        st.download_button("CSV, one line a file", csv_lines(answered), "genres.csv", "text/csv", on_click="ignore")


def json_lines(answered: Answered) -> str:
    """One object a file, as the command line writes them."""
    return "".join(json_line(_json_row(name_of(sound), found)) for sound, found in answered)


def _json_row(name: str, found: Prediction | CrnnError) -> Row:
    if isinstance(found, CrnnError):
        return error_row(name, type(found).__name__, str(found))
    return output.to_json(found, name)


def csv_lines(answered: Answered) -> str:
    """A line a file: its verdict, its genre, how sure, and what else is heard."""
    lines = [csv_line(["file", "verdict", "genre", "confidence", "heard", "error"])]
    for sound, found in answered:
        if isinstance(found, CrnnError):
            lines.append(csv_line([name_of(sound), "", "", "", "", str(found)]))
        else:
            heard = "; ".join(output.heard_words(found))
            confidence = f"{found.confidence:.6f}" if _is_of_genres(found) else ""
            lines.append(csv_line([name_of(sound), found.verdict, found.genre or "", confidence, heard, ""]))
    return "".join(lines)
