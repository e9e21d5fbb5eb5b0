"""Every column of a CSV holds what its head says."""

import csv
import io

import pytest

from crnn.inference.rows import csv_header, csv_row, table_lines


def test_every_cell_stands_under_its_head():
    genres = ("bass", "treble")
    row = {
        "file": "a.wav",
        "duration_seconds": 12.5,
        "verdict": "genre",
        "genre": "treble",
        "confidence": 0.75,
        "genres": {"treble": 0.75, "bass": 0.25},
        "notes": ["Mono.", "Short."],
        "tagged": {"words": ["Bossa Nova", "Jazz"], "agrees": False},
        "heard": ["flute", "singing"],
    }
    failed = {"file": "b.wav", "error": {"type": "AudioError", "message": "No sound."}}
    text = csv_header(genres) + csv_row(row, genres) + csv_row(failed, genres)
    first, second = csv.DictReader(io.StringIO(text))
    assert first == {
        "file": "a.wav",
        "duration_seconds": "12.5",
        "verdict": "genre",
        "genre": "treble",
        "confidence": "0.750000",
        "bass": "0.250000",
        "treble": "0.750000",
        "tagged": "Bossa Nova; Jazz",
        "agrees": "no",
        "heard": "flute; singing",
        "notes": "Mono. Short.",
        "error": "",
    }
    assert {name: value for name, value in second.items() if value} == {"file": "b.wav", "error": "No sound."}


@pytest.mark.parametrize(
    ("verdict", "line"),
    [
        ("genre", "treble     > 0.99  a.wav  (treble > 0.99, bass 0.00)\n"),
        ("unsure", "unsure     > 0.99  a.wav  (treble > 0.99, bass 0.00)\n"),
        ("other", "other              a.wav  (nearest treble)\n"),
        ("not_music", "not music          a.wav\n"),
        ("silence", "silence            a.wav\n"),
    ],
)
def test_a_verdict_of_no_genre_does_not_borrow_the_confidence_of_one(verdict, line):
    """“other > 0.99” read as if the model were that sure of it."""
    row = {
        "file": "Music/a.wav",
        "verdict": verdict,
        "genre": "treble" if verdict == "genre" else None,
        "confidence": 0.998,
        "genres": {"bass": 0.002, "treble": 0.998},
    }
    assert table_lines(row) == line
    cells = [{"start_seconds": 0.0, "end_seconds": 10.0, "genres": row["genres"]}]
    is_music = verdict not in {"not_music", "silence"}
    # Nor do its moments.
    assert ("0:10.0  treble > 0.99" in table_lines(row | {"timeline": cells})) == is_music
