"""A card to share: an answer as one picture (SVG) and as one page (HTML), readable without the app.

Sentence, bars, timeline and spectrogram are in it, the sound is not. Nothing is fetched: colours, numbers and the
spectrogram's pixels are written into the file. Lengths are those of the picture, 1200 wide.
"""

from __future__ import annotations

import base64
import html
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from crnn import text
from crnn.analysis import lettering
from crnn.analysis.figures import VIRIDIS, Picture, genre_color, pooled
from crnn.inference import output, stretches
from crnn.inference.classifier import Prediction
from crnn.untrusted import visible

WIDTH = 1200
_LEFT, _RIGHT = 90, 1140
_BAR_LEFT, _BAR_RIGHT, _BAR_STEP, _N_BARS = 230, 1060, 34, 5
_TIMELINE_HEIGHT, _PICTURE_HEIGHT, _PICTURE_COLUMNS = 40, 260, 800
_INK, _SOFT, _TRACK = "#12110F", "#55534E", "#ECEBE8"
_ROOM, _LONGEST_NAME = _RIGHT - _LEFT, 70
# Between a bar and its name, and between the name and the edge.
_GAP = 14
_TICK_SECONDS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14_400, 43_200)
_MOST_TICKS = 9
_TICKS_HZ = (100.0, 1000.0, 8000.0)

_STYLE = (
    "body{margin:1.5rem auto;max-width:60rem;padding:0 1rem;font-family:system-ui,sans-serif;color:#12110F;"
    "background:#FFF;line-height:1.5}h1{font-size:1.4rem}svg{display:block;width:100%;height:auto}table{border-collapse:collapse}"
    "th,td{padding:.15rem .8rem .15rem 0;text-align:left}footer{color:#55534E;font-size:.9rem}"
)


@dataclass(frozen=True)
class Card:
    """What a card tells.

    name: of the sound, as its owner calls it.
    model: who answered.
    picture: the sound's spectrogram; None where there is none.
    heard: tempo and key in words, if they are known.
    """

    name: str
    model: str
    prediction: Prediction
    picture: Picture | None
    heard: str = ""


def svg(card: Card) -> str:
    """The card as a picture that needs nothing but itself."""
    found = card.prediction
    parts = [_words(_LEFT, 62, lettering.cut(_short(card.name), 24, _ROOM), 24, _SOFT)]
    y = 62
    for line in lettering.lines(visible(output.answer_sentence(found)), 42, _ROOM):
        y += 50
        parts.append(_words(_LEFT, y, line, 42, weight=600))
    # For a sound that changes, other candidates for the whole say little.
    others = "" if output.changes_sentence(stretches.of_prediction(found)) else output.candidates_sentence(found)
    beside = " ".join(filter(None, (others, card.heard)))
    for number, line in enumerate(lettering.lines(visible(beside), 22, _ROOM) if beside else []):
        y += 30 if number else 38
        parts.append(_words(_LEFT, y, line, 22, _SOFT))
    y += 30
    if found.is_music:
        unit, bars = _bars(found)
        parts.append(_words(_RIGHT, y + 10, unit, 17, _SOFT, anchor="end"))
        y += 22
        parts += [_bar(*bar, y + _BAR_STEP * row) for row, bar in enumerate(bars[:_N_BARS])]
        y += _BAR_STEP * len(bars[:_N_BARS]) + 20
        parts += _timeline(found, y)
        y += _TIMELINE_HEIGHT + 6
    if card.picture is not None:
        parts += _spectrogram(card.picture, found.duration_seconds, y)
        y += _PICTURE_HEIGHT
    parts += _time_axis(found.duration_seconds, y)
    y += 78
    parts.append(_words(_LEFT, y, lettering.cut(visible(_footer(card)), 18, _ROOM), 18, _SOFT))
    height = y + 30
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" '
        f'role="img" aria-label="{_text(output.answer_sentence(found))}" font-family="system-ui, sans-serif">'
        f'<rect width="{WIDTH}" height="{height}" fill="#FFFFFF"/>'
        f"{''.join(parts)}</svg>"
    )


