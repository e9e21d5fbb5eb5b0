"""How much is kept on the disk to be quicker next time, and the way to clear it."""

from __future__ import annotations

import streamlit as st

from crnn.errors import CrnnError
from crnn.jobs import kept
from crnn.jobs.kept import Kept, Kind
from crnn.owner import Owner
from ui.shared import visitor
from ui.shared.words import plain

_NEWS = "train.kept.news"
_WORDS: dict[Kind, tuple[str, str]] = {
    "features": ("Features", "Computed again when a training needs them."),
    "unpacked": ("Unpacked zips", "Unpacked again when they are chosen. What is chosen now stays."),
    "uploads": ("Uploads", "Those that are not chosen now are gone for good."),
}
_LOOK_AGAIN_SECONDS = 60.0
# Less is not worth a line.
_LEAST_BYTES = 2**20


def draw_kept(chosen: tuple[str, ...]) -> None:
    """A line with what is kept, and a button for each kind of it.

    Args:
        chosen: Data sets that are chosen to learn from: what they need stays.
    """
    owner = visitor.owner()
    if not owner.may("keep"):
        return
    found, news = _kept(owner), st.session_state.pop(_NEWS, "")
    if found.total < _LEAST_BYTES and not news:
        return
    sizes: dict[Kind, int] = {"features": found.features, "unpacked": found.unpacked, "uploads": found.uploads}
    told = ", ".join(f"{_WORDS[kind][0].lower()} {_size(n)}" for kind, n in sizes.items() if n)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(plain(news or f"Kept {visitor.place()} to be quicker next time: {told}."))
        with st.popover("Clear", icon=":material/mop:", key="train.kept"):
            for kind, n_bytes in sizes.items():
                name, words = _WORDS[kind]
                st.button(
                    f"{name}, {_size(n_bytes)}",
                    key=f"train.kept.{kind}",
                    help=words,
                    disabled=not n_bytes,
                    width="stretch",
                    on_click=_clear,
                    args=(kind, chosen),
                )
            st.caption("What a training under way needs is never cleared.")


@st.cache_data(ttl=_LOOK_AGAIN_SECONDS, max_entries=100, show_spinner=False)
def _looked(home: str, _owner: Owner) -> Kept:
    # A tree of a hundred thousand files takes a second to add up, and every click draws the page.
    return kept.kept(_owner)


def _kept(owner: Owner) -> Kept:
    return _looked(str(owner.home), owner)


def _clear(kind: Kind, chosen: tuple[str, ...]) -> None:
    owner = visitor.owner()
    before = kept.kept(owner).total
    try:
        kept.clear(kind, owner=owner, chosen=chosen)
        st.session_state[_NEWS] = f"Cleared {_size(max(0, before - kept.kept(owner).total))}."
    except CrnnError as err:
        st.session_state[_NEWS] = str(err)
    _looked.clear()
    # The check names files that may be gone.
    st.session_state.pop("train.check", None)


def _size(n_bytes: int) -> str:
    megabytes = n_bytes / 2**20
    if megabytes >= 1000:
        return f"{megabytes / 1024:.1f} GB"
    # What is left of a cleared cache is its frame.
    return f"{round(megabytes)} MB" if megabytes >= 0.5 or not n_bytes else "less than 1 MB"
