"""Fixtures that all tests share, and the order of the tests."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from sounds import RATE, SOUNDS, FloatArray, wav_bytes
from tiny_bundle import tiny_bundle

from crnn.bundle import Bundle

ROOT = Path(__file__).resolve().parents[1]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Quick tests first, then pages, slow ones, browsers: a plain mistake shows at once."""

    def cost(item: pytest.Item) -> int:
        if item.get_closest_marker("browser"):
            return 3
        if item.get_closest_marker("slow"):
            return 2
        return int("pages" in item.path.parts)

    items.sort(key=cost)


@pytest.fixture(autouse=True)
def _own_main_module() -> Iterator[None]:
    """AppTest leaves its page as the main module, which a process spawned by a later test would then run."""
    main = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = main


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The labelled music, where it is (`GENRESCOPE_DATA`)."""
    folder = Path(os.environ.get("GENRESCOPE_DATA") or ROOT.parent / "shared" / "data")
    if not (folder / "gtzan-logmel.npz").is_file():
        pytest.skip(f"no data in {folder}: set GENRESCOPE_DATA to the folder that holds gtzan-logmel.npz")
    return folder


@pytest.fixture(scope="session")
def ffmpeg() -> str:
    """The ffmpeg program."""
    found = shutil.which("ffmpeg")
    if found is None:
        if os.environ.get("CI"):
            pytest.fail("ffmpeg is needed on the test machine")
        pytest.skip("ffmpeg is not installed: it makes the compressed files for this test")
    return found


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20_261_123)


@pytest.fixture(params=SOUNDS)
def sound(request: pytest.FixtureRequest) -> FloatArray:
    """Each of the synthesized sounds in turn."""
    return SOUNDS[request.param]()


@pytest.fixture
def encode(ffmpeg: str, tmp_path: Path) -> Callable[..., Path]:
    """Encodes samples with ffmpeg into a file of any kind."""

    def make(samples: FloatArray, name: str, *options: str, rate: int = RATE) -> Path:
        source, path = tmp_path / "source.wav", tmp_path / name
        source.write_bytes(wav_bytes(samples, rate, "PCM_16"))
        command = [ffmpeg, "-nostdin", "-v", "error", "-y", "-i", str(source), *options, str(path)]
        subprocess.run(command, check=True, capture_output=True, timeout=60)
        return path

    return make


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    """A hand-made model: bass, middle or treble, by where the energy is."""
    return tiny_bundle(tmp_path / "models" / "tiny")
