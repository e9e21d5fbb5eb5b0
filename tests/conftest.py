"""Sound made on the spot (seeded), a hand-made model, and the order of the tests.

No recording is in git. Everything here is mono float32 in [-1, 1] unless its name says otherwise.
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile
from tiny_bundle import tiny_bundle

from crnn.bundle import Bundle
from crnn.config import FeatureConfig

ROOT = Path(__file__).resolve().parents[1]
RATE = FeatureConfig().sample_rate
FloatArray = npt.NDArray[np.float32]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Quick tests first, then pages, slow ones, browsers: a plain mistake shows at once."""

    def cost(item: pytest.Item) -> int:
        if item.get_closest_marker("browser"):
            return 3
        if item.get_closest_marker("slow"):
            return 2
        return int("pages" in item.path.parts)

    items.sort(key=cost)


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


def sine(frequency_hz: float, seconds: float = 2.0, rate: int = RATE, level: float = 0.5) -> FloatArray:
    """A steady tone."""
    return (level * np.sin(2 * np.pi * frequency_hz * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def chirp(seconds: float = 4.0, rate: int = RATE, low_hz: float = 50.0, high_hz: float = 8000.0) -> FloatArray:
    """A tone that rises evenly in octaves."""
    t = np.arange(round(seconds * rate)) / rate
    octaves = np.log(high_hz / low_hz) / seconds
    return (0.5 * np.sin(2 * np.pi * low_hz * np.expm1(octaves * t) / octaves)).astype(np.float32)


def clicks(seconds: float = 3.0, rate: int = RATE, per_second: float = 2.0) -> FloatArray:
    """Single samples of full level at a steady beat."""
    samples = np.zeros(round(seconds * rate), dtype=np.float32)
    samples[:: round(rate / per_second)] = 0.9
    return samples


def noise(seconds: float = 2.0, rate: int = RATE, level: float = 0.1, seed: int = 7) -> FloatArray:
    """White noise, seeded."""
    return (level * np.random.default_rng(seed).standard_normal(round(seconds * rate))).astype(np.float32)


def wav_bytes(samples: npt.NDArray[np.floating], rate: int = RATE, subtype: str = "FLOAT", kind: str = "WAV") -> bytes:
    """A sound file in memory."""
    out = io.BytesIO()
    soundfile.write(out, samples, rate, format=kind, subtype=subtype)
    return out.getvalue()


SOUNDS: dict[str, Callable[[], FloatArray]] = {
    "sine": lambda: sine(440.0),
    "chirp": chirp,
    "clicks": clicks,
    "noise": noise,
    "quiet noise": lambda: noise(level=1e-4),
    "sine in noise": lambda: sine(1000.0, 12.3) + noise(12.3, level=0.01),
}


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
