"""What the app keeps to be quicker next time, and when it goes: decided here and nowhere else.

Features and unpacked zips are made again when they are needed: beyond their limits the oldest go. Uploads are
a person's own, and go when he says so. Drafts are what killed processes left. While a training of a person is
under way or waits, or a command trains in his folder, nothing of his goes but drafts that nobody writes to.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import time
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from crnn import atomic, paths
from crnn.data import user_clips
from crnn.data.feature_cache import CACHE_FILE, CACHE_FOLDER
from crnn.data.feature_store import shrink
from crnn.data.no_music import store_path
from crnn.errors import DatasetError, TrainingBusyError
from crnn.jobs import queue, runs
from crnn.limits import (
    DRAFT_SECONDS,
    MAX_FEATURES_BYTES,
    MAX_KEPT_UNPACKED_BYTES,
    MAX_MADE_BYTES,
    MAX_UNUSED_SECONDS,
)
from crnn.locks import FileLock
from crnn.mode import Mode
from crnn.owner import MACHINE, Owner, people_dir, used_bytes

Kind = Literal["features", "unpacked", "uploads"]

_UNPACKED = "unpacked"
_IN_USE = "in-use"
# As `crnn.atomic` names them; a model that is being replaced (`crnn.bundles.swap`) is none.
_DRAFT = re.compile(r"\..+-(?:[0-9a-f]{8}\.tmp|[a-z0-9_]{8})")
_NO_DRAFT = re.compile(r"\..+-old-\d+")


@dataclass(frozen=True)
class Kept:
    """Bytes of each kind that are kept for a person."""

    features: int
    unpacked: int
    uploads: int

    @property
    def total(self) -> int:
        """Bytes of all."""
        return self.features + self.unpacked + self.uploads


def kept(owner: Owner) -> Kept:
    """How much is kept for a person."""
    return Kept(
        sum(used_bytes(store.parent) for store in _stores(owner)),
        used_bytes(owner.home / _UNPACKED),
        used_bytes(user_clips.uploads_dir(owner)),
    )


def clear(kind: Kind, *, owner: Owner, chosen: Collection[str] = ()) -> None:
    """Let go of all that is kept of a kind, but for what is chosen to learn from.

    Args:
        kind: Features and unpacked zips are made again when needed; uploads are gone for good.
        owner: Whose.
        chosen: Data sets as a training order names them.

    Raises:
        NotAllowedError: Nothing is kept for him.
        TrainingBusyError: A training may need it.
        DatasetError: It is held by others, or the disk refuses.
    """
    owner.require("keep")
    if _is_busy(owner):
        raise TrainingBusyError("A training is under way, which may need it. Clear it when that has ended.")
    if kind == "features":
        for store in _stores(owner):
            shrink(store, 0)
    elif kind == "unpacked":
        spared = _folders_of(chosen)
        for folder in _unpacked(owner.home):
            if folder.name not in spared:
                _throw_away(folder)
    else:
        for path in user_clips.uploads(owner):
            if str(path) not in chosen:
                user_clips.remove(path, owner=owner)


def _stores(owner: Owner) -> list[Path]:
    """The stores of features that are a person's to clear: at his own machine that of what was made, too."""
    return [owner.home / CACHE_FOLDER / CACHE_FILE, *([store_path()] if owner.mode == "local" else [])]


def trim(owner: Owner) -> None:
    """Hold to the limits, the oldest first; what cannot be let go now goes another time."""
    if not _is_busy(owner):
        _trim(owner.home, ())


