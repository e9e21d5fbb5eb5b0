"""Pictures that were zoomed to count as held for their visit, as long as they are kept."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from sounds import noise

from crnn.analysis import figures
from crnn.config import FeatureConfig
from crnn.features.log_mel import mel_power
from ui.listen import zoomed
from ui.shared.holdings import HELD
from ui.shared.state import Sound


def test_what_is_kept_of_zooms_is_counted_and_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: dict[str, Any] = {}
    monkeypatch.setattr(zoomed, "st", SimpleNamespace(session_state=kept))
    config = FeatureConfig()
    samples = noise(4.0)
    whole = figures.clip_picture(mel_power(samples, config), config)
    sound = Sound("noise.wav", b"noise", "upload")

    def zoom(start: float) -> int:
        part = samples[round(start * config.sample_rate) :][: config.sample_rate]
        return len(zoomed.detail(sound, config, whole, (start, start + 1.0), lambda: part)[0]["cells"])

    before = sum(HELD.weights().values())
    sizes = [zoom(start / 10) for start in range(20)]
    # The last of them are kept, and no others are counted.
    n_kept = len(kept[zoomed._KEPT])
    assert n_kept == zoomed._MOST_KEPT < len(sizes)
    assert sum(HELD.weights().values()) - before == sum(sizes[-n_kept:])
    # Under other settings it is another picture.
    finer = zoomed.detail(sound, FeatureConfig(n_mels=64), whole, (1.9, 2.9), lambda: samples[: config.sample_rate])
    assert len(finer[0]["cells"]) != sizes[-1]
    kept.clear()
    del finer
    assert sum(HELD.weights().values()) == before
