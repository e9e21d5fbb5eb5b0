"""Views as panels of the listening view: what the browser needs to draw each on the shared time axis."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from crnn.analysis.figures import VIRIDIS, view_picture
from crnn.analysis.views import Curve, Grid, Lines, View
from ui.components.player import packed, picture_values

Panel = dict[str, Any]

# Light enough for a dark picture, apart for colour-blind eyes.
_OVER_PICTURE = ("#FFFFFF", "#EE8866", "#77CCEE")
_ON_PAGE = ("#4477AA", "#EE8866", "#44AA99")
_MAX_POINTS = 4000

# Blue to orange around grey, as both ends say opposite things.
FOR_COLOR, AGAINST_COLOR = "#EE7733", "#33BBEE"
GREYS = ("#101010", "#f0f0f0")

# Even to the eye and apart for colour-blind eyes; stops of matplotlib's maps.
COLOR_MAPS = {
    "Viridis": VIRIDIS,
    "Magma": tuple(f"#{stop}" for stop in "000004 180f3d 440f76 721f81 9e2f7f cd4071 f1605d fd9668 fcfdbf".split()),
    "Cividis": tuple(f"#{stop}" for stop in "00224e 123570 3b496c 575d6d 707173 8a8678 a59c74 c3b369 fee838".split()),
    "Grey": GREYS,
}


def panel(
    view: View,
    *,
    title: str,
    about: str,
    stops: tuple[str, ...] = (),
    start_seconds: float = 0.0,
) -> Panel:
    """A view as a panel.

    Args:
        view: Its numbers.
        title: Its name.
        about: One line on what it shows.
        stops: Colours from low to high, `#rrggbb`.
        start_seconds: Where in the sound the view begins.
    """
    common = {
        "title": title,
        "about": f"{about} {view.facts}".strip(),
        "name": f"{title}. {about} {view.facts}".strip(),
        "unit": view.unit,
        "marks": [round(mark + start_seconds, 3) for mark in view.marks],
        "low": round(view.low, 4),
        "high": round(view.high, 4),
    }
    if isinstance(view, Lines):
        ticks = [[value, f"{_number(value)} {view.unit}".strip()] for value in _round_values(view.low, view.high)]
        curves = [_curve(c, color, start_seconds) for c, color in zip(view.curves, _ON_PAGE, strict=False)]
        return common | {"curves": curves, "ticks": ticks, "height": 84, "rowUnit": ""}
    picture = view_picture(
        view.values, view.rows, view.low, view.high, seconds_per_frame=view.seconds_per_frame,
        start_seconds=start_seconds,
    )  # fmt: skip
    curves = [_curve(c, color, start_seconds) for c, color in zip(view.curves, _OVER_PICTURE, strict=False)]
    return common | {
        "height": 150 if view.row_names else 200,
        "rowHz": picture.row_hz,
        "rowUnit": view.row_unit,
        "rowNames": view.row_names,
        "ticks": _ticks(view),
        "stops": stops or None,
        "curves": curves,
        "peaks": view.row_unit == "Hz",
        **picture_values(picture),
    }


def tint(shares: npt.NDArray[np.float32], start_seconds: float, seconds_per_column: float) -> Panel:
    """What spoke for and against, to be laid over a panel as its `tint`.

    Args:
        shares: −1 (against) to 1 (for), `(n_columns, n_rows)`.
        start_seconds: Left edge of the first column.
        seconds_per_column: Width of each.
    """
    cells = np.round(128 + 127 * np.clip(shares, -1, 1)).astype(np.uint8)
    return {
        "columns": cells.shape[0],
        "rows": cells.shape[1],
        "start": start_seconds,
        "secondsPerColumn": seconds_per_column,
        "cells": packed(cells),
        "colors": (FOR_COLOR, AGAINST_COLOR),
    }


def detail_of(fine: Panel) -> Panel:
    """A finer panel of a part, as the browser lays it over the whole one.

    Args:
        fine: The same view of the part alone, drawn between the same values.
    """
    kept = ("columns", "rows", "start", "secondsPerColumn", "curves", "cells") if "cells" in fine else ("curves",)
    return {name: fine[name] for name in kept}


def _curve(curve: Curve, color: str, start_seconds: float) -> Panel:
    step = -(-len(curve.values) // _MAX_POINTS)
    values = curve.values[::step]
    lows, highs = (values, None) if values.ndim == 1 else (values[:, 0], _numbers(values[:, 1]))
    return {
        "name": curve.name,
        "color": color,
        "values": _numbers(lows),
        "highs": highs,
        "fill": curve.name == "amplitude",
        "start": curve.start_seconds + start_seconds,
        "step": curve.seconds_per_point * step,
    }


def _numbers(values: npt.NDArray[np.floating]) -> list[float | None]:
    return [round(value, 4) if np.isfinite(value) else None for value in values.tolist()]


def _ticks(grid: Grid) -> list[list[Any]] | None:
    if grid.row_names:
        return [[row, name] for row, name in enumerate(grid.row_names)]
    if grid.row_unit == "BPM":
        wanted = (40, 60, 80, 120, 160, 240)
        return [[float(np.interp(bpm, grid.rows, np.arange(len(grid.rows)))), f"{bpm} BPM"] for bpm in wanted]
    if grid.row_unit == "Hz" and len(grid.rows) % 12 == 0 and abs(grid.rows[0] - 32.703) < 0.01:
        # The constant-Q's rows are notes: an octave is as many rows everywhere.
        per_octave = round(1 / float(np.log2(grid.rows[1] / grid.rows[0])))
        return [[row, f"C{row // per_octave + 1}"] for row in range(0, len(grid.rows), per_octave)]
    return None


def _round_values(low: float, high: float) -> list[float]:
    return [low, (low + high) / 2, high]


def _number(value: float) -> str:
    return f"{value:.3g}".replace("-", "−")