def _trim(home: Path, chosen: Collection[str]) -> None:
    for store, most in ((home / CACHE_FOLDER / CACHE_FILE, MAX_FEATURES_BYTES), (store_path(), MAX_MADE_BYTES)):
        with contextlib.suppress(DatasetError):
            if used_bytes(store.parent) > most:
                shrink(store, most * 3 // 4)
    folders = sorted(_unpacked(home), key=_used_at)
    sizes = {folder: used_bytes(folder) for folder in folders}
    surplus, oldest = sum(sizes.values()) - MAX_KEPT_UNPACKED_BYTES, time.time() - MAX_UNUSED_SECONDS
    doomed = []
    for folder in folders:
        if surplus > 0 or _used_at(folder) < oldest:
            doomed.append(folder)
            surplus -= sizes[folder]
    spared = _folders_of(chosen) if doomed else set()
    for folder in doomed:
        if folder.name not in spared:
            with contextlib.suppress(DatasetError):
                _throw_away(folder)


def sweep(mode: Mode) -> None:
    """Clear what killed processes left, and hold everybody to the limits; once, when a server starts.

    Args:
        mode: How the server serves.
    """
    everybody = [MACHINE] if mode == "local" else [] if mode == "public" else _people()
    for owner in everybody:
        # What a person chose last may be gone by now or lie elsewhere: it is used, and so young, if it is needed.
        sweep_drafts(owner)
        trim(owner)
    _forget_old(paths.models_dir().glob(".*"))
    _forget_old(path for path in queue.folder().glob("ticket-*") if not FileLock(path).is_held())


def sweep_drafts(owner: Owner) -> None:
    """Clear what killed processes left in a person's folders, and downloads that were given up long ago."""
    uploads, collections = user_clips.uploads_dir(owner), owner.home / "collections"
    folders = {owner.home, owner.home / _UNPACKED, owner.models_dir, owner.imported_dir, owner.home / _IN_USE}
    folders |= {*uploads.glob("*"), *collections.glob("*"), *collections.glob("*/*"), *runs.runs_dir(owner).glob("*")}
    for folder in folders:
        _forget_old(folder.glob(".*"))
    _forget_old(path for path in (owner.home / _IN_USE).glob("*") if not FileLock(path).is_held())
    for part in uploads.glob("*/.*.part"):
        with contextlib.suppress(OSError, DatasetError):
            if part.stat().st_mtime < time.time() - MAX_UNUSED_SECONDS:
                _throw_away(part)


@contextlib.contextmanager
def in_use(home: Path, chosen: Collection[str]) -> Iterator[None]:
    """While it lasts nothing that is kept in a home goes; first it is held to its limits.

    Args:
        home: Of whoever trains.
        chosen: Data sets that will be learnt from, as a training order names them.
    """
    if not _is_trained_from(home):
        _trim(home, chosen)
    with FileLock(home / _IN_USE / f"{os.getpid()}-{time.time_ns()}") as ticket:
        with contextlib.suppress(OSError):  # a home that cannot be written to keeps nothing
            ticket.acquire()
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                ticket.path.unlink(missing_ok=True)


def _is_busy(owner: Owner) -> bool:
    return _is_trained_from(owner.home) or runs.active_run(owner) is not None


def _is_trained_from(home: Path) -> bool:
    return any(FileLock(path).is_held() for path in (home / _IN_USE).glob("*"))


def _people() -> list[Owner]:
    found = []
    with contextlib.suppress(OSError):
        for folder in people_dir("shared").iterdir():
            with contextlib.suppress(ValueError):
                found.append(Owner("shared", folder.name))
    return found


def _unpacked(home: Path) -> list[Path]:
    found = []
    with contextlib.suppress(OSError):
        found = [path for path in (home / _UNPACKED).iterdir() if not path.name.startswith(".")]
    return found


def _folders_of(chosen: Iterable[str]) -> set[str]:
    """Names of the folders that chosen zips are unpacked to: by their content, see `crnn.data.zips`."""
    names = set()
    for source in chosen:
        with contextlib.suppress(OSError):
            if Path(source).is_file():
                names.add(atomic.sha256_of(Path(source))[:32])
    return names


def _used_at(folder: Path) -> float:
    try:
        return folder.stat().st_mtime
    except OSError:
        return time.time()


def _forget_old(found: Iterable[Path]) -> None:
    """Drafts and tickets that nobody has touched for long."""
    for path in list(found):
        is_draft = _DRAFT.fullmatch(path.name) and not _NO_DRAFT.fullmatch(path.name)
        if (is_draft or not path.name.startswith(".")) and _newest(path) < time.time() - DRAFT_SECONDS:
            with contextlib.suppress(DatasetError):
                _throw_away(path)


def _newest(path: Path) -> float:
    """When anything of it was written to last; now, where it cannot be told."""
    newest = _used_at(path)
    for parent, folders, files in os.walk(path):
        newest = max([newest, *(_used_at(Path(parent, name)) for name in (*folders, *files))])
    return newest


def _throw_away(path: Path) -> None:
    try:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    except FileNotFoundError:
        return  # another was quicker
    except OSError as err:
        raise DatasetError(f"“{path.name}” could not be cleared: {err.strerror or err}.") from err
