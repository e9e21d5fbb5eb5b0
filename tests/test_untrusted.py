"""Names that strangers chose: inert for a person's eyes, for programs and for spreadsheets, and still names."""

from __future__ import annotations

import csv
import io
import json
import logging
import sys

import pytest

from crnn.untrusted import (
    VisibleFormatter,
    as_label,
    csv_line,
    csv_name,
    file_address,
    json_line,
    path_of,
    visible,
    written_name,
)


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("Björk – Jóga (日本語\u3000盤) 🎧.mp3", "Björk – Jóga (日本語\u3000盤) 🎧.mp3"),
        ("a\x1b[31mred\x1b[0m", r"a\x1b[31mred\x1b[0m"),
        ("8-bit \x9b31m", r"8-bit \x9b31m"),
        ("two\nlines\rand\tmore", r"two\nlines\rand\tmore"),
        ("\u2028 and \x85", r"\u2028 and \x85"),
        ("evil\u202e3pm.exe", r"evil\u202e3pm.exe"),
        ("caf\udce9.wav", r"caf\xe9.wav"),
        ("half \ud83c", r"half \ud83c"),
        ("می\u200cخواهم", "می\u200cخواهم"),
    ],
)
def test_what_could_steer_a_terminal_is_shown_as_an_escape(text: str, seen: str) -> None:
    assert visible(text) == seen


def test_a_line_of_json_is_one_line_to_every_reader_and_valid_utf8() -> None:
    values = {"file": "a\u2028b\x85c\nd\x9be\udce9.wav", "plain": "é 日本"}
    line = json_line(values)
    assert json.loads(line.encode("utf-8")) == values
    assert len(line.splitlines()) == 1
    assert "é 日本" in line


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", " =", "＝"])
def test_a_cell_that_begins_as_a_formula_is_text(start: str) -> None:
    text = f"{start}cmd|' /C calc'!A0"
    (cell,) = next(csv.reader(io.StringIO(csv_line([text]))))
    assert cell == visible(f"'{text}")


@pytest.mark.parametrize("number", ["-0.000001", "+3", "-1e-05", -2.5, -7, None])
def test_numbers_stay_numbers(number: object) -> None:
    assert csv_line([number]).strip('"\n') == ("" if number is None else str(number))


def test_quotes_and_commas_survive() -> None:
    cells = ["a,b", 'say "hi"', "it's", "5 - 3"]
    assert next(csv.reader(io.StringIO(csv_line(cells)))) == cells


@pytest.mark.skipif(sys.platform != "linux", reason="names are bytes on Linux alone")
def test_a_latin1_name_is_written_as_an_address_that_leads_back(tmp_path) -> None:
    path = tmp_path / "caf\udce9 100%.wav"
    name = written_name(path)
    assert name.encode("utf-8").endswith(b"caf%E9%20100%25.wav")
    assert path_of(name) == path
    assert written_name(name) == name
    assert written_name("caf\u00e9.wav") == "caf\u00e9.wav"


def test_a_cell_names_a_file_with_control_codes_by_its_address(tmp_path) -> None:
    path = tmp_path / "a\x1b[31m.wav"
    assert written_name(path) == str(path)
    assert csv_name(str(path)) == file_address(path)
    assert "%1B%5B31m.wav" in file_address(path)
    assert path_of(file_address(path)) == path


def test_log_lines_cannot_be_forged() -> None:
    record = logging.LogRecord("crnn", logging.WARNING, "", 1, "%s broke", ("a\nERROR crnn: all lost\x1b[2J",), None)
    assert VisibleFormatter("%(name)s: %(message)s").format(record) == (r"crnn: a\nERROR crnn: all lost\x1b[2J broke")


def test_a_label_of_a_chart_is_no_markup() -> None:
    assert as_label('<a href="http://evil.example">R&B</a>') == '&lt;a href="http://evil.example"&gt;R&amp;B&lt;/a&gt;'
    assert as_label("bossa nova") == "bossa nova"
