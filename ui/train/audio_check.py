"""Listening to all tracks before training, copies side by side, and some tracks heard and seen."""

from __future__ import annotations

import dataclasses
import json
import os
import time
from pathlib import Path

import numpy as np
import streamlit as st

from crnn.config import FeatureConfig
from crnn.data.audit import CopyPair, Heard, listen
from crnn.data.collection import Collection, log_mels
from crnn.data.feature_cache import CACHE_FOLDER
from crnn.data.overview import Check
from crnn.errors import CrnnError
from crnn.features.archive import to_db
from crnn.features.front_ends import transform_of
from crnn.text import clock
from ui.shared import visitor
from ui.shared.media import play_track
from ui.shared.words import duration, plain
from ui.train.charts import draw_log_mel

_HEARD = "train.heard"
# Starts are tried in turn: what was heard for one is there when it is chosen again.
_MOST_KEPT = 4
_MAX_PREVIEWS = 6


def draw_listening(found: Check, config: FeatureConfig) -> Check:
    """Offer to listen to every track; the check with all that was heard, once it was.

    Args:
        found: What names and headers tell.
        config: The features that will be trained on, so that training finds what is computed here.
    """
    heard = _heard_before(found.collection, config)
    if heard is None:
        st.caption("Listening to every track finds what is damaged, silent, clipped or a copy. Training does so, too.")
        with st.container(horizontal=True, vertical_alignment="center"):
            is_pressed = st.button("Listen to all tracks first", icon=":material/hearing:", key="train.listen")
            place = st.empty()
        heard = _listen(found.collection, config, place) if is_pressed else None
        if heard is None:
            return found
        kept = st.session_state.setdefault(_HEARD, {})
        kept[_key(found.collection, config)] = heard
        while len(kept) > _MOST_KEPT:
            del kept[next(iter(kept))]
        st.rerun()
    if not heard.faults:
        has_copies = any(fault.is_about_copies for fault in found.collection.faults)
        others = (
            "silent or clipped, and there are no other copies" if has_copies else "silent, clipped or a copy of another"
        )
        st.caption(f"Every track was listened to: none is damaged, {others}.")
    faults = (*found.collection.faults, *heard.faults)
    return dataclasses.replace(found, collection=dataclasses.replace(heard.collection, faults=faults))


def _key(collection: Collection, config: FeatureConfig) -> str:
    """By the data and how it was heard: what one front end computes is not there for another."""
    return f"{collection.fingerprint}.{json.dumps(transform_of(config), sort_keys=True)}"


def _heard_before(collection: Collection, config: FeatureConfig) -> Heard | None:
    kept: dict[str, Heard] = st.session_state.get(_HEARD, {})
    return kept.get(_key(collection, config))


def _listen(collection: Collection, config: FeatureConfig, place: st.delta_generator.DeltaGenerator) -> Heard | None:
    started = time.monotonic()

    def on_progress(done: int, total: int) -> None:
        seconds = time.monotonic() - started
        left = f", about {duration(seconds * (total - done) / done)} left" if seconds > 3 and done < total else ""
        place.progress(
            done / total, f"Listened to {done} of {total} tracks{left}. Any click stops it and loses nothing."
        )

    owner = visitor.owner()
    # Where others are served a core is left to them.
    n_jobs = (os.cpu_count() or 1) if owner.mode == "local" else 1
    try:
        owner.check_room(0)
        return listen(collection, config, folder=_cache_folder(), n_jobs=n_jobs, on_progress=on_progress)
    except CrnnError as err:
        place.error(plain(str(err)))
        return None


def _cache_folder() -> Path:
    """His own: what was computed of his tracks is nobody else's, counts as his, and goes with him."""
    return visitor.owner().home / CACHE_FOLDER


def draw_copies(collection: Collection, config: FeatureConfig) -> None:
    """Tracks that hold one recording, side by side, as a model of these features sees them.

    Args:
        collection: The data.
        config: The features that will be trained on.
    """
    pairs = _copies(collection, config)
    if not pairs:
        return
    with st.expander(f"Compare copies ({len(pairs)})", icon=":material/content_copy:", key="train.copies.box"):
        genre_of = {track.track_id: track.genre for track in collection.tracks}
        pair = st.selectbox(
            "Two tracks that are one recording",
            pairs,
            format_func=lambda pair: f"{pair.first} and {pair.second}",
            key="train.copies",
        )
        starts = (max(0.0, pair.shift_seconds), max(0.0, -pair.shift_seconds))
        for column, track_id, start in zip(st.columns(2, gap="medium"), (pair.first, pair.second), starts, strict=True):
            with column:
                st.markdown(plain(f"{track_id}, {genre_of[track_id]}"))
                _draw_track(collection, config, track_id, start)
                if pair.shift_seconds:
                    st.caption(f"What they share begins at {clock(start)}; the player starts at the nearest second.")
        st.caption("Both stay on one side of the split, so that the score does not gain by them.")


def _copies(collection: Collection, config: FeatureConfig) -> list[CopyPair]:
    """Pairs with the same bytes, then those that were heard to be one recording."""
    pairs, first_with = [], dict[str, str]()
    for track in collection.tracks:
        first = first_with.setdefault(track.digest or track.track_id, track.track_id)
        if first != track.track_id:
            pairs.append(CopyPair(first, track.track_id, 0.0, 0.0))
    heard = _heard_before(collection, config)
    return [*pairs, *(heard.copies if heard is not None else ())]


def draw_preview(collection: Collection, config: FeatureConfig) -> None:
    """Some tracks to hear, and what a model of these features would see of them.

    Args:
        collection: The data.
        config: The features that will be trained on.
    """
    ids = [track.track_id for track in collection.tracks]
    chosen = st.multiselect(
        "Hear and see some of the tracks", ids, key="train.preview", placeholder="Choose", max_selections=_MAX_PREVIEWS
    )
    columns = st.columns(min(2, len(chosen)) or 1, gap="medium")
    for number, track_id in enumerate(chosen):
        with columns[number % len(columns)]:
            st.markdown(plain(track_id))
            _draw_track(collection, config, track_id, 0.0)


def _draw_track(collection: Collection, config: FeatureConfig, track_id: str, start_seconds: float) -> None:
    """A player and the log-mel of a track."""
    track = next(track for track in collection.tracks if track.track_id == track_id)
    number, original = collection.origins[track_id]
    is_demo = collection.datasets[number].kind == "demo"
    play_track(None if track.path is None else str(track.path), original.track_id if is_demo else None, start_seconds)
    try:
        found, faults = log_mels(collection, [track], config, folder=_cache_folder(), n_jobs=1)
    except CrnnError as err:
        st.caption(plain(str(err)))
        return
    if found[0] is None:
        st.caption(plain(" ".join(fault.message for fault in faults)))
    else:
        draw_log_mel(np.asarray(to_db(found[0], config)), config, f"train.mel.{track_id}")
