"""What both networks answer to each set of sounds: the input of the heads of `ten-genres`.

A set is named `SOUNDS.KIND`: `gtzan.phone1` is GTZAN's tracks as a phone would hear them. Arrays are by segment;
`own` says whose each segment is, and tracks have names, genres and groups (an artist, a source, or a part of GTZAN).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

FloatArray = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

GENRES = ("blues", "classical", "country", "disco", "hiphop", "jazz", "metal", "pop", "reggae", "rock")
ELSEWHERE, GTZAN, CUTS, ARCHIVE = "else.clean", "gtzan.clean", "cuts.clean", "arch.clean"
# The same clips from elsewhere, and some more, read from the 24-frame archive.
ELSEWHERE_ARCHIVE = "elsx.clean"
N_FOLDS = 5


@dataclass(frozen=True)
class Heard:
    """Answers to one set of sounds.

    embedding: `(n_segments, size)`, with the tagger's words for genres last.
    tags: Logits of the tagger's classes, `(n_segments, 527)`.
    own: Track of each segment, `(n_segments,)`.
    ids, genres, groups: Of the tracks, `(n_tracks,)`.
    ended: Tags of the same segments where a sound that is repeated in them is heard once, and silence after it; None
        where nobody asks.
    """

    embedding: FloatArray
    tags: FloatArray
    own: Integers
    ids: npt.NDArray[np.str_]
    genres: npt.NDArray[np.str_]
    groups: npt.NDArray[np.str_]
    ended: FloatArray | None = None

    @property
    def n_tracks(self) -> int:
        """Number of tracks."""
        return len(self.ids)

    @property
    def labels(self) -> Integers:
        """Index of each track's genre among the ten, -1 for any other."""
        return np.array([GENRES.index(genre) if genre in GENRES else -1 for genre in self.genres], dtype=np.int64)

    def only(self, tracks: Mask) -> Heard:
        """The same of some tracks.

        Args:
            tracks: Which, `(n_tracks,)`.
        """
        kept = tracks[self.own]
        own = (np.cumsum(tracks) - 1)[self.own[kept]]
        of_tracks = (values[tracks] for values in (self.ids, self.genres, self.groups))
        ended = None if self.ended is None else self.ended[kept]
        return Heard(self.embedding[kept], self.tags[kept], own, *of_tracks, ended)

    def track_mean(self, values: npt.NDArray[np.floating]) -> Floats:
        """Mean of segments' values over each track, `(n_tracks, …)`."""
        return mean_by(values, self.own, self.n_tracks)


@dataclass(frozen=True)
class Companions:
    """Answers of the second network, `gtzan-crnn`: embeddings `(n_segments, size)`, and whose they are."""

    embedding: FloatArray
    own: Integers


def folds_of(groups: npt.NDArray[np.str_], seed: int = 0) -> Integers:
    """A fold for each track, the same for all of a group.

    Args:
        groups: Group of each track, `(n_tracks,)`.
        seed: Of the order in which groups are dealt to the `N_FOLDS` folds.
    """
    names = np.unique(groups)
    fold_of = dict(zip(names, np.random.default_rng(seed).permutation(len(names)) % N_FOLDS, strict=True))
    return np.array([fold_of[group] for group in groups], dtype=np.int64)


def mean_by(values: npt.NDArray[np.floating], own: Integers, n_tracks: int) -> Floats:
    """Mean of the rows of each track, `(n_tracks, …)`; zeros for a track without rows.

    Args:
        values: `(n_rows, …)`.
        own: Track of each row, `(n_rows,)`.
        n_tracks: Number of tracks.
    """
    total = np.zeros((n_tracks, *values.shape[1:]))
    np.add.at(total, own, values)
    count = np.maximum(np.bincount(own, minlength=n_tracks), 1)
    return np.asarray(total / count.reshape(-1, *[1] * (values.ndim - 1)))


def numbers_within(own: Integers) -> Integers:
    """Which of its track's segments each is, from 0; `own` names the track of each, one track after the other."""
    _, first, inverse = np.unique(own, return_index=True, return_inverse=True)
    return np.arange(len(own)) - first[inverse]


def log_sum_exp(logits: FloatArray, classes: list[int]) -> FloatArray:
    """Logarithm of the sum of the exponentials of a group's logits, `(n,)`.

    Args:
        logits: Of all classes, `(n, n_classes)`.
        classes: Indices of the group.
    """
    chosen = logits[:, classes]
    greatest = chosen.max(axis=1)
    return np.asarray(greatest + np.log(np.exp(chosen - greatest[:, None]).sum(axis=1)))


def track_posteriors(heard: Heard, logits: Floats, temperature: float) -> Floats:
    """Geometric mean of the segments' posteriors, scaled to sum to 1, `(n_tracks, n_genres)`.

    Args:
        heard: Whose segments they are.
        logits: Of the segments, `(n_segments, n_genres)`.
        temperature: What the logits are divided by.
    """
    return special.softmax(heard.track_mean(special.log_softmax(logits / temperature, axis=1)), axis=1)
