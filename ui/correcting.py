"""“No, this is …”: a clip and its right genre, kept for the next training if its owner agrees."""

from __future__ import annotations

import streamlit as st

from crnn import collecting
from crnn.errors import CrnnError
from ui.state import Sound
from ui.words import plain

_OTHER = "another genre"
_THANKS = "listen.corrected"


@st.fragment
def draw_correction(sound: Sound, genres: tuple[str, ...]) -> None:
    """Draw the form; a clip is written to disk only when consent was given.

    Args:
        sound: What was answered.
        genres: What the model knows.
    """
    with st.expander("No, this is …"):
        if st.session_state.get(_THANKS) == sound.digest:
            st.success("Kept among your corrections. Choose them on the Train page, and the next model learns it.")
            return
        with st.form("listen.correct", border=False):
            left, right = st.columns(2)
            genre = left.selectbox("What it is", [*genres, _OTHER], index=None, key="listen.correct.genre")
            other = right.text_input("If it is another genre", key="listen.correct.other")
            agrees = st.checkbox(
                "Keep this sound on this machine, to learn from. Otherwise it is never written to disk.",
                key="listen.correct.consent",
            )
            if st.form_submit_button("Correct it"):
                name = other.strip() if genre in {None, _OTHER} else str(genre)
                _keep(sound, name, agrees=agrees)


def _keep(sound: Sound, genre: str, *, agrees: bool) -> None:
    if not agrees:
        st.warning("Nothing was kept: a correction needs the sound, and your consent to keep it.")
        return
    try:
        collecting.add_clip(collecting.corrections_dir(), genre, sound.name, sound.data)
    except CrnnError as err:
        st.error(plain(str(err)))
        return
    st.session_state[_THANKS] = sound.digest
    st.rerun()
