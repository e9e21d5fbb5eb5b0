"""Places and nearness on the map are taken from the middle of the tracks, in exact numbers."""

import dataclasses
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_bundle import tiny_bundle

from crnn.bundles import library
from crnn.bundles.bundle import EMBEDDINGS_NAME, Bundle
from crnn.bundles.track_map import TrackMap, load_map
from crnn.errors import BundleError
from crnn.owner import MACHINE

# Three tracks about (10, 10, 10): one east, one north, one far east.
OFFSETS = np.float32([[1, 0, 0], [0, 1, 0], [3, 0, 0]])
MAP = TrackMap(
    embeddings=OFFSETS + 10,
    labels=np.array([0, 1, 0]),
    track_ids=("east", "north", "far east"),
    centre=np.float32([10, 10, 10]),
    axes=np.float32([[1, 0], [0, 1], [0, 0]]),
)


def test_places_are_relative_to_the_middle():
    np.testing.assert_array_equal(MAP.place(MAP.embeddings), [[1, 0], [0, 1], [3, 0]])


def test_nearness_is_the_cosine_about_the_middle():
    found = MAP.nearest(np.float32([10, 12, 10]), 3)
    assert [index for index, _ in found] == [1, 0, 2]
    assert [cosine for _, cosine in found] == pytest.approx([1.0, 0.0, 0.0], abs=1e-6)
    # Without the middle taken away, all three would lie within 0.02 of each other.
    assert MAP.nearest(np.float32([12, 10, 10]), 2) == [(0, pytest.approx(1.0)), (2, pytest.approx(1.0))]


FITTING = {
    "embeddings": np.zeros((2, 3), np.float16),
    "labels": np.array([0, 2], np.int16),
    "track_ids": np.array(["a", "b"]),
    "centre": np.zeros(3, np.float32),
    "axes": np.zeros((3, 2), np.float32),
}


def with_map(folder: Path, **parts: Any) -> Bundle:
    """The hand-made model with a map whose parts are these, else fitting ones."""
    bundle = tiny_bundle(folder)
    np.savez_compressed(folder / EMBEDDINGS_NAME, **{**FITTING, **parts})
    return dataclasses.replace(bundle, files={**bundle.files, EMBEDDINGS_NAME: "0" * 64})


def test_a_map_that_fits_is_read(tmp_path: Path) -> None:
    found = load_map(with_map(tmp_path / "tiny"))
    assert found is not None
    assert (found.track_ids, found.labels.tolist(), found.embeddings.dtype) == (("a", "b"), [0, 2], np.float32)


@pytest.mark.parametrize(
    "parts",
    [
        {"embeddings": np.zeros((2, 5), np.float16)},
        {"embeddings": np.full((2, 3), np.nan, np.float16)},
        {"embeddings": np.zeros((2, 3), np.int8)},
        {"labels": np.array([0, 3])},
        {"labels": np.array([0, -1])},
        {"labels": np.zeros((2, 1), np.int8)},
        {"track_ids": np.array([1, 2])},
        {"track_ids": np.array(["a"])},
        {"track_ids": np.array([], dtype="U1"), "labels": np.zeros(0, int), "embeddings": np.zeros((0, 3), "f4")},
        {"centre": np.zeros(4, np.float32)},
        {"axes": np.zeros((2, 3), np.float32)},
        {"axes": np.zeros((3, 2), "M8[s]")},
    ],
    ids=lambda parts: next(iter(parts)),
)
def test_a_map_that_does_not_fit_is_refused(tmp_path: Path, parts: dict[str, Any]) -> None:
    with pytest.raises(BundleError, match="does not fit"):
        load_map(with_map(tmp_path / "tiny", **parts))


N_ZEROS = 20_000_000


@pytest.mark.parametrize(
    "parts",
    [
        {"labels": np.zeros(N_ZEROS, np.uint8)},
        {"track_ids": np.zeros(N_ZEROS, "S1")},
        {"centre": np.zeros(N_ZEROS, "f2")},
    ],
    ids=lambda parts: next(iter(parts)),
)
def test_zeros_of_a_byte_each_grow_to_nothing_larger(tmp_path: Path, parts: dict[str, Any]) -> None:
    forged = with_map(tmp_path / "tiny", **parts)
    tracemalloc.start()
    try:
        with pytest.raises(BundleError, match="does not fit"):
            load_map(forged)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 3 * N_ZEROS


def test_a_model_with_such_a_map_is_not_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENRESCOPE_MODELS", str(tmp_path / "models"))
    forged = with_map(tmp_path / "tiny", labels=np.zeros(1_000_000, np.uint8))
    with pytest.raises(BundleError, match="does not fit"):
        library.import_zip(library.pack(forged), "mine", owner=MACHINE)
