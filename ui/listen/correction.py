"""A clip and its genre, for the next training: kept if its owner agrees, or for his visit.

“No, this is …” puts it among the corrections; a part that is added to a data set goes to one's own clips.
"""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from crnn.data import user_clips
from crnn.errors import CrnnError
from ui.components.landing import landing
from ui.shared import state, visitor
from ui.shared.state import Sound
from ui.shared.words import plain

_OTHER = "another genre"
_THANKS = "listen.corrected"
_KEPT = "Kept among your corrections. Choose them on the Train page, and the next model learns it."
_ADDED = "It is among your clips on the Train page. Three of each of two genres, and a model learns them in seconds."
_HELD = "It is among your clips on the Train page, for this visit: with others of its genre a model learns it."
_NO_CONSENT = "Nothing was kept: a correction needs the sound, and your consent to keep it."


@dataclass(frozen=True)
class _Wish:
    """What was said of a sound (its digest), until it is carried out."""

    digest: str
    genre: str | None
    other: str
    agrees: bool
    is_part: bool


def draw_correction(sound: Sound, genres: tuple[str, ...], *, is_part: bool = False) -> None:
    """Draw the form; a clip is written to disk only when consent was given.

    No fragment: Streamlit drops the click on a fragment's button where a run of the whole page comes between, and
    what is said here has to be kept whatever else happens to the page.

    Args:
        sound: What was answered.
        genres: What the model knows.
        is_part: Whether it is a part that was chosen, to make a data set of.
    """
    title = "Add this part to a data set" if is_part else "No, this is …"
    key = "listen.part.correct" if is_part else "listen.correct"
    owner = visitor.owner()
    is_kept = owner.may("keep")
    if not is_kept and not owner.may("teach"):
        return
    with st.expander(title, key=f"{key}.box"):
        fault = _carry_out(sound, key, is_kept=is_kept)
        is_done = st.session_state.get(_THANKS) == sound.digest
        # One place for both: what is below stays the same, and sees the one go.
        with st.container():
            if is_done:
                st.success(_HELD if not is_kept else _ADDED if is_part else _KEPT)
            else:
                _draw_form(sound, genres, key, is_kept=is_kept, is_part=is_part)
                if fault:
                    st.warning(plain(fault))
        landing(f"{key}.landing", is_done=is_done)


def _draw_form(sound: Sound, genres: tuple[str, ...], key: str, *, is_kept: bool, is_part: bool) -> None:
    # Whoever makes a data set of parts has named its genres with the first ones.
    own = user_clips.n_clips(user_clips.own_dir(visitor.owner())) if is_part and is_kept else {}
    with st.form(key, border=False):
        left, right = st.columns(2)
        left.selectbox("What it is", [*dict.fromkeys([*own, *genres]), _OTHER], index=None, key=f"{key}.genre")
        right.text_input("If it is another genre", key=f"{key}.other")
        if is_kept and is_part:
            st.caption(f"It is kept {visitor.place()}, among your clips on the Train page.")
        elif is_kept:
            st.checkbox(
                f"Keep this sound {visitor.place()}, to learn from. Otherwise it is never written to disk.",
                key=f"{key}.consent",
            )
        else:
            st.caption("What the model hears in it goes to your clips on Train, for this visit. Nothing is stored.")
        label = "Add it" if is_part else "Correct it"
        st.form_submit_button(label, on_click=_wish, args=(sound.digest, key), kwargs={"is_part": is_part})


def _wish(digest: str, key: str, *, is_part: bool) -> None:
    # A callback runs before anything else; a script that is left before it has drawn this far leaves the wish behind.
    said = {name: st.session_state.get(f"{key}.{name}") for name in ("genre", "other", "consent")}
    st.session_state[f"{key}.wish"] = _Wish(
        digest, said["genre"], str(said["other"] or "").strip(), bool(said["consent"]), is_part
    )


def _carry_out(sound: Sound, key: str, *, is_kept: bool) -> str:
    """Do what was asked for, once; why it was not done, if it was not."""
    # Two scripts at once would both find the wish.
    with state.visit_lock():
        wish: _Wish | None = st.session_state.get(f"{key}.wish")
        if wish is None or wish.digest != sound.digest:
            return ""
        fault = _fault_of(wish, is_kept=is_kept) or (_keep(sound, wish) if is_kept else _hold(sound, wish))
        if not fault:
            st.session_state[_THANKS] = sound.digest
        # Only now: a script that was left meanwhile has done nothing.
        st.session_state.pop(f"{key}.wish", None)
        return fault


def _fault_of(wish: _Wish, *, is_kept: bool) -> str:
    if wish.other and wish.genre not in {None, _OTHER, wish.other}:
        return f"Both {wish.genre} and {wish.other} are named. Empty the one that it is not."
    # Who adds a part asks for nothing else than that it be kept.
    return _NO_CONSENT if is_kept and not wish.agrees and not wish.is_part else ""


def _name_in(wish: _Wish) -> str:
    return wish.other if wish.genre in {None, _OTHER} else str(wish.genre)


def _keep(sound: Sound, wish: _Wish) -> str:
    owner = visitor.owner()
    try:
        folder = user_clips.own_dir(owner) if wish.is_part else user_clips.corrections_dir(owner)
        user_clips.add_clip(folder, _name_in(wish), sound.name, sound.data, owner=owner)
    except CrnnError as err:
        return str(err)
    return ""


def _hold(sound: Sound, wish: _Wish) -> str:
    # Here, because nobody else on this page waits for what a training is made of.
    from ui.shared import lesson

    with st.spinner("Listening for what can be learnt"):
        return " ".join(lesson.add(_name_in(wish), [(sound.name, sound.data)]))
