"""Zips that are damaged in any packing: one sentence, whichever door they come through."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from crnn.bundles.library import import_zip
from crnn.data.user_clips import check_unpacked
from crnn.data.zips import unpack
from crnn.errors import BundleError, DatasetError
from crnn.features.archive import read_archive
from crnn.owner import MACHINE, person
from crnn.zip_directory import check_directory

PACKINGS = {"deflated": zipfile.ZIP_DEFLATED, "bzip2": zipfile.ZIP_BZIP2, "lzma": zipfile.ZIP_LZMA}


def damaged(name: str, packing: int) -> bytes:
    """A zip whose one file cannot be unpacked: the middle of it is other bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", packing) as zip_file:
        zip_file.writestr(name, np.random.default_rng(1).bytes(30_000))
    data = bytearray(out.getvalue())
    data[2_000:20_000] = b"\xff" * 18_000
    return bytes(data)


@pytest.mark.parametrize("packing", PACKINGS.values(), ids=PACKINGS)
def test_a_damaged_zip_of_any_packing_gets_a_sentence(tmp_path: Path, packing: int) -> None:
    with pytest.raises(BundleError, match="damaged"):
        import_zip(damaged("m/bundle.json", packing), owner=MACHINE)
    path = tmp_path / "music.zip"
    path.write_bytes(damaged("jazz/a.wav", packing))
    with pytest.raises(DatasetError, match="damaged|could not be unpacked"):
        unpack(path, tmp_path / "into", csv_name="tracks.csv")
    path = tmp_path / "x.npz"
    path.write_bytes(damaged("track_ids.npy", packing))
    with pytest.raises(DatasetError):
        read_archive(path)


def names_alone(n_files: int, *, offset: int = 0) -> bytes:
    """A zip that holds nothing but the list of its files."""
    entry = struct.pack("<4s6H3L5H2L", b"PK\1\2", 20, 20, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0) + b"a"
    listed = entry * n_files
    n_told = n_files & 0xFFFF
    return listed + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, n_told, n_told, len(listed), offset, 0)


# Within its record the mark of a record stands once more.
MARK = int.from_bytes(b"PK\5\6", "little")


@pytest.mark.parametrize("offset", [0, MARK])
def test_a_long_list_of_files_is_refused_before_it_is_read(offset: int) -> None:
    data = names_alone(1_000, offset=offset)
    assert len(zipfile.ZipFile(io.BytesIO(data)).infolist()) == 1_000
    with pytest.raises(zipfile.BadZipFile, match="list of files"):
        check_directory(io.BytesIO(data), len(data) - 23)
    file = io.BytesIO(data)
    check_directory(file, len(data) - 22)
    assert file.tell() == 0


def test_what_is_no_zip_is_for_others_to_refuse() -> None:
    for data in (b"", b"PK", bytes(100)):
        check_directory(io.BytesIO(data), 10)


def _import(data: bytes) -> None:
    with pytest.raises(BundleError, match="damaged: its list of files"):
        import_zip(data, owner=MACHINE)


def _count(data: bytes) -> None:
    check_unpacked(io.BytesIO(data), person("https://id.example", "ann"))


@pytest.mark.parametrize("door", [_import, _count])
def test_no_door_makes_objects_of_a_long_list(door: Callable[[bytes], None]) -> None:
    data = names_alone(400_000, offset=MARK)
    tracemalloc.start()
    try:
        door(data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 3 * len(data)
