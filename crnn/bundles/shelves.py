"""Which models a person sees: the host's, his own, what he imported, and what others show to all.

Only the host's and what was trained here is ever seen by more than one; an import serves its importer alone.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from crnn import paths
from crnn.bundles.bundle import Bundle, bundle_folders
from crnn.errors import BundleError
from crnn.owner import Owner, people_dir

# One of a visit was never saved: it lies on no shelf, and pages alone know of it.
Shelf = Literal["host", "own", "imported", "shown", "visit"]

_SHOWN = "shown"


@dataclass(frozen=True)
class Shelved:
    """Folder of a model, and how it came to be on the shelf."""

    folder: Path
    shelf: Shelf


def visible(owner: Owner) -> list[Shelved]:
    """The models that he may use: the host's, his own, and what others show to all."""
    found = [Shelved(folder, "host") for folder in bundle_folders(*paths.shelves())]
    if owner.mode == "local":
        return found
    found += [Shelved(folder, "own") for folder in bundle_folders(owner.models_dir)]
    found += [Shelved(folder, "imported") for folder in bundle_folders(owner.imported_dir)]
    if owner.mode == "shared":
        for marker in sorted(people_dir("shared").glob(f"*/{_SHOWN}/*")):
            folder = marker.parents[1] / owner.models_dir.name / marker.name
            if folder.parent != owner.models_dir and folder.is_dir():
                found.append(Shelved(folder, "shown"))
    return found


def show(bundle: Bundle, *, owner: Owner, to_all: bool) -> None:
    """Let everybody who signs in use a model of his, or no longer; what was imported serves its importer alone.

    Args:
        bundle: A model of his.
        owner: Who shows it.
        to_all: Whether others may use it from now on.

    Raises:
        BundleError: It is not one that he made, or the disk refuses.
        NotAllowedError: Models are not passed on here.
    """
    owner.require("show")
    if bundle.path is None or bundle.path.parent.resolve() != owner.models_dir.resolve():
        raise BundleError(f"“{bundle.name}” was not made by you here, so it is not shown to others.")
    marker = _marker(bundle.path, owner)
    try:
        if to_all:
            marker.parent.mkdir(parents=True, exist_ok=True)
            marker.touch()
        else:
            marker.unlink(missing_ok=True)
    except OSError as err:
        raise BundleError(f"That could not be noted: {err.strerror or err}.") from err


def is_shown(bundle: Bundle, owner: Owner) -> bool:
    """Whether everybody who signs in may use a model of his.

    Args:
        bundle: A model on disk.
        owner: Who made it.
    """
    return bundle.path is not None and _marker(bundle.path, owner).is_file()


def hide(folder: Path, owner: Owner) -> None:
    """Show a model to nobody else from now on.

    Args:
        folder: The model's; the disk's refusal is passed over.
        owner: Who made it.
    """
    with contextlib.suppress(OSError):
        _marker(folder, owner).unlink(missing_ok=True)


def _marker(folder: Path, owner: Owner) -> Path:
    return owner.home / _SHOWN / folder.name
