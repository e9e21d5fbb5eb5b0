"""Several visitors at once: each reads the answer to the clip that is theirs. `bench/load.py` in small."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bench import load
from bench.serving import served
from crnn.bundles.bundle import load_bundle
from crnn.bundles.library import DEFAULT_MODEL
from crnn.inference.classifier import Classifier

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_three_visitors_get_their_own_answers(chromium, tmp_path: Path) -> None:
    with served(tmp_path, "local") as (host, pid):
        classifier = Classifier(load_bundle(tmp_path / "models" / DEFAULT_MODEL))
        crowd = load.crowd(host, pid, classifier, chromium, n_sessions=3, n_uploads=2, patience_seconds=0)
        soak = load.soak(host, pid, classifier, chromium, n_uploads=12, settle_at=4)
    assert (crowd["wrong"], crowd["uploads"]) == ([], 6)
    assert (soak["wrong"], soak["uploads"]) == (0, 12)
    assert "Traceback" not in (tmp_path / "log.txt").read_text(errors="replace")
    if os.path.exists("/proc/self/status"):
        assert crowd["memory_mb"]["before"] > 50
        assert soak["memory_mb"]["growth"] < 40  # 10 MB a clip


def test_clips_differ_in_what_is_checked() -> None:
    """Two visitors' clips differ in name and in length, so that a mix-up could not go unseen."""
    clips = [load.make_clip(i, 6.0 + 0.25 * i) for i in range(25)]
    assert len({name for name, _ in clips}) == len({len(data) for _, data in clips}) == 25
