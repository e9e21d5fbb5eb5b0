"""What several tests of data sets read."""

from pathlib import Path

import pytest
from sounds import write_sound


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "music"
    for g, genre in enumerate(["jazz", "rock"]):
        for i in range(4):
            write_sound(root / genre / f"{genre}{i}.wav", 200 + 100 * g + 10 * i)
    return root
