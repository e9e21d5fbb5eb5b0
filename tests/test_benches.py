"""What benches measure is what they say: a network that reads the archive that it is given."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from bench import agreement, measuring, protocols
from crnn.bundles.library import find_bundle
from crnn.config import FeatureConfig
from crnn.errors import DatasetError
from crnn.features import archive, front_ends


@pytest.mark.parametrize("bench", [agreement, protocols])
def test_a_model_that_does_not_read_the_archive_is_refused(
    bench: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The default model is such a one: its figures were of a network that heard what it cannot read."""
    (tmp_path / "gtzan-audio").mkdir()
    cells = np.zeros((200, 128), np.uint8)
    archive.write_archive(tmp_path / "gtzan-logmel.npz", archive.make_archive(["a"], ["rock"], [cells]))
    monkeypatch.setenv("GENRESCOPE_DATA", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["bench", "--model", "ten-genres"])
    with pytest.raises(DatasetError, match=r"“gtzan-logmel.npz” holds log-mel .* the model reads the tagger's mel"):
        bench.main()


def test_the_model_of_the_archive_reads_it() -> None:
    front_ends.check_front_end(FeatureConfig(), find_bundle(measuring.ARCHIVE_MODEL).feature_config, "gtzan-logmel.npz")
