"""What the model would say without a part, in exact words."""

from __future__ import annotations

import numpy as np
import pytest
from sounds import RATE, sine

from crnn.analysis import what_ifs
from crnn.config import FeatureConfig
from crnn.inference.classifier import Prediction
from crnn.inference.explanation import Explanation
from crnn.inference.verdict import Verdict


def answer(verdict: str, genre: str = "jazz") -> Prediction:
    genres = ("jazz", "rock")
    posterior = np.array([0.8, 0.2] if genre == "jazz" else [0.2, 0.8], np.float32)
    named = genre if verdict == "genre" else None
    return Prediction(genres, posterior, Verdict(verdict), named, 0.8, (genre,), (), (), np.zeros((0, 1)), 1.0, 10.0)


def test_what_differs_is_told_first_and_what_does_not_in_one_sentence() -> None:
    jazz = answer("genre")
    after = {"the drums": answer("genre", "rock"), "the bass": jazz, "the voice band": jazz}
    assert what_ifs.sentence(jazz, after) == (
        "Without the drums it would be rock. Without the bass or the voice band the answer stays the same."
    )
    after = {"the drums": answer("unsure", "rock"), "the bass": answer("not_music"), "the voice band": answer("other")}
    assert what_ifs.sentence(jazz, after) == (
        "Without the drums it would be unclear, rock at best. Without the bass it would not sound like music. "
        "Without the voice band it would be none of the genres."
    )
    assert (
        what_ifs.sentence(jazz, {"the drums": answer("silence")}) == "Without the drums nothing would be left to hear."
    )


@pytest.mark.parametrize(("part", "gone", "left"), [("the bass", 100.0, 1000.0), ("the voice band", 1000.0, 100.0)])
def test_a_band_is_gone_and_the_rest_is_left(part: str, gone: float, left: float) -> None:
    changed = what_ifs.without(sine(gone, 2.0) + sine(left, 2.0), RATE, part)
    spectrum = np.abs(np.fft.rfft(changed * np.hanning(len(changed))))
    at = {hz: spectrum[round(hz * len(changed) / RATE)] for hz in (gone, left)}
    assert at[gone] < at[left] / 1000


def test_strongest_cell_is_named_by_its_moment_and_bands() -> None:
    config = FeatureConfig()
    weights = np.zeros((4, 16), np.float32)
    weights[2, 1] = 0.5
    found = Explanation("jazz", weights, 60.0, 0.5, 0.8)
    # Bands 8 to 15 of 128 from 0 to 11025 Hz, in the linear part of Slaney's scale: centres 9 to 16 steps above 0.
    seconds, low, high = what_ifs.strongest(found, config) or (0.0, 0.0, 0.0)
    assert seconds == 61.25
    assert high - low == pytest.approx(7 * low / 9, rel=1e-6)
    assert what_ifs.strongest_sentence(found, config) == f"Strongest at 1:01.2, from {low:.0f} Hz to {high:.0f} Hz."
    assert what_ifs.strongest_sentence(Explanation("jazz", -weights, 0.0, 0.5, 0.8), config) == ""
