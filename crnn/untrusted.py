"""Text that strangers chose (names of files, tags, genres), made harmless where it is written.

Names may hold anything but a slash and a zero byte: escape codes that steer a terminal, line ends
that forge lines, bytes that are no UTF-8, formulas that a spreadsheet runs, tags. Five places write such
text, each through one function: `visible` for a person's eyes, `json_line` for programs,
`csv_line` for spreadsheets, `as_label` for charts, and `written_name` for what has to find the file again.
"""

from __future__ import annotations

import csv
import html
import io
import json
import logging
import os
import re
import unicodedata
import urllib.parse
from collections.abc import Iterable
from pathlib import Path
from typing import Any

# Joiners that Persian, Indian scripts and emoji are written with.
_HARMLESS_FORMAT = frozenset("\u200c\u200d")
# Control, format (text that runs the other way), lone halves of pairs, line and paragraph ends.
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
# Line ends of which JSON knows nothing, 8-bit controls, and what no UTF-8 can hold.
_NOT_IN_JSON = re.compile("[\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_SURROGATE = re.compile("[\ud800-\udfff]")
# What makes a spreadsheet take a cell for a formula; the wide ones do so where Chinese or Japanese is set.
_FORMULA_STARTS = tuple("=+-@\t\r\n＝＋－＠")
_PLAIN_NUMBER = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?", re.ASCII)


def visible(text: str) -> str:
    r"""The text on one line, with every character that could steer a terminal as an escape: `\x1b`, `\u2028`."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_visible_character, text))


def _visible_character(character: str) -> str:
    if unicodedata.category(character) not in _UNSEEN or character in _HARMLESS_FORMAT:
        return character
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte of a name that is no UTF-8
        return f"\\x{code - 0xDC00:02x}"
    return repr(character)[1:-1] if code < 0xD800 or code > 0xDFFF else f"\\u{code:04x}"


def as_label(text: str) -> str:
    """The text as a label of a Plotly chart, which takes tags for markup and would make links of them."""
    return html.escape(text, quote=False)


def json_line(values: Any) -> str:
    r"""Values as a line of JSON, `\n` at its end: valid UTF-8, and one line to whatever splits lines."""
    text = json.dumps(values, ensure_ascii=False)
    return _NOT_IN_JSON.sub(lambda found: f"\\u{ord(found[0]):04x}", text) + "\n"


def csv_line(cells: Iterable[Any]) -> str:
    r"""Cells as a line of CSV, `\n` at its end, in which no text is a formula and no code reaches a terminal.

    Text that begins as a formula does gets an apostrophe before it, which spreadsheets take for "this is text".
    Numbers stay as they are.
    """
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow([_csv_cell(cell) for cell in cells])
    return out.getvalue()


def _csv_cell(cell: Any) -> Any:
    if not isinstance(cell, str):
        return cell
    if cell.lstrip(" ").startswith(_FORMULA_STARTS) and not _PLAIN_NUMBER.fullmatch(cell):
        cell = "'" + cell
    return visible(cell)


def written_name(path: str | Path) -> str:
    """The path as valid text that identifies the file: itself, or its `file:` address if it is no UTF-8."""
    text = str(path)
    return file_address(path) if _SURROGATE.search(text) else text


def csv_name(name: str) -> str:
    """What `written_name` gave, for a cell: the file's address too where `visible` would change the name."""
    return name if visible(name) == name else file_address(name)


def file_address(path: str | Path) -> str:
    """The `file:` address of a path, whatever bytes its name has."""
    return "file://" + urllib.parse.quote(os.fsencode(os.path.abspath(path)))


def path_of(name: str) -> Path:
    """The path that a user or one of our files gave as text: a path, or the `file:` address of one."""
    if name.startswith("file:///"):
        return Path(os.fsdecode(urllib.parse.unquote_to_bytes(name.removeprefix("file://"))))
    return Path(name)


class VisibleFormatter(logging.Formatter):
    """Log lines in which names cannot forge lines or steer the terminal; tracebacks keep their lines."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging calls it so
        """The line of a record, all but its traceback."""
        return visible(super().formatMessage(record))
