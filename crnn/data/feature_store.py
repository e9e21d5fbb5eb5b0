"""The SQLite file of `crnn.data.feature_cache`: what sounds gave, by content and settings of the transform."""

from __future__ import annotations

import hashlib
import logging
import os
import sqlite3
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from crnn import atomic
from crnn.errors import DatasetError
from crnn.features.archive import UInt8Array

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
    """The SQLite file. A damaged one is thrown away: all that it holds can be computed again.

    Args:
        path: Where it lies; made if need be.
        made_with: What decides, beside the sound, what is kept of it.

    Raises:
        DatasetError: It cannot be opened.
    """

    def __init__(self, path: Path, made_with: str) -> None:
        self._transform = hashlib.sha256(made_with.encode()).hexdigest()
        self._has_failed = False
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = _open_store(path)
        except (OSError, sqlite3.Error) as err:
            raise DatasetError(
                f"The feature cache {path} cannot be opened: {getattr(err, 'strerror', None) or err}."
            ) from err

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
        content = atomic.sha256_of(path)
        self._write(
            "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?)", (name, facts.st_size, facts.st_mtime_ns, content)
        )
        return content

    def known_content(self, path: Path) -> str | None:
        """Hash of a file's content without reading it, if size and time are as they were."""
        facts = path.stat()
        name = os.fsencode(path.absolute())
        row = self._read("SELECT size, mtime_ns, content FROM files WHERE path = ?", (name,))
        return str(row[2]) if row is not None and row[:2] == (facts.st_size, facts.st_mtime_ns) else None

    def is_clipped(self, content: str) -> bool | None:
        """Whether a content is clipped; None if it was never looked at."""
        row = self._read("SELECT is_clipped FROM clipped WHERE content = ?", (content,))
        return None if row is None else bool(row[0])

    def get(self, content: str) -> UInt8Array | None:
        """Cells of a content, `(n_frames, n_mels)`, if they are kept."""
        row = self._read(
            "SELECT n_mels, cells FROM frames WHERE content = ? AND transform = ?", (content, self._transform)
        )
        if row is None or not row[0] or len(row[1]) % row[0]:
            return None
        return np.frombuffer(row[1], dtype=np.uint8).reshape(-1, row[0])

    def put(self, content: str, computed: Computed) -> None:
        """Keep what was computed of a content; a disk that refuses costs the next run its shortcut and no more.

        Args:
            content: Key of the sound: SHA-256 of the file, or of how it is made.
            computed: Cells, and whether the sound is clipped.
        """
        cells = computed.cells
        row = (content, self._transform, cells.shape[1], cells.tobytes())
        self._write("INSERT OR REPLACE INTO clipped VALUES (?, ?)", (content, int(computed.is_clipped)))
        self._write("INSERT OR REPLACE INTO frames VALUES (?, ?, ?, ?)", row)

    def _read(self, statement: str, values: tuple[object, ...]) -> tuple[Any, ...] | None:
        """A row, or None; damage behind the header shows only where it lies, and then all is made anew."""
        try:
            row: tuple[Any, ...] | None = self._connection.execute(statement, values).fetchone()
        except sqlite3.OperationalError as err:
            # The disk fails, or others hold the file for too long: the features are computed again.
            _log.warning("Features cannot be read: %s", err)
            return None
        except sqlite3.DatabaseError as err:
            self._begin_anew(err)
            return None
        return row

    def _begin_anew(self, err: sqlite3.DatabaseError) -> None:
        _log.warning("%s was damaged (%s); it is made anew", self._path, err)
        self._connection.close()
        _remove(self._path)
        self._connection = _open_store(self._path)

    def _write(self, statement: str, row: tuple[object, ...]) -> None:
        try:
            self._connection.execute(statement, row)
        except sqlite3.OperationalError as err:
            # On a full or read-only disk the next run computes them again; this one loses nothing.
            if not self._has_failed:
                _log.warning("Features are not kept: %s", err)
            self._has_failed = True
        except sqlite3.DatabaseError as err:
            self._begin_anew(err)


def shrink(path: Path, most_bytes: int) -> None:
    """Let go of the features that were kept first, until no more than `most_bytes` of them are left.

    Other processes may have the store open: what they look for and miss is computed again.

    Args:
        path: The SQLite file; none there is no error.
        most_bytes: Of the cells; 0 lets go of all that the store knows.

    Raises:
        DatasetError: Others hold it for too long, or the disk refuses.
    """
    if not path.is_file():
        return
    try:
        connection = _connected(path)
    except sqlite3.OperationalError as err:
        raise DatasetError(f"The kept features cannot be cleared now: {err}. Try again later.") from err
    except sqlite3.DatabaseError:
        _remove(path)
        return
    try:
        _delete_oldest(connection, most_bytes)
    except sqlite3.OperationalError as err:
        raise DatasetError(f"The kept features cannot be cleared now: {err}. Try again later.") from err
    except sqlite3.DatabaseError:
        connection.close()
        _remove(path)
    finally:
        connection.close()


def _delete_oldest(connection: sqlite3.Connection, most_bytes: int) -> None:
    rows = connection.execute("SELECT rowid, length(cells) FROM frames ORDER BY rowid").fetchall()
    surplus = sum(n_bytes for _, n_bytes in rows) - most_bytes
    if surplus <= 0 < most_bytes:
        return
    last = 0
    for rowid, n_bytes in rows:
        if surplus <= 0:
            break
        last, surplus = rowid, surplus - n_bytes
    connection.execute("DELETE FROM frames WHERE rowid <= ?", (last,))
    if not most_bytes:
        connection.execute("DELETE FROM files")
        connection.execute("DELETE FROM clipped")
    # Rows that are gone free no disk by themselves.
    connection.execute("VACUUM")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _open_store(path: Path) -> sqlite3.Connection:
    try:
        return _connected(path)
    except sqlite3.OperationalError as err:
        # A full or read-only disk: what is computed serves this run, and is kept nowhere.
        _log.warning("Features are not kept: %s", err)
        return _connected(Path(":memory:"))
    except sqlite3.DatabaseError:
        _log.warning("%s was damaged; it is made anew", path)
        _remove(path)
        return _connected(path)


def _remove(path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        with suppress(FileNotFoundError):
            path.with_name(path.name + suffix).unlink()


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
