"""A listening test of a confusion: its tracks without their names, and what one's own ears say before the answer."""

from __future__ import annotations

import hashlib
from typing import Any

import streamlit as st

from crnn.text import number_of
from ui.shared.media import play_track
from ui.shared.words import plain

_SAID = "train.by_ear"
_MOST = 8


def draw_test(tracks: list[dict[str, Any]], first: str, second: str) -> None:
    """Play tracks that the model confused, ask which of two genres each is, and tell after each answer.

    Args:
        tracks: Of a report: those that are one of the genres and were answered as the other.
        first: One genre.
        second: The other.
    """
    said: dict[str, str] = st.session_state.setdefault(_SAID, {})
    # In no order that tells anything.
    shown = sorted(tracks, key=lambda track: hashlib.sha256(track["track_id"].encode("utf-8", "replace")).digest())
    for number, track in enumerate(shown[:_MOST], start=1):
        name = track["track_id"]
        play_track(track["path"], track["demo_id"])
        key = f"train.ear.{hashlib.sha256(name.encode('utf-8', 'replace')).hexdigest()[:12]}"
        chosen = st.segmented_control(f"Track {number} is", [first, second], format_func=plain, key=key)
        if chosen is not None:
            said[name] = chosen
        if name in said:
            st.caption(plain(f"{name}: filed as {track['genre']}, answered {track['answer']}."))
    heard = [track for track in shown if track["track_id"] in said]
    if heard:
        n_label = sum(said[track["track_id"]] == track["genre"] for track in heard)
        st.markdown(
            f"Of {number_of(len(heard), 'track')} you agree with the label in {n_label}, with the model in "
            f"{len(heard) - n_label}. Where you side with the model, the label may be wrong."
        )
