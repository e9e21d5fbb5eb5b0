"""The limits as a visitor reads them beside each uploader, before he meets them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.uploaded_file_manager import UploadedFile

from crnn.limits import (
    MAX_BUNDLE_BYTES,
    MAX_CLIP_SECONDS,
    MAX_TRACK_SECONDS,
    MAX_TRACKS,
    MAX_UNPACKED_BYTES,
    free_bytes,
)
from crnn.owner import used_bytes
from ui.shared import visitor

_T = TypeVar("_T")


def max_upload_mb() -> int:
    """The greatest upload that the server takes, in MB."""
    return int(st.get_option("server.maxUploadSize"))


def max_files() -> int:
    """How many files this visitor may give at once."""
    return visitor.owner().limits.files_at_once


def of_sounds() -> str:
    """What may be given on Listen."""
    longest = visitor.owner().limits.sound_seconds
    length = "of any length" if longest == float("inf") else f"{longest / 3600:.0f} h at most"
    return (
        f"Up to {max_files()} files at once, {max_upload_mb()} MB each, {length}. "
        f"Of more than {MAX_CLIP_SECONDS / 60:.0f} minutes the spectrogram is coarse until you zoom in."
    )


def of_clips() -> str:
    """What may be given as clips of a genre."""
    return (
        f"Up to {max_files()} files at once, {max_upload_mb()} MB each. "
        f"The first {MAX_TRACK_SECONDS / 60:.0f} minutes of each are learnt from."
    )


def of_visit_clips() -> str:
    """What may be given as clips of a genre where nothing is kept."""
    granted = visitor.owner().limits
    return (
        f"Up to {max_files()} files at once, {max_upload_mb()} MB each, {granted.tracks} clips in all. "
        f"The first {granted.learnt_seconds:.0f} seconds of each are learnt from; the sound itself is let go at once."
    )


def of_data_sets(folder: Path) -> str:
    """What may be given as a data set.

    Args:
        folder: Where it is kept.
    """
    owner = visitor.owner()
    if owner.mode != "local":
        used, granted = used_bytes(owner.home) >> 20, owner.limits.disk_bytes >> 20
        return f"Up to {max_upload_mb()} MB, {owner.limits.tracks} tracks. {used} of your {granted} MB are used."
    return (
        f"Up to {max_upload_mb()} MB, {MAX_UNPACKED_BYTES >> 30} GiB unpacked, {MAX_TRACKS} tracks. "
        f"{free_bytes(folder) / 2**30:.0f} GiB of disk are free."
    )


def of_models() -> str:
    """What may be given as a model."""
    return f"Up to {min(max_upload_mb(), MAX_BUNDLE_BYTES >> 20)} MB, {MAX_BUNDLE_BYTES >> 20} MB unpacked."


def release(uploads: Sequence[UploadedFile]) -> None:
    """Let go of files that were taken: Streamlit keeps those of an uploader that is gone for as long as the visit.

    Args:
        uploads: Of uploaders that will not be drawn again.
    """
    context = get_script_run_ctx()
    # Only its own store, in memory, can let go of a single file; pages under test have another.
    remove = getattr(context.uploaded_file_mgr, "remove_file", None) if context else None
    if context is not None and remove is not None:
        for upload in uploads:
            remove(session_id=context.session_id, file_id=upload.file_id)


def release_all() -> None:
    """Let go of all files that this visit's uploaders hold."""
    context = get_script_run_ctx()
    remove = getattr(context.uploaded_file_mgr, "remove_session_files", None) if context else None
    if context is not None and remove is not None:
        remove(context.session_id)


def as_many_as_fit(files: Sequence[_T], then: str = "Give the others after them") -> tuple[Sequence[_T], str]:
    """As many of the files as this visitor may give at once, and a sentence if there were more.

    Args:
        files: What was given.
        then: How the others can be given.
    """
    most = max_files()
    if len(files) <= most:
        return files, ""
    return files[:most], (
        f"{len(files)} files were given, and {most} at once are accepted: the first {most} "
        f"were taken. {then}, or use the command line for whole folders."
    )
