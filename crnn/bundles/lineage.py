"""How a model came about, as its bundle tells it: the legs that it was made in, and the program of each."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import crnn
from crnn.bundles.bundle import Bundle

_ROOT = Path(__file__).resolve().parents[2]
_GIT_SECONDS = 10.0


def program(root: Path = _ROOT) -> dict[str, str]:
    """The version of GenreScope, and the commit of the checkout that it is run from, where it is one.

    Args:
        root: Folder of the project. A commit whose files were changed since ends with “, changed”.
    """
    found = {"genrescope": crnn.__version__}
    # An installed package may lie in the midst of another project's checkout.
    if (root / ".git").exists():
        commit = _git(root, "rev-parse", "HEAD")
        is_changed = bool(commit) and _git(root, "status", "--porcelain", "--untracked-files=no") != ""
        if commit:
            found["commit"] = f"{commit}, changed" if is_changed else commit
    return found


def _git(root: Path, *words: str) -> str | None:
    try:
        done = subprocess.run(["git", *words], cwd=root, capture_output=True, timeout=_GIT_SECONDS, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode("utf-8", "replace").strip()


def with_leg(start: Bundle | None, leg: dict[str, Any]) -> list[dict[str, Any]]:
    """The legs of a model: those of its start, then this one, with the program that runs.

    Args:
        start: What it was made from; None for scratch. One that tells of no legs counts as one.
        leg: What was done, JSON-ready.
    """
    before: list[dict[str, Any]] = []
    if start is not None:
        before = list(start.training.get("legs", [{"what": f"made as “{start.name}”", "created": start.created}]))
    return [*before, leg | program()]
