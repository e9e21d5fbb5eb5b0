"""What was found in the data sets, before anything is learnt from them."""

from __future__ import annotations

import contextlib
import hashlib
import os
from pathlib import Path

import streamlit as st

from crnn.config import FeatureConfig
from crnn.data.collection import gather
from crnn.data.overview import Check, check
from crnn.data.scan import scan
from crnn.data.tracks import Fault
from crnn.errors import DatasetError
from crnn.text import clock, number_of
from ui.shared import visitor
from ui.shared.words import plain, table
from ui.train import data
from ui.train.audio_check import draw_copies, draw_listening, draw_preview

_CHECK = "train.check"
_MAX_FAULTS_SHOWN = 100


def look_over(sources: tuple[str, ...]) -> Check:
    """The check of data sets, kept until they or their folders change.

    Raises:
        DatasetError: They cannot be used together. (One that cannot be used at all is refused, and the page runs anew
            without it.)
    """
    key = _fingerprint(sources)
    kept = st.session_state.get(_CHECK)
    # Its place is always there: boxes below that moved would close.
    place = st.empty()
    if kept is None or kept[0] != key:
        place.progress(0.0, "Looking through the data sets")
        try:
            collection = gather(sources)
        except DatasetError:
            place.empty()
            # Those that can be used go on without the others.
            data.refuse(_unusable(sources))
            raise
        most = visitor.owner().limits.tracks
        if len(collection.tracks) > most:
            place.empty()
            raise DatasetError(
                f"These are {len(collection.tracks)} tracks, and {most} at once are learnt from here. Choose fewer."
            )

        def on_progress(done: int, total: int) -> None:
            if done % 50 == 0:
                place.progress(done / total, f"Reading the beginning of {done} of {total} files")

        kept = (key, check(collection, on_progress))
        st.session_state[_CHECK] = kept
        place.empty()
    found: Check = kept[1]
    return found


def _unusable(sources: tuple[str, ...]) -> dict[str, str]:
    """The data sets of which nothing can be used, each with the sentence that says why."""
    faults = {}
    for source in sources:
        try:
            scan(source)
        except DatasetError as err:
            faults[source] = str(err)
    return faults


def _fingerprint(sources: tuple[str, ...]) -> str:
    """Changes when files come or go; one level of folders is looked at, which is where the tracks lie."""
    facts = []
    for source in sources:
        path = Path(source)
        is_open = os.path.isdir(path) and os.access(path, os.R_OK | os.X_OK)
        below = sorted(path.iterdir()) if is_open else [path]
        for each in below:
            with contextlib.suppress(OSError):  # not there, or not to be looked at, which scanning tells
                facts.append((str(each), each.stat().st_mtime_ns))
    return hashlib.sha256(repr((sources, facts)).encode()).hexdigest()


def draw_check(found: Check, config: FeatureConfig) -> Check:
    """Draw counts, minutes, advice, and every fault at once; the check with what was heard, if it was listened to.

    Args:
        found: From `look_over`.
        config: The features that will be trained on.
    """
    rows = [
        (facts.genre, str(facts.n_tracks), clock(facts.seconds).rpartition(".")[0], str(facts.n_artists or "not known"))
        for facts in found.genres
    ]
    tracks, seconds = sum(f.n_tracks for f in found.genres), sum(f.seconds for f in found.genres)
    counts = (tracks, "track"), (len(found.genres), "genre"), (round(seconds / 60), "minute")
    st.markdown(
        f"**{', '.join(number_of(n, noun) for n, noun in counts)}.** " + plain(" ".join(found.collection.notes))
    )
    # A place for each, whether there is something to say or not.
    with st.container():
        for sentence in found.advice:
            st.caption(plain(sentence))
    n_before = len(found.collection.faults)
    with st.container():
        found = draw_listening(found, config)
    with st.container():
        if found.collection.faults:
            # Whoever had the tracks listened to wants to read what was heard.
            _draw_faults(found.collection.faults, is_open=len(found.collection.faults) > n_before)
    with st.container():
        draw_copies(found.collection, config)
    with st.expander("Genre by genre", key="train.genres"):
        st.markdown(table(("genre", "tracks", "length", "artists"), rows))
        draw_preview(found.collection, config)
    return found


def _draw_faults(faults: tuple[Fault, ...], *, is_open: bool) -> None:
    n_copies = sum(fault.is_about_copies for fault in faults)
    with st.expander(
        _faults_words(len(faults), n_copies), expanded=is_open, icon=":material/info:", key="train.faults"
    ):
        if n_copies < len(faults):
            st.caption("What cannot be used is left out.")
        rows = [(fault.subject, fault.message) for fault in faults[:_MAX_FAULTS_SHOWN]]
        st.markdown(table(("what", "found"), rows))
        if len(faults) > _MAX_FAULTS_SHOWN:
            st.caption(f"And {len(faults) - _MAX_FAULTS_SHOWN} more; `python -m crnn scan` lists all.")


def _faults_words(n_faults: int, n_copies: int) -> str:
    """How many there are, of which some tell of copies, as the title of their list."""
    if n_copies == n_faults:
        return f"{number_of(n_copies, 'recording')} {'is' if n_copies == 1 else 'are'} there more than once"
    copies = f", {n_copies} of them copies" if n_copies else ""
    return f"{number_of(n_faults, 'thing')} to know{copies}"
