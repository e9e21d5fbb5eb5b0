"""Sound heard block by block: answered so far, and gone on with."""

from __future__ import annotations

import numpy as np
import pytest
from sounds import RATE, noise, sine, wav_bytes

from crnn.audio.clip import Clip
from crnn.bundles.bundle import Bundle
from crnn.errors import ClipTooShortError
from crnn.inference.classifier import Classifier, Prediction
from crnn.inference.listening import FileListening

SONG = np.concatenate([sine(80.0, 17.3), sine(6000.0, 14.0)]) + noise(31.3, level=0.001)


@pytest.fixture
def classifier(bundle: Bundle) -> Classifier:
    return Classifier(bundle, n_threads=1)


def assert_same(found: Prediction, expected: Prediction) -> None:
    assert found.verdict == expected.verdict
    assert found.segments == expected.segments
    np.testing.assert_allclose(found.posterior, expected.posterior, atol=1e-6)
    assert [cell.end_seconds for cell in found.timeline] == [cell.end_seconds for cell in expected.timeline]


def test_answer_so_far_is_that_of_what_was_heard_and_going_on_loses_nothing(classifier: Classifier) -> None:
    heard = classifier.listen()
    for start in range(0, len(SONG), RATE):
        heard.push(SONG[start : start + RATE])
        n_seconds = start // RATE + 1
        if n_seconds in {3, 10, 25}:
            so_far = Clip(SONG[: n_seconds * RATE], RATE)
            assert_same(classifier.answer(heard, so_far.duration_seconds), classifier.classify(so_far))
    assert_same(classifier.answer(heard, len(SONG) / RATE), classifier.classify(Clip(SONG, RATE)))


def test_file_that_is_left_can_be_gone_on_with(classifier: Classifier) -> None:
    data = wav_bytes(SONG, subtype="PCM_16")
    whole = classifier.classify_file(data)
    with FileListening(classifier, data) as listening:
        with pytest.raises(ClipTooShortError):
            listening.answer()
        assert listening.step()
        assert 1 < listening.seconds < whole.duration_seconds
        assert listening.answer().duration_seconds == listening.seconds
        while listening.step():
            pass
        assert_same(listening.answer(), whole)
