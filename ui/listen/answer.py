"""How an answer is drawn: sentence, bars, listening view, numbers, downloads."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import streamlit as st

from crnn import text
from crnn.analysis import figures
from crnn.audio.clip import SILENCE_DB, load_part
from crnn.audio.tags import read_cover, read_words
from crnn.config import TAGGER_MEL, FeatureConfig
from crnn.errors import AudioError
from crnn.inference import output, stretches
from crnn.inference.classifier import Prediction
from crnn.limits import MAX_CLIP_SECONDS, MIN_CLIP_SECONDS
from ui.components.announcer import announce
from ui.components.bars import answer_bars
from ui.components.player import Lane, NamedPicture, chosen_region, listening_view
from ui.listen import tempo_key, zoomed
from ui.listen.part import ask, draw_part
from ui.shared import answer_cache
from ui.shared.answer_cache import View
from ui.shared.media import part_samples, serve
from ui.shared.state import EXPLORE_PART, EXPLORE_SOUND, REASONS, VIEWS, WHY_AT, Model, Sound, name_of
from ui.shared.words import file_stem_of, plain, table

# Of no genre: a word has no colour of its own.
_TAG_COLOR = "#7A8899"
_COVER_PIXELS = 72

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator


def draw_verdict(sound: Sound, prediction: Prediction) -> tuple[DeltaGenerator, DeltaGenerator]:
    """The answer as a sentence, its notes, and a bar for every genre beside it.

    Args:
        sound: What was given.
        prediction: Its answer.

    Returns:
        A place among the notes and one beside the downloads, for what is known only later.
    """
    left, right = st.columns([6, 5], gap="medium")
    answer = output.answer_sentence(prediction)
    announce(answer)
    with left, _beside_cover(sound):
        st.subheader(plain(answer), anchor=False)
        if beside := output.beside_sentence(prediction):
            st.markdown(plain(beside))
        if also := output.heard_sentence(prediction):
            st.markdown(plain(also))
        # Two spaces and a line break: one paragraph, a note a line.
        own = read_words(sound.data).sentence() if sound.origin == "upload" else ""
        st.caption("  \n".join(plain(note) for note in (own, *_notes(sound, prediction)) if note))
    with left:
        place = st.empty()
        with st.container(horizontal=True):
            _draw_downloads(sound, prediction)
            _offer_explore(sound, prediction)
            beside_downloads = st.empty()
    with right:
        if not prediction.verdict.traits.is_heard:
            st.caption("No genre is judged in silence.")
        elif not prediction.is_music:
            with st.expander("If it were music", key="listen.if_music"):
                answer_bars(prediction, key="listen.bars")
        else:
            answer_bars(prediction, key="listen.bars")
    return place, beside_downloads


def _beside_cover(sound: Sound) -> DeltaGenerator:
    """Where words stand, with the cover picture of an upload beside them; the browser alone decodes it."""
    cover = read_cover(sound.data) if sound.origin == "upload" else None
    if cover is None:
        return st.container()
    row = st.container(horizontal=True)
    url = serve(cover.data, "cover", cover.mimetype)
    size = f"width:{_COVER_PIXELS}px;height:{_COVER_PIXELS}px;object-fit:cover;border-radius:4px"
    row.html(f'<img src="{url}" alt="Cover picture of the file" style="{size}">', width=_COVER_PIXELS)
    return row.container(width="stretch")


def _notes(sound: Sound, prediction: Prediction) -> tuple[str, ...]:
    if sound.origin == "example":
        return ("Synthesized on this machine just now; nobody recorded it.",)
    found = tuple(note for note in output.notes(prediction) if not _is_ordinary(note))
    if sound.origin == "recording":
        # The rate of a recording was our choice, and says nothing about the sound.
        found = tuple(note for note in found if not note.startswith("Resampled from"))
    if not prediction.verdict.traits.is_heard:
        # The verdict has just said so.
        found = tuple(note for note in found if not note.startswith("Nothing in it is above"))
    return found


def _is_ordinary(note: str) -> bool:
    """Whether a note is true of nearly every file, and tells a listener nothing."""
    return "channels were mixed to mono" in note or (note.startswith("Resampled from") and " to " in note)


def keep_room(place: DeltaGenerator, sound: Sound, prediction: Prediction) -> None:
    """Hold the line of `draw_heard_words`, so that nothing moves when it comes.

    Args:
        place: Where it is drawn.
        sound: What was given.
        prediction: Its answer.
    """
    if prediction.is_music and not tempo_key.is_known(sound):
        place.caption("Listening for tempo and key")


def draw_heard_words(place: DeltaGenerator, heard: str, sound: Sound, view: View | None) -> None:
    """What the sound itself tells, where its notes are: tempo and key, and how loud a recording came in.

    Args:
        place: Where it is drawn.
        heard: Tempo and key in words, if they are known.
        sound: What was given.
        view: Its samples' peak is told; None for a sound too long to be held.
    """
    told = [heard] if heard else []
    if sound.origin == "recording" and view is not None and view.peak_db > SILENCE_DB:
        told.append(f"Level check: its loudest moment is at {text.decibels(view.peak_db)}.")
    if told:
        place.caption("  \n".join(map(plain, told)))
    else:
        place.empty()


def _offer_explore(sound: Sound, prediction: Prediction) -> None:
    """Ways on: to what in the sound spoke for the answer, and to all that can be seen of it."""
    if not prediction.verdict.traits.is_heard:
        return
    ways = {"Why?": (REASONS, "listen.why", "See and hear what in the sound spoke for it, on Explore")}
    if not answer_cache.fits_in_memory(prediction):
        ways = {"Explore a part": (VIEWS, "listen.explore", "Choose a part of this long sound and see all of it")}
    for label, (part, key, words) in ways.items():
        if st.button(label, key=key, help=words):
            # An earlier question about a part is dropped.
            st.session_state.pop(WHY_AT, None)
            st.session_state[EXPLORE_PART], st.session_state[EXPLORE_SOUND] = part, sound.digest
            st.switch_page("pages/1_Explore.py")


def _draw_downloads(sound: Sound, prediction: Prediction) -> None:
    name = file_stem_of(sound.name)
    with st.popover("Download", icon=":material/download:", key="listen.download"):
        st.download_button(
            "JSON, everything",
            _json(output.to_json(prediction, sound.name or name)),
            f"{name}.json",
            "application/json",
            on_click="ignore",
        )
        st.download_button(
            "CSV, the timeline", output.timeline_csv(prediction), f"{name}.csv", "text/csv", on_click="ignore"
        )
        st.download_button(
            "Audacity labels", output.audacity_labels(prediction), f"{name}.txt", "text/plain", on_click="ignore"
        )


def _json(values: object) -> str:
    return json.dumps(values, indent=1, ensure_ascii=False) + "\n"


@st.fragment
def draw_listening_view(sound: Sound, prediction: Prediction, view: View | None, model: Model) -> None:
    """Player, timeline, spectrogram, and a chosen part; a fragment: a look at a segment reruns nothing else.

    Args:
        sound: What was given.
        prediction: Its answer.
        view: None for a sound too long to be held: its picture was made while it was heard, if it was heard whole.
        model: Who answered.
    """
    config = model.bundle.feature_config
    key, seconds = f"listen.player.{sound.digest}", prediction.duration_seconds
    # The player tells the answer of a part, and stays where it is while a long sound is read for one.
    place = st.container()
    is_asked = view is not None or not answer_cache.is_stopped(sound, model)
    part = ask(sound, model, view, chosen_region(key, seconds)) if is_asked else None
    told = part.told() if part else ""
    lanes = (*genre_lanes(prediction), *tag_lanes(prediction)) if prediction.verdict.traits.has_timeline else ()
    with place:
        if view is None:
            _draw_long_view(key, sound, prediction, lanes, config=config, told=told)
        else:
            _draw_view(key, sound, prediction, lanes, view=view, config=config, told=told)
    if is_asked:
        draw_part(sound, model, view, part)


def _draw_view(
    key: str,
    sound: Sound,
    prediction: Prediction,
    lanes: tuple[Lane, ...],
    *,
    view: View,
    config: FeatureConfig,
    told: str,
) -> None:
    """Player, timeline and spectrogram of a sound that is held."""
    whole = figures.clip_picture(view.power, config)

    def detail(start: float, end: float) -> dict[int, dict[str, Any]]:
        read = partial(part_samples, view.wav, start, end, config.sample_rate)
        return zoomed.detail(sound, config, whole, (start, end), read)

    listening_view(
        key=key,
        seconds=prediction.duration_seconds,
        title=name_of(sound),
        url=serve(view.wav, "listen"),
        lanes=lanes,
        pictures=(NamedPicture(_picture_words(view, config), whole),),
        close_up=_close_up(prediction, view, config),
        detail=detail,
        can_select=True,
        told=told,
    )


def _draw_long_view(
    key: str, sound: Sound, prediction: Prediction, lanes: tuple[Lane, ...], *, config: FeatureConfig, told: str
) -> None:
    """Player and timeline of a sound that is not held, over its picture; what is zoomed to is read from the sound."""
    whole = answer_cache.long_picture(sound, config)

    def detail(start: float, end: float) -> dict[int, dict[str, Any]]:
        if whole is None or end - start > MAX_CLIP_SECONDS:
            return {}
        return zoomed.detail(sound, config, whole, (start, end), partial(_read_long, sound, config, (start, end)))

    words = f"{_what_is_shown(config)} Zoom in: what is on the screen is read anew."
    listening_view(
        key=key,
        seconds=prediction.duration_seconds,
        title=name_of(sound),
        url=serve(sound.data, "listen"),
        lanes=lanes,
        pictures=(NamedPicture(words, whole),) if whole is not None else (),
        detail=detail if whole is not None else None,
        can_select=True,
        told=told,
    )


def _read_long(sound: Sound, config: FeatureConfig, span: tuple[float, float]) -> npt.NDArray[np.float32] | None:
    # At least a second is read, also at the beginning and end of a sound; the excess is cut off below.
    first = max(0.0, min(span[0], span[1] - 1.5 * MIN_CLIP_SECONDS))
    last = max(span[1], first + 1.5 * MIN_CLIP_SECONDS)
    try:
        part = load_part(sound.data, config.sample_rate, (first, last), name=sound.name)
    except AudioError:
        # A file that breaks off: the picture of the whole stays.
        return None
    start, end = (round((seconds - first) * config.sample_rate) for seconds in span)
    return part.samples[start:end]


def _close_up(prediction: Prediction, view: View, config: FeatureConfig) -> Callable[[int], NamedPicture]:
    def close_up(segment: int) -> NamedPicture:
        start, end = prediction.segments[segment]
        caption = (
            f"What the model heard from {text.clock(start)} to {text.clock(end)}, "
            "in dB below the loudest cell of that stretch"
        )
        return NamedPicture(caption, figures.segment_picture(view.power, config, start), caption)

    return close_up


def genre_lane(prediction: Prediction) -> Lane:
    """The genre timeline: the posterior of each cell, in one order for all, under the stretches' names."""
    ranked = [genre for genre, _ in prediction.ranked()]
    columns = [prediction.genres.index(genre) for genre in ranked]
    found = stretches.of_prediction(prediction)
    runs = tuple(
        (
            stretch.start_seconds,
            stretch.end_seconds,
            ranked.index(stretch.genre) if stretch.genre else -1,
            stretch.confidence or 0.0,
        )
        for stretch in found
    )
    return Lane(
        name="nearest" if prediction.verdict.traits.names_nearest else "genre",
        labels=tuple(ranked),
        colors=tuple(figures.genre_color(genre) for genre in ranked),
        edges=(0.0, *(cell.end_seconds for cell in prediction.timeline)),
        shares=tuple(
            () if cell.is_silent else tuple(float(cell.posterior[column]) for column in columns)
            for cell in prediction.timeline
        ),
        segments=tuple(cell.segment for cell in prediction.timeline),
        runs=runs,
        lists_runs=bool(output.changes_sentence(found)),
    )


