"""Whose things they are: where they lie, and what may be done with them.

Whoever acts on models, data sets, trainings or clips is passed as an `Owner`, and the act itself asks it: a
button that is not drawn refuses nobody. Folders follow from the owner, so another's thing is never found.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from crnn import limits, paths
from crnn.errors import ClipTooLongError, DiskFullError, NotAllowedError
from crnn.limits import Limits
from crnn.mode import Mode

Act = Literal["keep", "import", "train", "teach", "export", "show", "folders", "addresses"]

_ALLOWED: dict[Mode, frozenset[Act]] = {
    "local": frozenset({"keep", "import", "train", "export", "folders", "addresses"}),
    "shared": frozenset({"keep", "import", "train", "export", "show", "addresses"}),
    "public": frozenset({"teach"}),
}
_REFUSALS: dict[Act, str] = {
    "keep": "Nothing is kept here beyond your visit, and the models are the host’s.",
    "import": "Models cannot be imported here. On a machine of your own they can.",
    "train": "Trainings of this kind are not run here. On a machine of your own they are.",
    "teach": "What is taught here is kept: Train does it.",
    "export": "Models are not exported here. On a machine of your own they are.",
    "show": "Models are not passed on here.",
    "folders": "Folders of the server are not read for its visitors.",
    "addresses": "Nothing is fetched from other addresses here.",
}
_KEY = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class Owner:
    """A person who acts.

    mode: How the server serves him.
    key: His folder's name; empty for the person at the machine.
    is_admin: Whether the host's models are his to change.
    """

    mode: Mode
    key: str = ""
    is_admin: bool = False

    def __post_init__(self) -> None:
        if (self.mode == "local") != (not self.key) or (self.key and not _KEY.fullmatch(self.key)):
            raise ValueError(f"{self.mode} owner with the key {self.key!r}")

    @property
    def limits(self) -> Limits:
        """What he may ask of the server."""
        return limits.BY_MODE[self.mode]

    @property
    def home(self) -> Path:
        """Folder of all that is kept for him."""
        if self.mode == "local":
            return paths.home_dir()
        return people_dir(self.mode) / self.key

    @property
    def models_dir(self) -> Path:
        """Folder of the models that he made: at the machine itself, the shelf of all."""
        return paths.models_dir() if self.mode == "local" else self.home / "models"

    @property
    def imported_dir(self) -> Path:
        """Folder of the models that he imported: elsewhere apart, as they serve their importer alone."""
        return paths.models_dir() if self.mode == "local" else self.home / "imported"

    @property
    def shelves(self) -> tuple[Path, ...]:
        """Folders of models that are his to change."""
        own = tuple(dict.fromkeys((self.models_dir, self.imported_dir)))
        return (*own, paths.models_dir()) if self.is_admin else own

    def may(self, act: Act) -> bool:
        """Whether he may do it."""
        return act in _ALLOWED[self.mode]

    def require(self, act: Act) -> None:
        """Refuse what he may not do.

        Raises:
            NotAllowedError: He may not.
        """
        if not self.may(act):
            raise NotAllowedError(_REFUSALS[act])

    def owns(self, path: Path) -> bool:
        """Whether a path lies in his folder, links followed."""
        return path.resolve().is_relative_to(self.home.resolve())

    def check_room(self, n_bytes: int) -> None:
        """Refuse to keep more than is his.

        Raises:
            DiskFullError: It would be more.
        """
        if self.mode == "local":
            return
        used = used_bytes(self.home)
        if used + n_bytes > self.limits.disk_bytes:
            raise DiskFullError(
                f"{used / 2**20:.0f} of your {self.limits.disk_bytes >> 20} MB are used, and this needs "
                f"{n_bytes / 2**20:.0f} more. Delete something first."
            )

    @contextlib.contextmanager
    def keeping(self, n_bytes: int) -> Iterator[None]:
        """Within it so much more is written, one after the other: at once, each would find room that only one has.

        Args:
            n_bytes: What is written.

        Raises:
            DiskFullError: It would be more than is his.
        """
        with _keeping:
            self.check_room(n_bytes)
            yield


_keeping = threading.RLock()

MACHINE = Owner("local")


def person(issuer: str, subject: str, *, is_admin: bool = False) -> Owner:
    """The owner who signed in.

    Args:
        issuer: Who vouches for him.
        subject: His name there, which never changes; an address may be given to another one day.
        is_admin: Whether the host's models are his to change.
    """
    told = f"{len(issuer)}:{issuer}{subject}"
    return Owner("shared", hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()[:32], is_admin)


def people_dir(mode: Mode) -> Path:
    """Folder of the folders of everybody who is served in a mode."""
    return paths.home_dir() / ("visits" if mode == "public" else "people")


def used_bytes(folder: Path) -> int:
    """Bytes of all files below a folder; what vanishes meanwhile counts nothing."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(parent, name)).st_size
    return total


def check_granted(seconds: float, owner: Owner) -> None:
    """Refuse a sound that is longer than he may give.

    Args:
        seconds: The sound's length.
        owner: Who gave it.

    Raises:
        ClipTooLongError: It is.
    """
    most = owner.limits.sound_seconds
    if seconds > most:
        raise ClipTooLongError(
            f"This sound is longer than {most / 3600:.0f} h, which is the most that is listened to here. Give a part "
            "of it; on a machine of your own a sound may be of any length."
        )


def forget(owner: Owner) -> None:
    """Delete all that is kept for a person; what he has in memory is his page's to drop.

    Raises:
        NotAllowedError: He sits at the machine, whose folders are his own to delete.
    """
    if owner.mode == "local":
        raise NotAllowedError(f"All that is kept lies in {owner.home}. Delete that folder.")
    # Moved away first, so that nothing of it is found any more even if a file resists.
    doomed = owner.home.with_name(f".{owner.key}-{time.time_ns()}")
    with contextlib.suppress(FileNotFoundError):
        owner.home.rename(doomed)
        shutil.rmtree(doomed, ignore_errors=True)


def sweep_visits() -> None:
    """Delete what visits left that a killed server could not end; called before the first visit."""
    shutil.rmtree(people_dir("public"), ignore_errors=True)
    for left in people_dir("shared").glob(".*-*"):
        shutil.rmtree(left, ignore_errors=True)
