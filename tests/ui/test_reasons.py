"""Reasons in words: whose confidence is told, and whose reasons these are."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from tiny_bundle import tiny_bundle

from crnn.bundles.companion import Companion
from crnn.config import FeatureConfig
from crnn.inference.classifier import Cell, Prediction
from crnn.inference.explanation import Explanation
from crnn.inference.verdict import Verdict
from ui.explore.reasons import in_words
from ui.shared.state import Model

# What the first network alone says of the stretch; it has no place in the words.
FOUND = Explanation("bass", np.zeros((8, 16), np.float32), 4.0, 1.0, 0.65)


def answer() -> Prediction:
    """12 s, of bass 0.9 to 6 s, silent to 8 s, of bass 0.6 from there; 0.38 on the whole."""
    spans = [(0.0, 6.0, 0.9, False), (6.0, 8.0, 0.5, True), (8.0, 12.0, 0.6, False)]
    cells = tuple(
        Cell(start, end, np.array([share, 1 - share], np.float32), segment=k, is_silent=is_silent)
        for k, (start, end, share, is_silent) in enumerate(spans)
    )
    whole = np.array([0.38, 0.62], np.float32)
    return Prediction(
        ("bass", "treble"), whole, Verdict.UNSURE, None, 0.62, (), cells, (), np.zeros((0, 1)), 1.0, 12.0,
    )  # fmt: skip


@pytest.mark.parametrize("has_two", [False, True])
def test_confidence_is_that_of_the_answer_in_the_stretch(tmp_path: Path, has_two: bool) -> None:
    companion = Companion(FeatureConfig(), 0.45) if has_two else None
    model = Model(tiny_bundle(tmp_path / "tiny", companion=companion), "tiny")
    words = in_words(FOUND, answer(), model)
    # From 4 s on: two seconds of 0.9, four of 0.6, and silence, which speaks for no genre.
    assert words.startswith(
        "From 0:04.0 to 0:12.0 the model hears bass with a confidence of 0.70. Over the whole sound: 0.38. "
    )
    assert "0.65" not in words
    # Of all of it there is one figure, which is said once.
    all_of_it = in_words(Explanation("bass", np.zeros((12, 16), np.float32), 0.0, 1.0, 0.65), answer(), model)
    assert all_of_it.startswith("The model hears bass with a confidence of 0.38. What spoke for it ")
    assert "Over the whole sound" not in all_of_it
    asked = "the first of its two networks again (the second has 45 % of the say)." if has_two else "again."
    assert words.endswith(f"and asking {asked}")


@pytest.mark.parametrize("verdict", [Verdict.NOT_MUSIC, Verdict.OTHER])
def test_of_what_is_none_of_the_genres_it_says_what_would_be(tmp_path: Path, verdict: Verdict) -> None:
    model = Model(tiny_bundle(tmp_path / "tiny"), "tiny")
    found = dataclasses.replace(answer(), verdict=verdict)
    assert in_words(FOUND, found, model).startswith(
        "If it were one of these genres, the model would hear bass from 0:04.0 to 0:12.0 with a confidence of 0.70. "
        "Over the whole sound: 0.38. "
    )
    whole = Explanation("bass", np.zeros((12, 16), np.float32), 0.0, 1.0, 0.65)
    assert in_words(whole, found, model).startswith(
        "If it were one of these genres, the model would hear bass with a confidence of 0.38. What spoke"
    )
