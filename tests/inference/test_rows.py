"""Every column of a CSV holds what its head says."""

import csv
import io

from crnn.inference.rows import csv_header, csv_row


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
        "tagged": "",
        "agrees": "",
        "heard": "",
        "notes": "Mono. Short.",
        "error": "",
    }
    assert {name: value for name, value in second.items() if value} == {"file": "b.wav", "error": "No sound."}
