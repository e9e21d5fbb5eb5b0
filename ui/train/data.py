"""Which data sets to learn from: those that are there, and ways to add another."""

from __future__ import annotations

import datetime
import os
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from crnn import paths
from crnn.data import download, last_choice, user_clips
from crnn.data.scan import DEMO_NAME
from crnn.errors import CrnnError
from crnn.text import number_of
from ui.shared import limits, uploads, visitor
from ui.shared.words import plain
from ui.train.clips import CHOSEN
from ui.train.given import UNUSABLE, draw_given, offer_removal

_FOLDERS = "train.folders"
_SOURCES = "train.sources"
_REFUSED = "train.refused"
_IS_OPEN = "train.add.is_open"
_UPLOADS = "train.uploads"
_REDRAW_SECONDS = 0.2

FORMATS = (
    "A folder for each genre, or a `tracks.csv` with the columns `file,genre` (and `artist`, `title`, `split`). "
    "Ten tracks or more of `other` teach what is none of your genres."
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
    _take_upload()
    if "train.add" in st.session_state:
        _add(st.session_state.pop("train.add"))
    # Kept apart from the widget, which forgets when another page is opened.
    kept, known = _chosen(), _known()
    st.session_state[_SOURCES] = [source for source in kept if source in known]
    chosen = st.multiselect(
        "Learn from",
        list(known),
        format_func=lambda source: known.get(source, source),
        key=_SOURCES,
        on_change=_take_choice,
        placeholder="Choose one or more data sets",
    )
    # Its place is always there: a box below that moved would close.
    with st.container():
        for source in kept:
            if source not in known:
                st.info(plain(f"{Path(source).name} is no longer there, and not learnt from."))
        for source, fault in st.session_state.get(_REFUSED, {}).items():
            if source in known and source not in kept:
                st.error(plain(f"Not learnt from. {fault}"))
                offer_removal(Path(source))
    # Open where nothing is chosen, and then for the visit: the first clip must not close it before the second.
    st.session_state[_IS_OPEN] = not chosen or st.session_state.get(_IS_OPEN, False)
    with st.expander("Add a data set", icon=":material/add:", expanded=st.session_state[_IS_OPEN], key="train.add.box"):
        _ways_to_add()
    draw_given()
    return tuple(chosen)


def _chosen() -> list[str]:
    """What was chosen in this visit; at first what was chosen last, or else one's own clips before the demo."""
    if CHOSEN not in st.session_state:
        owner = visitor.owner()
        kept = last_choice.last_choice(owner)
        if kept is None:
            own = user_clips.own_dir(owner)
            kept = (str(own) if user_clips.n_clips(own) else DEMO_NAME,)
        elif owner.may("folders"):
            # Those of this machine that the choice names beyond what is known anyhow; a folder may be gone by now.
            folders = [source for source in kept if source not in _known() and os.path.exists(source)]
            st.session_state[_FOLDERS] = folders
        st.session_state[CHOSEN] = list(kept)
    chosen: list[str] = st.session_state[CHOSEN]
    return chosen


def refuse(faults: dict[str, str]) -> None:
    """Learn without data sets that cannot be used, and say why; the page runs anew, where there are any.

    Args:
        faults: What is wrong with each, by the name that a training order has for it.
    """
    if faults:
        for source in faults:
            user_clips.mark_refused(Path(source), is_refused=True, owner=visitor.owner())
        _choose([source for source in _chosen() if source not in faults])
        st.session_state[_REFUSED] = faults
        st.rerun()


def _choose(sources: list[str]) -> None:
    st.session_state.pop(_REFUSED, None)
    for source in sources:
        # It is looked into again.
        user_clips.mark_refused(Path(source), is_refused=False, owner=visitor.owner())
    st.session_state[CHOSEN] = sources
    last_choice.keep_choice(tuple(sources), owner=visitor.owner())


def _take_choice() -> None:
    # A page that was just left may still have Streamlit call for a widget that is gone.
    if _SOURCES in st.session_state:
        _choose(st.session_state[_SOURCES])


def _known() -> dict[str, str]:
    """Data sets that can be chosen, and what they are called."""
    known = {DEMO_NAME: "demo: eight synthesized styles, to try it out"}
    owner = visitor.owner()
    for folder, name in (
        (user_clips.own_dir(owner), "own clips"),
        (user_clips.corrections_dir(owner), "corrections"),
    ):
        counts = user_clips.n_clips(folder)
        if counts:
            known[str(folder)] = f"{name}: {number_of(sum(counts.values()), 'clip')} of {', '.join(counts)}"
    refused = user_clips.refused(owner)
    names = _upload_names(user_clips.uploads(owner))
    known |= {source: name + UNUSABLE * (Path(source) in refused) for source, name in names.items()}
    return known | {path: path for path in st.session_state.get(_FOLDERS, [])}


def _upload_names(uploads: list[Path]) -> dict[str, str]:
    """What uploads are called; two of one name are told apart, for a choice goes by what it shows."""
    often = Counter(path.name for path in uploads)
    names = {}
    for path in uploads:
        names[str(path)] = path.name
        if often[path.name] > 1:
            given = datetime.datetime.fromtimestamp(path.stat().st_mtime).strftime("%d %B, %H:%M")
            names[str(path)] = f"{path.name}, given {given} ({path.parent.name[:4]})"
    return names


def _add(source: str) -> None:
    _choose([*[s for s in _chosen() if s not in {DEMO_NAME, source}], source])


def _ways_to_add() -> None:
    # Whoever uses the page from elsewhere must not look about on this machine, or in its network.
    owner = visitor.owner()
    offered: dict[str, Callable[[], None]] = {}
    if owner.may("folders"):
        offered["Folder of this machine"] = _add_folder
    if owner.may("addresses"):
        offered["Address"] = _fetch
    upload, *others = st.tabs(["Zip or archive", *offered], key="train.add.ways")
    with upload:
        st.caption(
            f"As a zip: {FORMATS[0].lower()}{FORMATS[1:]} Or a log-mel archive (`.npz`). "
            f"{limits.of_data_sets(user_clips.uploads_dir(visitor.owner()))}"
        )
        # Another one each time: what was taken stands among the data sets, and its cross there removes nothing.
        number = st.session_state.setdefault(_UPLOADS, 0)
        if st.file_uploader(
            "Zip or archive", key=f"train.upload.{number}", on_change=_take_upload, label_visibility="collapsed"
        ):
            st.rerun()  # See `uploads`.
        _draw_fault("train.upload.fault")
    for tab, draw in zip(others, offered.values(), strict=True):
        with tab:
            draw()


def _add_folder() -> None:
    st.caption(FORMATS)
    st.text_input("Path of the folder", key="train.folder", on_change=_take_folder, placeholder="/home/me/Music")
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
    with st.expander("Where GTZAN and FMA are had", key="train.known_sets"):
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
        fetched = download.fetch(url, sha256=sha256, on_progress=on_progress, owner=visitor.owner())
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
    number = st.session_state.get(_UPLOADS, 0)
    # A page that was just left may still have Streamlit call for a widget that is gone.
    files = uploads.held([st.session_state.get(f"train.upload.{number}")])
    if not files:
        return
    [upload] = files
    try:
        _add(str(user_clips.keep_upload(upload.name, upload.getvalue(), owner=visitor.owner())))
    except CrnnError as err:
        st.session_state["train.upload.fault"] = str(err)
    limits.release(files)
    st.session_state[_UPLOADS] = number + 1


def _take_folder() -> None:
    text = st.session_state["train.folder"].strip().strip("\"'")
    if not text or not visitor.owner().may("folders"):
        return
    try:
        path = paths.user_path(text)
        if not os.path.exists(path):
            raise CrnnError(f"There is no folder {path} on this machine.")
    except CrnnError as err:
        st.session_state["train.folder.fault"] = str(err)
        return
    source = str(path.resolve())
    st.session_state[_FOLDERS] = [*[s for s in st.session_state.get(_FOLDERS, []) if s != source], source]
    _add(source)
