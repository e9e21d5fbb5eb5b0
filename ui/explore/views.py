"""Explore's views: which are shown and how, drawn on one time axis, and what is taken home of them."""

from __future__ import annotations

import contextlib
import io
import threading
from collections.abc import Callable
from dataclasses import asdict
from functools import cache, partial
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt
import streamlit as st

from crnn import text
from crnn.analysis import views
from crnn.audio.clip import Clip, load_clip
from ui.components.player import Lane, Region, listening_view
from ui.components.player.panels import COLOR_MAPS, Panel
from ui.explore.view_panels import Drawing, closer_panel, view_panel
from ui.shared.answer_cache import View
from ui.shared.media import band_hz, serve, wav_part
from ui.shared.state import EXPLORE_SOUND, Sound, name_of, sounds
from ui.shared.taken_home import offer, offer_what_was_lost
from ui.shared.words import file_stem_of

_CLIPS = "explore.clips"
_SPAN = "explore.span"
_FIRST_VIEWS = ["waveform", "mel"]
_SHORTEST_PART_SECONDS = 0.1

_FREQUENCIES_HZ = (0, 50, 100, 200, 400, 800, 1600, 3200, 5000, 8000, 11_025, 16_000, 22_050)
_WINDOWS = (512, 1024, 2048, 4096, 8192)
_OVERLAPS = {"half a window": 2, "a quarter": 4, "an eighth": 8}


def choose_sound() -> Sound | None:
    """The sound to look at, of those given; None if there is none."""
    given = sounds()
    if len(given) < 2:
        return given[0] if given else None
    # By content: Streamlit takes the first of two that are called alike.
    names = [name_of(sound) for sound in given]
    digests = [sound.digest for sound in given]
    kept = st.session_state.get(EXPLORE_SOUND)
    first = digests.index(kept) if kept in digests else 0
    index = st.selectbox("Sound", range(len(given)), first, format_func=names.__getitem__, key="explore.sound") or 0
    st.session_state[EXPLORE_SOUND] = digests[index]
    return given[index]


@cache
def warm_up() -> None:
    """Have what the slow views need compiled in the background, once a process."""
    threading.Thread(target=views.warm_up, name="warm-up", daemon=True).start()


def clip_of(sound: Sound, sample_rate: int) -> Clip:
    """The sound's samples, kept for the visit.

    Args:
        sound: What was given.
        sample_rate: Hz.

    Raises:
        AudioError: The sound cannot be used.
    """
    kept: dict[tuple[str, int], Clip] = st.session_state.setdefault(_CLIPS, {})
    key = (sound.digest, sample_rate)
    clip = kept.get(key)
    if clip is None:
        clip = load_clip(sound.data, sample_rate, name=sound.name)
        # Two at most: those that are compared.
        for old in list(kept)[:-1]:
            kept.pop(old, None)
        kept[key] = clip
    return clip


def choose_views() -> list[str]:
    """Draw the choice of the views; returns their names in a fixed order."""
    kept = st.session_state.get("explore.kept_views", _FIRST_VIEWS)
    chosen = st.pills(
        "Views",
        list(views.VIEWS),
        selection_mode="multi",
        default=kept,
        format_func=_chip,
        key="explore.views",
        label_visibility="collapsed",
        wrap=True,
    )
    st.session_state["explore.kept_views"] = chosen
    return [name for name in views.VIEWS if name in chosen]


def _chip(name: str) -> str:
    view = views.VIEWS[name]
    return f"{view.name} :gray[{view.title}]" if view.title else view.name


