"""The shelf of models: the list, a model's card, and what can be done with it."""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import streamlit as st

from crnn.bundles import library, shelves
from crnn.bundles.bundle import ONNX_NAME, Bundle
from crnn.bundles.model_card import CARD_FAULTS, interval_of, model_card, scored_parts
from crnn.errors import CrnnError
from crnn.owner import Owner
from ui.models.export import draw_exports
from ui.shared import limits, state, uploads, visitor
from ui.shared.model_choice import content_of
from ui.shared.state import SHELF_MODEL, Model
from ui.shared.words import plain

_ROW_PIXELS = 33
# All of them may be wider than the rest of a row.
_N_GENRES = 3
_GENRES_PIXELS = 180
_FAULT = "models.fault"
_NEWS = "models.news"
_IMPORTS, _IMPORTED = "models.imports", "models.imported"
_IS_OPEN = "models.deleted.is_open"
_WHOSE: dict[shelves.Shelf, str] = {
    "host": "It is this server’s own, and nobody’s to change.",
    "own": "It is yours.",
    "imported": "You imported it: it answers you alone, in a process of its own.",
    "shown": "Another person here made it and shows it to all.",
    "visit": "You taught it in this visit, it answers you alone, and it is gone when you leave.",
}
_POINTED = "models.pointed"


def choose_model(models: list[Model]) -> Model | None:
    """Draw the list; the model whose row was chosen, or the only one there is.

    A row is no more than a way to point: what was chosen is a model, by its name and content. Wherever it
    stands after a change, here or in another window, it stays chosen; what became of it meanwhile is said.
    """
    rows = [_row(model) for model in models]
    listing = hashlib.sha256(repr([identity_of(model) for model in models]).encode()).hexdigest()[:12]
    event: Any = st.dataframe(
        {title: [row[title] for row in rows] for title in rows[0]},
        hide_index=True,
        height=_ROW_PIXELS * (min(len(rows), 8) + 1) + 3,
        row_height=_ROW_PIXELS,
        on_select="rerun",
        selection_mode="single-row",
        key=f"models.table.{listing}",
        column_config={
            "Score": st.column_config.ProgressColumn(
                min_value=0.0,
                max_value=1.0,
                format="%.2f",
                help="Share of unheard tracks right. Compare it only on the same data, and mind the interval.",
            ),
            "Genres": st.column_config.TextColumn(width=_GENRES_PIXELS, help="A model's card has them all."),
            "Size": st.column_config.NumberColumn(format="%.1f MB"),
        },
    )
    pointed_at = [row for row in event["selection"]["rows"] if row < len(models)]
    table, was_pointed_at = st.session_state.get(_POINTED, (None, []))
    st.session_state[_POINTED] = (listing, pointed_at)
    if pointed_at and (table, was_pointed_at) != (listing, pointed_at):
        st.session_state[SHELF_MODEL] = identity_of(models[pointed_at[0]])
    elif table == listing and was_pointed_at and not pointed_at:
        st.session_state.pop(SHELF_MODEL, None)
    if len(models) == 1 and SHELF_MODEL not in st.session_state:
        st.session_state[SHELF_MODEL] = identity_of(models[0])
    return _found_again(models)


def identity_of(model: Model) -> tuple[str, str]:
    """Name and content of a model: what stays the same wherever its row goes."""
    return model.bundle.name, content_of(model)


def _found_again(models: list[Model]) -> Model | None:
    """The model that was chosen, among those that are there now; what became of it is said."""
    chosen: tuple[str, str] | None = st.session_state.get(SHELF_MODEL)
    if chosen is None:
        return None
    by_identity = {identity_of(model): model for model in models}
    if chosen in by_identity:
        return by_identity[chosen]
    renamed = [identity for identity in by_identity if identity[1] == chosen[1]]
    if len(renamed) == 1:
        st.session_state[SHELF_MODEL] = renamed[0]
        st.info(plain(f"{chosen[0]} is called {renamed[0][0]} now."))
        return by_identity[renamed[0]]
    st.session_state.pop(SHELF_MODEL)
    is_replaced = any(name == chosen[0] for name, _ in by_identity)
    st.info(plain(f"{chosen[0]} {'was replaced by another model' if is_replaced else 'is no longer there'}."))
    return None


def _row(model: Model) -> dict[str, str | float | None]:
    bundle = model.bundle
    scores = _scores(bundle)
    size = sum(bundle.file(name).stat().st_size for name in bundle.files)
    return {
        "Name": model.label,
        "Score": scores.get("accuracy"),
        "95 %": _interval(scores),
        "On": _counted(scores),
        "Genres": _few(bundle.genres),
        "Data": str(bundle.data.get("name", "not stated")),
        "Made": bundle.created[:10],
        "Size": size / 2**20,
    }


