"""The limits as a visitor reads them beside each uploader, before he meets them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import streamlit as st

from crnn.limits import (
    MAX_BUNDLE_BYTES,
    MAX_CLIP_SECONDS,
    MAX_FILES_AT_ONCE,
    MAX_TRACK_SECONDS,
    MAX_TRACKS,
    MAX_UNPACKED_BYTES,
    free_bytes,
)

_T = TypeVar("_T")


def max_upload_mb() -> int:
    """The greatest upload that the server takes, in MB."""
    return int(st.get_option("server.maxUploadSize"))


def of_sounds() -> str:
    """What may be given on Listen."""
    return (
        f"Up to {MAX_FILES_AT_ONCE} files at once, {max_upload_mb()} MB each, of any length. "
        f"The spectrogram is drawn up to {MAX_CLIP_SECONDS / 60:.0f} minutes."
    )


def of_clips() -> str:
    """What may be given as clips of a genre."""
    return (
        f"Up to {MAX_FILES_AT_ONCE} files at once, {max_upload_mb()} MB each. "
        f"The first {MAX_TRACK_SECONDS / 60:.0f} minutes of each are learnt from."
    )


def of_data_sets(folder: Path) -> str:
    """What may be given as a data set.

    Args:
        folder: Where it is kept.
    """
    return (
        f"Up to {max_upload_mb()} MB, {MAX_UNPACKED_BYTES >> 30} GiB unpacked, {MAX_TRACKS} tracks. "
        f"{free_bytes(folder) / 2**30:.0f} GiB of disk are free."
    )


def of_models() -> str:
    """What may be given as a model."""
    return f"Up to {min(max_upload_mb(), MAX_BUNDLE_BYTES >> 20)} MB, {MAX_BUNDLE_BYTES >> 20} MB unpacked."


def as_many_as_fit(files: Sequence[_T]) -> tuple[Sequence[_T], str]:
    """The first `MAX_FILES_AT_ONCE` of the files, and a sentence if there were more."""
    if len(files) <= MAX_FILES_AT_ONCE:
        return files, ""
    return files[:MAX_FILES_AT_ONCE], (
        f"{len(files)} files were given, and {MAX_FILES_AT_ONCE} at once are accepted: the first {MAX_FILES_AT_ONCE} "
        "were taken. Give the others after them, or use the command line for whole folders."
    )
