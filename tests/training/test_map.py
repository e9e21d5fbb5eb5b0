"""The map of the training tracks that a model comes with."""

import numpy as np
import pytest

from crnn.data.labelled import LabelledTracks
from crnn.training.publish import _write_embeddings


def test_the_map_is_of_the_tracks_means_about_their_middle(tmp_path):
    """Three tracks far from zero that differ along (3, 4) / 5: their middle is (101, 52), and two are 5 from it."""
    tracks = [[[104, 56], [104, 56]], [[101, 52]], [[97, 50], [99, 46]]]
    cells = tuple(np.zeros((3, 2), np.uint8) for _ in tracks)
    labelled = LabelledTracks(("a", "b", "c"), cells, np.array([0, 1, 0]))
    _write_embeddings(tmp_path / "map.npz", [np.float32(track) for track in tracks], labelled)
    with np.load(tmp_path / "map.npz") as stored:
        np.testing.assert_allclose(stored["embeddings"], [[104, 56], [101, 52], [98, 48]])
        np.testing.assert_allclose(stored["centre"], [101, 52])
        assert stored["labels"].tolist() == [0, 1, 0]
        places = (stored["embeddings"] - stored["centre"]) @ stored["axes"]
    assert np.abs(places[:, 0]) == pytest.approx([5, 0, 5], abs=1e-3)
    assert places[:, 1] == pytest.approx([0, 0, 0], abs=1e-3)