def _few(genres: Sequence[str]) -> str:
    if len(genres) <= _N_GENRES:
        return ", ".join(genres)
    named = genres[: _N_GENRES - 1]
    return f"{', '.join(named)} and {len(genres) - len(named)} more"


def _counted(scores: dict[str, Any]) -> str:
    if not scores:
        return "not scored"
    words = {"folds": "tracks, by folds", "valid": "validation tracks"}
    part = str(scores["part"])
    return f"{scores['n_tracks']} {words.get(part, part if 'tracks' in part else f'{part} tracks')}"


def _interval(scores: dict[str, Any]) -> str:
    interval = interval_of(scores)
    return "" if interval is None else f"{interval[0]:.2f} to {interval[1]:.2f}"


def _scores(bundle: Bundle) -> dict[str, Any]:
    """The first scores that hold what the list shows."""
    return next((scores | {"part": part} for part, scores in scored_parts(bundle).items()), {})


def draw_model(model: Model) -> None:
    """What can be done with a model, and its card."""
    bundle = model.bundle
    # A click that was meant for another model finds its button gone.
    key = ".".join(identity_of(model))
    st.header(plain(bundle.name), anchor=False)
    owner = visitor.owner()
    with st.container(horizontal=True):
        if st.button("Use on Listen", icon=":material/headphones:", type="primary", key=f"models.use.{key}"):
            state.use_model(model.label)
            st.switch_page("app.py")
        if owner.may("export"):
            with st.popover("Export", icon=":material/download:", key=f"models.exporting.{key}"):
                draw_exports(model)
        if library.is_own(bundle, owner):
            _draw_changes(model, owner, key)
    st.caption(f"SHA-256 of its network: {model.digest}… {_WHOSE[model.shelf] if owner.mode != 'local' else ''}")
    if not bundle.is_trainable and model.shelf != "visit":
        st.caption("It names genres, but training cannot start from it: it was imported without its Keras file.")
    front, details = _parts_of_card(card_text(bundle))
    with st.expander("Model card", expanded=True, key="models.card"):
        st.markdown(front)
    if details:
        with st.expander("How it was made, and what it is made of", key="models.details"):
            st.markdown(details)


def _draw_changes(model: Model, owner: Owner, key: str) -> None:
    """What its owner alone can do with it; called in a row of buttons."""
    bundle = model.bundle
    if model.shelf == "own" and owner.may("show"):
        is_shown = shelves.is_shown(bundle, owner)
        label = "Show to nobody" if is_shown else "Show to all"
        news = f"{bundle.name} is yours alone." if is_shown else f"All who sign in here can use {bundle.name} now."
        if st.button(label, icon=":material/group:", key=f"models.show.{key}"):
            _try(lambda: shelves.show(bundle, owner=owner, to_all=not is_shown), news)
    with (
        st.popover("Rename", icon=":material/edit:", key=f"models.renaming.{key}"),
        st.form(f"models.rename.{key}", border=False),
    ):
        name = st.text_input("New name", bundle.name, key=f"models.name.{key}")
        if st.form_submit_button("Rename"):
            _rename(model, name, owner)
    if st.button("Delete", icon=":material/delete:", key=f"models.delete.{key}"):
        # For the visit: the way back stands in that box.
        st.session_state[_IS_OPEN] = True
        _try(partial(_delete, bundle, owner), f"{bundle.name} was deleted. It can be put back below.")


def _delete(bundle: Bundle, owner: Owner) -> None:
    library.delete(bundle.path or Path(), owner=owner)
    # Whoever deletes it need not be told that it is gone.
    st.session_state.pop(SHELF_MODEL, None)


def _rename(model: Model, wish: str, owner: Owner) -> None:
    def act() -> None:
        renamed = library.rename(model.bundle, library.as_name(wish), owner=owner)
        st.session_state[SHELF_MODEL] = (renamed.name, identity_of(model)[1])
        st.session_state[_NEWS] = f"Renamed to {renamed.name}."

    _try(act)


def card_text(bundle: Bundle) -> str:
    """The card as Markdown in which nothing that came with the bundle can be markup, picture or link."""
    tame = dataclasses.replace(
        bundle,
        name=plain(bundle.name),
        genres=tuple(plain(genre) for genre in bundle.genres),
        notes=plain(bundle.notes),
        created=plain(bundle.created),
        **{name: _tamed(getattr(bundle, name)) for name in ("data", "split", "scores", "model", "training", "versions")},
    )
    try:
        text = model_card(tame)
    except CARD_FAULTS:
        return f"Genres: {', '.join(tame.genres)}. This model says nothing of how it was made and scored."
    # The page has said its name, and a card among buttons needs no headlines.
    return re.sub(r"^#+ ", "### ", text.partition("\n\n")[2], flags=re.MULTILINE)