def choose_settings(highest: int) -> tuple[views.ViewSettings, int, tuple[str, ...]]:
    """Draw the settings; returns them with the sample rate that they need and the colours.

    Args:
        highest: Hz up to which the file has sound.
    """
    with st.popover("Settings", icon=":material/tune:", width="stretch", key="explore.settings"):
        n_fft = st.select_slider(
            "Window",
            _WINDOWS,
            2048,
            format_func=lambda n: f"{n} samples",
            help="Long windows part neighbouring tones, short ones neighbouring moments.",
            key="explore.window",
        )
        overlap = st.select_slider(
            "Step from window to window",
            list(_OVERLAPS),
            "a quarter",
            help="Smaller steps draw finer in time, and take longer.",
            key="explore.step",
        )
        n_mels = st.select_slider(
            "Mel bands", (32, 64, 96, 128, 256), 128, help="The model reads 128.", key="explore.mels"
        )
        low, high = st.select_slider(
            "Frequencies, Hz",
            [*(hertz for hertz in _FREQUENCIES_HZ if hertz < highest), highest],
            (0, highest),
            help="As far as the file has sound. Chroma, rhythm and constant-Q take what they need.",
            key=f"explore.frequencies.{highest}",
        )
        range_db = st.slider(
            "Range of levels, dB",
            20,
            120,
            80,
            10,
            help="What is farther below the top is darkest.",
            key="explore.range",
        )
        normalise = st.toggle(
            "Loudest at 0 dB", True, help="Off: levels relative to a full-scale sine.", key="explore.normalise"
        )
        colors = st.selectbox("Colours", list(COLOR_MAPS), key="explore.colors")
    if low >= high:
        low, high = 0, highest
    rate = 22_050 if high <= 11_025 else 44_100
    settings = views.ViewSettings(
        int(n_fft), int(n_fft) // _OVERLAPS[overlap], int(n_mels), float(low), float(high), float(range_db), normalise
    )
    return settings, rate, COLOR_MAPS[colors]


def span_of(sound: Sound) -> tuple[float, float] | None:
    """The part of a sound that is looked at; None for all of it."""
    kept = st.session_state.get(_SPAN)
    return kept[1] if kept and kept[0] == sound.digest else None


def _look_at(sound: Sound, span: tuple[float, float] | None) -> NoReturn:
    st.session_state[_SPAN] = (sound.digest, span) if span else None
    # Views and numbers, too, are of the part.
    st.rerun()


@st.fragment
def draw_views(sound: Sound, heard: View, lanes: tuple[Lane, ...]) -> None:
    """The choice of views, the views, and what can be taken home; a fragment of its own.

    Args:
        sound: What was given.
        heard: What the player plays.
        lanes: The genre timeline, where a model has answered.
    """
    left, right = st.columns([5, 1], gap="small")
    with left:
        names = choose_views()
    with right:
        settings, rate, stops = choose_settings(band_hz(heard.wav))
    if not names:
        st.info("Choose a view above.")
        return
    clip = clip_of(sound, rate)
    span = span_of(sound)
    start, end = span or (0.0, clip.duration_seconds)
    samples = clip.samples[round(start * rate) : round(end * rate)]
    slow = [views.VIEWS[name].name for name in names if views.VIEWS[name].is_slow]
    words = f"Computing {', '.join(slow).lower()}; the first time takes longer" if slow else "Drawing"
    with st.spinner(words) if slow else contextlib.nullcontext():
        drawing = Drawing(rate, settings, stops)
        panels = [view_panel(sound.digest, name, drawing, span=(start, end), _samples=samples) for name in names]

    def detail(first: float, last: float) -> dict[int, Panel]:
        zoomed = (
            closer_panel(sound.digest, name, whole, drawing, span=(first, last), _samples=clip.samples)
            for name, whole in zip(names, panels, strict=True)
        )
        return {number: fine for number, fine in enumerate(zoomed) if fine is not None}

    _draw_player(sound, heard, panels=tuple(panels), lanes=lanes, detail=detail, seconds=clip.duration_seconds)
    _draw_numbers(sound, names, partial(_numbers, samples=samples, rate=rate, settings=settings, start=start))


# A fragment of its own: to zoom must not renew the numbers' addresses, or a click that is on its way finds none.
@st.fragment
def _draw_player(
    sound: Sound,
    heard: View,
    *,
    panels: tuple[Panel, ...],
    lanes: tuple[Lane, ...],
    detail: Callable[[float, float], dict[int, Panel]],
    seconds: float,
) -> None:
    span = span_of(sound)
    region = listening_view(
        key=f"explore.player.{sound.digest}",
        seconds=seconds,
        title=name_of(sound),
        url=serve(heard.wav, "explore"),
        lanes=lanes,
        pictures=panels,
        detail=detail,
        span=span,
        can_select=True,
        save_name=f"{file_stem_of(sound.name)} views",
    )
    _draw_part(sound, heard, region, span)


