"""What the pages draw: genre colours by rule, and pictures of sound as bytes.

A genre keeps its colour on every page, chart and export. Ten fixed colours stay
apart for colour-blind eyes on light and dark ground (after Paul Tol's muted
set); any other name gets a hue by its SHA-256, so the same name has the same
colour in every model. Pictures are `(n_columns, n_rows)`, lowest row first.
"""

from __future__ import annotations

import colorsys
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import numpy.typing as npt

from crnn.config import FeatureConfig
from crnn.features import inverse, log_mel
from crnn.features.fine import fine_mel_power
from crnn.untrusted import as_label

if TYPE_CHECKING:
    import plotly.graph_objects as go

FloatArray = npt.NDArray[np.float32]
_Number = TypeVar("_Number", bound=np.generic)

GENRE_COLORS = {
    "blues": "#4477AA",
    "classical": "#DDCC77",
    "country": "#999933",
    "disco": "#AA4499",
    "hiphop": "#44AA99",
    "jazz": "#EE8866",
    "metal": "#888888",
    "pop": "#CC6677",
    "reggae": "#117733",
    "rock": "#882255",
}

# Viridis as evenly spaced stops: even to the eye, also for colour-blind ones.
VIRIDIS = ("#440154", "#482878", "#3e4989", "#31688e", "#26828e", "#1f9e89", "#35b779", "#6ece58", "#b5de2b", "#fde725")

_SYMBOLS = ("circle", "square", "diamond", "cross", "x", "triangle-up", "triangle-down", "star", "hexagon", "pentagon")

# Columns of a zoomed part: about the pixels that the widest screens have for it.
DETAIL_COLUMNS = 1500
# In samples; anything finer would show single samples.
LEAST_HOP = 16

# A canvas of 4096 columns is what the smallest phones still draw.
MAX_COLUMNS = 4000


def genre_color(genre: str) -> str:
    """The colour of a genre as `#rrggbb`, by its name alone; spelling ("Hip-Hop") does not matter."""
    name = "".join(letter for letter in genre.casefold() if letter.isalnum())
    if name in GENRE_COLORS:
        return GENRE_COLORS[name]
    digest = hashlib.sha256(name.encode()).digest()
    hue = int.from_bytes(digest[:2]) / 65_536
    lightness = (0.42, 0.52, 0.62)[digest[2] % 3]
    red, green, blue = (round(255 * part) for part in colorsys.hls_to_rgb(hue, lightness, 0.45))
    return f"#{red:02X}{green:02X}{blue:02X}"


@dataclass(frozen=True)
class Picture:
    """A time-frequency picture in dB, small enough to send to a browser.

    cells: uint8 `(n_columns, n_rows)`; 0 is `low_db` or less, 255 is `high_db`.
    row_hz: centre frequency of each row, rising.
    start_seconds: left edge of the first column.
    """

    cells: npt.NDArray[np.uint8]
    row_hz: tuple[float, ...]
    low_db: float
    high_db: float
    start_seconds: float
    seconds_per_column: float

    def columns_of(self, start_seconds: float, seconds: float) -> slice:
        """The columns that a part of the sound lies in, at least one.

        Args:
            start_seconds: Where the part begins, on the clock of the whole sound.
            seconds: How long it is.
        """
        first = int(np.clip((start_seconds - self.start_seconds) / self.seconds_per_column, 0, len(self.cells) - 1))
        return slice(first, max(first + 1, first + round(seconds / self.seconds_per_column) + 1))


