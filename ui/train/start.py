"""Which model a training starts from: kept by name and content, so that one that is renamed elsewhere is followed."""

from __future__ import annotations

import streamlit as st

from crnn.bundles.library import DEFAULT_MODEL
from ui.shared.model_choice import content_of, follow
from ui.shared.state import Model
from ui.shared.words import plain

__all__ = ["DEFAULT_MODEL", "SCRATCH", "choose_start_of_head", "choose_start_of_network"]

SCRATCH = "scratch"
_KEPT = "train.start.kept"


def choose_start_of_head(models: list[Model]) -> str:
    """The model whose hearing a head is fitted to.

    Args:
        models: What there is, one at least.
    """
    named = next((model for model in models if model.bundle.name == DEFAULT_MODEL), models[0])
    key = "train.head.init"
    labels = {model.bundle.name: f"the model {model.bundle.name}" for model in models}
    chosen = _followed(models, key, named.bundle.name)
    st.selectbox(
        "Start from",
        list(labels),
        format_func=lambda name: labels.get(name, name),
        key=key,
        on_change=_take,
        args=(key, _contents(models)),
        help="Its hearing is taken over as it is, and with it what it declines as no music.",
    )
    return chosen


def choose_start_of_network(models: list[Model]) -> str | None:
    """The model that a network starts from; None for scratch.

    Args:
        models: Those that can be trained on.
    """
    names = [model.bundle.name for model in models]
    # Scratch is far worse on few tracks (docs/scores.md), and on many it takes longer to come as far.
    first = DEFAULT_MODEL if DEFAULT_MODEL in names else [*names, SCRATCH][0]
    key = "train.init"
    chosen = _followed(models, key, first)
    st.radio(
        "Start from",
        [*names, SCRATCH],
        format_func=lambda name: "scratch: knows nothing yet" if name == SCRATCH else f"the model {name}",
        key=key,
        on_change=_take,
        args=(key, _contents(models)),
        help="A trained model already knows how music sounds; from scratch many more tracks are needed, and of few "
        "it learns far less. "
        "Its features and network are taken over from it, whatever the preset.",
    )
    return None if chosen == SCRATCH else chosen


def _contents(models: list[Model]) -> dict[str, str]:
    return {model.bundle.name: content_of(model) for model in models}


def _followed(models: list[Model], key: str, default: str) -> str:
    """What was chosen, wherever it is called so now; what became of it is said."""
    kept: dict[str, tuple[str, str]] = st.session_state.setdefault(_KEPT, {})
    name, content = kept.get(key, (default, ""))
    if name != SCRATCH:
        # Models go by their label there; here each has its name alone.
        by_label = {model.label: model for model in models}
        label = next((label for label, model in by_label.items() if model.bundle.name == name), name)
        found, news = follow(models, label, content)
        if news:
            st.info(plain(news if found else f"{news} It starts from {default} instead."))
        name = found.bundle.name if found else default
        if found is not None and key in kept:
            kept[key] = (name, content_of(found))
        elif found is None:
            kept.pop(key, None)
    st.session_state[key] = name
    return name


def _take(key: str, contents: dict[str, str]) -> None:
    # A page that was just left may still have Streamlit call for a widget that is gone.
    if key in st.session_state:
        name = st.session_state[key]
        st.session_state.setdefault(_KEPT, {})[key] = (name, contents.get(name, ""))