def page(card: Card) -> str:
    """The card as a page that needs nothing but itself: the picture, and its numbers as text."""
    found = card.prediction
    unit, bars = _bars(found) if found.is_music else ("", [])
    rows = [(genre, words) for genre, _, words in bars]
    runs = [
        (text.clock(run.start_seconds), text.clock(run.end_seconds), run.genre or "silence")
        for run in stretches.of_prediction(found)
    ]
    title = _text(f"{_short(card.name)}: {output.answer_sentence(found)}")
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:; '
        "style-src 'unsafe-inline'\">"
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{_STYLE}</style></head><body>"
        f"<h1>{_text(output.answer_sentence(found))}</h1>{svg(card)}"
        f"{_table(('genre', unit), rows)}{_table(('from', 'to', 'genre'), runs)}"
        f"<footer><p>{_text(_footer(card))}. A confidence is not a certainty. The sound is not in this file.</p>"
        "</footer></body></html>\n"
    )


def _bars(found: Prediction) -> tuple[str, list[tuple[str, float, str]]]:
    """What the bars are of, and each: genre, share, and this in words; what the sentence over them speaks of."""
    shares = output.time_shares(found)
    if shares:
        percentages = text.percents(list(shares.values()))
        told = zip(shares.items(), percentages, strict=True)
        return "share of the time", [(genre, share, f"{percentage} %") for (genre, share), percentage in told]
    return "confidence", [(genre, share, text.confidence(share)) for genre, share in found.ranked()]


def _footer(card: Card) -> str:
    return f"{text.clock(card.prediction.duration_seconds)} · heard by the model {card.model} of GenreScope"


def _short(name: str) -> str:
    shown = visible(name)
    return shown if len(shown) <= _LONGEST_NAME else f"{shown[: _LONGEST_NAME - 1]}…"


def _text(words: str) -> str:
    # Two code points are visible to Python and forbidden in XML.
    return html.escape(visible(words).translate({0xFFFE: "?", 0xFFFF: "?"}))


def _words(
    x: float, y: float, words: str, size: int, fill: str = _INK, *, anchor: str = "start", weight: int = 400
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" font-weight="{weight}" fill="{fill}" '
        f'text-anchor="{anchor}">{_text(words)}</text>'
    )


def _box(x: float, y: float, width: float, height: float, fill: str) -> str:
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{fill}"/>'


def _bar(genre: str, share: float, words: str, y: float) -> str:
    full = _BAR_RIGHT - _BAR_LEFT
    name = lettering.cut(visible(genre), 20, _BAR_LEFT - 2 * _GAP)
    return (
        _words(_BAR_LEFT - _GAP, y + 20, name, 20, anchor="end")
        + _box(_BAR_LEFT, y + 3, full, 22, _TRACK)
        + _box(_BAR_LEFT, y + 3, max(1.0, share * full), 22, genre_color(genre))
        + _words(_RIGHT, y + 20, words, 20, anchor="end")
    )


def _x(seconds: float, whole_seconds: float) -> float:
    return _LEFT + (_RIGHT - _LEFT) * seconds / whole_seconds


def _timeline(found: Prediction, y: float) -> list[str]:
    """A box for every stretch, its genre written where it has room."""
    parts = [_box(_LEFT, y, _RIGHT - _LEFT, _TIMELINE_HEIGHT, _TRACK)]
    for run in stretches.stretches(found.timeline, found.genres):
        if run.genre is None:
            continue
        left, right = (_x(seconds, found.duration_seconds) for seconds in (run.start_seconds, run.end_seconds))
        parts.append(_box(left, y, right - left, _TIMELINE_HEIGHT, genre_color(run.genre)))
        # A plate under the name: some of the colours are dark, some light.
        plate = lettering.width(run.genre, 18) + 12
        if right - left > plate + 12:
            parts.append(_box((left + right - plate) / 2, y + 8, plate, 24, "#FFFFFF"))
            parts.append(_words((left + right) / 2, y + 26, run.genre, 18, anchor="middle"))
    return parts


