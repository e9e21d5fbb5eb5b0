"""A model's network runs once at a time, whoever asks: ONNX Runtime keeps what the most at once took."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from sounds import RATE, sine
from tiny_bundle import tiny_bundle

from crnn.audio.clip import Clip
from crnn.inference.classifier import Classifier
from crnn.inference.network import open_session


class Counting:
    """A session that takes its time, and counts how many runs go on at once."""

    def __init__(self, session: Any) -> None:
        self._session, self._lock = session, threading.Lock()
        self.n_now = self.n_most = 0

    def get_inputs(self) -> Any:
        return self._session.get_inputs()

    def run(self, names: Any, inputs: Any) -> Any:
        with self._lock:
            self.n_now += 1
            self.n_most = max(self.n_most, self.n_now)
        time.sleep(0.02)
        found = self._session.run(names, inputs)
        with self._lock:
            self.n_now -= 1
        return found


def test_of_many_at_once_one_runs(tmp_path: Path) -> None:
    bundle = tiny_bundle(tmp_path / "m")
    session = Counting(open_session(bundle, 1))
    classifier = Classifier(bundle, opened=lambda name: session)
    clip = Clip(sine(80.0, 10.0), RATE)
    with ThreadPoolExecutor(6) as visitors:
        answers = list(visitors.map(lambda number: classifier.classify(clip), range(6)))
    assert {answer.genre for answer in answers} == {"bass"}
    assert session.n_most == 1
