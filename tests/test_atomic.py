"""Files that are whole or not there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from crnn import atomic


def test_a_file_is_replaced_when_the_block_ends(tmp_path: Path) -> None:
    path = tmp_path / "facts.json"
    path.write_bytes(b"before")
    with atomic.replacing(path) as file:
        file.write(b"after")
        file.flush()
        assert path.read_bytes() == b"before"
    assert path.read_bytes() == b"after"
    assert os.listdir(tmp_path) == ["facts.json"]


def test_an_error_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "facts.json"
    path.write_bytes(b"before")
    with pytest.raises(TypeError), atomic.replacing(path) as file:
        file.writelines([b"half", None])  # type: ignore[list-item]
    assert path.read_bytes() == b"before"
    assert os.listdir(tmp_path) == ["facts.json"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no umask")
def test_a_new_file_has_the_rights_of_any_other(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        with atomic.replacing(tmp_path / "facts.json") as file:
            file.write(b"{}")
    finally:
        os.umask(before)
    assert (tmp_path / "facts.json").stat().st_mode & 0o777 == 0o640


def test_a_drafted_folder_goes_unless_it_was_renamed(tmp_path: Path) -> None:
    for wanted in (False, True):
        with atomic.draft_folder(tmp_path / "model") as draft:
            (draft / "file").write_bytes(b"x")
            if wanted:
                draft.rename(tmp_path / "model")
        assert os.listdir(tmp_path) == (["model"] if wanted else [])


def test_sha256_is_that_of_the_content(tmp_path: Path) -> None:
    (tmp_path / "abc").write_bytes(b"abc")
    known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert atomic.sha256_of(tmp_path / "abc") == known
