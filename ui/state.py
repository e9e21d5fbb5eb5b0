"""Facts that pages share: the sounds that were given, the models that are there.

Sounds and answers belong to one visitor (`st.session_state`), models to the
process (`cache_resource`). Widgets hold none of it, so that a page is found as
it was left.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import streamlit as st

from crnn import paths
from crnn.bundle import Bundle, bundle_folders, load_bundle
from crnn.errors import BundleError
from crnn.inference import Classifier

Origin = Literal["recording", "upload", "example"]

# What Explore shows when it is opened: which part, and of which sound (its digest).
EXPLORE_PART = "genrescope.explore_part"
EXPLORE_SOUND = "genrescope.explore_sound"
REASONS = "Why this genre"

_SOUNDS = "genrescope.sounds"
_MODEL = "genrescope.model"


@dataclass(frozen=True)
class Sound:
    """What a visitor gave: the bytes of a file, and where they came from.

    name: the file's; empty for a recording.
    """

    name: str
    data: bytes
    origin: Origin

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the bytes and the name, the key of what is derived from them."""
        return hashlib.sha256(self.data + b"\0" + self.name.encode("utf-8", "replace")).hexdigest()


@dataclass(frozen=True)
class Model:
    """A bundle that loads, and a fingerprint of its files."""

    bundle: Bundle
    fingerprint: str


def sounds() -> tuple[Sound, ...]:
    """What the visitor gave last, on whichever page."""
    given: tuple[Sound, ...] = st.session_state.get(_SOUNDS, ())
    return given


def give(given: tuple[Sound, ...]) -> None:
    """Make `given` the sounds that the pages speak of."""
    st.session_state[_SOUNDS] = given


def models_dir() -> Path:
    """Folder of the models; `GENRESCOPE_MODELS` moves it."""
    return paths.models_dir()


def find_models() -> tuple[list[Model], list[str]]:
    """Every model that loads, by name, and a sentence for each that does not."""
    found, faults = [], []
    try:
        folders = bundle_folders(models_dir())
    except BundleError as err:
        return [], [str(err)]
    for path in folders:
        try:
            fingerprint = _fingerprint(path)
            found.append(Model(_bundle(str(path), fingerprint), fingerprint))
        except BundleError as err:
            faults.append(str(err))
        except FileNotFoundError:
            # Another server took it off the shelf between two looks.
            continue
        except OSError as err:
            faults.append(f"The model “{path.name}” cannot be read: {err.strerror or err}.")
    return found, faults


def choose_model(models: list[Model], key: str) -> Model | None:
    """Draw the choice of the model, kept for every page; None if there is none.

    Args:
        models: What there is.
        key: Widget key, one for each page.
    """
    if not models:
        return None
    names = [model.bundle.name for model in models]
    kept = st.session_state.get(_MODEL)
    name = st.selectbox(
        "Model",
        names,
        index=names.index(kept) if kept in names else 0,
        format_func=lambda name: f"model: {name}",
        label_visibility="collapsed",
        key=key,
    )
    st.session_state[_MODEL] = name
    return models[names.index(name)]


def use_model(name: str) -> None:
    """Make a model the one that every page offers first."""
    st.session_state[_MODEL] = name


def classifier(model: Model) -> Classifier:
    """The classifier of a model, opened once for all visitors.

    Raises:
        BundleError: The network cannot be opened.
    """
    return _classifier(model, model.fingerprint)


def _fingerprint(folder: Path) -> str:
    files = sorted(path for path in folder.iterdir() if path.is_file())
    facts = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in files]
    return hashlib.sha256(repr((str(folder), facts)).encode()).hexdigest()


@st.cache_resource(max_entries=64, show_spinner=False)
def _bundle(folder: str, fingerprint: str) -> Bundle:
    return load_bundle(Path(folder))


@st.cache_resource(max_entries=4, show_spinner=False)
def _classifier(_model: Model, fingerprint: str) -> Classifier:
    return Classifier(_model.bundle)