def _draw_part(sound: Sound, heard: View, region: Region | None, span: tuple[float, float] | None) -> None:
    """What can be done with the chosen part."""
    part = (region.start_seconds, region.end_seconds) if region else span
    if part is None:
        st.caption("Press “select” and drag over a picture to choose a part: look closer, loop it, keep it.")
        return
    clocks = f"{text.clock(part[0])} to {text.clock(part[1])}"
    with st.container(horizontal=True):
        if region and part[1] - part[0] >= _SHORTEST_PART_SECONDS and st.button("Look closer", key="explore.closer"):
            _look_at(sound, part)
        if span and st.button("Back to the whole sound", key="explore.whole"):
            _look_at(sound, None)
        st.download_button(
            f"WAV, {clocks}",
            partial(wav_part, heard.wav, *part),
            f"{file_stem_of(sound.name)} {clocks.replace(':', '.')}.wav",
            "audio/wav",
            on_click="ignore",
            key="explore.wav",
        )


def _draw_numbers(sound: Sound, names: list[str], numbers: Callable[[str], dict[str, Any]]) -> None:
    """Downloads of the numbers of each view, made when they are asked for."""
    with st.popover("Numbers", icon=":material/download:", key="explore.numbers"):
        for name in names:
            title = views.VIEWS[name].name
            stem = f"{file_stem_of(sound.name)} {name}"
            with st.container(horizontal=True):
                csv = partial(_csv_of, numbers, name)
                offer(f"{title}, CSV", f"{stem}.csv", "text/csv", csv, key=f"explore.csv.{name}")
                npz = partial(_npz_of, numbers, name)
                offer(f"{title}, NPZ", f"{stem}.npz", "application/octet-stream", npz, key=f"explore.npz.{name}")
    offer_what_was_lost()


def _numbers(
    name: str, *, samples: npt.NDArray[np.float32], rate: int, settings: views.ViewSettings, start: float
) -> dict[str, Any]:
    """All numbers of a view by name: `seconds`, and `values` with `rows`, or a column for each curve."""
    found = views.compute(name, samples, rate, settings)
    if isinstance(found, views.Grid):
        seconds = start + np.arange(len(found.values)) * found.seconds_per_frame
        rows = np.array(found.row_names) if found.row_names else found.rows
        return {"seconds": seconds, "rows": rows, "values": found.values, "settings": str(asdict(settings))}
    numbers: dict[str, Any] = {}
    for curve in found.curves:
        points = np.arange(len(curve.values)) * curve.seconds_per_point
        numbers |= {"seconds": start + curve.start_seconds + points, curve.name: curve.values}
    return numbers | ({"marks": np.array(found.marks) + start} if found.marks else {})


def to_npz(numbers: dict[str, Any]) -> bytes:
    """Numbers as a NumPy archive."""
    out = io.BytesIO()
    np.savez_compressed(out, allow_pickle=False, **numbers)
    return out.getvalue()


def to_csv(numbers: dict[str, Any]) -> str:
    """Numbers as CSV: a line for each moment, seconds first."""
    seconds = numbers["seconds"]
    columns, header = [seconds[:, None]], ["seconds"]
    for name, values in numbers.items():
        if name == "values":
            columns.append(values)
            header += [str(row) if isinstance(row, str) else f"{row:.2f}" for row in numbers["rows"].tolist()]
        elif isinstance(values, np.ndarray) and name not in {"seconds", "rows", "marks"}:
            columns.append(values.reshape(len(values), -1))
            header += [name] if values.ndim == 1 else [f"{name}, lowest", f"{name}, highest"]
    out = io.StringIO()
    np.savetxt(out, np.concatenate(columns, axis=1), fmt="%.4f", delimiter=",", header=",".join(header), comments="")
    return out.getvalue()


def _csv_of(numbers: Callable[[str], dict[str, Any]], name: str) -> str:
    return to_csv(numbers(name))


def _npz_of(numbers: Callable[[str], dict[str, Any]], name: str) -> bytes:
    return to_npz(numbers(name))
