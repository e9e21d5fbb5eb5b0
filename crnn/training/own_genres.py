"""Genres of a person's own, taught clip by clip: a head on the clips that he gave, in seconds, in the page's process.

The model lies among his things until it is taught again; to keep it, it is saved under a name like any other.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from crnn import atomic
from crnn.bundles.bundle import Bundle
from crnn.bundles.swap import bring_back
from crnn.data import user_clips
from crnn.errors import DatasetError, TooFewTracksError
from crnn.evaluation.report import Report
from crnn.jobs.order import TrainingOrder, preset
from crnn.owner import Owner
from crnn.text import listed
from crnn.training.materials import Event

# With three a fold can learn two and judge by one.
LEAST_CLIPS = 3
# More would take longer than a page should; there are trainings for that.
MOST_CLIPS = 300
NAME = "my-genres"
_REPORT, _CLIPS = "report.json", "clips.json"
# What of the whole each stage is done with, roughly: listening is nearly all of it.
_STAGES = {
    "scanning": (0.0, "Looking through the clips"),
    "features": (0.05, "Listening"),
    "copies": (0.4, "Listening"),
    "embedding": (0.45, "Listening with the model that it begins with"),
    "head": (0.85, "Learning, and judging it by folds"),
    "saving": (0.95, "Writing it down"),
}
_ENDS = (*(share for share, _ in list(_STAGES.values())[1:]), 1.0)


@dataclass(frozen=True)
class Taught:
    """What was taught: the model's folder, the report on it, and whether it knows the clips as they are now."""

    folder: Path
    report: Report
    is_current: bool


def ready_genres(counts: Mapping[str, int]) -> list[str]:
    """Genres that can be learnt: those with `LEAST_CLIPS` clips or more.

    Args:
        counts: Clips of each genre.
    """
    return [genre for genre, n in counts.items() if n >= LEAST_CLIPS]


def what_is_missing(counts: Mapping[str, int]) -> str:
    """What has to be given before there is anything to learn, or to learn all, as a sentence; empty if nothing is.

    Args:
        counts: Clips of each genre.
    """
    few = sorted(genre for genre, n in counts.items() if n < LEAST_CLIPS)
    if len(ready_genres(counts)) < 2:
        return f"Two genres with {LEAST_CLIPS} clips each make a beginning."
    return f"Fewer than {LEAST_CLIPS} clips of {listed(few)}: not learnt yet." if few else ""


def taught(owner: Owner) -> Taught | None:
    """What a person taught last; None if nothing was, or it is damaged.

    Args:
        owner: Whose.
    """
    folder = _folder(owner)
    bring_back(folder)
    try:
        report = json.loads((folder / _REPORT).read_text(encoding="utf-8"))
        clips = json.loads((folder / _CLIPS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(report, dict) or not (folder / NAME).is_dir():
        return None
    return Taught(folder / NAME, report, clips == _clips_now(owner))


def teach(
    start: Bundle, *, owner: Owner, on_progress: Callable[[float, str], object] = lambda share, words: None
) -> Taught:
    """Fit a head to the clips that a person gave, and judge it by folds.

    Args:
        start: The model to begin with.
        owner: Who teaches.
        on_progress: Called with the share that is done, and words for it; what it raises ends the teaching.

    Raises:
        NotAllowedError: He may not.
        TooFewTracksError: Less was given than can be learnt.
        CrnnError: Anything else that he can mend; what was taught before is still there.
    """
    # Late: what only asks whether something was taught needs none of it.
    from crnn.training.pipeline import carry_out

    owner.require("train")
    counts = user_clips.n_clips(user_clips.own_dir(owner))
    ready = ready_genres(counts)
    if len(ready) < 2:
        raise TooFewTracksError(what_is_missing(counts))
    if sum(counts.values()) > MOST_CLIPS:
        raise DatasetError(f"These are more than {MOST_CLIPS} clips: train on them instead, which can be stopped.")
    folder, clips = _folder(owner), _clips_now(owner)
    order = TrainingOrder(
        (str(user_clips.own_dir(owner)),),
        folder / NAME,
        preset("quick"),
        init=str(start.path),
        split="random",
        method="head",
        genres={genre: None for genre in counts if genre not in ready},
        replace=True,
    )
    told = _Told(on_progress)
    outcome = carry_out(order, on_event=told.on_event, on_progress=told.on_tracks, home=owner.home)
    assert outcome.report is not None
    for name, values in ((_REPORT, outcome.report), (_CLIPS, clips)):
        with atomic.replacing(folder / name) as file:
            file.write(json.dumps(values, ensure_ascii=False).encode("utf-8", "replace"))
    return Taught(folder / NAME, outcome.report, is_current=True)


class _Told:
    """Turns what a training tells into one bar."""

    def __init__(self, on_progress: Callable[[float, str], object]) -> None:
        self._on_progress, self._stage = on_progress, "scanning"

    def on_event(self, event: Event) -> None:
        if event["event"] == "stage" and event["stage"] in _STAGES:
            self._stage = event["stage"]
            self._on_progress(*_STAGES[self._stage])

    def on_tracks(self, done: int, total: int) -> None:
        begin, words = _STAGES[self._stage]
        end = _ENDS[list(_STAGES).index(self._stage)]
        counted = f"{words}: {done} of {total}" if words.startswith("Listening") else words
        self._on_progress(begin + (end - begin) * done / max(1, total), counted)


def _folder(owner: Owner) -> Path:
    return owner.home / "lesson"


def _clips_now(owner: Owner) -> str:
    """Digest of what was given: names hold the clips' content."""
    found = user_clips.clips(user_clips.own_dir(owner))
    names = sorted(f"{path.parent.name}/{path.name}" for path in found)
    return hashlib.sha256("\n".join(names).encode("utf-8", "surrogateescape")).hexdigest()
