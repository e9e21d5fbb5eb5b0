"""Files to take a model elsewhere: each is made when it is asked for, which can be stopped."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import streamlit as st

from crnn.bundles import library
from crnn.bundles.bundle import Bundle
from crnn.errors import CrnnError
from crnn.jobs import exports
from crnn.owner import Owner
from ui.models.making import Make, Making
from ui.shared import visitor
from ui.shared.state import MAKING, Model
from ui.shared.words import plain

_EXPORTS = "models.exports"
# What became of the last one, where it was not made: of which model, what, and whether that is a fault.
_SAID = "models.exports.said"
# What is done sooner takes the button's place at once.
_PATIENCE_SECONDS = 0.3
_LOOK_SECONDS = 0.5


def draw_exports(model: Model) -> None:
    """Draw a row for each kind of file: a button, how far it is, or the file itself once it is made.

    Args:
        model: What is taken elsewhere.
    """
    _collect()
    bundle, making = model.bundle, _under_way()
    files = _files(bundle, visitor.owner())
    for label, (file_name, make) in files.items():
        _draw_row(model, label, file_name, make)
    # Below all rows: none of them moves by what is said.
    with st.container():
        if making is not None and making.key not in {_key(model, label) for label in files}:
            _draw_waiting(making, f"{making.name} of another model")
        of, said, is_fault = st.session_state.get(_SAID, ("", "", False))
        if of == model.fingerprint:
            (st.error if is_fault else st.caption)(plain(said))
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


def _files(bundle: Bundle, owner: Owner) -> dict[str, tuple[str, Make]]:
    """What each kind of file is called, and what makes it: in a thread, which must not ask the page for anything."""
    files: dict[str, tuple[str, Make]] = {
        "To import elsewhere": (f"{bundle.name}.zip", lambda on_wait: library.pack(bundle))
    }
    if bundle.is_trainable:
        whole: Make = lambda on_wait: library.pack(bundle, whole=True)  # noqa: E731
        files["With Keras, to train from elsewhere"] = (f"{bundle.name}-whole.zip", whole)
    kinds = {"ONNX": "onnx", "Keras": "keras", "TensorFlow Lite": "tflite"} if bundle.is_trainable else {"ONNX": "onnx"}
    for label, kind in kinds.items():
        files[label] = (f"{bundle.name}-{kind}.zip", partial(_exported, bundle, kind, owner))
    return files


def _exported(bundle: Bundle, kind: str, owner: Owner, on_wait: Callable[[], None]) -> bytes:
    return exports.exported(bundle, kind, owner=owner, on_wait=on_wait)


def _key(model: Model, label: str) -> str:
    return f"{model.fingerprint}.{label}"


def _under_way() -> Making | None:
    making: Making | None = st.session_state.get(MAKING)
    return making


def _draw_row(model: Model, label: str, file_name: str, make: Make) -> None:
    """One kind of file, in one place: nothing is made that nobody wants, and one at a time."""
    key, making = _key(model, label), _under_way()
    made = st.session_state.setdefault(_EXPORTS, {})
    if key in made:
        st.download_button(
            f"Save {file_name}", made[key], file_name, on_click="ignore", key=f"models.save.{key}", width="stretch"
        )
    elif making is not None and making.key == key:
        _draw_waiting(making, label)
    else:
        st.button(
            label,
            key=f"models.export.{key}",
            width="stretch",
            disabled=making is not None,
            on_click=_begin,
            args=(model, label, make),
        )


def _begin(model: Model, label: str, make: Make) -> None:
    # The click may come from a page that another tab has overtaken.
    if _under_way() is not None:
        return
    st.session_state.pop(_SAID, None)
    try:
        visitor.owner().require("export")
    except CrnnError as err:
        st.session_state[_SAID] = (model.fingerprint, str(err), True)
        return
    making = st.session_state[MAKING] = Making(_key(model, label), label, make)
    making.is_done(_PATIENCE_SECONDS)


def _draw_waiting(making: Making, name: str) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        _watch(name)
        # No part of what is drawn again and again: a click on it could be lost there.
        st.button("Stop", key=f"models.stop.{making.key}", on_click=_stop)


@st.fragment(run_every=_LOOK_SECONDS)
def _watch(name: str) -> None:
    """How long it has taken; the whole page runs anew when it is done."""
    making = _under_way()
    if making is None or making.is_done():
        st.rerun()
    st.caption(f"{name}: making and checking it, {making.seconds:.0f} s")


def _collect() -> None:
    """Take what is done: a file, or why there is none."""
    making = _under_way()
    if making is None or not making.is_done():
        return
    st.session_state.pop(MAKING)
    try:
        st.session_state.setdefault(_EXPORTS, {})[making.key] = making.file()
    except (CrnnError, OSError) as err:
        st.session_state[_SAID] = (_model_of(making), str(err), True)


def _stop() -> None:
    making: Making | None = st.session_state.pop(MAKING, None)
    if making is not None:
        making.stop()
        st.session_state[_SAID] = (_model_of(making), f"{making.name} was stopped: nothing of it is kept.", False)


def _model_of(making: Making) -> str:
    """The fingerprint of the model that is exported."""
    return making.key.partition(".")[0]
