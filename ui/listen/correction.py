"""“No, this is …”: a clip and its right genre, for the next training: kept if its owner agrees, or for his visit."""

from __future__ import annotations

import streamlit as st

from crnn.data import user_clips
from crnn.errors import CrnnError
from ui.shared import visitor
from ui.shared.state import Sound
from ui.shared.words import plain

_OTHER = "another genre"
_THANKS = "listen.corrected"
_KEPT = "Kept among your corrections. Choose them on the Train page, and the next model learns it."
_HELD = "It is among your clips on the Train page, for this visit: with others of its genre a model learns it."


@st.fragment
def draw_correction(
    sound: Sound, genres: tuple[str, ...], *, title: str = "No, this is …", key: str = "listen.correct"
) -> None:
    """Draw the form; a clip is written to disk only when consent was given.

    Args:
        sound: What was answered.
        genres: What the model knows.
        title: What it is called.
        key: Widget key; a page that asks of two sounds needs two.
    """
    owner = visitor.owner()
    is_kept = owner.may("keep")
    if not is_kept and not owner.may("teach"):
        return
    with st.expander(title):
        if st.session_state.get(_THANKS) == sound.digest:
            st.success(_KEPT if is_kept else _HELD)
            return
        with st.form(key, border=False):
            left, right = st.columns(2)
            genre = left.selectbox("What it is", [*genres, _OTHER], index=None, key=f"{key}.genre")
            other = right.text_input("If it is another genre", key=f"{key}.other")
            if is_kept:
                agrees = st.checkbox(
                    f"Keep this sound {visitor.place()}, to learn from. Otherwise it is never written to disk.",
                    key=f"{key}.consent",
                )
            else:
                st.caption("What the model hears in it goes to your clips on Train, for this visit. Nothing is stored.")
            if st.form_submit_button("Correct it"):
                name = other.strip() if genre in {None, _OTHER} else str(genre)
                if other.strip() and name != other.strip():
                    st.warning(plain(f"Both {name} and {other.strip()} are named. Empty the one that it is not."))
                elif is_kept:
                    _keep(sound, name, agrees=agrees)
                else:
                    _hold(sound, name)


def _keep(sound: Sound, genre: str, *, agrees: bool) -> None:
    if not agrees:
        st.warning("Nothing was kept: a correction needs the sound, and your consent to keep it.")
        return
    owner = visitor.owner()
    try:
        user_clips.add_clip(user_clips.corrections_dir(owner), genre, sound.name, sound.data, owner=owner)
    except CrnnError as err:
        st.error(plain(str(err)))
        return
    st.session_state[_THANKS] = sound.digest
    st.rerun()


def _hold(sound: Sound, genre: str) -> None:
    # Here, because nobody else on this page waits for what a training is made of.
    from ui.shared import lesson

    with st.spinner("Listening for what can be learnt"):
        faults = lesson.add(genre, [(sound.name, sound.data)])
    if faults:
        st.error(plain(" ".join(faults)))
        return
    st.session_state[_THANKS] = sound.digest
    st.rerun()
