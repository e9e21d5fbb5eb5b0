"""The SQLite file of `crnn.cache`: what sounds gave, by their content and the settings of the transform."""

from __future__ import annotations

import hashlib
import logging
import os
import sqlite3
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from crnn.archive import UInt8Array
from crnn.errors import DatasetError

_BUSY_SECONDS = 60.0
_log = logging.getLogger(__name__)

_SCHEMA = """
CREATE TABLE IF NOT EXISTS files (path TEXT PRIMARY KEY, size INTEGER, mtime_ns INTEGER, content TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS clipped (content TEXT PRIMARY KEY, is_clipped INTEGER) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS frames (content TEXT, transform TEXT, n_mels INTEGER, cells BLOB,
                                   PRIMARY KEY (content, transform));
"""


@dataclass(frozen=True)
class Computed:
    """What a track's sound gave: its cells, and whether its loudest parts are cut flat."""

    cells: UInt8Array
    is_clipped: bool


class FeatureStore:
    """The SQLite file. A damaged one is thrown away: all that it holds can be computed again."""

    def __init__(self, path: Path, made_with: str) -> None:
        self._transform = hashlib.sha256(made_with.encode()).hexdigest()
        self._has_failed = False
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = _open_store(path)
        except (OSError, sqlite3.Error) as err:
            raise DatasetError(f"The feature cache {path} cannot be opened: {err}.") from err

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def content_of(self, path: Path) -> str:
        """Hash of a file's content; a file whose size and time are unchanged is not read again."""
        known = self.known_content(path)
        if known is not None:
            return known
        facts = path.stat()
        name = os.fsencode(path.absolute())
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        self._write(
            "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?)", (name, facts.st_size, facts.st_mtime_ns, content)
        )
        return content

    def known_content(self, path: Path) -> str | None:
        """Hash of a file's content without reading it, if size and time are as they were."""
        facts = path.stat()
        name = os.fsencode(path.absolute())
        row = self._connection.execute("SELECT size, mtime_ns, content FROM files WHERE path = ?", (name,)).fetchone()
        return str(row[2]) if row is not None and row[:2] == (facts.st_size, facts.st_mtime_ns) else None

    def is_clipped(self, content: str) -> bool | None:
        """Whether a content is clipped; None if it was never looked at."""
        row = self._connection.execute("SELECT is_clipped FROM clipped WHERE content = ?", (content,)).fetchone()
        return None if row is None else bool(row[0])

    def get(self, content: str) -> UInt8Array | None:
        """Cells of a content, `(n_frames, n_mels)`, if they are kept."""
        row = self._connection.execute(
            "SELECT n_mels, cells FROM frames WHERE content = ? AND transform = ?", (content, self._transform)
        ).fetchone()
        return None if row is None else np.frombuffer(row[1], dtype=np.uint8).reshape(-1, row[0])

    def put(self, content: str, computed: Computed) -> None:
        """Keep what was computed of a content."""
        cells = computed.cells
        row = (content, self._transform, cells.shape[1], cells.tobytes())
        self._write("INSERT OR REPLACE INTO clipped VALUES (?, ?)", (content, int(computed.is_clipped)))
        self._write("INSERT OR REPLACE INTO frames VALUES (?, ?, ?, ?)", row)

    def _write(self, statement: str, row: tuple[object, ...]) -> None:
        try:
            self._connection.execute(statement, row)
        except sqlite3.OperationalError as err:
            # A full or read-only disk costs the next run its shortcut, and this one nothing.
            if not self._has_failed:
                _log.warning("Features are not kept: %s", err)
            self._has_failed = True


def _open_store(path: Path) -> sqlite3.Connection:
    try:
        return _connected(path)
    except sqlite3.OperationalError as err:
        # A full or read-only disk: what is computed serves this run, and is kept nowhere.
        _log.warning("Features are not kept: %s", err)
        return _connected(Path(":memory:"))
    except sqlite3.DatabaseError:
        _log.warning("%s was damaged; it is made anew", path)
        for suffix in ("", "-wal", "-shm"):
            with suppress(FileNotFoundError):
                path.with_name(path.name + suffix).unlink()
        return _connected(path)


def _connected(path: Path) -> sqlite3.Connection:
    # Autocommit: each track is its own transaction, so that a kill loses one at most.
    connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.executescript(_SCHEMA)
    except sqlite3.Error:
        connection.close()
        raise
    return connection
