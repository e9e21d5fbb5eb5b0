"""`tracks.csv` as rows: any encoding and dialect that spreadsheets write, read line by line within limits."""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Self

from crnn.data.tracks import CSV_NAME
from crnn.errors import DatasetError
from crnn.limits import MAX_CSV_BYTES, MAX_TRACKS

_MAX_LINE_CHARACTERS = 1 << 15
# Cells may hold line ends, but no row of a list of files has so many.
_MAX_LINES_A_ROW = 100
_PIECE_BYTES = 1 << 20


def csv_rows(path: Path, notes: list[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Rows that hold anything, as their number and their cells by column.

    Args:
        path: The file.
        notes: Gets a note where the encoding had to be guessed.

    Raises:
        DatasetError: It cannot be read, is damaged or too large, or lacks a column.
    """
    try:
        if path.stat().st_size > MAX_CSV_BYTES:
            raise DatasetError(f"{CSV_NAME} is larger than {MAX_CSV_BYTES >> 20} MB.")
        encoding = _encoding(path)
        if encoding == "latin-1":
            notes.append(f"{CSV_NAME} is not UTF-8; it was read as Western European text. Check names with accents.")
        with path.open(encoding=encoding, newline="") as file:
            yield from _rows(file)
    except OSError as err:
        raise DatasetError(f"{CSV_NAME} cannot be read: {err.strerror or err}.") from err


def _encoding(path: Path) -> str:
    with path.open("rb") as file:
        encoding = "utf-16" if file.read(2) in {codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE} else "utf-8-sig"
        file.seek(0)
        decoder = codecs.getincrementaldecoder(encoding)()
        try:
            while piece := file.read(_PIECE_BYTES):
                decoder.decode(piece)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return "latin-1"
    return encoding


def _rows(file: IO[str]) -> Iterator[tuple[int, dict[str, str]]]:
    header = file.readline(_MAX_LINE_CHARACTERS)
    file.seek(0)
    lines = _Lines(file)
    reader = csv.reader(lines, delimiter=max(",;\t", key=header.count))
    columns: list[str] = []
    try:
        for number, row in enumerate(reader, start=1):
            lines.row_is_done()
            if number == 1:
                columns = [name.strip().lower() for name in row]
                _check_columns(columns)
            elif number > MAX_TRACKS + 1:
                raise DatasetError(f"{CSV_NAME} has more than {MAX_TRACKS} rows; at most these are accepted.")
            elif any(cell.strip() for cell in row):
                yield number, {name: cell.strip() for name, cell in zip(columns, row, strict=False)}
    except csv.Error as err:
        raise DatasetError(f"{CSV_NAME} is damaged near line {reader.line_num}: {err}.") from err
    if not columns:
        _check_columns(columns)


class _Lines:
    """Lines of a file, none too long, and no more for one row than a row may have."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self._number = self._row_began = 0

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        line = self._file.readline(_MAX_LINE_CHARACTERS + 1)
        if not line:
            raise StopIteration
        self._number += 1
        if len(line) > _MAX_LINE_CHARACTERS:
            raise DatasetError(f"{CSV_NAME} is damaged near line {self._number}: it is too long.")
        if self._number - self._row_began > _MAX_LINES_A_ROW:
            raise DatasetError(f"{CSV_NAME} is damaged near line {self._row_began + 1}: a quote is not closed.")
        return line

    def row_is_done(self) -> None:
        """The next line begins a row."""
        self._row_began = self._number


def _check_columns(columns: list[str]) -> None:
    if not {"file", "genre"} <= set(columns):
        raise DatasetError(
            f"{CSV_NAME} needs the columns file and genre (and may have artist, title, split); "
            f"found {', '.join(columns[:10])[:200] or 'nothing'}."
        )
