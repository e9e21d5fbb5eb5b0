"""What was given to learn from in the app itself: to hear again, and to take away."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from crnn.data import user_clips
from crnn.errors import CrnnError
from crnn.text import distinct, number_of
from ui.shared import visitor
from ui.shared.media import play_track
from ui.shared.words import plain

_ROUND = "train.given.round"
_NEWS = "train.given.news"
_MAX_PLAYERS = 4
# Behind the name of an upload that was refused.
UNUSABLE = " (cannot be used)"


def draw_given() -> None:
    """Clips, corrections and uploads; those that are chosen can be heard and removed."""
    owner = visitor.owner()
    if not owner.may("keep"):
        return
    labels = {path: f"own clips, {name}" for path, name in user_clips.clips(user_clips.own_dir(owner)).items()}
    corrected = user_clips.clips(user_clips.corrections_dir(owner))
    labels |= {path: f"corrections, {name}" for path, name in corrected.items()}
    refused = user_clips.refused(owner)
    labels |= {path: f"upload, {path.name}{UNUSABLE * (path in refused)}" for path in user_clips.uploads(owner)}
    # Of two that are called alike Streamlit takes the first, and the wrong one would be removed.
    labels = dict(zip(labels, distinct(list(labels.values())), strict=True))
    news = st.session_state.pop(_NEWS, "")
    if not labels and not news:
        return
    # No count in its title, and never opened from here: either would close a box that is open.
    with st.expander("What you gave", icon=":material/library_music:", key="train.given.box"):
        st.caption(plain(news or f"{number_of(len(labels), 'file')}."))
        if refused:
            st.button(
                "Remove what cannot be used",
                icon=":material/delete:",
                key="train.given.remove_refused",
                help=", ".join(path.name for path in sorted(refused)),
                on_click=_remove,
                args=(sorted(refused),),
            )
        # A new choice after each removal: the last one held what is gone.
        chosen: list[Path] = st.multiselect(
            "Hear or remove",
            list(labels),
            format_func=lambda path: labels.get(path, path.name),
            key=f"train.given.{st.session_state.get(_ROUND, 0)}",
            placeholder="Choose clips or uploads",
        )
        for path in [path for path in chosen if path not in user_clips.uploads(owner)][:_MAX_PLAYERS]:
            st.caption(plain(labels[path]))
            play_track(str(path), None)
        if chosen:
            st.button(
                f"Remove {number_of(len(chosen), 'file')}",
                icon=":material/delete:",
                key="train.given.remove",
                on_click=_remove,
                args=(chosen,),
            )


def offer_removal(path: Path) -> None:
    """A button that takes away an upload of this visitor's; nothing for any other data set.

    Args:
        path: What was refused.
    """
    if path in user_clips.uploads(visitor.owner()):
        key = f"train.given.remove.{path.parent.name}"
        st.button(f"Remove {plain(path.name)}", icon=":material/delete:", key=key, on_click=_remove, args=([path],))


def _remove(chosen: list[Path]) -> None:
    faults = []
    for path in chosen:
        try:
            user_clips.remove(path, owner=visitor.owner())
        except CrnnError as err:
            faults.append(str(err))
    st.session_state[_ROUND] = st.session_state.get(_ROUND, 0) + 1
    st.session_state[_NEWS] = " ".join(faults) or f"{number_of(len(chosen), 'file')} removed."
