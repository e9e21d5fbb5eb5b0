"""Which data sets to learn from: those that are there, and ways to add another."""

from __future__ import annotations

import time
from pathlib import Path

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from crnn import collecting, download
from crnn.dataset import DEMO_NAME
from crnn.errors import CrnnError
from ui import limits
from ui.locality import is_local
from ui.words import plain

_FOLDERS = "train.folders"
_CHOSEN = "train.chosen"
_SOURCES = "train.sources"
_REDRAW_SECONDS = 0.2

FORMATS = (
    "A folder for each genre with its tracks in it, or a `tracks.csv` with the columns `file,genre` "
    "(and `artist`, `title`, `split` where known)."
)


KNOWN_SETS = (
    "**FMA** (Defferrard, Benzi, Vandergheynst and Bresson, ISMIR 2017; Creative Commons licences): addresses and "
    "SHA-1 sums stand at github.com/mdeff/fma. Its zips lie by track number, not by genre: unpack one, and write a "
    "`tracks.csv` (`file,genre,artist`) from the one in fma_metadata.zip.\n\n"
    "**GTZAN** (Tzanetakis and Cook, IEEE Transactions on Speech and Audio Processing, 2002): its makers' page, "
    "marsyas.info, has not served it since 2022 (pytorch/audio, pull request 2763), so there is no address to cite. "
    "A copy that you have is a folder of `genre/track` and is used as it is; the check names its known faults "
    "(Sturm 2013)."
)


def choose_data() -> tuple[str, ...]:
    """Draw the choice; the data sets as a training order names them."""
    known = _known()
    if "train.add" in st.session_state:
        _add(st.session_state.pop("train.add"))
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
    # Whoever uses the page from elsewhere must not look about on this machine, or in its network.
    offers_folders = is_local()
    if offers_folders:
        names += ["A folder of this machine", "From an address"]
    clips, upload, *local = st.tabs(names)
    with clips:
        _add_clips()
    with upload:
        st.caption(
            f"{FORMATS} Packed as a zip; or a log-mel archive (.npz) made by `python -m crnn features`. "
            f"{limits.of_data_sets(collecting.uploads_dir())}"
        )
        st.file_uploader("Zip or archive", key="train.upload", on_change=_take_upload, label_visibility="collapsed")
        _draw_fault("train.upload.fault")
    if offers_folders:
        with local[1]:
            _fetch()
        with local[0]:
            st.caption(FORMATS)
            st.text_input(
                "Path of the folder", key="train.folder", on_change=_take_folder, placeholder="/home/me/Music"
            )
            _draw_fault("train.folder.fault")


def _fetch() -> None:
    """A zip or archive from an address."""
    st.caption("The address of a zip or log-mel archive. A download that breaks off goes on where it ended.")
    with st.form("train.fetch", border=False):
        url = st.text_input("Address", key="train.url", placeholder="https://example.org/music.zip")
        sha256 = st.text_input(
            "SHA-256, if its maker names one", key="train.sha256", help="Another file than that is thrown away."
        )
        is_pressed = st.form_submit_button("Fetch", icon=":material/download:")
    place = st.empty()
    if is_pressed:
        _fetch_now(url, sha256, place)
    note = st.session_state.get("train.fetched")
    if note:
        st.caption(plain(note))
    with st.expander("Where GTZAN and FMA are had"):
        st.markdown(KNOWN_SETS)


def _fetch_now(url: str, sha256: str, place: DeltaGenerator) -> None:
    place.progress(0.0, "Asking for it")
    shown = time.monotonic()

    def on_progress(done: int, total: int | None) -> None:
        nonlocal shown
        if time.monotonic() - shown > _REDRAW_SECONDS:
            shown = time.monotonic()
            words = f"{done / 1e6:.1f} of {total / 1e6:.1f} MB" if total else f"{done / 1e6:.1f} MB"
            # Any click ends this run of the page here.
            place.progress(done / total if total else 0.0, f"{words}. Any click stops it; Fetch goes on from there.")

    try:
        fetched = download.fetch(url, sha256=sha256, on_progress=on_progress)
    except CrnnError as err:
        place.error(plain(str(err)))
        return
    is_checked = "as it should be" if sha256.strip() else "nothing was given to compare it with"
    st.session_state["train.fetched"] = f"Fetched {fetched.path.name}. Its SHA-256 is {fetched.sha256}: {is_checked}."
    st.session_state["train.add"] = str(fetched.path)
    st.rerun()


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
        st.text_input("Genre", key="train.genre", placeholder="bossa nova", on_change=_take_waiting)
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


def _take_waiting() -> None:
    """Clips that were given before their genre was named: the name is what they waited for."""
    if st.session_state["train.genre"].strip():
        if st.session_state.get(f"train.clips.{_given()}"):
            _take_clips()
        if st.session_state.get(f"train.recording.{_given()}") is not None:
            _take_recording()


def _take_clips() -> None:
    taken, surplus = limits.as_many_as_fit(st.session_state[f"train.clips.{_given()}"] or [])
    _keep([(upload.name, upload.getvalue()) for upload in taken], surplus)


def _take_recording() -> None:
    recording = st.session_state[f"train.recording.{_given()}"]
    if recording is not None:
        _keep([("", recording.getvalue())])


def _keep(clips: list[tuple[str, bytes]], surplus: str = "") -> None:
    if not st.session_state.get("train.genre", "").strip():
        st.session_state["train.clips.fault"] = "Give the genre a name: what you gave waits for it."
        return
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