def _parts_of_card(text: str) -> tuple[str, str]:
    """What a musician asks of a model, which is what it knows and how it scores; and all the rest."""
    begin, *sections = re.split(r"^(?=### )", text, flags=re.MULTILINE)
    front = [section for section in sections if section.startswith("### Scores")]
    return begin + "".join(front), "".join(section for section in sections if section not in front)


def _tamed(value: Any) -> Any:
    if isinstance(value, str):
        return plain(value)
    if isinstance(value, dict):
        # The card looks scores up by keys like macro_f1: plain words stay as they are.
        return {key if re.fullmatch(r"\w+", key) else plain(key): _tamed(item) for key, item in value.items()}
    return [_tamed(item) for item in value] if isinstance(value, list) else value


def draw_import() -> None:
    """The way in for models from elsewhere, where there is one."""
    if not visitor.owner().may("import"):
        return
    if uploads.held([st.session_state.get(f"models.import.{st.session_state.get(_IMPORTS, 0)}")]):
        _take_import()
        st.rerun()
    with st.expander("Import a model", icon=":material/upload:", key="models.importing"):
        st.caption(
            "A zip that was exported here or on another machine. It is checked, and holds no code. "
            f"{limits.of_models()}"
        )
        st.text_input("Name", key="models.import.name", placeholder="its own name")
        # Another one each time: what was taken stands on the shelf.
        key = f"models.import.{st.session_state.setdefault(_IMPORTS, 0)}"
        if st.file_uploader("Zip of a model", key=key, on_change=_take_import, label_visibility="collapsed"):
            st.rerun()  # See `uploads`.
        # Here, where he looks who gave it: the page may be scrolled far below its top.
        fault, news = st.session_state.get(_IMPORTED, ("", ""))
        if fault:
            st.error(plain(fault))
        if news:
            st.success(plain(news))


def _take_import() -> None:
    number = st.session_state.get(_IMPORTS, 0)
    # A page that was just left may still have Streamlit call for a widget that is gone.
    files = uploads.held([st.session_state.get(f"models.import.{number}")])
    if not files:
        return
    [upload] = files
    wish = st.session_state.get("models.import.name", "").strip()
    try:
        name = library.as_name(wish) if wish else None
        bundle = library.import_zip(upload.getvalue(), name, owner=visitor.owner(), file_name=upload.name)
    except CrnnError as err:
        st.session_state[_IMPORTED] = (str(err), "")
    else:
        named = "" if bundle.name == Path(upload.name).stem else f" as {bundle.name}"
        st.session_state[_IMPORTED] = ("", f"{upload.name} was imported{named}.")
        # Another name, or another model: what stood there was meant for this one.
        st.session_state["models.import.name"] = ""
    limits.release(files)
    st.session_state[_IMPORTS] = number + 1


def draw_deleted() -> None:
    """Deleted models, to be put back or thrown away."""
    gone = library.deleted(visitor.owner())
    if not gone:
        return
    is_open = st.session_state.get(_IS_OPEN, False)
    with st.expander("Deleted models", icon=":material/delete:", expanded=is_open, key="models.deleted"):
        for model in gone[:20]:
            left, middle, right = st.columns([5, 1, 2], vertical_alignment="center")
            left.markdown(plain(model.name))
            if middle.button("Undo", key=f"models.undo.{model.folder.name}"):
                _try(partial(library.put_back, model, owner=visitor.owner()), f"{model.name} is back.")
            if right.button("Delete for good", key=f"models.gone.{model.folder.name}"):
                library.throw_away(model, owner=visitor.owner())
                st.rerun()


def draw_news() -> None:
    """What the last action did, once."""
    fault, news = st.session_state.pop(_FAULT, None), st.session_state.pop(_NEWS, None)
    # Its place is always there: what stands below would move, and open boxes and tabs begin anew.
    with st.container():
        if fault:
            st.error(plain(fault))
        if news:
            st.success(plain(news))


def _try(action: Callable[[], object], news: str = "") -> None:
    """Do it, and say so or why not when the page is drawn next; an action may leave its own news."""
    try:
        action()
        if news:
            st.session_state[_NEWS] = news
    except CrnnError as err:
        st.session_state[_FAULT] = str(err)
    st.rerun()