def genre_lanes(prediction: Prediction | None) -> tuple[Lane, ...]:
    """The genre timeline, where there is one to be shown: of what is no music, no genre is told.

    Args:
        prediction: The answer; None where no model has heard the sound.
    """
    return (genre_lane(prediction),) if prediction is not None and prediction.verdict.traits.has_timeline else ()


def tag_lanes(prediction: Prediction) -> tuple[Lane, ...]:
    """A row for each of the most probable words: how probable it is in each stretch."""
    names = [tag.name for tag in prediction.tags]
    edges = (0.0, *(cell.end_seconds for cell in prediction.timeline))
    return tuple(
        Lane(
            name=name,
            labels=(name,),
            colors=(_TAG_COLOR,),
            edges=edges,
            shares=tuple(
                (float(prediction.tag_timeline[cell.segment, names.index(name)]),) for cell in prediction.timeline
            ),
            is_thin=True,
        )
        for name in output.heard_words(prediction)[: output.MOST_HEARD]
    )


def _picture_words(view: View, config: FeatureConfig) -> str:
    facts = figures.outline(view.power, config)
    if facts is None:
        return "Mel spectrogram of digital silence."
    return (
        f"{_what_is_shown(config)} The sound itself is loudest at {text.clock(facts.loudest_seconds)} "
        f"near {text.hertz(facts.loudest_hz)}; four fifths of its energy lie between "
        f"{text.hertz(facts.low_hz)} and {text.hertz(facts.high_hz)}."
    )


