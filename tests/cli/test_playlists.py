"""Playlists by their lines: which files, how long, and the way to each from where the playlist lies."""

from __future__ import annotations

from pathlib import Path

import pytest

from crnn.cli.playlists import write_playlists
from crnn.errors import CrnnError


def row(path: Path, genre: str | None, confidence: float = 0.9, seconds: float = 2.6) -> dict[str, object]:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"RIFF")
    return {"file": str(path), "genre": genre, "confidence": confidence, "duration_seconds": seconds}


def test_each_genre_has_its_files_from_the_confidence_asked_for_on(tmp_path: Path) -> None:
    music, lists = tmp_path / "music", tmp_path / "lists"
    rows = [
        row(music / "a.wav", "jazz", 0.8),
        row(music / "b.wav", "jazz", 0.79),
        row(music / "c.wav", None),
        {**row(music / "gone.wav", "jazz"), "file": str(music / "none.wav")},
        row(lists / "#1" / "d.wav", "hip/hop"),
    ]
    written = write_playlists(lists, rows, 0.8)
    assert [path.name for path in written] == ["hip-hop.m3u8", "jazz.m3u8"]
    # A line that begins with # is none for a file.
    assert written[0].read_text(encoding="utf-8").splitlines()[-2:] == ["#EXTINF:3,d", "./#1/d.wav"]
    assert written[1].read_text(encoding="utf-8") == (
        "#EXTM3U\n#GENRESCOPE jazz\n#PLAYLIST:jazz\n#EXTINF:3,a\n../music/a.wav\n"
    )
    # Ours are written anew, another's are not.
    assert write_playlists(lists, rows, 0.8) == written
    written[1].write_text("#EXTM3U\n")
    with pytest.raises(CrnnError, match="is a playlist of another program"):
        write_playlists(lists, rows, 0.8)


@pytest.mark.parametrize(("genre", "name"), [("x" * 81, "x" * 80), (" . ", "genre"), ("R&B", "R&B"), ("a:b", "a-b")])
def test_a_genre_becomes_the_name_of_a_file(tmp_path: Path, genre: str, name: str) -> None:
    (written,) = write_playlists(tmp_path / "lists", [row(tmp_path / "a.wav", genre)], 0.0)
    assert written.name == f"{name}.m3u8"


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    rows = [row(tmp_path / "a.wav", "jazz")]
    with pytest.raises(CrnnError, match=r"cannot be written to .*lists: \w+"):
        write_playlists(tmp_path / "a.wav" / "lists", rows, 0.0)
