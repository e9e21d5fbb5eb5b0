"""Two models on the same sounds: a table of both answers, who is right more often, and where they differ to hear."""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import streamlit as st

from crnn import text
from crnn.audio.tags import read_words
from crnn.bundles.library import default_model
from crnn.errors import CrnnError
from crnn.evaluation import paired
from crnn.inference import output
from crnn.inference.classifier import Prediction
from crnn.text import number_of
from ui.components.bars import answer_bars
from ui.components.player import listening_view
from ui.listen import sound_input
from ui.listen.answer import genre_lane
from ui.shared import answer_cache, progress
from ui.shared.media import serve
from ui.shared.model_choice import content_of, follow
from ui.shared.state import Model, Sound, sounds
from ui.shared.words import plain

_ROW_PIXELS = 33
_MOST_ROWS = 8
_ROW = "models.compare.row"
_GENRES, _TAGS = "models.compare.genres", "models.compare.tags"
_UNKNOWN = "not known"
Found = Prediction | CrnnError


class Answers(NamedTuple):
    """What two models said of one sound."""

    sound: Sound
    first: Found
    second: Found

    @property
    def differ(self) -> bool:
        """Whether they are not of one mind."""
        return _gist(self.first) != _gist(self.second)

    @property
    def is_unread(self) -> bool:
        """Whether neither says anything of it: its file cannot be used."""
        return isinstance(self.first, CrnnError) and isinstance(self.second, CrnnError)


def draw_contest(models: list[Model]) -> None:
    """Choose two models and give sounds; what they say stands side by side."""
    left, right = st.columns(2, gap="medium")
    with left:
        first = _choose(models, "First model", 0)
    with right:
        second = _choose(models, "Second model", 1)
    # One line, once there is a sound: the answers stand on top.
    with st.expander(sound_input.source_words(sounds()), expanded=not sounds()):
        sound_input.give_a_sound()
    sound_input.draw_surplus()
    given = sounds()
    if not given:
        st.caption("Record, upload or choose an example: both models answer.")
        return
    by_first = dict(_by_digest(progress.answer_all(given, first, key="models.first")))
    by_second = dict(_by_digest(progress.answer_all(given, second, key="models.second")))
    answered = [
        Answers(sound, by_first[sound.digest], by_second[sound.digest])
        for sound in given
        if sound.digest in by_first and sound.digest in by_second
    ]
    if not answered:
        return
    genres = sorted({*first.bundle.genres, *second.bundle.genres})
    chosen = answered[0]
    if len(answered) > 1:
        # What there is to hear comes first.
        answered.sort(key=lambda answers: (not answers.differ, answers.is_unread))
        chosen = _draw_table(answered, first.label, second.label, genres)
    _draw_test(answered, first.label, second.label, genres)
    _draw_one(chosen, first, second, genres)


def _choose(models: list[Model], title: str, place: int) -> Model:
    """One of the two, followed by name and content like the model that answers everywhere."""
    key, fact = f"models.compare.{place}", f"models.compare.{place}.kept"
    kept = st.session_state.get(fact)
    found, news = follow(models, *kept) if kept else (None, "")
    chosen = found or _unchosen(models, place)
    st.session_state[fact] = (chosen.label, content_of(chosen))
    st.session_state[key] = chosen.label
    contents = {model.label: content_of(model) for model in models}

    def take() -> None:
        label = st.session_state.get(key)
        if label in contents:
            st.session_state[fact] = (label, contents[label])

    st.selectbox(title, list(contents), key=key, on_change=take)
    if news:
        st.info(plain(news if found else f"{news} {chosen.label} stands in its place."))
    return chosen


def _unchosen(models: list[Model], place: int) -> Model:
    """What is compared until somebody chooses: the model that was made last, with the one that answers here."""
    other, _ = st.session_state.get(f"models.compare.{1 - place}.kept", ("", ""))
    apart = [model for model in models if model.label != other] or models
    newest = max(apart, key=lambda model: model.bundle.created)
    return next((model for model in apart if place and model.label == default_model()), newest)


def _by_digest(answered: list[tuple[Sound, Found]]) -> list[tuple[str, Found]]:
    return [(sound.digest, found) for sound, found in answered]


def _draw_table(answered: list[Answers], first: str, second: str, genres: list[str]) -> Answers:
    """The table; returns the answers whose row was clicked last, at first the first where they differ."""
    truths = [_genre_of(answers.sound, genres) for answers in answered]
    # Empty columns would push the answers off a narrow screen.
    shown = ("file", "first", "second", "differ", *(("genre", "right") if any(truths) else ()))
    event: Any = st.dataframe(
        {
            "file": [answers.sound.name or "recording" for answers in answered],
            "first": [_cell(answers.first) for answers in answered],
            "second": [_cell(answers.second) for answers in answered],
            "differ": ["differ" if answers.differ else "" for answers in answered],
            "genre": truths,
            "right": [_who(answers, truth) for answers, truth in zip(answered, truths, strict=True)],
        },
        column_order=shown,
        hide_index=True,
        height=_ROW_PIXELS * (min(len(answered), _MOST_ROWS) + 1) + 3,
        row_height=_ROW_PIXELS,
        on_select="rerun",
        selection_mode="single-cell",
        key="models.compare.table",
        column_config={
            "file": "File",
            "first": st.column_config.TextColumn(first),
            # One model against itself has one label twice.
            "second": st.column_config.TextColumn(second),
            "differ": "",
            "genre": st.column_config.TextColumn("It is", help="As its file is tagged, or as you say below."),
            "right": st.column_config.TextColumn("Right", help="Who named that genre. “Can’t tell” does not."),
        },
    )
    cells = event["selection"]["cells"]
    if cells and 0 <= cells[0][0] < len(answered):
        st.session_state[_ROW] = answered[cells[0][0]].sound.digest
    heard = [answers for answers in answered if not answers.is_unread]
    n_same, n_unread = sum(not answers.differ for answers in heard), len(answered) - len(heard)
    unread = f"; {n_unread} cannot be read" if n_unread else ""
    st.caption(f"They say the same of {n_same} of {number_of(len(heard), 'file')}{unread}. Click a row to hear it.")
    kept = st.session_state.get(_ROW)
    return next((answers for answers in answered if answers.sound.digest == kept), answered[0])


