"""Lists that would fill the memory are refused before they do."""

from __future__ import annotations

import io
import tracemalloc
import zipfile
from pathlib import Path

import pytest

from crnn.data.tracks_csv import csv_rows
from crnn.data.zips import unpack
from crnn.errors import DatasetError
from crnn.limits import MAX_CSV_BYTES, MAX_TRACKS


def refused(tmp_path: Path, text: str) -> str:
    """What is said of a list, which may take 24 MB of memory at most."""
    path = tmp_path / "tracks.csv"
    path.write_text(text, encoding="utf-8")
    tracemalloc.start()
    try:
        with pytest.raises(DatasetError) as caught:
            for _ in csv_rows(path, []):
                pass
        assert tracemalloc.get_traced_memory()[1] < 24 * 2**20
    finally:
        tracemalloc.stop()
    return str(caught.value)


@pytest.mark.slow
def test_rows_without_end(tmp_path: Path) -> None:
    assert f"more than {MAX_TRACKS} rows" in refused(tmp_path, "file,genre\n" + "a,b\n" * (MAX_TRACKS + 1))


def test_a_line_without_end(tmp_path: Path) -> None:
    assert "near line 2: it is too long" in refused(tmp_path, "file,genre\n" + "," * 10**7)


def test_a_header_without_end(tmp_path: Path) -> None:
    assert "near line 1: it is too long" in refused(tmp_path, "," * 10**7)


def test_a_row_without_end(tmp_path: Path) -> None:
    line = "," * 30_000 + '"\n",'
    assert "a quote is not closed" in refused(tmp_path, "file,genre\n" + line * 300)


def test_cells_may_hold_line_ends_and_old_line_ends_do(tmp_path: Path) -> None:
    (tmp_path / "tracks.csv").write_bytes(b'file,genre\ra.wav,"jazz\r& blues"\r\rb.wav,rock')
    assert [row for _, row in csv_rows(tmp_path / "tracks.csv", [])] == [
        {"file": "a.wav", "genre": "jazz\r& blues"},
        {"file": "b.wav", "genre": "rock"},
    ]


def test_a_large_list_in_a_small_zip_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "set.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as zip_file:
        zip_file.writestr("music/tracks.csv", b"a,b\n" * (MAX_CSV_BYTES // 4 + 1))
    with pytest.raises(DatasetError, match="larger than 32 MB"):
        unpack(path, tmp_path / "out", csv_name="tracks.csv")
    assert not (tmp_path / "out").exists()


def test_a_zip_of_names_alone_is_refused_before_they_are_read(tmp_path: Path) -> None:
    path = tmp_path / "set.zip"
    entry = io.BytesIO()
    with zipfile.ZipFile(entry, "w") as zip_file:
        zip_file.writestr("x" * 200, b"")
    content = entry.getvalue()
    start = content.index(b"PK\x01\x02")
    listed = content[start : content.index(b"PK\x05\x06")]
    n_entries = 20 * 2**20 // len(listed)
    end = b"PK\x05\x06" + bytes(4) + b"\xff\xff\xff\xff" + (n_entries * len(listed)).to_bytes(4, "little")
    path.write_bytes(content[:start] + listed * n_entries + end + start.to_bytes(4, "little") + bytes(2))
    with zipfile.ZipFile(path) as zip_file:
        assert len(zip_file.infolist()) == n_entries  # it is one to whoever does not look first
    with pytest.raises(DatasetError, match="list of files takes 20.0 MB"):
        unpack(path, tmp_path / "out", csv_name="tracks.csv")
