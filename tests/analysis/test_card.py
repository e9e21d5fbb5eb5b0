"""The card: what it tells, where it draws it, and that it needs nothing but itself."""

from __future__ import annotations

import dataclasses
import struct
import zlib
from xml.etree import ElementTree

import numpy as np
import pytest

from crnn.analysis import lettering
from crnn.analysis.card import Card, page, png, svg
from crnn.analysis.figures import VIRIDIS, Picture, genre_color
from crnn.inference.classifier import Cell, Prediction
from crnn.inference.verdict import Verdict

_SVG = "{http://www.w3.org/2000/svg}"
PICTURE = Picture(np.zeros((100, 3), np.uint8), (50.0, 1000.0, 8000.0), -80.0, 0.0, 0.0, 0.4)


def half_jazz_half_rock(verdict: str = "genre") -> Prediction:
    """40 s, of which the first half is jazz and the second rock."""
    posteriors = [np.array([0.9, 0.1], np.float32)] * 8 + [np.array([0.2, 0.8], np.float32)] * 8
    cells = tuple(
        Cell(2.5 * k, 2.5 * (k + 1), posterior, segment=k, is_silent=False) for k, posterior in enumerate(posteriors)
    )
    genre = "jazz" if verdict == "genre" else None
    posterior = np.array([0.55, 0.45], np.float32)
    return Prediction(
        ("jazz", "rock"),
        posterior,
        Verdict(verdict),
        genre,
        0.55,
        ("jazz", "rock"),
        cells,
        (),
        np.zeros((0, 1)),
        1.0,
        40.0,
    )


def card(verdict: str = "genre", name: str = "song.mp3") -> Card:
    return Card(name, "tiny", half_jazz_half_rock(verdict), PICTURE, "About 120 BPM · C major")


def told(drawing: str) -> list[str]:
    return ["".join(element.itertext()) for element in ElementTree.fromstring(drawing).iter(f"{_SVG}text")]


def boxes(drawing: str, color: str) -> list[tuple[float, float]]:
    """Left edge and width of each box of a colour."""
    found = ElementTree.fromstring(drawing).iter(f"{_SVG}rect")
    return [(float(box.get("x", 0)), float(box.get("width", 0))) for box in found if box.get("fill") == color]


def test_sentence_bars_stretches_and_axes_are_drawn_at_their_places() -> None:
    drawing = svg(card())
    words = told(drawing)
    assert words[:2] == ["song.mp3", "Changes: jazz 50 % of the time, rock 50 %."]
    assert words[2] == "About 120 BPM · C major"
    # The bars are those of the sentence: the whole's posterior, 0.55 of jazz, is nowhere.
    assert words[3:8] == ["share of the time", "jazz", "50 %", "rock", "50 %"]
    assert not any(line.startswith("0.") for line in words)
    # A bar of half of 830, and a stretch of half of 1050.
    assert boxes(drawing, genre_color("jazz")) == [(230.0, 415.0), (90.0, 525.0)]
    assert boxes(drawing, genre_color("rock")) == [(230.0, 415.0), (615.0, 525.0)]
    assert words.count("jazz") == words.count("rock") == 2
    assert [line for line in words if line[:2] == "0:"][-2:] == [
        "0:40",
        "0:40.0 · heard by the model tiny of GenreScope",
    ]
    assert {"1 kHz", "8 kHz", "−80 dB", "0 dB"} <= set(words)


def test_bars_of_a_sound_of_one_genre_are_confidences() -> None:
    found = half_jazz_half_rock()
    steady = Card("song.mp3", "tiny", dataclasses.replace(found, timeline=found.timeline[:8]), None)
    drawing = svg(steady)
    words = told(drawing)
    at = words.index("confidence")
    assert words[at + 1 : at + 5] == ["jazz", "0.55", "rock", "0.45"]
    assert boxes(drawing, genre_color("jazz"))[0] == (230.0, 456.5)
    assert "<th>genre</th><th>confidence</th>" in page(steady)


@pytest.mark.parametrize("verdict", ["silence", "not_music"])
def test_what_is_no_music_gets_neither_bars_nor_stretches(verdict: str) -> None:
    drawing = svg(card(verdict))
    assert not boxes(drawing, genre_color("jazz"))
    assert "jazz" not in told(drawing)
    assert "<td>jazz</td>" not in page(card(verdict))


def test_name_stays_text_and_the_page_asks_for_nothing() -> None:
    name = "<script src='http://evil.example/x.js'></script>\x1b\uffff.mp3"
    assert told(svg(card(name=name)))[0] == "<script src='http://evil.example/x.js'></script>\\x1b?.mp3"
    written = page(card(name=name))
    assert "<script" not in written
    assert "src=" not in written.replace("src=&#x27;", "")
    assert "<th>genre</th><th>share of the time</th></tr></thead><tbody><tr><td>jazz</td><td>50 %</td>" in written
    assert "<td>0:20.0</td><td>0:40.0</td><td>rock</td>" in written


def test_long_sound_without_a_picture_has_the_rest() -> None:
    drawing = svg(Card("set.mp3", "tiny", half_jazz_half_rock(), None))
    assert "<image" not in drawing
    assert "0:40" in told(drawing)


def test_pixels_are_the_cells_lowest_row_at_the_bottom() -> None:
    data = png(np.array([[0, 255], [128, 7]], np.uint8))
    assert struct.unpack(">II", data[16:24]) == (2, 2)
    at = data.index(b"IDAT") + 4
    (length,) = struct.unpack(">I", data[at - 8 : at - 4])
    assert [*zlib.decompress(data[at : at + length])] == [0, 255, 7, 0, 0, 128]
    palette = data[data.index(b"PLTE") + 4 :][: 3 * 256]
    assert palette[:3].hex() == VIRIDIS[0][1:]
    assert palette[-3:].hex() == VIRIDIS[-1][1:]


def test_pictures_wider_than_the_card_keep_their_loudest() -> None:
    cells = np.zeros((1601, 1), np.uint8)
    cells[1600] = 200
    data = png(cells)
    assert struct.unpack(">I", data[16:20]) == (534,)
    at = data.index(b"IDAT") + 4
    (length,) = struct.unpack(">I", data[at - 8 : at - 4])
    assert zlib.decompress(data[at : at + length])[-1] == 200


def test_long_words_stay_on_the_card() -> None:
    found = half_jazz_half_rock()
    names = ("experimental improvisation", "rock")
    long = dataclasses.replace(found, genres=names, genre=names[0], prediction_set=names, timeline=found.timeline[:8])
    drawing = svg(Card("W" * 200, "m" * 90, long, PICTURE, "About 120 BPM · C major " * 4))
    for element in ElementTree.fromstring(drawing).iter(f"{_SVG}text"):
        x, size = float(element.get("x", 0)), float(element.get("font-size", 0))
        wide = lettering.width("".join(element.itertext()), size)
        left = {"start": x, "middle": x - wide / 2, "end": x - wide}[element.get("text-anchor", "start")]
        assert 0 <= left <= left + wide <= 1200, element.text
    assert any(words.startswith("experimen") and words.endswith("…") for words in told(drawing))
