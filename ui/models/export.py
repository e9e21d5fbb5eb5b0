"""Files to take a model elsewhere: each is made when it is asked for, which can be stopped."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from crnn.bundles import library
from crnn.errors import CrnnError
from crnn.jobs import exports
from ui.shared import visitor
from ui.shared.state import Model
from ui.shared.words import plain

_EXPORTS = "models.exports"
_STOPPED = "models.exports.stopped"
_Make = Callable[[Callable[[], None]], bytes]


def draw_exports(model: Model) -> None:
    """Draw a button for each kind of file, or the file itself once it is made.

    Args:
        model: What is taken elsewhere.
    """
    bundle = model.bundle
    _offer("To import elsewhere", f"{bundle.name}.zip", lambda on_wait: library.pack(bundle), model)
    if bundle.is_trainable:
        whole: _Make = lambda on_wait: library.pack(bundle, whole=True)  # noqa: E731
        _offer("With Keras, to train from elsewhere", f"{bundle.name}-whole.zip", whole, model)
    kinds = {"ONNX": "onnx", "Keras": "keras", "TensorFlow Lite": "tflite"} if bundle.is_trainable else {"ONNX": "onnx"}
    for label, kind in kinds.items():
        _offer(label, f"{bundle.name}-{kind}.zip", partial(_exported, model, kind), model)
    if not bundle.is_trainable:
        st.caption("It came without Keras, so there is nothing to compare its network with.")
        return
    st.caption(
        "The first is what Import takes. The second holds the Keras file, too: unpack it into the folder of models of "
        "a machine of yours. The others are for programs of your own, each with a script; that their answers agree is "
        "checked first, which may take a minute."
    )
    if bundle.companion is not None:
        st.caption(
            "It answers by two networks: each of the last three holds two files, and its script says what both say "
            "together. TensorFlow Lite reads 10 s at once, so there a sound must be as long."
        )


def _exported(model: Model, kind: str, on_wait: Callable[[], None]) -> bytes:
    return exports.exported(model.bundle, kind, owner=visitor.owner(), on_wait=on_wait)


def _offer(label: str, file_name: str, make: _Make, model: Model) -> None:
    """A button that makes a file, then the file: nothing is made that nobody wants."""
    made = st.session_state.setdefault(_EXPORTS, {})
    key = f"{model.fingerprint}.{label}"
    # What comes takes the button's place: nothing below it moves.
    place = st.empty()
    if key not in made:
        if not place.button(label, key=f"models.export.{key}", width="stretch"):
            if st.session_state.get(_STOPPED) == key:
                st.caption(f"{label} was stopped: nothing of it is kept.")
            return
        st.session_state.pop(_STOPPED, None)
        try:
            visitor.owner().require("export")
            made[key] = make(_Waiting(place, label, key))
        except (CrnnError, OSError) as err:
            place.error(plain(str(err)))
            return
    place.download_button(
        f"Save {file_name}", made[key], file_name, on_click="ignore", key=f"models.save.{key}", width="stretch"
    )


class _Waiting:
    """Says how long it has taken, beside a Stop: a click there, or anywhere, ends the script where this is called."""

    def __init__(self, place: DeltaGenerator, label: str, key: str) -> None:
        self._label, self._began = label, time.monotonic()
        with place.container(horizontal=True, vertical_alignment="center"):
            self._words = st.empty()
            st.button("Stop", key=f"models.stop.{key}", on_click=_stop, args=(key,))
        self()

    def __call__(self) -> None:
        seconds = time.monotonic() - self._began
        self._words.caption(f"{self._label}: making and checking it, {seconds:.0f} s")


def _stop(key: str) -> None:
    st.session_state[_STOPPED] = key
