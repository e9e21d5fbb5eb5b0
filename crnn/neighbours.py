"""Where a clip lies among the tracks that a model learnt from.

The map is the plane in which the tracks' mean embeddings spread most; nearness is
the cosine between embeddings, each relative to the middle of all tracks.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from crnn.bundle import EMBEDDINGS_NAME, Bundle
from crnn.errors import BundleError

FloatArray = npt.NDArray[np.float32]

_MAX_TRACKS = 200_000


@dataclass(frozen=True)
class TrackMap:
    """The training tracks of a bundle.

    embeddings: `(n_tracks, embedding_size)`; labels `(n_tracks,)` index the bundle's genres;
    centre `(embedding_size,)` and axes `(embedding_size, 2)` span the plane of the map.
    """

    embeddings: FloatArray
    labels: npt.NDArray[np.int64]
    track_ids: tuple[str, ...]
    centre: FloatArray
    axes: FloatArray

    def place(self, embeddings: FloatArray) -> FloatArray:
        """Places on the map, `(n, 2)`, of embeddings `(n, embedding_size)`."""
        return np.asarray((embeddings - self.centre) @ self.axes, dtype=np.float32)

    def nearest(self, embedding: FloatArray, n_tracks: int = 5) -> list[tuple[int, float]]:
        """Indices of the nearest tracks and their cosines, nearest first."""
        tracks = self.embeddings - self.centre
        wanted = embedding - self.centre
        lengths = np.linalg.norm(tracks, axis=1) * np.linalg.norm(wanted)
        cosines = tracks @ wanted / np.maximum(lengths, 1e-12)
        order = np.argsort(-cosines, kind="stable")[:n_tracks]
        return [(int(index), float(cosines[index])) for index in order]


def load_map(bundle: Bundle) -> TrackMap | None:
    """The map of a bundle, None if it has none.

    Raises:
        BundleError: It is damaged or does not fit the bundle.
    """
    if EMBEDDINGS_NAME not in bundle.files:
        return None
    try:
        with np.load(bundle.file(EMBEDDINGS_NAME), allow_pickle=False) as stored:
            found = TrackMap(
                embeddings=stored["embeddings"].astype(np.float32),
                labels=stored["labels"].astype(np.int64),
                track_ids=tuple(str(track_id) for track_id in stored["track_ids"]),
                centre=stored["centre"].astype(np.float32),
                axes=stored["axes"].astype(np.float32),
            )
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile) as err:
        raise BundleError(f"The map of the training tracks of “{bundle.name}” cannot be read: {err}.") from err
    _check(found, bundle)
    return found


def _check(found: TrackMap, bundle: Bundle) -> None:
    n_tracks, size = len(found.track_ids), bundle.embedding_size
    fits = (
        1 <= n_tracks <= _MAX_TRACKS
        and found.embeddings.shape == (n_tracks, size)
        and found.labels.shape == (n_tracks,)
        and found.centre.shape == (size,)
        and found.axes.shape == (size, 2)
        and found.labels.min() >= 0
        and found.labels.max() < len(bundle.genres)
        and all(np.isfinite(part).all() for part in (found.embeddings, found.centre, found.axes))
    )
    if not fits:
        raise BundleError(f"The map of the training tracks of “{bundle.name}” does not fit the model.")
