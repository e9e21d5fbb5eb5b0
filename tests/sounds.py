"""Sound made on the spot, seeded: no recording is in git.

Mono float32 in [-1, 1] at the model's rate unless said otherwise.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

from crnn.config import FeatureConfig

RATE = FeatureConfig().sample_rate
FloatArray = npt.NDArray[np.float32]


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


def write_sound(path: Path, frequency_hz: float, seconds: float = 1.0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, sine(frequency_hz, seconds), RATE)
    return path


def riff(
    data: bytes, *, rate: int = RATE, channels: int = 1, bits: int = 16, kind: int = 1, declared: int = -1
) -> bytes:
    """A wav file by hand, so that its header can lie."""
    size = len(data) if declared < 0 else declared
    frame_bytes = channels * bits // 8
    layout = struct.pack("<HHIIHH", kind, channels, rate, rate * frame_bytes & 0xFFFFFFFF, frame_bytes & 0xFFFF, bits)
    body = b"WAVEfmt " + struct.pack("<I", 16) + layout + b"data" + struct.pack("<I", size) + data
    return b"RIFF" + struct.pack("<I", len(body) if declared < 0 else declared) + body


def pcm(samples: FloatArray) -> bytes:
    return (samples * 32_767).astype("<i2").tobytes()
