"""Keeping a model that was just made, under a name of its own."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from crnn.bundles import library
from crnn.bundles.bundle import load_bundle
from crnn.errors import CrnnError
from ui.shared import state, visitor
from ui.shared.words import plain

_SAVED = "train.saved"


def draw_save(folder: Path) -> None:
    """The button and its form; call inside a row of buttons, and `draw_saved` below it.

    Args:
        folder: Of the model's bundle.
    """
    saved = st.session_state.get(_SAVED)
    # Another key each time: a popover that stayed open would lie over the news.
    key = f"train.save.{saved[1] if saved else ''}"
    with st.popover("Save as a model", icon=":material/save:", key=key), st.form("train.save", border=False):
        name = st.text_input("Name", key="train.save.name", placeholder="my-genres")
        notes = st.text_area("Notes", key="train.save.notes", placeholder="What it is for, what it was made of")
        if st.form_submit_button("Save", type="primary"):
            _save(folder, name.strip(), notes.strip())


def draw_saved(folder: Path) -> None:
    """What it was saved as, and the way to use it; nothing before.

    Args:
        folder: As of `draw_save`.
    """
    saved = st.session_state.get(_SAVED)
    if saved and saved[0] == _mark(folder):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.success(plain(f"Saved as {saved[1]}."))
            if st.button("Use it on Listen", icon=":material/headphones:", key="train.use"):
                state.use_model(saved[1])
                st.switch_page("app.py")


def _save(folder: Path, name: str, notes: str) -> None:
    try:
        name = library.as_name(name)
        library.save_copy(load_bundle(folder), name, notes, owner=visitor.owner())
    except CrnnError as err:
        st.error(plain(str(err)))
        return
    st.session_state[_SAVED] = (_mark(folder), name)
    st.rerun()


def _mark(folder: Path) -> str:
    """Another one once another model lies there."""
    try:
        return f"{folder} {(folder / 'bundle.json').stat().st_mtime_ns}"
    except OSError:
        return str(folder)
