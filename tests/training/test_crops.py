"""Which crops an epoch is made of: equal shares of genres, each crop by its own chance, nothing left out."""

from __future__ import annotations

import dataclasses
from collections import Counter

import numpy as np

from crnn.config import AugmentConfig, FeatureConfig, TrainConfig
from crnn.data.labelled import LabelledTracks
from crnn.jobs.order import TrainingSettings, preset
from crnn.training.crops import Crops

FEATURES = FeatureConfig(n_fft=1024, n_mels=16, segment_seconds=2.0, segment_hop_seconds=1.0)


def crops(**changes: object) -> Crops:
    """Three tracks of ten segments each, two of them of one genre."""
    rng = np.random.default_rng(0)
    log_mels = tuple(rng.integers(0, 256, (10 * FEATURES.n_frames, 16), dtype=np.uint8) for _ in range(3))
    train = dataclasses.replace(TrainConfig(batch_size=2, crops_per_track=3), **changes)  # type: ignore[arg-type]
    still = AugmentConfig(0, 0, 0, 0, 0, 0, 0, 0, 0)
    settings = TrainingSettings(FEATURES, preset("quick").model, still, train)
    return Crops(LabelledTracks(("x", "y", "z"), log_mels, np.array([0, 0, 1])), 2, settings)


def test_genres_have_equal_shares_and_none_of_the_crops_is_lost() -> None:
    # Nine crops: four of one genre and five of the other; of the two tracks neither has more than one more.
    order = crops(balance_genres=True).order(0)
    counts = Counter(track for track, _ in order)
    assert len(order) == len(set(order)) == 9
    assert counts[2] in {4, 5}
    assert abs(counts[0] - counts[1]) <= 1
    plain = crops(balance_genres=False).order(0)
    assert sorted(plain) == [(track, crop) for track in range(3) for crop in range(3)]


def test_each_crop_and_each_epoch_has_a_chance_of_its_own() -> None:
    drawn = crops()
    assert drawn.order(0) == drawn.order(0) != drawn.order(1)
    first = drawn.batch(0, [(0, 0), (0, 1)], 0)[0]
    assert (first[0] != first[1]).any()
    assert (first != drawn.batch(1, [(0, 0), (0, 1)], 0)[0]).any()
    np.testing.assert_array_equal(first, drawn.batch(0, [(0, 0), (0, 1)], 0)[0])


def test_the_batches_of_an_epoch_are_all_of_its_order() -> None:
    drawn = crops(balance_genres=False)
    order, batches = drawn.order(0), list(drawn.batches(0))
    assert drawn.n_batches == len(batches) == 5
    for number, (segments, targets) in enumerate(batches):
        chosen = order[2 * number : 2 * number + 2]
        expected = drawn.batch(0, chosen, 2 * number)
        np.testing.assert_array_equal(segments, expected[0])
        np.testing.assert_array_equal(targets, expected[1])
    assert sum(len(segments) for segments, _ in batches) == 9
