"""What a network learns from in an epoch: crops of tracks, drawn, varied, mixed and put into batches.

All chance comes from the seed, the epoch, the track and the crop: an epoch is the same whenever it is drawn.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from crnn.data.labelled import LabelledTracks
from crnn.features import augment as augmentation
from crnn.features.archive import to_db
from crnn.jobs.order import TrainingSettings

FloatArray = npt.NDArray[np.float32]
Batch = tuple[FloatArray, FloatArray]

_BATCHES_AHEAD = 3


@dataclass(frozen=True)
class Crops:
    """The crops of a training.

    tracks: What is learnt from.
    n_genres: As many as the network has logits.
    settings: How many are cut, and how they are varied.
    """

    tracks: LabelledTracks
    n_genres: int
    settings: TrainingSettings

    @property
    def n_batches(self) -> int:
        """Batches of an epoch."""
        return max(1, math.ceil(self._n_crops / self.settings.train.batch_size))

    @property
    def _n_crops(self) -> int:
        return len(self.tracks) * self.settings.train.crops_per_track

    def batches(self, epoch: int) -> Iterator[Batch]:
        """The batches of an epoch, some made ahead while the network learns from one.

        Args:
            epoch: From 0.
        """
        order = self.order(epoch)
        size = self.settings.train.batch_size
        starts = range(0, len(order), size)
        with ThreadPoolExecutor(1) as pool:
            waiting = [pool.submit(self.batch, epoch, order[s : s + size], s) for s in starts[:_BATCHES_AHEAD]]
            for start in starts:
                ahead = start + _BATCHES_AHEAD * size
                if ahead < len(order):
                    waiting.append(pool.submit(self.batch, epoch, order[ahead : ahead + size], ahead))
                try:
                    yield waiting.pop(0).result()
                except GeneratorExit:
                    for future in waiting:
                        future.cancel()
                    raise

    def order(self, epoch: int) -> list[tuple[int, int]]:
        """`(track, crop)` pairs of one epoch, shuffled; genres in equal shares if so set.

        Args:
            epoch: From 0.
        """
        train = self.settings.train
        rng = np.random.default_rng([train.seed, epoch, 0])
        if not train.balance_genres:
            chosen = np.tile(np.arange(len(self.tracks)), train.crops_per_track)
        else:
            shares = np.full(self.n_genres, self._n_crops // self.n_genres)
            shares[rng.permutation(self.n_genres)[: self._n_crops % self.n_genres]] += 1
            chosen = np.concatenate([self._draw(genre, int(n), rng) for genre, n in enumerate(shares)])
        seen: dict[int, int] = {}
        order = []
        for track in rng.permutation(chosen).tolist():
            seen[track] = seen.get(track, -1) + 1
            order.append((track, seen[track]))
        return order

    def _draw(self, genre: int, n: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
        members = np.flatnonzero(self.tracks.labels == genre)
        rounds = [rng.permutation(members) for _ in range(math.ceil(n / len(members)))]
        return np.concatenate(rounds)[:n] if rounds else members[:0]

    def batch(self, epoch: int, chosen: list[tuple[int, int]], start: int) -> Batch:
        """Segments `(n, n_frames, n_mels)` and targets `(n, n_genres)` of some pairs of an epoch.

        Args:
            epoch: From 0.
            chosen: Out of `order`.
            start: Place of the first of them there.
        """
        settings, seed = self.settings, self.settings.train.seed
        crops = [
            augmentation.random_crop(
                to_db(self.tracks.log_mels[track], settings.features),
                settings.features,
                settings.augment,
                np.random.default_rng([seed, epoch, 1, track, crop]),
            )
            for track, crop in chosen
        ]
        labels = self.tracks.labels[[track for track, _ in chosen]]
        smooth = settings.train.label_smoothing
        targets = np.eye(self.n_genres, dtype=np.float32)[labels] * (1 - smooth) + smooth / self.n_genres
        rng = np.random.default_rng([seed, epoch, 2, start])
        return augmentation.mixup(np.stack(crops), targets.astype(np.float32), settings.augment.mixup_alpha, rng)
