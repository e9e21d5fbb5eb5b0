"""Which data sets to learn from: those that are there, and ways to add another."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from crnn import collecting
from crnn.dataset import DEMO_NAME
from crnn.errors import CrnnError
from ui import limits
from ui.words import plain

_FOLDERS = "train.folders"
_CHOSEN = "train.chosen"
_SOURCES = "train.sources"
_LOCAL_ADDRESSES = {"localhost", "127.0.0.1", "::1"}

FORMATS = (
    "A folder for each genre with its tracks in it, or a `tracks.csv` with the columns `file,genre` "
    "(and `artist`, `title`, `split` where known)."
)


def choose_data() -> tuple[str, ...]:
    """Draw the choice; the data sets as a training order names them."""
    known = _known()
    # Kept apart from the widget, which forgets when another page is opened.
    if _SOURCES not in st.session_state:
        st.session_state[_SOURCES] = st.session_state.get(_CHOSEN, [DEMO_NAME])
    st.session_state[_SOURCES] = [source for source in st.session_state[_SOURCES] if source in known]
    chosen = st.multiselect(
        "Learn from",
        list(known),
        format_func=lambda source: known.get(source, source),
        key=_SOURCES,
        placeholder="Choose one or more data sets",
    )
    st.session_state[_CHOSEN] = chosen
    with st.expander("Add a data set", icon=":material/add:", expanded=not chosen):
        _ways_to_add()
    return tuple(chosen)


def _known() -> dict[str, str]:
    """Data sets that can be chosen, and what they are called."""
    known = {DEMO_NAME: "demo: eight synthesized styles, to try it out"}
    for folder, name in ((collecting.own_dir(), "own clips"), (collecting.corrections_dir(), "corrections")):
        counts = collecting.n_clips(folder)
        if counts:
            known[str(folder)] = f"{name}: {sum(counts.values())} clips of {', '.join(counts)}"
    known |= {str(path): path.name for path in collecting.uploads()}
    return known | {path: path for path in st.session_state.get(_FOLDERS, [])}


def _add(source: str) -> None:
    st.session_state[_SOURCES] = [s for s in st.session_state.get(_SOURCES, []) if s not in {DEMO_NAME, source}]
    st.session_state[_SOURCES] = [*st.session_state[_SOURCES], source]


def _ways_to_add() -> None:
    names = ["Clips, genre by genre", "A zip or log-mel archive"]
    if st.get_option("server.address") in _LOCAL_ADDRESSES:
        names.append("A folder of this machine")
    clips, upload, *folder = st.tabs(names)
    with clips:
        _add_clips()
    with upload:
        st.caption(
            f"{FORMATS} Packed as a zip; or a log-mel archive (.npz) made by `python -m crnn features`. "
            f"{limits.of_data_sets(collecting.uploads_dir())}"
        )
        st.file_uploader("Zip or archive", key="train.upload", on_change=_take_upload, label_visibility="collapsed")
        _draw_fault("train.upload.fault")
    if folder:
        with folder[0]:
            st.caption(FORMATS)
            st.text_input(
                "Path of the folder", key="train.folder", on_change=_take_folder, placeholder="/home/me/Music"
            )
            _draw_fault("train.folder.fault")


def _draw_fault(key: str) -> None:
    fault = st.session_state.pop(key, None)
    if fault:
        st.error(plain(fault))


def _take_upload() -> None:
    upload = st.session_state["train.upload"]
    if upload is None:
        return
    try:
        _add(str(collecting.keep_upload(upload.name, upload.getvalue())))
    except CrnnError as err:
        st.session_state["train.upload.fault"] = str(err)


def _take_folder() -> None:
    text = st.session_state["train.folder"].strip().strip("\"'")
    if not text:
        return
    path = Path(text).expanduser()
    if not path.exists():
        st.session_state["train.folder.fault"] = f"There is no folder {path} on this machine."
        return
    source = str(path.resolve())
    st.session_state[_FOLDERS] = [*[s for s in st.session_state.get(_FOLDERS, []) if s != source], source]
    _add(source)


def _add_clips() -> None:
    st.caption("Name a genre, then give clips of it: files, or ten seconds from the microphone. Then the next genre.")
    left, right = st.columns([1, 2], gap="medium")
    counts = collecting.n_clips(collecting.own_dir())
    with left:
        st.text_input("Genre", key="train.genre", placeholder="bossa nova")
        if counts:
            st.caption("  \n".join(plain(f"{genre}: {n} clips") for genre, n in counts.items()))
    with right:
        st.file_uploader(
            "Clips of this genre", accept_multiple_files=True, key=f"train.clips.{_given()}", on_change=_take_clips
        )
        st.caption(limits.of_clips())
        st.audio_input(
            "Or record one", sample_rate=44_100, key=f"train.recording.{_given()}", on_change=_take_recording
        )
    _draw_fault("train.clips.fault")


def _given() -> int:
    """How often clips were given: a new uploader each time, so that the last ones do not stay in it."""
    return int(st.session_state.get("train.given", 0))


def _take_clips() -> None:
    taken, surplus = limits.as_many_as_fit(st.session_state[f"train.clips.{_given()}"] or [])
    _keep([(upload.name, upload.getvalue()) for upload in taken], surplus)


def _take_recording() -> None:
    recording = st.session_state[f"train.recording.{_given()}"]
    if recording is not None:
        _keep([("", recording.getvalue())])


def _keep(clips: list[tuple[str, bytes]], surplus: str = "") -> None:
    faults = []
    for name, data in clips:
        try:
            collecting.add_clip(collecting.own_dir(), st.session_state.get("train.genre", ""), name, data)
        except CrnnError as err:
            faults.append(str(err))
    if clips and len(faults) < len(clips):
        _add(str(collecting.own_dir()))
    st.session_state["train.clips.fault"] = " ".join(filter(None, dict.fromkeys([*faults, surplus])))
    st.session_state["train.given"] = _given() + 1
