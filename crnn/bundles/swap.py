"""A model's folder put in the place of another, so that neither is lost wherever a kill comes.

Two renames are needed, and between them nothing lies at the place. What was there is then found beside
it, under a name that says whose it is, and comes back when anybody looks next.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

from crnn.locks import sole_writer

_OLD = "-old-"


def swap_in(draft: Path, folder: Path) -> None:
    """Rename `draft` to `folder`; what was there goes. The caller holds `sole_writer` of the parent.

    Args:
        draft: A folder on the same disk, complete.
        folder: Where it shall be; need not exist.

    Raises:
        OSError: The disk refuses; what was there is there again.
    """
    if not folder.exists():
        draft.rename(folder)
        return
    old = folder.with_name(f".{folder.name}{_OLD}{os.getpid()}")
    folder.rename(old)
    try:
        draft.rename(folder)
    except OSError:
        old.rename(folder)
        raise
    shutil.rmtree(old, ignore_errors=True)


def bring_back(parent: Path) -> None:
    """Mend what kills left in `parent` between the two renames: models come back, and what was replaced goes."""
    if not _left_over(parent):
        return
    with contextlib.suppress(OSError), sole_writer(parent):
        # Looked for again: whoever was still at it has ended by now.
        for old in _left_over(parent):
            folder = old.with_name(old.name[1:].rpartition(_OLD)[0])
            if folder.exists():
                shutil.rmtree(old, ignore_errors=True)
            else:
                old.rename(folder)


def _left_over(parent: Path) -> list[Path]:
    try:
        return sorted(path for path in parent.iterdir() if path.name.startswith(".") and _OLD in path.name)
    except OSError:
        return []
