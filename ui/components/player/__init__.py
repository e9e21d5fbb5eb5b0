"""The listening view: a player, lanes of named cells and pictures, one cursor through all.

All of it happens in the browser; Python hears only which segment's input is
asked for. Any page can use it: what is shown is data.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from crnn.analysis.figures import VIRIDIS, Picture
from ui.components import component, payload, rounded_share

# What the browser tells: a segment to look into, a chosen part, a moment gone to, a stretch that was zoomed to.
_TOLD = ("segment", "region", "moment", "detail")

# A zoomed stretch is half as long at least.
_LEAST_DETAIL_SECONDS = 0.2


@dataclass(frozen=True)
class Lane:
    """A row of stretches in time, each with shares of its labels.

    edges: seconds, one more than there are stretches.
    shares: per stretch, a share of 0 to 1 for each label; an empty one is drawn as `blank`.
    is_thin: Drawn as a low row with its name in it.
    segments: per stretch, which of the model's inputs answered it.
    runs: start and end in seconds, index of the label (−1 for `blank`) and mean share of what is named above
        the shares; without them neighbours with one greatest share are.
    lists_runs: whether they stand in a list, too, to go to.
    """

    name: str
    labels: tuple[str, ...]
    colors: tuple[str, ...]
    edges: tuple[float, ...]
    shares: tuple[tuple[float, ...], ...]
    segments: tuple[int, ...] = ()
    runs: tuple[tuple[float, float, int, float], ...] = ()
    lists_runs: bool = False
    blank: str = "silence"
    is_thin: bool = False


@dataclass(frozen=True)
class NamedPicture:
    """A picture with the words that say what it is."""

    name: str
    picture: Picture
    caption: str = ""


@dataclass(frozen=True)
class Version:
    """One of several sounds that are heard at the same moment of the same picture: its name, and where it is found."""

    name: str
    url: str


@dataclass(frozen=True)
class Region:
    """A part of the sound that was chosen by dragging; with the lowest and highest Hz where a rectangle was drawn."""

    start_seconds: float
    end_seconds: float
    hertz: tuple[float, float] | None = None

    def to_dict(self) -> dict[str, float]:
        """What the browser needs to draw it."""
        values = {"start": self.start_seconds, "end": self.end_seconds}
        if self.hertz is not None:
            values |= {"low": self.hertz[0], "high": self.hertz[1]}
        return values


def listening_view(  # noqa: PLR0913 - all that may be shown, each by its name
    *,
    key: str,
    seconds: float,
    title: str = "",
    url: str | tuple[Version, ...] = "",
    lanes: tuple[Lane, ...] = (),
    pictures: tuple[NamedPicture | dict[str, Any], ...] = (),
    close_up: Callable[[int], NamedPicture] | None = None,
    detail: Callable[[float, float], dict[int, dict[str, Any]]] | None = None,
    span: tuple[float, float] | None = None,
    can_select: bool = False,
    told: str = "",
    save_name: str = "",
    is_docked: bool = True,
) -> Region | None:
    """Draw the listening view; returns the part that was chosen in it.

    Args:
        key: Tells one sound from another; a new key starts at the beginning.
        seconds: Length of the sound.
        title: What the sound is called.
        url: Where the browser finds the sound, or several to switch between while they play; without it nothing plays.
        lanes: Drawn above the pictures, in order.
        pictures: Drawn one below the other: pictures, or panels and curves as `ui.components.player.panels` makes them.
            Of the `moment` that one of them has, in seconds, a button plays the sound.
        close_up: Gives the picture of a segment; it takes the first picture's place when asked for.
        detail: Gives finer pictures of a part of the sound, by their places among the pictures; what is
            zoomed to is drawn with them.
        span: Seconds from and to which the pictures reach, where that is not the whole sound. Where no part can be
            chosen, a moment outside it that is gone to is told as the state's `moment`.
        can_select: Whether a part can be chosen by dragging.
        told: What is said on the picture of the part that was chosen.
        save_name: Name of what is saved as PNG or SVG; without it nothing can be.
        is_docked: Whether its buttons stay at the foot of a narrow screen; one view of a page may.
    """
    import streamlit as st

    state = st.session_state.get(key) or {}
    asked, region = state.get("segment"), chosen_region(key, seconds)
    known = {segment for lane in lanes for segment in lane.segments}
    shown = close_up(asked) if close_up is not None and asked in known else None
    part = _part(state.get("detail"), seconds) if detail is not None else None
    values = {
        "seconds": round(seconds, 3),
        "key": key,
        "title": title,
        "url": url if isinstance(url, str) else url[0].url,
        "versions": [] if isinstance(url, str) else [asdict(version) for version in url],
        "lanes": [_lane(lane) for lane in lanes],
        "pictures": [picture if isinstance(picture, dict) else _picture(picture) for picture in pictures],
        "closeUp": {"segment": asked, **_picture(shown)} if shown else None,
        "canDetail": detail is not None,
        "detailed": part,
        "details": detail(*part) if detail is not None and part is not None else {},
        "canCloseUp": close_up is not None,
        "span": span,
        "canSelect": can_select,
        "region": region.to_dict() if region else None,
        "told": told,
        "saveName": save_name,
        "docked": is_docked,
        "stops": VIRIDIS,
    }
    listened: dict[str, Any] = {f"on_{name}_change": lambda: None for name in _TOLD}
    component("player")(key=key, data=payload(values), default=dict.fromkeys(_TOLD), **listened)
    return region


def chosen_region(key: str, seconds: float) -> Region | None:
    """The part that was chosen in the listening view with this key; None if there is none.

    Args:
        key: As given to `listening_view`.
        seconds: Length of the sound.
    """
    import streamlit as st

    # It comes from the browser: nothing in it is taken on trust.
    found = (st.session_state.get(key) or {}).get("region")
    if not isinstance(found, dict):
        return None
    numbers = {name: value for name, value in found.items() if isinstance(value, int | float)}
    start, end = numbers.get("start", 0.0), numbers.get("end", 0.0)
    if not 0 <= start < end <= seconds + 0.1:
        return None
    low, high = numbers.get("low", 0.0), numbers.get("high", 0.0)
    is_rectangle = "low" in numbers and 0 <= low < high
    return Region(float(start), float(end), (float(low), float(high)) if is_rectangle else None)


def _part(found: Any, seconds: float) -> tuple[float, float] | None:
    # It comes from the browser: nothing in it is taken on trust.
    if not isinstance(found, list) or len(found) != 2 or not all(isinstance(at, int | float) for at in found):
        return None
    start, end = (min(max(0.0, float(at)), seconds) for at in found)
    return (start, end) if end - start >= _LEAST_DETAIL_SECONDS else None


def _lane(lane: Lane) -> dict[str, Any]:
    return {
        "name": lane.name,
        "labels": lane.labels,
        "colors": lane.colors,
        "edges": [round(edge, 3) for edge in lane.edges],
        "shares": [[rounded_share(share) for share in shares] for shares in lane.shares],
        "segments": lane.segments,
        "runs": [
            [round(start, 3), round(end, 3), label, rounded_share(share)] for start, end, label, share in lane.runs
        ],
        "listsRuns": lane.lists_runs,
        "blank": lane.blank,
        "thin": lane.is_thin,
    }


def packed(cells: npt.NDArray[np.uint8]) -> str:
    """Cells as the browser unpacks them."""
    return base64.b64encode(zlib.compress(cells.tobytes(), 6)).decode("ascii")


def picture_values(picture: Picture) -> dict[str, Any]:
    """A picture's cells and where they lie, as the browser draws them."""
    return {
        "columns": picture.cells.shape[0],
        "rows": picture.cells.shape[1],
        "start": picture.start_seconds,
        "secondsPerColumn": picture.seconds_per_column,
        "cells": packed(picture.cells),
    }


def _picture(named: NamedPicture) -> dict[str, Any]:
    picture = named.picture
    return {
        "name": named.name,
        "caption": named.caption,
        "rowHz": picture.row_hz,
        "low": picture.low_db,
        "high": picture.high_db,
    } | picture_values(picture)
