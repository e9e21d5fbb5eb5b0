"""The shelf of models: the list, a model's card, and what can be done with it."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import streamlit as st

from crnn import shelf
from crnn.bundle import ONNX_NAME, Bundle
from crnn.card import model_card
from crnn.errors import CrnnError
from ui import limits, state
from ui.state import Model
from ui.words import plain

_ROW_PIXELS = 33
_FAULT = "models.fault"
_NEWS = "models.news"
_EXPORTS = "models.exports"
_REPOSITORY = Path(__file__).resolve().parent.parent
# Converting takes TensorFlow's start and an unrolled network: half a minute on two cores.
_EXPORT_SECONDS = 600.0


def choose_model(models: list[Model]) -> Model | None:
    """Draw the list; the model whose row was chosen, or the only one there is."""
    rows = [_row(model.bundle) for model in models]
    event: Any = st.dataframe(
        {title: [row[title] for row in rows] for title in rows[0]},
        hide_index=True,
        height=_ROW_PIXELS * (min(len(rows), 8) + 1) + 3,
        row_height=_ROW_PIXELS,
        on_select="rerun",
        selection_mode="single-row",
        key=f"models.table.{len(rows)}",
        column_config={
            "Score": st.column_config.ProgressColumn(
                min_value=0.0,
                max_value=1.0,
                format="%.2f",
                help="Share of unheard tracks right. Compare it only on the same data.",
            ),
            "Size": st.column_config.NumberColumn(format="%.1f MB"),
        },
    )
    chosen = event["selection"]["rows"] or ([0] if len(models) == 1 else [])
    return models[chosen[0]] if chosen and chosen[0] < len(models) else None


def _row(bundle: Bundle) -> dict[str, str | float | None]:
    scores = _scores(bundle)
    size = sum(bundle.file(name).stat().st_size for name in bundle.files)
    return {
        "Name": bundle.name,
        "Score": scores.get("accuracy"),
        "On": f"{scores['n_tracks']} {scores['part']} tracks" if scores else "not scored",
        "Data": str(bundle.data.get("name", "not stated")),
        "Made": bundle.created[:10],
        "Size": size / 2**20,
        # Last, as it may be wider than the rest together.
        "Genres": ", ".join(bundle.genres),
    }


def _scores(bundle: Bundle) -> dict[str, Any]:
    """The first scores that hold what the list shows; an imported bundle may hold anything there."""
    for part, scores in bundle.scores.items():
        if isinstance(scores, dict) and isinstance(scores.get("accuracy"), float) and "n_tracks" in scores:
            return scores | {"part": part}
    return {}


def draw_model(model: Model) -> None:
    """What can be done with a model, and its card."""
    bundle = model.bundle
    st.subheader(plain(bundle.name), anchor=False)
    with st.container(horizontal=True):
        if st.button("Use on Listen", icon=":material/headphones:", type="primary", key="models.use"):
            state.use_model(bundle.name)
            st.switch_page("app.py")
        with st.popover("Rename", icon=":material/edit:"), st.form("models.rename", border=False):
            name = st.text_input("New name", bundle.name, key=f"models.name.{model.fingerprint}")
            if st.form_submit_button("Rename"):
                _try(lambda: shelf.rename(bundle, name.strip()), f"Renamed to {name.strip()}.")
        with st.popover("Export", icon=":material/download:"):
            _draw_exports(model)
        if st.button("Delete", icon=":material/delete:", key="models.delete"):
            folder = bundle.path or Path()
            _try(lambda: shelf.delete(folder), f"{bundle.name} was deleted. It can be put back below.")
    if not bundle.is_trainable:
        st.caption("It names genres, but training cannot start from it: it was imported without its Keras file.")
    with st.expander("Model card", expanded=True):
        st.markdown(card_text(bundle))


def card_text(bundle: Bundle) -> str:
    """The card as Markdown in which nothing that came with the bundle can be markup, picture or link."""
    tame = dataclasses.replace(
        bundle,
        name=plain(bundle.name),
        genres=tuple(plain(genre) for genre in bundle.genres),
        notes=plain(bundle.notes),
        created=plain(bundle.created),
        **{name: _tamed(getattr(bundle, name)) for name in ("data", "split", "scores", "model", "versions")},
    )
    try:
        text = model_card(tame)
    except (AttributeError, KeyError, TypeError, ValueError, IndexError):
        return f"Genres: {', '.join(tame.genres)}. This model says nothing of how it was made and scored."
    # The page has said its name, and a card among buttons needs no headlines.
    return re.sub(r"^#+ ", "##### ", text.partition("\n\n")[2], flags=re.MULTILINE)


def _tamed(value: Any) -> Any:
    if isinstance(value, str):
        return plain(value)
    if isinstance(value, dict):
        # The card looks scores up by keys like macro_f1: plain words stay as they are.
        return {key if re.fullmatch(r"\w+", key) else plain(key): _tamed(item) for key, item in value.items()}
    return [_tamed(item) for item in value] if isinstance(value, list) else value


def _draw_exports(model: Model) -> None:
    bundle = model.bundle
    _offer("Everything, to import elsewhere (zip)", f"{bundle.name}.zip", lambda: shelf.pack(bundle), model)
    if not bundle.is_trainable:
        _offer("ONNX", f"{bundle.name}.onnx", lambda: bundle.file(ONNX_NAME).read_bytes(), model)
        st.caption("Any length of sound. It came without Keras, so there is nothing to compare it with.")
        return
    _offer("ONNX", f"{bundle.name}.onnx", lambda: _exported(bundle, "onnx"), model)
    _offer("Keras", f"{bundle.name}.keras", lambda: _exported(bundle, "keras"), model)
    _offer("TensorFlow Lite", f"{bundle.name}.tflite", lambda: _exported(bundle, "tflite"), model)
    seconds = bundle.feature_config.segment_seconds
    st.caption(
        f"ONNX and Keras take any length of sound, TensorFlow Lite segments of exactly {seconds:g} s in the plain "
        "interpreter. Each is offered once its answers on music agree, which takes up to half a minute."
    )


def _offer(label: str, file_name: str, make: Callable[[], bytes], model: Model) -> None:
    """A button that makes a file, then the file: nothing is made that nobody wants."""
    made = st.session_state.setdefault(_EXPORTS, {})
    key = f"{model.fingerprint}.{label}"
    if key not in made:
        if not st.button(label, key=f"models.export.{key}", width="stretch"):
            return
        try:
            with st.spinner("Preparing the file"):
                made[key] = make()
        except (CrnnError, OSError) as err:
            st.error(plain(str(err)))
            return
    st.download_button(
        f"Save {file_name}", made[key], file_name, on_click="ignore", key=f"models.save.{key}", width="stretch"
    )


def _exported(bundle: Bundle, kind: str) -> bytes:
    """The network as a file that answers alike, made by a process of its own: pages never load TensorFlow.

    Raises:
        CrnnError: The conversion failed, or differs.
    """
    with tempfile.TemporaryDirectory() as temporary:
        out = Path(temporary) / f"model.{kind}"
        command = [
            sys.executable,
            "-m",
            "crnn",
            "export",
            "--model",
            str(bundle.path),
            "--to",
            kind,
            "--out",
            str(out),
        ]
        process = subprocess.Popen(
            command, cwd=_REPOSITORY, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace"
        )
        try:
            _, said = process.communicate(timeout=_EXPORT_SECONDS)
        finally:
            # Streamlit's own Stop ends this function here.
            if process.poll() is None:
                process.kill()
        if process.returncode != 0 or not out.is_file():
            reason = next((line for line in said.splitlines() if line.startswith("error:")), "error: it ended early")
            raise CrnnError(f"The export failed: {reason.removeprefix('error: ')}")
        return out.read_bytes()


def draw_import() -> None:
    """The way in for models from elsewhere."""
    with st.expander("Import a model", icon=":material/upload:"):
        st.caption(
            "A zip that was exported here or on another machine. It is checked, and holds no code. "
            f"{limits.of_models()}"
        )
        st.file_uploader("Zip of a model", key="models.import", on_change=_take_import, label_visibility="collapsed")


def _take_import() -> None:
    upload = st.session_state["models.import"]
    if upload is not None:
        _try(lambda: shelf.import_zip(upload.getvalue()), f"{upload.name} was imported.", rerun=False)


def draw_deleted() -> None:
    """Deleted models, to be put back or thrown away."""
    gone = shelf.deleted()
    if not gone:
        return
    with st.expander("Deleted models", icon=":material/delete:", expanded=_was_just_deleted(gone[0])):
        for model in gone[:20]:
            left, middle, right = st.columns([5, 1, 2], vertical_alignment="center")
            left.markdown(plain(model.name))
            if middle.button("Undo", key=f"models.undo.{model.folder.name}"):
                _try(lambda model=model: shelf.put_back(model), f"{model.name} is back.")
            if right.button("Delete for good", key=f"models.gone.{model.folder.name}"):
                shelf.throw_away(model)
                st.rerun()


def _was_just_deleted(model: shelf.Deleted) -> bool:
    return time.time() - int(model.folder.name.rpartition("@")[2]) / 1e9 < 60


def draw_news() -> None:
    """What the last action did, once."""
    fault, news = st.session_state.pop(_FAULT, None), st.session_state.pop(_NEWS, None)
    if fault:
        st.error(plain(fault))
    if news:
        st.success(plain(news))


def _try(action: Callable[[], object], news: str, *, rerun: bool = True) -> None:
    """Do it, and say so or why not when the page is drawn next."""
    try:
        action()
        st.session_state[_NEWS] = news
    except CrnnError as err:
        st.session_state[_FAULT] = str(err)
    if rerun:
        st.rerun()
