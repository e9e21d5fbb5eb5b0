"""`classify --playlists DIR`: an M3U8 playlist for each genre."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from crnn import atomic
from crnn.errors import CrnnError
from crnn.inference.rows import Row
from crnn.untrusted import file_address, path_of, visible

# By it our own playlists are known, which alone are replaced.
_MARK = "#GENRESCOPE"


def make_folder(folder: Path) -> None:
    """Make the folder of the playlists, before the work that fills it.

    Args:
        folder: Where they shall lie.

    Raises:
        CrnnError: The disk refuses.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as err:
        raise CrnnError(f"The playlists cannot be written to {folder}: {err.strerror or err}.") from err


def write_playlists(folder: Path, rows: Iterable[Row], at_least: float) -> list[Path]:
    """Playlists, one a genre, of the files that were answered as it.

    Args:
        folder: Where they are written; made if need be.
        rows: Rows of `classify`.
        at_least: Confidence below which a file is left out.

    Raises:
        CrnnError: The disk refuses, or a playlist of another program has the name of one of ours.
    """
    by_genre: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row.get("genre") and row["confidence"] >= at_least and path_of(row["file"]).is_file():
            by_genre[row["genre"]].append(row)
    written = []
    make_folder(folder)
    try:
        for genre, found in sorted(by_genre.items()):
            path = folder / f"{_file_name(genre)}.m3u8"
            if path.exists() and _MARK.encode() not in path.read_bytes()[:200]:
                raise CrnnError(f"{path} is a playlist of another program. Move it, or name another folder.")
            with atomic.replacing(path) as file:
                file.write(_playlist(genre, found, folder).encode("utf-8"))
            written.append(path)
    except OSError as err:
        raise CrnnError(f"The playlists cannot be written to {folder}: {err.strerror or err}.") from err
    return written


def _file_name(genre: str) -> str:
    """A genre as the name of a file on any system."""
    name = "".join(c if c.isalnum() or c in " -_&'()+." else "-" for c in genre).strip(" .")
    return name[:80] or "genre"


def _playlist(genre: str, rows: list[Row], folder: Path) -> str:
    lines = ["#EXTM3U", f"{_MARK} {visible(genre)}", f"#PLAYLIST:{visible(genre)}"]
    for row in rows:
        path = path_of(row["file"])
        lines += [f"#EXTINF:{round(row['duration_seconds'])},{visible(path.stem)}", _place(path, folder)]
    return "\n".join(lines) + "\n"


def _place(path: Path, folder: Path) -> str:
    """The way from the playlist to a file; its address where a line of text cannot hold its name."""
    try:
        way = Path(os.path.relpath(path.absolute(), folder.absolute())).as_posix()
    except ValueError:  # on another drive
        way = str(path.absolute())
    if visible(way) != way:
        return file_address(path)
    return f"./{way}" if way.startswith("#") else way