def _draw_test(answered: list[Answers], first: str, second: str, genres: list[str]) -> None:
    """Who is right more often, of the sounds whose genre is known."""
    known = [(answers, truth) for answers in answered if (truth := _genre_of(answers.sound, genres))]
    if not known:
        st.caption("Say below what each sound is, to see who is right more often.")
        return
    found = paired.compare(
        [_names(answers.first, truth) for answers, truth in known],
        [_names(answers.second, truth) for answers, truth in known],
    )
    if first == second:
        first, second = f"{first}, first", f"{second}, second"
    st.markdown(plain(paired.sentence(found, first, second)))


def _draw_one(answers: Answers, first: Model, second: Model, genres: list[str]) -> None:
    """Both answers of one sound, the sound under both timelines, and what it is."""
    sound = answers.sound
    left, right = st.columns([3, 2], vertical_alignment="bottom")
    left.markdown(f"**{plain(sound.name or 'recording')}**")
    with right:
        _ask_genre(sound, genres)
    for place, model, found, side in zip(
        st.columns(2, gap="medium"), (first, second), answers[1:], ("first", "second"), strict=True
    ):
        with place:
            st.caption(plain(model.label))
            _draw_answer(found, side)
    _draw_player(answers, first, second)


def _ask_genre(sound: Sound, genres: list[str]) -> None:
    key = f"models.compare.genre.{sound.digest}"
    st.session_state[key] = _genre_of(sound, genres) or _UNKNOWN

    def take() -> None:
        said = st.session_state.get(key)
        if said is not None:
            st.session_state.setdefault(_GENRES, {})[sound.digest] = "" if said == _UNKNOWN else said

    st.selectbox("It is", [_UNKNOWN, *genres], key=key, on_change=take)


def _genre_of(sound: Sound, genres: list[str]) -> str:
    """What the visitor said that it is, or else its file's tag, where one of the models knows it; empty if unknown."""
    said: dict[str, str] = st.session_state.get(_GENRES, {})
    if sound.digest in said:
        return said[sound.digest] if said[sound.digest] in genres else ""
    tags: dict[str, tuple[str, ...]] = st.session_state.setdefault(_TAGS, {})
    if sound.digest not in tags:
        tags[sound.digest] = read_words(sound.data).genres
    known = {_letters(genre): genre for genre in genres}
    return next((known[_letters(tag)] for tag in tags[sound.digest] if _letters(tag) in known), "")


def _letters(name: str) -> str:
    """“Hip-Hop” and “hiphop” are one genre."""
    return "".join(character for character in name.casefold() if character.isalnum())


def _draw_answer(found: Found, side: str) -> None:
    if isinstance(found, CrnnError):
        st.error(plain(str(found)))
        return
    st.markdown(f"**{plain(output.answer_sentence(found))}**")
    if output.time_shares(found):
        # Of which the table, and who is right, tell.
        st.caption(plain(output.beside_sentence(found)))
    if found.verdict.traits.is_heard:
        answer_bars(found, key=f"models.bars.{side}")


def _draw_player(answers: Answers, first: Model, second: Model) -> None:
    """The sound, and what each model says of each moment of it."""
    heard = [
        (model, found)
        for model, found in ((first, answers.first), (second, answers.second))
        if isinstance(found, Prediction)
    ]
    if not heard:
        return
    # What the one that heard it last made of it is still held.
    sound, (model, prediction) = answers.sound, heard[-1]
    try:
        is_held = answer_cache.fits_in_memory(prediction)
        wav = answer_cache.view(sound, model.bundle.feature_config).wav if is_held else sound.data
    except CrnnError as err:
        st.error(plain(str(err)))
        return
    lanes = tuple(
        dataclasses.replace(genre_lane(found), name=model.label)
        for model, found in heard
        if found.verdict.traits.has_timeline
    )
    listening_view(
        key=f"models.player.{sound.digest}",
        seconds=prediction.duration_seconds,
        title=sound.name or "recording",
        url=serve(wav, "models"),
        lanes=lanes,
    )


def _gist(found: Found) -> str:
    return "cannot be read" if isinstance(found, CrnnError) else found.genre or output.short_verdict(found)


def _cell(found: Found) -> str:
    if isinstance(found, Prediction) and found.genre:
        if output.time_shares(found):
            return f"changes, {found.genre} as a whole"
        return f"{found.genre}, {text.confidence(found.confidence)}"
    return _gist(found)


def _names(found: Found, genre: str) -> bool:
    return isinstance(found, Prediction) and found.genre == genre


def _who(answers: Answers, genre: str) -> str:
    if not genre:
        return ""
    right = _names(answers.first, genre), _names(answers.second, genre)
    return {(True, True): "both", (True, False): "first", (False, True): "second"}.get(right, "neither")