def clip_picture(power: FloatArray, config: FeatureConfig, max_columns: int = MAX_COLUMNS) -> Picture:
    """The mel power that the model is fed, in dB re the clip's loudest cell.

    Args:
        power: Mel power of the whole clip, shape `(n_frames, n_mels)`.
        config: The settings that `power` was made with.
        max_columns: More frames than that are pooled by their maximum.
    """
    pool = -(-len(power) // max_columns)
    power = pooled(power, pool)
    return _picture(_silence_or(log_mel.power_to_db(power, config), power, config), config, 0, pool)


def detail_picture(samples: FloatArray, config: FeatureConfig, whole: Picture, start_seconds: float) -> Picture:
    """A part of a clip at the detail of a screen, in the levels of the whole clip's picture.

    Args:
        samples: The part, at `config.sample_rate`.
        config: The settings of the whole; only its steps are made finer.
        whole: The picture of the whole clip.
        start_seconds: Where the part starts in it.
    """
    hop_length = int(np.clip(len(samples) // DETAIL_COLUMNS, LEAST_HOP, config.hop_length))
    power, step = fine_mel_power(samples, config, hop_length)
    found = clip_picture(power, config, 2 * DETAIL_COLUMNS)
    return replace(
        found,
        cells=matched(found.cells, whole.cells, whole.columns_of(start_seconds, len(samples) / config.sample_rate)),
        start_seconds=start_seconds - 0.5 * step,
        seconds_per_column=found.seconds_per_column * config.frame_rate_hz * step,
    )


def matched(detail: npt.NDArray[np.uint8], whole: npt.NDArray[np.uint8], columns: slice) -> npt.NDArray[np.uint8]:
    """A part's cells, relative to its own loudest, as bright as the whole's picture is there.

    Args:
        detail: Cells of the part.
        whole: Cells of the whole.
        columns: Those of the whole where the part lies.
    """
    there = whole[columns]
    loss = int(detail.max(initial=0)) - int(there.max(initial=0))
    return np.clip(detail.astype(np.int16) - loss, 0, 255).astype(np.uint8)


def segment_picture(power: FloatArray, config: FeatureConfig, start_seconds: float) -> Picture:
    """The model's exact input for one segment, in dB re the segment's loudest cell.

    Args:
        power: Mel power of the whole clip, shape `(n_frames, n_mels)`.
        config: The settings that `power` was made with.
        start_seconds: Where the segment starts, as in `Prediction.segments`.
    """
    start = round(start_seconds * config.frame_rate_hz)
    heard = power[start : start + config.n_frames]
    return _picture(_silence_or(log_mel.input_in_db(heard, config), heard, config), config, start, 1)


def _picture(decibels: FloatArray, config: FeatureConfig, first_frame: int, pool: int) -> Picture:
    """A picture of dB, `(n_columns, n_mels)`; bands in which nothing can be are left out."""
    n_bands = log_mel.n_heard_bands(config)
    shares = np.clip((decibels[:, :n_bands] - config.db_floor) / -config.db_floor, 0, 1)
    seconds_per_frame = 1.0 / config.frame_rate_hz
    return Picture(
        cells=np.round(255 * shares).astype(np.uint8),
        row_hz=tuple(round(float(hz), 1) for hz in log_mel.mel_frequencies(config)[:n_bands]),
        low_db=config.db_floor,
        high_db=0.0,
        # A frame is centred on its time, so its column starts half a hop earlier.
        start_seconds=(first_frame - 0.5) * seconds_per_frame,
        seconds_per_column=pool * seconds_per_frame,
    )


def _silence_or(decibels: FloatArray, power: FloatArray, config: FeatureConfig) -> FloatArray:
    # Digital silence has no loudest cell: relative to itself all of it would be at 0 dB.
    return decibels if power.any() else np.full_like(decibels, config.db_floor)


@dataclass(frozen=True)
class Outline:
    """A sound in few numbers: where it is loudest, and where 80 % of its energy lies."""

    loudest_seconds: float
    loudest_hz: float
    low_hz: float
    high_hz: float


def outline(power: FloatArray, config: FeatureConfig) -> Outline | None:
    """The text equivalent's facts of a spectrogram; None for digital silence.

    They are of the sound itself: what a front end lifts or weighs for its network is undone.

    Args:
        power: Mel power, shape `(n_frames, n_mels)`.
        config: The settings that `power` was made with.
    """
    if not power.any():
        return None
    row_hz = log_mel.mel_frequencies(config)
    densities = inverse.band_densities(power, config)
    frame, band = np.unravel_index(int(densities.argmax()), power.shape)
    shares = np.cumsum(inverse.band_energies(power, config).sum(axis=0, dtype=np.float64))
    low, high = np.searchsorted(shares, [0.1 * shares[-1], 0.9 * shares[-1]])
    return Outline(float(frame) / config.frame_rate_hz, float(row_hz[band]), float(row_hz[low]), float(row_hz[high]))


# A view sends at most this many cells to the browser: 2 MB before they are packed.
MAX_CELLS = 1_500_000
_MAX_VIEW_COLUMNS = 2000


def view_picture(
    values: FloatArray,
    rows: npt.NDArray[np.float64],
    low: float,
    high: float,
    *,
    seconds_per_frame: float,
    start_seconds: float = 0.0,
) -> Picture:
    """Any grid of numbers at the resolution of a screen, pooled by maximum so that nothing short or narrow is lost.

    Args:
        values: `(n_frames, n_rows)`, lowest row first.
        rows: What each row stands for, rising: Hz or another unit.
        low: Value of the darkest cell.
        high: Value of the brightest cell.
        seconds_per_frame: From frame to frame.
        start_seconds: Time of the first frame's centre.
    """
    row_pool = -(-values.shape[1] // 1100)
    n_rows = -(-values.shape[1] // row_pool)
    pool = max(-(-len(values) // _MAX_VIEW_COLUMNS), -(-len(values) * n_rows // MAX_CELLS))
    values = pooled(pooled(values, pool).T, row_pool).T
    shares = np.clip((values - low) / (high - low), 0, 1)
    if row_pool > 1:
        rows = np.array([rows[i : i + row_pool].mean() for i in range(0, len(rows), row_pool)])
    return Picture(
        cells=np.round(255 * shares).astype(np.uint8),
        row_hz=tuple(round(float(row), 2) for row in rows),
        low_db=low,
        high_db=high,
        start_seconds=start_seconds - 0.5 * seconds_per_frame,
        seconds_per_column=pool * seconds_per_frame,
    )


def pooled(values: npt.NDArray[_Number], pool: int) -> npt.NDArray[_Number]:
    """Each `pool` rows in one, by their maximum; of the last there may be fewer.

    Args:
        values: `(n, n_columns)`.
        pool: How many; 1 gives the values themselves.
    """
    if pool == 1:
        return values
    padding = np.repeat(values[-1:], -len(values) % pool, axis=0)
    return np.concatenate([values, padding]).reshape(-1, pool, values.shape[1]).max(axis=1)


def track_map(
    places: FloatArray, names: Sequence[str], genres: Sequence[str], path: FloatArray, path_words: Sequence[str]
) -> go.Figure:
    """The map of a model's training tracks, with the path of a clip over it.

    Args:
        places: Place of each track, `(n_tracks, 2)`.
        names: Name of each track.
        genres: Genre of each track.
        path: Places of the clip's segments in their order, `(n_segments, 2)`.
        path_words: What is read at each of them.
    """
    import plotly.graph_objects as go

    figure = go.Figure()
    for number, genre in enumerate(sorted(set(genres))):
        members = [i for i, other in enumerate(genres) if other == genre]
        figure.add_scatter(
            x=places[members, 0],
            y=places[members, 1],
            mode="markers",
            name=as_label(genre),
            text=[as_label(names[i]) for i in members],
            hovertemplate="%{text}<extra></extra>",
            # Shape and colour both say the genre.
            marker={
                "color": genre_color(genre),
                "size": 7,
                "opacity": 0.75,
                "symbol": _SYMBOLS[number % len(_SYMBOLS)],
            },
        )
    figure.add_scatter(
        x=path[:, 0],
        y=path[:, 1],
        mode="lines+markers",
        name="this clip",
        text=[as_label(words) for words in path_words],
        hovertemplate="%{text}<extra></extra>",
        line={"color": "#808080", "width": 2},
        marker={"color": "#ffffff", "size": 11, "line": {"color": "#000000", "width": 2}},
    )
    axis = {"showticklabels": False, "showgrid": False, "zeroline": False}
    figure.update_xaxes(title="direction of greatest spread", **axis)
    figure.update_yaxes(title="direction of second greatest", **axis)
    figure.update_layout(height=460, margin={"l": 10, "r": 10, "t": 10, "b": 10}, legend={"itemsizing": "constant"})
    return figure
