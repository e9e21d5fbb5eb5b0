"""How far several files were heard: the bar moves within a file, too."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from tiny_bundle import tiny_bundle

from crnn.errors import AudioError
from crnn.inference.classifier import Prediction
from ui.shared import answer_cache, progress
from ui.shared.state import Model, Sound

SECONDS = {"first.wav": 400.0, "second.wav": 0.0}


class Told(progress.Bar):
    """A bar that is always due, and writes down what it is to show."""

    shown: list[tuple[float, str]]

    def is_due(self) -> bool:
        return True

    def show(self, share: float, words: str) -> None:
        self.shown.append((share, words))


def test_bar_of_several_files_moves_within_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Told.shown = []
    model = Model(tiny_bundle(tmp_path / "tiny"), "tiny")
    given = tuple(Sound(name, name.encode(), "upload") for name in SECONDS)

    def answer(sound: Sound, _: Model, on_progress: Callable[[float], None]) -> Prediction:
        for seconds in (100.0, 500.0):
            on_progress(seconds)
        raise AudioError("Not read.")

    monkeypatch.setattr(progress, "Bar", Told)
    monkeypatch.setattr(answer_cache, "answer", answer)
    monkeypatch.setattr(answer_cache, "seconds_of", lambda sound: SECONDS[sound.name])
    progress.answer_all(given, model)
    assert Told.shown == [
        (0.0, "Listening to 1 of 2 files"),
        (0.125, "Listening to 1 of 2 files: 1:40.0 of 6:40.0"),
        # It is longer than it says.
        (0.5, "Listening to 1 of 2 files: 8:20.0"),
        (0.5, "Listening to 2 of 2 files"),
        (0.5, "Listening to 2 of 2 files: 1:40.0"),
        (0.5, "Listening to 2 of 2 files: 8:20.0"),
    ]


def test_a_bar_waits_until_patience_ends_and_is_drawn_five_times_a_second_at_most(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    drawn: list[float] = []
    bar = progress.Bar("key", lambda: None, place=SimpleNamespace())  # type: ignore[arg-type]
    bar._bar = SimpleNamespace(progress=lambda share, _: drawn.append(share))  # type: ignore[assignment]
    for now[0], share in ((100.59, 0.1), (100.61, 0.2), (100.8, 0.3), (100.82, 0.4), (101.1, 1.5)):
        bar.show(share, "")
    assert drawn == [0.2, 0.4, 1.0]
