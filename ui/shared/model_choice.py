"""Which model answers: kept by name and content, so that what became of it elsewhere is followed, or said.

Another window, or another person, may rename, delete or replace a model at any time.
"""

from __future__ import annotations

import hashlib
import json

import streamlit as st

from crnn.bundles.library import default_model
from ui.shared.state import MODEL, MODEL_CONTENT, Model, sounds
from ui.shared.words import plain

_NEWS = "genrescope.model_news"


def content_of(model: Model) -> str:
    """What stays the same of a model whatever it is called."""
    facts = json.dumps([model.bundle.files, model.bundle.genres, model.bundle.created], sort_keys=True)
    return hashlib.sha256(facts.encode()).hexdigest()[:12]


def follow(models: list[Model], label: str, content: str) -> tuple[Model | None, str]:
    """The model that was chosen, among those that are there now, and what became of it; None if it is gone.

    Args:
        models: What there is.
        label: What it was called.
        content: From `content_of`; empty where it is not known yet.
    """
    there = next((model for model in models if model.label == label), None)
    if there is not None:
        is_same = not content or content_of(there) == content
        return there, "" if is_same else f"{label} was replaced by another model of that name."
    renamed = [model for model in models if content and content_of(model) == content]
    if len(renamed) == 1:
        return renamed[0], f"{label} is called {renamed[0].label} now."
    return None, f"{label} is no longer there."


def choose_model(models: list[Model], key: str) -> Model | None:
    """Draw the choice of the model, kept for every page; None if there is none.

    Args:
        models: What there is.
        key: Widget key, one for each page.
    """
    if not models:
        return None
    chosen = _kept(models)
    # Set each time, so that the widget also shows a choice that a refresh brought back, or a changed name.
    st.session_state[key] = chosen.label
    st.selectbox(
        "Model",
        [model.label for model in models],
        format_func=lambda label: f"model: {label}",
        label_visibility="collapsed",
        key=key,
        on_change=_take,
        args=(key, {model.label: content_of(model) for model in models}),
    )
    return chosen


def _take(key: str, contents: dict[str, str]) -> None:
    # A page that was just left may still have Streamlit call for a widget that is gone.
    if key in st.session_state:
        st.session_state.pop(_NEWS, None)
        st.session_state[MODEL] = st.session_state[key]
        st.session_state[MODEL_CONTENT] = contents.get(st.session_state[key], "")


def _default(models: list[Model]) -> Model:
    return next((model for model in models if model.label == default_model()), models[0])


def _kept(models: list[Model]) -> Model:
    default = _default(models)
    label = st.session_state.get(MODEL)
    # Not stored: a refresh may still bring a choice back.
    if label is None:
        return default
    found, news = follow(models, label, st.session_state.get(MODEL_CONTENT, ""))
    if news:
        words = news if found else f"{news} {default.label} answers instead."
        st.session_state[_NEWS] = (words, _given())
    kept = found or default
    st.session_state[MODEL], st.session_state[MODEL_CONTENT] = kept.label, content_of(kept)
    return kept


def draw_news(models: list[Model]) -> None:
    """What became of the model that was chosen, until another is chosen or another sound given; or who answers.

    The one that answers unasked need not be named.

    Args:
        models: What there is.
    """
    words, given = st.session_state.get(_NEWS, ("", ()))
    if words and given == _given():
        st.info(plain(words))
    elif models and _given() and (chosen := _kept(models)).label != _default(models).label:
        st.caption(plain(f"{chosen.label} answers."))


def _given() -> tuple[str, ...]:
    return tuple(sound.digest for sound in sounds())
