"""Train, first of all: genres of one's own on one screen. Name, give, learn in seconds, try."""

from __future__ import annotations

import streamlit as st

from crnn.bundles.library import default_model
from crnn.data import last_choice
from crnn.errors import CrnnError
from crnn.evaluation import report as reports
from crnn.inference import output
from crnn.inference.classifier import Prediction
from crnn.text import number_of
from crnn.training import own_genres
from crnn.training.own_genres import LEAST_CLIPS, Taught
from ui.components.announcer import announce
from ui.components.bars import answer_bars
from ui.components.landing import arrival
from ui.listen import live
from ui.shared import chrome, limits, progress, state, uploads, visitor
from ui.shared.state import Model, Sound
from ui.shared.words import plain
from ui.train import clips, options, saving
from ui.train.results import draw_results

WAY = "train.way"
CLIPS, SETS, HEARS = "Clip by clip", "Data sets", "What training hears"
_KEPT = "train.way.kept"
_TRY = "train.try"
# How many songs it was tried on.
_TRIED = "train.try.n"


def choose_way() -> str:
    """Draw the ways to learn, and to hear what is learnt from; the one chosen, or else the one chosen last time."""
    owner = visitor.owner()
    has_sets = owner.may("train")
    if _KEPT not in st.session_state:
        st.session_state[_KEPT] = SETS if has_sets and last_choice.last_way(owner) == "sets" else CLIPS
    st.session_state[WAY] = st.session_state[_KEPT]
    st.segmented_control(
        "How to give what it learns from",
        [CLIPS, SETS, HEARS] if has_sets else [CLIPS, HEARS],
        required=True,
        key=WAY,
        on_change=_take_way,
        label_visibility="collapsed",
    )
    way: str = st.session_state[_KEPT]
    return way


def _take_way() -> None:
    # A page that was just left may still have Streamlit call for a widget that is gone.
    chosen = st.session_state.get(WAY)
    if chosen is not None:
        st.session_state.pop(options.WISH, None)
        _go(chosen)


def _go(way: str) -> None:
    st.session_state[_KEPT] = way
    if way != HEARS and visitor.owner().may("train"):
        last_choice.keep_way("sets" if way == SETS else "clips", owner=visitor.owner())


def draw_lesson() -> None:
    """The whole way from clips to a model that answers."""
    st.caption(
        f"Name a genre and give {LEAST_CLIPS} clips of it or more, then another. It learns them in seconds. "
        "Ten of each make a better model."
    )
    left, right = st.columns([3, 2], gap="large")
    with left:
        clips.draw_giving()
    with right:
        _draw_given()
    taught = own_genres.taught(visitor.owner())
    # On a phone all of it stands below what is in sight.
    arrival("train.taught.arrival", done="" if taught is None else str(taught.report["created"]))
    if taught is not None:
        _draw_taught(taught)


def _draw_given() -> None:
    """Genres with their clips, what is missing, and the button."""
    counts = clips.counts()
    for genre, n in counts.items():
        st.button(
            f"**{plain(genre)}** · {number_of(n, 'clip')}",
            key=f"train.genre.{genre}",
            on_click=clips.name_again,
            args=(genre,),
            help="Give more clips of it",
            icon=":material/check:" if n >= LEAST_CLIPS else ":material/more_horiz:",
            width="stretch",
            type="secondary",
        )
    if not counts:
        st.caption("Your genres stand here as you give them.")
    missing = own_genres.what_is_missing(counts)
    if missing:
        st.caption(plain(missing))
    start = _start()
    if start is None:
        st.info(chrome.no_model())
    is_ready = start is not None and len(own_genres.ready_genres(counts)) > 1
    pressed = st.button(
        "Learn them",
        type="primary",
        disabled=not is_ready,
        key="train.learn",
        icon=":material/school:",
        width="stretch",
    )
    if pressed and start is not None:
        _teach(start)


def _start() -> Model | None:
    """The model to begin with: the one that answers unless another is chosen."""
    models, _ = state.find_models()
    trusted = [model for model in models if model.shelf in {"host", "own"}]
    named = [model for model in trusted if model.bundle.name == default_model()]
    return next(iter(named or trusted), None)


def _teach(start: Model) -> None:
    bar = st.progress(0.0, "Looking through the clips")
    try:
        own_genres.teach(start.bundle, owner=visitor.owner(), on_progress=bar.progress)
    except CrnnError as err:
        bar.empty()
        st.error(plain(str(err)))
        return
    bar.empty()
    st.session_state.pop(_TRY, None)


def _draw_taught(taught: Taught) -> None:
    """How good it is, and a try."""
    st.divider()
    st.subheader(plain(reports.headline(taught.report, "clip")), anchor=False)
    if not taught.is_current:
        st.info("You changed your clips since it learnt. Learn them again.")
    st.caption(plain(reports.perspective(taught.report)))
    try:
        model = state.model_in(taught.folder)
    except CrnnError as err:
        st.error(plain(str(err)))
        return
    st.markdown("**Try it**: play it something, or give it a song.")
    draw_try(model, news=reports.headline(taught.report, "clip"))
    with st.container(horizontal=True):
        saving.draw_save(taught.folder)
        st.button("Train it longer", icon=":material/timer:", key="train.longer", on_click=_train_longer)
    saving.draw_saved(taught.folder)
    with st.expander("How it does, clip by clip", key="train.lesson.box"):
        draw_results(taught.report, "train.lesson")


def draw_try(model: Model, *, news: str) -> None:
    """Draw two ways to give a model a sound, and what it says of it.

    Args:
        model: What was just made; it need not lie on a shelf.
        news: What is announced until there is an answer.
    """
    live.draw_live(model, _take_try)
    # Another one each time: the song stands below, and its cross there would remove nothing.
    key = f"{_TRY}.song.{st.session_state.get(_TRIED, 0)}"
    if st.file_uploader("A song to try it on", key=key, on_change=_take_song, args=(key,)) is not None:
        # See `uploads`.
        _take_song(key)
        st.rerun()
    tried = next((sound for sound in state.sounds() if sound.digest == st.session_state.get(_TRY)), None)
    if tried is not None and not live.is_open():
        st.caption(plain(state.name_of(tried)))
        _draw_answer(tried, model)
    else:
        announce(news)


def _take_try() -> None:
    st.session_state[_TRY] = state.sounds()[0].digest


def _take_song(key: str) -> None:
    # A page that was just left may still have Streamlit call for a widget that is gone.
    files = uploads.held([st.session_state.get(key)])
    if not files:
        return
    state.give((Sound(uploads.file_name(files[0]), files[0].getvalue(), "upload"),))
    _take_try()
    limits.release(files)
    st.session_state[_TRIED] = st.session_state.get(_TRIED, 0) + 1


def _train_longer() -> None:
    """To the trainings, with one's own clips chosen and a network to train."""
    clips.choose_own()
    st.session_state[options.WISH] = "quick"
    _go(SETS)


def _draw_answer(sound: Sound, model: Model) -> None:
    ((_, found),) = progress.answer_all((sound,), model, key="train.try") or ((sound, None),)
    if isinstance(found, Prediction):
        announce(output.answer_sentence(found))
        left, right = st.columns([3, 2], gap="large", vertical_alignment="center")
        left.markdown(f"**{plain(output.answer_sentence(found))}**")
        if found.verdict.traits.is_heard:
            with right:
                answer_bars(found, key="train.try.bars")
    elif found is not None:
        st.error(plain(str(found)))
