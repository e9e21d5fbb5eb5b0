"""Clips of one's own, genre by genre: named, recorded or uploaded, and kept on the disk."""

from __future__ import annotations

import streamlit as st

from crnn.data import last_choice, user_clips
from crnn.errors import CrnnError, DiskFullError
from crnn.text import number_of
from ui.components.landing import landing
from ui.components.meter import level_meter
from ui.shared import limits, uploads, visitor
from ui.shared.words import plain

GENRE = "train.genre"
# Which data sets are chosen to learn from, in this visit.
CHOSEN = "train.chosen"
_FAULT = "train.clips.fault"


def counts() -> dict[str, int]:
    """Clips of each genre."""
    return user_clips.n_clips(user_clips.own_dir(visitor.owner()))


def draw_giving() -> None:
    """One genre at a time: its name, its clips, and on to the next."""
    # Before the field is drawn: afterwards it belongs to the browser.
    _take_waiting()
    if st.session_state.pop("train.next", False):
        st.session_state[GENRE] = ""
    genre = st.text_input(
        "Genre", key=GENRE, placeholder="for example bossa nova", on_change=_take_waiting, max_chars=60
    )
    # A place for it, whether there is something to say or not.
    unnamed = st.container()
    files = st.file_uploader(
        "Clips of it", accept_multiple_files=True, key=f"train.clips.{_given()}", on_change=_take_clips
    )
    left, right = st.columns([3, 2], vertical_alignment="bottom")
    recording = left.audio_input(
        "Or record one, ten seconds say",
        sample_rate=44_100,
        key=f"train.recording.{_given()}",
        on_change=_take_recording,
    )
    if files or recording:
        if genre.strip():
            st.rerun()  # See `uploads`.
        unnamed.info("Give the genre a name: what you gave waits for it.")
    with right:
        level_meter("train.meter")
    fault = st.session_state.pop(_FAULT, None)
    if fault:
        st.error(plain(fault))
    n = counts().get(genre.strip(), 0) if genre else 0
    if n:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{plain(genre.strip())}** has {number_of(n, 'clip')}.", width="content")
            st.button("Next genre", icon=":material/arrow_forward:", key="train.next_genre", on_click=name_next)
    st.caption(limits.of_clips())
    landing("train.genre.landing", is_done=not genre, field="Genre")


def name_next() -> None:
    """Empty the field for the next genre's name."""
    st.session_state["train.next"] = True


def name_again(genre: str) -> None:
    """Go back to a genre, to give more clips of it."""
    st.session_state[GENRE] = genre


def chosen() -> tuple[str, ...]:
    """What is chosen to learn from, in this visit or the last one."""
    before = st.session_state.get(CHOSEN)
    return tuple(before if before is not None else last_choice.last_choice(visitor.owner()) or ())


def choose_own() -> None:
    """Make one's own clips what is learnt from, and nothing else."""
    owner = visitor.owner()
    st.session_state[CHOSEN] = [str(user_clips.own_dir(owner))]
    last_choice.keep_choice(tuple(st.session_state[CHOSEN]), owner=owner)


def _given() -> int:
    """How often clips were given: a new uploader each time, so that the last ones do not stay in it."""
    return int(st.session_state.get("train.given", 0))


def _take_waiting() -> None:
    """Clips that were given before their genre was named: the name is what they waited for."""
    if st.session_state.get(GENRE, "").strip():
        if st.session_state.get(f"train.clips.{_given()}"):
            _take_clips()
        if st.session_state.get(f"train.recording.{_given()}") is not None:
            _take_recording()


def _take_clips() -> None:
    # A page that was just left may still have Streamlit call for a widget that is gone.
    files = uploads.held(st.session_state.get(f"train.clips.{_given()}") or [])
    # It also calls for a new uploader whose first run was cut short: that nothing is in it is no change. Another in its
    # place would let go of what is on its way.
    if not files:
        return
    taken, surplus = limits.as_many_as_fit(files)
    if _keep([(uploads.file_name(upload), upload.getvalue()) for upload in taken], surplus):
        limits.release(files)


def _take_recording() -> None:
    recordings = uploads.held([st.session_state.get(f"train.recording.{_given()}")])
    if recordings and _keep([("", recordings[0].getvalue())]):
        limits.release(recordings)


def _keep(clips: list[tuple[str, bytes]], surplus: str = "") -> bool:
    """Whether the clips were taken, good or bad; else they wait for their genre's name."""
    genre = st.session_state.get(GENRE, "").strip()
    if not genre:
        return False
    owner, faults = visitor.owner(), []
    for number, (name, data) in enumerate(clips):
        try:
            kept = user_clips.add_clip(user_clips.own_dir(owner), genre, name, data, owner=owner)
            # As it is called from now on: what no file system takes is gone from it.
            st.session_state[GENRE] = kept.parent.name
        except DiskFullError as err:
            # The others would find no more room.
            faults.append(f"{err} Not kept: {number_of(len(clips) - number, 'clip')}.")
            break
        except CrnnError as err:
            faults.append(str(err))
    st.session_state[_FAULT] = " ".join(filter(None, dict.fromkeys([*faults, surplus])))
    st.session_state["train.given"] = _given() + 1
    return True
