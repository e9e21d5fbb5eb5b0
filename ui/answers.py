"""How an answer is drawn: sentence, bars, listening view, numbers, downloads."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

import streamlit as st

from crnn import figures, reporting
from crnn.audio import SILENCE_DB
from crnn.config import FeatureConfig
from crnn.inference import Prediction
from ui import hearing
from ui.bars import genre_bars
from ui.hearing import View
from ui.media import serve
from ui.player import Lane, NamedPicture, listening_view
from ui.state import EXPLORE_PART, EXPLORE_SOUND, REASONS, Sound
from ui.words import plain, table

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator


def draw_verdict(sound: Sound, prediction: Prediction) -> DeltaGenerator:
    """The answer as a sentence, its notes, and a bar for every genre beside it.

    Returns:
        A place among the notes, for what is known only later.
    """
    left, right = st.columns([6, 5], gap="medium")
    with left:
        st.subheader(plain(reporting.verdict_sentence(prediction)), anchor=False)
        candidates = reporting.candidates_sentence(prediction)
        if candidates:
            st.markdown(plain(candidates))
        # Two spaces and a line break: one paragraph, a note a line.
        st.caption("  \n".join(plain(note) for note in _notes(sound, prediction)))
        place = st.empty()
        with st.container(horizontal=True):
            _draw_downloads(sound, prediction)
            _offer_reasons(sound, prediction)
    with right:
        if prediction.verdict == "silence":
            st.caption("No genre is judged in silence.")
            return place
        if prediction.verdict == "not_music":
            st.caption("If it were music:")
        genre_bars(prediction.ranked(), key="listen.bars")
    return place


def _notes(sound: Sound, prediction: Prediction) -> tuple[str, ...]:
    if sound.origin == "example":
        return ("Synthesized on this machine just now; nobody recorded it.",)
    found = reporting.notes(prediction)
    if sound.origin == "recording":
        # The rate of a recording was our choice, and says nothing about the sound.
        found = tuple(note for note in found if not note.startswith("Resampled from"))
    if prediction.verdict == "silence":
        # The verdict has just said so.
        found = tuple(note for note in found if not note.startswith("Nothing in it is above"))
    return found


def draw_level(place: DeltaGenerator, sound: Sound, view: View) -> None:
    """How loud a recording came in, where its notes are."""
    if sound.origin == "recording" and view.peak_db > SILENCE_DB:
        place.caption(f"Level check: its loudest moment is at {reporting.decibels(view.peak_db)}.")


def _offer_reasons(sound: Sound, prediction: Prediction) -> None:
    """A way to where Explore shows what in the sound spoke for the answer."""
    if prediction.verdict == "silence" or not hearing.fits_in_memory(prediction):
        return
    if st.button("Why?", key="listen.why", help="See and hear what in the sound spoke for it, on Explore"):
        st.session_state[EXPLORE_PART], st.session_state[EXPLORE_SOUND] = REASONS, sound.digest
        st.switch_page("pages/1_Explore.py")


def _draw_downloads(sound: Sound, prediction: Prediction) -> None:
    name = file_stem(sound)
    with st.popover("Download", icon=":material/download:"):
        st.download_button(
            "JSON, everything",
            _json(reporting.to_json(prediction, sound.name or name)),
            f"{name}.json",
            "application/json",
            on_click="ignore",
        )
        st.download_button(
            "CSV, the timeline", reporting.timeline_csv(prediction), f"{name}.csv", "text/csv", on_click="ignore"
        )
        st.download_button(
            "Audacity labels", reporting.audacity_labels(prediction), f"{name}.txt", "text/plain", on_click="ignore"
        )


def file_stem(sound: Sound) -> str:
    """A name for what is downloaded about a sound, safe on every file system."""
    stem = sound.name.rsplit(".", 1)[0] if "." in sound.name[1:] else sound.name
    kept = "".join(letter if letter.isalnum() or letter in " -_" else "_" for letter in stem).strip()
    return kept[:80] or "recording"


def _json(values: object) -> str:
    return json.dumps(values, indent=1, ensure_ascii=False) + "\n"


@st.fragment
def draw_listening_view(sound: Sound, prediction: Prediction, view: View | None, config: FeatureConfig) -> None:
    """Player, timeline and spectrogram; a fragment, so that a look at a segment reruns nothing else.

    Args:
        sound: What was given.
        prediction: Its answer.
        view: None for a sound too long to be held: the timeline stands alone.
        config: The settings of the model that answered.
    """
    if view is None:
        listening_view(
            key=f"listen.player.{sound.digest}",
            seconds=prediction.duration_seconds,
            title=sound.name or "recording",
            url=serve(sound.data, "listen"),
            lanes=(genre_lane(prediction),),
        )
        return
    close_up = _close_up(prediction, view, config)
    listening_view(
        key=f"listen.player.{sound.digest}",
        seconds=prediction.duration_seconds,
        title=sound.name or "recording",
        url=serve(view.wav, "listen"),
        lanes=(genre_lane(prediction),),
        pictures=(NamedPicture(_picture_words(view, config), figures.clip_picture(view.power, config)),),
        close_up=close_up,
    )


def _close_up(prediction: Prediction, view: View, config: FeatureConfig) -> Callable[[int], NamedPicture]:
    def close_up(segment: int) -> NamedPicture:
        start, end = prediction.segments[segment]
        caption = (
            f"What the model heard from {reporting.clock(start)} to {reporting.clock(end)}, "
            "in dB below the loudest cell of that stretch"
        )
        return NamedPicture(caption, figures.segment_picture(view.power, config, start), caption)

    return close_up


def genre_lane(prediction: Prediction) -> Lane:
    """The genre timeline: the posterior of each stretch, in one order for all of them."""
    ranked = [genre for genre, _ in prediction.ranked()]
    columns = [prediction.genres.index(genre) for genre in ranked]
    return Lane(
        name="genre",
        labels=tuple(ranked),
        colors=tuple(figures.genre_color(genre) for genre in ranked),
        edges=(0.0, *(cell.end_seconds for cell in prediction.timeline)),
        shares=tuple(
            () if cell.is_silent else tuple(float(cell.posterior[column]) for column in columns)
            for cell in prediction.timeline
        ),
        segments=tuple(cell.segment for cell in prediction.timeline),
    )


def _picture_words(view: View, config: FeatureConfig) -> str:
    facts = figures.outline(view.power, config)
    if facts is None:
        return "Mel spectrogram of digital silence."
    return (
        f"Mel spectrogram, in dB below the loudest cell. Loudest at {reporting.clock(facts.loudest_seconds)} "
        f"near {reporting.hertz(facts.loudest_hz)}; four fifths of the energy lie between "
        f"{reporting.hertz(facts.low_hz)} and {reporting.hertz(facts.high_hz)}."
    )


def draw_numbers(prediction: Prediction, view: View | None, config: FeatureConfig) -> None:
    """All that the charts show, as text."""
    with st.expander("The same in words and numbers"):
        if prediction.verdict != "silence":
            rows = [(genre, f"{share:.2f}") for genre, share in prediction.ranked()]
            st.markdown(table(("genre", "confidence"), rows))
        st.markdown(table(("from", "to", "genre", "confidence"), _stretches(prediction)))
        if view is not None:
            st.markdown(plain(_picture_words(view, config)))


def _stretches(prediction: Prediction) -> list[tuple[str, str, str, str]]:
    rows = []
    for start, end, genre, share in reporting.stretches(prediction):
        confidence = "" if share is None else f"{share:.2f}"
        rows.append((reporting.clock(start), reporting.clock(end), genre, confidence))
    return rows
