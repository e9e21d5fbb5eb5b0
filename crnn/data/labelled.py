"""Features and labels of tracks: what is learnt from, and how a track is cut for the network."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from crnn.config import FeatureConfig
from crnn.features import log_mel as features
from crnn.features.archive import to_db

FloatArray = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class LabelledTracks:
    """Features and genres of tracks.

    log_mels: per track uint8 `(n_frames, n_mels)` as in a log-mel archive.
    labels: index into the genres, shape `(n_tracks,)`.
    """

    track_ids: tuple[str, ...]
    log_mels: tuple[Bytes, ...]
    labels: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.log_mels)


@dataclass(frozen=True)
class TrainingData:
    """What a run learns from and what it is watched on; labels index `genres`."""

    genres: tuple[str, ...]
    tracks: LabelledTracks
    valid: LabelledTracks


NO_TRACKS = LabelledTracks((), (), np.zeros(0, dtype=np.int64))


def plain_segments(log_mel: Bytes, config: FeatureConfig) -> FloatArray:
    """The segments of a track as inference cuts them and the network reads them, `(n_segments, n_frames, n_mels)`.

    Args:
        log_mel: Archive cells of a track, uint8 `(n_frames, n_mels)`.
        config: What they were computed with.
    """
    return features.input_from_db(features.stack_segments(to_db(log_mel, config), config), config)


def joined(parts: list[LabelledTracks]) -> LabelledTracks:
    """Tracks of several parts as one."""
    return LabelledTracks(
        tuple(track_id for part in parts for track_id in part.track_ids),
        tuple(log_mel for part in parts for log_mel in part.log_mels),
        np.concatenate([part.labels for part in parts]),
    )
