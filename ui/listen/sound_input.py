"""The three ways to give a sound: listen or record, upload, example. Whatever came last is the sound."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import streamlit as st

from crnn import text
from crnn.config import FeatureConfig
from crnn.synthesis.examples import example, example_names
from ui.components.meter import level_meter
from ui.listen import live
from ui.shared import answer_cache, limits, uploads
from ui.shared.media import wav_bytes
from ui.shared.model_choice import choose_model, draw_news
from ui.shared.state import BROUGHT_BACK, GAVE, WAY, Model, Origin, Sound, give, name_of, sounds
from ui.shared.words import plain

# Twice the usual model's rate: the recording plays back with all its treble.
_RECORDING_RATE = 44_100

_RECORDING = "listen.recording"
_UPLOADS = "listen.uploads"
_EXAMPLE = "listen.example"
_SURPLUS = "listen.surplus"
# Streamlit's ids of the files that were taken, of each way.
_TAKEN = "listen.taken"
_NUMBERS = itertools.count()
_TABS: dict[Origin, str] = {"recording": "Record", "upload": "Upload", "example": "Example"}


def choose_source(models: list[Model], key: str) -> Model | None:
    """Draw where the sound comes from and who answers: one line, once there is a sound; returns the model.

    Args:
        models: What there is.
        key: Widget key of the choice of the model, one for each page.
    """
    with st.expander(source_words(sounds()), expanded=not sounds()):
        left, right = st.columns([7, 3], gap="medium")
        with right:
            chosen = choose_model(models, key)
        with left:
            give_a_sound(chosen)
    draw_surplus()
    # Outside the box, which is closed once there is a sound.
    # A place for each, always there: boxes below that moved would close.
    with st.container():
        draw_news(models)
    with st.container():
        live.draw_news()
    return chosen


def draw_surplus() -> None:
    """Draw what was too much to be taken, outside the box, which is closed once there is a sound."""
    with st.container():
        surplus = st.session_state.get(_SURPLUS)
        if surplus and any(sound.origin == "upload" for sound in sounds()):
            st.warning(surplus)


def source_words(given: tuple[Sound, ...]) -> str:
    """What was given, in the one line that is left of the ways to give a sound.

    Args:
        given: The sounds.
    """
    if not given:
        return "Give a sound"
    if len(given) > 1:
        return f"{len(given)} files · change"
    seconds = answer_cache.seconds_of(given[0])
    length = f" · {text.clock(round(seconds)).removesuffix('.0')}" if seconds else ""
    return f"{plain(name_of(given[0]))}{length} · change"


def give_a_sound(model: Model | None = None) -> None:
    """Draw the three ways; each makes its sound the one that the pages speak of.

    Args:
        model: Who answers while the microphone listens; without one a sound is recorded first.
    """
    _show_what_is_given()
    record, upload, try_out = st.tabs(list(_TABS.values()), default=st.session_state[WAY], key="listen.ways")
    with record:
        if model is None:
            _draw_recorder()
        else:
            live.draw_live(model, _let_go_of_others)
            with st.expander("Record first, answer afterwards", key="listen.record_first"):
                _draw_recorder()
    with upload:
        files = st.file_uploader(
            "Songs, one or many",
            accept_multiple_files=True,
            # A new key gives a new, empty uploader.
            key=_uploads_key(),
            on_change=_take_uploads,
            label_visibility="collapsed",
        )
        _see_to("upload", uploads.ids(files), _take_uploads)
        st.caption(limits.of_sounds())
        n_given = sum(sound.origin == "upload" for sound in sounds())
        if n_given > 1:
            # Otherwise each takes a click, and further files are added to those that are there.
            st.button(f"Remove all {n_given}", icon=":material/delete:", key="listen.remove", on_click=_remove_uploads)
    with try_out:
        st.pills(
            "Examples, synthesized on this machine when you choose one",
            example_names(),
            key=_EXAMPLE,
            on_change=_take_example,
        )


def _show_what_is_given() -> None:
    """Have the three ways show the sound that the pages speak of, or nothing; never another one."""
    given = sounds()
    origin = given[0].origin if given else "recording"
    if st.session_state.pop(BROUGHT_BACK, False):
        _let_go_of_others()
    # A click that came before a restarted server had drawn the examples is lost: it can be made again.
    st.session_state[_EXAMPLE] = given[0].name if origin == "example" else None
    # One for each visit to a page: what is open changes by the visitor's hand alone.
    st.session_state.setdefault(WAY, _TABS[origin])


def _draw_recorder() -> None:
    left, right = st.columns([3, 2], vertical_alignment="center")
    recording = left.audio_input(
        "Record about ten seconds",
        sample_rate=_RECORDING_RATE,
        key=_RECORDING,
        on_change=_take_recording,
        label_visibility="collapsed",
    )
    _see_to("recording", uploads.ids([recording]), _take_recording)
    with right:
        level_meter("listen.meter")


def _see_to(origin: Origin, files: set[str], take: Callable[[], None]) -> None:
    """Take the files that a way holds and nobody took.

    A page that stays open while the server is restarted may give a sound before the new server has drawn this way for
    the first time: Streamlit then has the file, and calls nobody.
    """
    if not files <= st.session_state.get(_TAKEN, {}).get(origin, set()):
        take()
        st.rerun()


def _note_taken(origin: Origin, files: set[str]) -> None:
    st.session_state[_TAKEN] = {**st.session_state.get(_TAKEN, {}), origin: files}


# A page that was just left may still have Streamlit call for a widget that is gone: nobody gave or took away anything.
def _is_gone(key: str) -> bool:
    return key not in st.session_state


def _take_recording() -> None:
    if _is_gone(_RECORDING):
        return
    held = uploads.held([st.session_state[_RECORDING]])
    _note_taken("recording", uploads.ids(held))
    if held:
        give((Sound("", held[0].getvalue(), "recording"),))
        _let_go_of_others()
        st.session_state[GAVE] = _RECORDING
    elif st.session_state.get(GAVE) == _RECORDING:
        _forget("recording")


def _let_go_of_others() -> None:
    """Have the other ways show nothing: what was recorded is the sound."""
    st.session_state[_EXAMPLE] = None
    _empty_uploader()


def _uploads_key() -> str:
    # Never the same number twice: a visit that lost its state must not find files that the browser still shows.
    if _UPLOADS not in st.session_state:
        st.session_state[_UPLOADS] = next(_NUMBERS)
    return f"{_UPLOADS}.{st.session_state[_UPLOADS]}"


def _take_uploads() -> None:
    if _is_gone(_uploads_key()):
        return
    files = st.session_state[_uploads_key()] or []
    held = uploads.held(files)
    _note_taken("upload", uploads.ids(held))
    if len(held) < len(files):
        _empty_uploader()
        if not held:
            return
    taken, st.session_state[_SURPLUS] = limits.as_many_as_fit(held, "Remove them to give the others")
    if taken:
        give(tuple(Sound(uploads.file_name(upload), upload.getvalue(), "upload") for upload in taken))
        st.session_state[_EXAMPLE] = None
        st.session_state[GAVE] = _uploads_key()
    # Streamlit also calls for a new uploader whose first run was cut short, or whose page the browser left and was led
    # back to: nobody took anything away.
    elif st.session_state.get(GAVE) == _uploads_key():
        _forget("upload")


def _remove_uploads() -> None:
    _empty_uploader()
    _forget("upload")


def _empty_uploader() -> None:
    limits.release(uploads.held(st.session_state.get(_uploads_key()) or []))
    st.session_state[_UPLOADS] = next(_NUMBERS)


def choose_example(name: str) -> None:
    """Give an example, as if it had been chosen among the examples."""
    st.session_state[_EXAMPLE] = name
    _take_example()


def _take_example() -> None:
    if _is_gone(_EXAMPLE):
        return
    name = st.session_state[_EXAMPLE]
    if name is not None:
        clip = example(name, FeatureConfig().sample_rate)
        give((Sound(name, wav_bytes(clip), "example"),))
        _empty_uploader()
    else:
        _forget("example")


def _forget(origin: str) -> None:
    if any(sound.origin == origin for sound in sounds()):
        give(())
