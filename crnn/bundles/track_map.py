"""Where a clip lies among the tracks that a model learnt from.

The map is the plane in which the tracks' mean embeddings spread most; nearness is
the cosine between embeddings, each relative to the middle of all tracks.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from crnn.bundles.bundle import EMBEDDINGS_NAME, Bundle
from crnn.errors import BundleError
from crnn.limits import MAX_BUNDLE_BYTES
from crnn.zip_directory import DAMAGE, check_directory

FloatArray = npt.NDArray[np.float32]

_MAX_TRACKS = 200_000
_MAX_DIRECTORY_BYTES = 1 << 16


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
        """Indices of the nearest tracks and their cosines, nearest first.

        Args:
            embedding: Of a sound, `(embedding_size,)`, the mean over its segments.
            n_tracks: How many at most.

        Returns:
            Row in the map and cosine of the angle, both taken from the map's centre, in [-1, 1].
        """
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
    path = bundle.file(EMBEDDINGS_NAME)
    try:
        with path.open("rb") as file:
            check_directory(file, _MAX_DIRECTORY_BYTES)
            with zipfile.ZipFile(file) as inside:
                if sum(info.file_size for info in inside.infolist()) > MAX_BUNDLE_BYTES:
                    raise BundleError(f"{EMBEDDINGS_NAME} would unpack to more than {MAX_BUNDLE_BYTES >> 20} MB.")
        with np.load(path, allow_pickle=False) as stored:
            found = _read(stored, bundle)
    except (*DAMAGE, OSError, KeyError, ValueError, TypeError) as err:
        raise BundleError(f"The map of the training tracks of “{bundle.name}” cannot be read: {err}.") from err
    if found is None or not _fits(found, bundle):
        raise BundleError(f"The map of the training tracks of “{bundle.name}” does not fit the model.")
    return found


def _read(stored: Any, bundle: Bundle) -> TrackMap | None:
    """The map in an opened file; None if its shapes are another model's.

    Shapes come before conversion: zeros of a byte each are a small file, and eight times as much as labels.
    """
    track_ids = stored["track_ids"]
    if track_ids.ndim != 1 or track_ids.dtype.kind not in "US" or not 1 <= len(track_ids) <= _MAX_TRACKS:
        return None
    n_tracks, size = len(track_ids), bundle.embedding_size
    parts = {}
    for name, shape, kinds in (
        ("embeddings", (n_tracks, size), "f"),
        ("labels", (n_tracks,), "iu"),
        ("centre", (size,), "f"),
        ("axes", (size, 2), "f"),
    ):
        part = stored[name]
        if part.shape != shape or part.dtype.kind not in kinds:
            return None
        parts[name] = part.astype(np.int64 if name == "labels" else np.float32)
    return TrackMap(track_ids=tuple(str(track_id) for track_id in track_ids), **parts)


def _fits(found: TrackMap, bundle: Bundle) -> bool:
    numbers = (found.embeddings, found.centre, found.axes)
    return (
        found.labels.min() >= 0
        and found.labels.max() < len(bundle.genres)
        and all(bool(np.isfinite(part).all()) for part in numbers)
    )
