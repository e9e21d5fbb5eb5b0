"""Tracks, faults and data sets: what scanning gives, and splits, caches and training take."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Literal

from crnn.config import FeatureConfig
from crnn.errors import EmptyGenreError, TooFewTracksError
from crnn.text import listed

CSV_NAME = "tracks.csv"
PART_NAMES = ("train", "valid", "test")

_PART_SYNONYMS = {"training": "train", "validation": "valid", "val": "valid", "dev": "valid", "testing": "test"}


@dataclass(frozen=True)
class Track:
    """One work or file of a data set: the unit of splits and of scores.

    track_id: unique in its data set: the file's stem where stems are unique, else its path.
    path: the audio file; None in archives and in the demo.
    split: the data set's own part for it, if it names one.
    group: what must stay together in every split (duplicates share one).
    index: row in a log-mel archive.
    digest: a fingerprint of the content.
    """

    track_id: str
    genre: str
    path: Path | None
    artist: str | None = None
    title: str | None = None
    split: str | None = None
    group: str | None = None
    index: int | None = None
    digest: str | None = None


@dataclass(frozen=True)
class Fault:
    """Something wrong in a data set that does not stop its use.

    kind: of a file, `empty`, `not_audio`, `unreadable`, `missing`, `outside`, `too_short`, `silent`, `clipped`; of a
        row or folder, `no_genre`, `twice`, `empty_genre`; of several tracks, `duplicate`, `near_copy`,
        `two_genres`, `near_copy_of_two_genres`.
    subject: file, row, genre or track that it is about.
    message: a sentence for the user.
    """

    kind: str
    subject: str
    message: str

    @property
    def contradicts(self) -> bool:
        """Whether it says of one recording that it is two genres, so that one of its labels is wrong."""
        return self.kind.endswith("two_genres")

    @property
    def is_failure(self) -> bool:
        """Whether something that was brought could not be used, or not as it is labelled."""
        return self.contradicts or self.kind not in {"twice", "duplicate", "near_copy", "silent", "clipped"}

    @property
    def loses_track(self) -> bool:
        """Whether it is of a track that holds nothing to learn from, and is left out."""
        return self.kind in {"silent", "too_short", "unreadable"}

    @property
    def is_about_copies(self) -> bool:
        """Whether it tells of one recording that lies there more than once."""
        return self.contradicts or self.kind in {"duplicate", "near_copy"}


def copies_fault(copies: Sequence[Track]) -> Fault:
    """What is wrong with tracks of one recording: `duplicate`, or `two_genres` where they are filed differently.

    Args:
        copies: Two or more.
    """
    genres = sorted({track.genre for track in copies})
    where = f" It is filed under {' and '.join(genres)}." if len(genres) > 1 else ""
    subject = ", ".join(track.track_id for track in copies)
    return Fault(
        "two_genres" if where else "duplicate", subject, f"{len(copies)} tracks are the same recording.{where}"
    )


@dataclass(frozen=True)
class Dataset:
    """What a scan found: usable tracks, and everything that is wrong with the others.

    kind: how the data set is stored.
    source: file or folder that was scanned; None for the demo.
    notes: facts that a musician should know, as sentences.
    faults: all faults at once.
    made_with: the features that an archive holds; None where there is sound to make them of.
    """

    name: str
    tracks: tuple[Track, ...]
    kind: Literal["folder", "csv", "zip", "archive", "demo"]
    source: Path | None
    notes: tuple[str, ...] = ()
    faults: tuple[Fault, ...] = ()
    made_with: FeatureConfig | None = None

    @property
    def genres(self) -> tuple[str, ...]:
        """Genre names, sorted: the order of labels and logits."""
        return tuple(sorted({track.genre for track in self.tracks}))

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over the tracks' ids, genres, artists, splits and content, whatever their order."""
        facts = sorted(
            "\x1f".join(field or "" for field in (t.track_id, t.genre, t.artist, t.split, t.digest))
            for t in self.tracks
        )
        return hashlib.sha256("\x1e".join(facts).encode()).hexdigest()

    def with_genres(self, new_names: dict[str, str | None]) -> Dataset:
        """This data set with genres renamed, merged (one new name for two) or left out (None).

        Raises:
            EmptyGenreError: A genre that is named is not there.
            TooFewTracksError: Nothing is left.
        """
        unknown = sorted(set(new_names) - set(self.genres))
        if unknown:
            raise EmptyGenreError(f"“{self.name}” has no genre {listed(unknown)}. It has {', '.join(self.genres)}.")
        renamed = ((track, new_names.get(track.genre, track.genre)) for track in self.tracks)
        tracks = tuple(replace(track, genre=genre) for track, genre in renamed if genre is not None)
        if not tracks:
            raise TooFewTracksError("Every genre was left out. Keep two or more.")
        return replace(self, tracks=tracks)


def normalised(name: str) -> str:
    """A name that prints and compares the same on every system; bytes that are no UTF-8 become marks."""
    printable = name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return unicodedata.normalize("NFC", " ".join(printable.split()))


def part_name(value: str | None) -> str | None:
    """The usual name of a part of a split, None for an empty one."""
    name = (value or "").strip().lower()
    return _PART_SYNONYMS.get(name, name) or None
