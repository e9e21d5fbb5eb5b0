"""What was heard in this visit: a short list in the sidebar, from which each sound can be brought back."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import streamlit as st

from crnn import text
from crnn.inference import output
from ui.shared import answer_cache, state
from ui.shared.state import Heard, Model
from ui.shared.words import plain

_N_SHOWN = 6


def draw_heard(model: Model | None) -> None:
    """Draw the list: name, answer and time, latest first.

    Args:
        model: Whose answers are told.
    """
    heard = state.heard()
    if not heard:
        return
    with st.sidebar:
        st.markdown("**Heard in this visit**")
        for number, each in enumerate(heard[:_N_SHOWN]):
            _draw(number, each, model)
        if len(heard) > _N_SHOWN:
            with st.expander(f"{len(heard) - _N_SHOWN} more"):
                for number, each in enumerate(heard[_N_SHOWN:], start=_N_SHOWN):
                    _draw(number, each, model)
        st.button("Clear the list", on_click=_forget, args=(heard,), key="heard.clear", type="tertiary")


def _draw(number: int, each: Heard, model: Model | None) -> None:
    name = plain(state.name_of(each.sound))
    # The answer belongs to the name above it, not to the next.
    with st.container(gap=None):
        with st.container(horizontal=True, vertical_alignment="center", gap="small", key=f"heard.row.{number}"):
            st.button(
                name,
                help=f"Bring back {name}. {_words(each, model)}",
                on_click=state.bring_back,
                args=(each.sound,),
                key=f"heard.{number}",
                type="tertiary",
            )
            st.space("stretch")
            st.button(
                ":material/close:",
                help=f"Remove {name}",
                on_click=_forget,
                args=((each,),),
                key=f"heard.remove.{number}",
                type="tertiary",
            )
        st.caption(_words(each, model))


def _words(each: Heard, model: Model | None) -> str:
    found = answer_cache.known(each.sound, model) if model else None
    time = datetime.fromtimestamp(each.given_at, _zone()).strftime("%H:%M")
    if found is None:
        is_refused = model is not None and answer_cache.is_answered(each.sound, model)
        return f"not read · {time}" if is_refused else time
    words = output.short_verdict(found)
    if words == found.genre:
        words = f"{words}, {text.confidence(found.confidence)}"
    return f"{plain(words)} · {time}"


def _zone() -> ZoneInfo | None:
    try:
        return ZoneInfo(st.context.timezone) if st.context.timezone else None
    except (ZoneInfoNotFoundError, ValueError):
        return None


def _forget(heard: tuple[Heard, ...]) -> None:
    state.forget({each.sound.digest for each in heard})