def _what_is_shown(config: FeatureConfig) -> str:
    # Whoever reads levels off the picture should know that they are not those of the sound.
    lifted = " with its highs lifted" if config.front_end == TAGGER_MEL else ""
    return f"What the model hears: the mel spectrogram{lifted}, in dB below the loudest cell."


def draw_numbers(prediction: Prediction, view: View | None, config: FeatureConfig) -> None:
    """All that the charts show, as text.

    Args:
        prediction: Its answer.
        view: The sound's picture and samples; None where it is too long for them.
        config: The model's features.
    """
    with st.expander("The same in words and numbers", key="listen.numbers"):
        if prediction.verdict.traits.is_heard:
            _draw_genres(prediction)
        st.markdown(table(("from", "to", "genre", "confidence"), _stretches(prediction)))
        if view is not None:
            st.markdown(plain(_picture_words(view, config)))
        for note in filter(_is_ordinary, prediction.notes):
            st.markdown(plain(note))


def _draw_genres(prediction: Prediction) -> None:
    shares = output.time_shares(prediction)
    if shares:
        percentages = zip(shares, text.percents(list(shares.values())), strict=True)
        st.markdown(table(("genre", "share of the time"), [(genre, f"{share} %") for genre, share in percentages]))
    rows = [(genre, text.confidence(share)) for genre, share in prediction.ranked()]
    st.markdown(table(("genre", "confidence, taken as a whole" if shares else "confidence"), rows))


def _stretches(prediction: Prediction) -> list[tuple[str, str, str, str]]:
    rows = []
    for part in stretches.stretches(prediction.timeline, prediction.genres):
        confidence = "" if part.confidence is None else text.confidence(part.confidence)
        start, end = text.clock(part.start_seconds), text.clock(part.end_seconds)
        rows.append((start, end, part.genre or "silence", confidence))
    return rows