def _spectrogram(picture: Picture, seconds: float, y: float) -> list[str]:
    """The picture, its frequencies at the left, and the scale of its levels in the line of the times."""
    n_columns, n_rows = picture.cells.shape
    left = _x(picture.start_seconds, seconds)
    right = _x(picture.start_seconds + n_columns * picture.seconds_per_column, seconds)
    data = base64.b64encode(png(picture.cells)).decode()
    parts = [
        f'<clipPath id="frame"><rect x="{_LEFT}" y="{y}" width="{_RIGHT - _LEFT}" height="{_PICTURE_HEIGHT}"/>'
        "</clipPath>"
        f'<image x="{left:.1f}" y="{y}" width="{right - left:.1f}" height="{_PICTURE_HEIGHT}" clip-path="url(#frame)" '
        f'preserveAspectRatio="none" href="data:image/png;base64,{data}"/>'
    ]
    for hz in _TICKS_HZ:
        if picture.row_hz[0] <= hz <= picture.row_hz[-1]:
            row = float(np.interp(hz, picture.row_hz, np.arange(n_rows)))
            at = y + _PICTURE_HEIGHT * (1 - (row + 0.5) / n_rows)
            words = text.hertz(hz).replace(".0 kHz", " kHz")
            parts += [_words(_LEFT - 10, at + 6, words, 17, _SOFT, anchor="end"), _box(_LEFT - 6, at - 0.5, 6, 1, _INK)]
    below = y + _PICTURE_HEIGHT + 40
    step = 160 / len(VIRIDIS)
    parts += [_box(_RIGHT - 240 + step * k, below, step + 0.5, 12, color) for k, color in enumerate(VIRIDIS)]
    # The tagger's mel lifts the highs: what is seen is not the sound's own balance.
    parts.append(_words(_RIGHT - 330, below + 12, "as the model hears it", 17, _SOFT, anchor="end"))
    parts.append(_words(_RIGHT - 248, below + 12, text.decibels(picture.low_db), 17, _SOFT, anchor="end"))
    parts.append(_words(_RIGHT - 72, below + 12, text.decibels(picture.high_db), 17, _SOFT))
    return parts


def _time_axis(seconds: float, y: float) -> list[str]:
    step = next((step for step in _TICK_SECONDS if seconds / step <= _MOST_TICKS), _TICK_SECONDS[-1])
    parts = []
    for at in range(0, int(seconds) + 1, step):
        x = _x(at, seconds)
        parts += [_box(x - 0.5, y, 1, 6, _INK), _words(x, y + 26, text.clock(at)[:-2], 17, _SOFT, anchor="middle")]
    return parts


def png(cells: npt.NDArray[np.uint8]) -> bytes:
    """A picture's cells, `(n_columns, n_rows)`, as a PNG in Viridis, highest row on top, at most 800 columns wide."""
    pool = -(-len(cells) // _PICTURE_COLUMNS)
    rows = pooled(cells, pool).T[::-1]
    lines = np.concatenate([np.zeros((len(rows), 1), np.uint8), rows], axis=1)
    header = struct.pack(">IIBBBBB", rows.shape[1], rows.shape[0], 8, 3, 0, 0, 0)
    body = (("IHDR", header), ("PLTE", _palette()), ("IDAT", zlib.compress(lines.tobytes(), 9)), ("IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind.encode(), data) for kind, data in body)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _palette() -> bytes:
    stops = np.array([[int(color[k : k + 2], 16) for k in (1, 3, 5)] for color in VIRIDIS])
    at = np.linspace(0, len(stops) - 1, 256)
    channels = [np.interp(at, np.arange(len(stops)), stops[:, channel]) for channel in range(3)]
    return np.round(np.stack(channels, axis=1)).astype(np.uint8).tobytes()


def _table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    if not rows:
        return ""
    head = "".join(f"<th>{cell}</th>" for cell in header)
    body = "".join(f"<tr>{''.join(f'<td>{_text(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
