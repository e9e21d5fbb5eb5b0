"""A data set and an order so small that a run takes seconds, for tests that need a real one."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from sounds import RATE, chirp, noise, sine, wav_bytes

from crnn.config import AugmentConfig, FeatureConfig, ModelConfig, TrainConfig
from crnn.jobs.order import TrainingOrder, TrainingSettings
from crnn.jobs.runs import Run

_RATE_HZ = 8000
SETTINGS = TrainingSettings(
    # Each training ends with 216 sounds made on the spot: at the lowest rate in a third of the time, with as many
    # frames a second.
    FeatureConfig(
        sample_rate=_RATE_HZ,
        n_fft=512,
        hop_length=332,
        fmax=_RATE_HZ / 2,
        n_mels=32,
        segment_seconds=2.0,
        segment_hop_seconds=1.0,
    ),
    ModelConfig(channels=(8, 16), pools=((1, 2), (4, 4)), gru_units=8, embedding_size=16, dropout=0.1),
    AugmentConfig(mixup_alpha=0.0),
    TrainConfig(epochs=4, batch_size=4, learning_rate=1e-2, average_decay=0.5, label_smoothing=0.0),
)


def small_data_set(folder: Path, n_tracks: int = 6, seconds: float = 3.0) -> Path:
    """Three genres of three-second sounds: hums, hisses and sweeps."""
    rng = np.random.default_rng(5)
    for number in range(n_tracks):
        pitch = 110.0 * (1 + 0.1 * number)
        sounds = {
            "hum": sine(pitch, seconds),
            "hiss": noise(seconds, seed=number),
            "sweep": chirp(seconds, low_hz=pitch, high_hz=4000.0),
        }
        for genre, samples in sounds.items():
            path = folder / genre / f"{genre}{number}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            quiet = samples + 0.001 * rng.standard_normal(len(samples)).astype(np.float32)
            path.write_bytes(wav_bytes(quiet, RATE, "PCM_16"))
    return folder


def wait_until(condition: Callable[[], bool], seconds: float = 400.0) -> None:
    """Wait for `condition`, and fail where it does not come."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.02)


def epochs_of(run: Run) -> list[int]:
    return [event["epoch"] for event in run.events() if event["event"] == "epoch"]


def order_for(folder: Path, **changes: object) -> TrainingOrder:
    return TrainingOrder((str(folder),), Path("model"), SETTINGS, **changes)  # type: ignore[arg-type]
