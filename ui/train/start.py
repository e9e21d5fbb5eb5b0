"""Which model a training starts from: kept by name and content, so that one that is renamed elsewhere is followed."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from crnn.bundles.library import DEFAULT_MODEL
from crnn.config import FeatureConfig
from crnn.data.collection import Collection
from crnn.errors import DatasetError
from crnn.features.front_ends import check_front_end
from crnn.text import listed
from ui.shared.model_choice import content_of, follow
from ui.shared.state import Model
from ui.shared.words import plain

__all__ = ["DEFAULT_MODEL", "SCRATCH", "Starts", "choose_start_of_head", "choose_start_of_network", "starts_for"]

SCRATCH = "scratch"
_KEPT = "train.start.kept"


@dataclass(frozen=True)
class Starts:
    """What a training on some data sets may start from.

    models: those that read them.
    unread: names of what does not, `SCRATCH` for a network that begins from nothing.
    """

    models: list[Model]
    unread: tuple[str, ...] = ()

    @property
    def is_scratch(self) -> bool:
        """Whether a network that begins from nothing reads them."""
        return SCRATCH not in self.unread

    @property
    def names(self) -> list[str]:
        """All of them."""
        return [model.bundle.name for model in self.models] + ([SCRATCH] if self.is_scratch else [])

    @property
    def bodies(self) -> list[Model]:
        """The models whose network can be trained on."""
        return [model for model in self.models if model.bundle.is_trainable]


def starts_for(collection: Collection, models: list[Model]) -> Starts:
    """The starts that read what the data sets hold, with a word on those that do not.

    The spectrograms of a log-mel archive were made for one front end; of sound any is made.

    Args:
        collection: The data sets.
        models: All there are.

    Raises:
        DatasetError: Nothing reads them.
    """
    fit = [model for model in models if not _reason_against(collection, model.bundle.feature_config)]
    unread = [model.bundle.name for model in models if model not in fit]
    why_not_scratch = _reason_against(collection, FeatureConfig())
    starts = Starts(fit, tuple(unread + [SCRATCH] * bool(why_not_scratch)))
    if not starts.names:
        raise DatasetError(why_not_scratch)
    # A place for it, whether there is something to say or not: boxes below that moved would close.
    with st.container():
        if starts.unread:
            made_for, not_for = listed(starts.names), listed(list(starts.unread))
            st.caption(plain(f"A log-mel archive is among them, made for {made_for}, not for {not_for}."))
    return starts


def _reason_against(collection: Collection, config: FeatureConfig) -> str:
    """Why a model of these features cannot learn from the data sets; empty if it can."""
    for dataset in collection.datasets:
        if dataset.made_with is not None and dataset.source is not None:
            try:
                check_front_end(dataset.made_with, config, dataset.source.name)
            except DatasetError as err:
                return str(err)
    return ""


def choose_start_of_head(starts: Starts) -> str:
    """The model whose hearing a head is fitted to.

    Args:
        starts: What there is, one model at least.
    """
    models = starts.models
    named = next((model for model in models if model.bundle.name == DEFAULT_MODEL), models[0])
    key = "train.head.init"
    labels = {model.bundle.name: f"the model {model.bundle.name}" for model in models}
    chosen = _followed(models, key, named.bundle.name, starts.unread)
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


def choose_start_of_network(starts: Starts) -> str | None:
    """The model that a network starts from; None for scratch.

    Args:
        starts: What there is: a model that can be trained on, or scratch.
    """
    models = starts.bodies
    names = [model.bundle.name for model in models] + ([SCRATCH] if starts.is_scratch else [])
    # Scratch is far worse on few tracks (docs/scores.md), and on many it takes longer to come as far.
    first = DEFAULT_MODEL if DEFAULT_MODEL in names else names[0]
    key = "train.init"
    chosen = _followed(models, key, first, starts.unread)
    st.radio(
        "Start from",
        names,
        format_func=lambda name: "scratch: knows nothing yet" if name == SCRATCH else f"the model {plain(name)}",
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


def _followed(models: list[Model], key: str, default: str, unread: tuple[str, ...]) -> str:
    """What was chosen, wherever it is called so now; what became of it is said."""
    kept: dict[str, tuple[str, str]] = st.session_state.setdefault(_KEPT, {})
    name, content = kept.get(key, (default, ""))
    if name in unread:
        # It waits for data that it reads.
        name = default
    elif name != SCRATCH:
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
