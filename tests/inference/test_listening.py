"""Sound heard block by block: answered so far, and gone on with."""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from sounds import RATE, FloatArray, noise, sine, wav_bytes

from crnn.audio.clip import Clip, load_clip
from crnn.bundles.bundle import Bundle
from crnn.errors import BundleError, ClipTooShortError
from crnn.features.log_mel import mel_power
from crnn.inference.classifier import Classifier, Prediction
from crnn.inference.listening import Answers, FileListening, Listening

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
    frames: list[np.ndarray] = []
    with FileListening(classifier, data, keep=lambda _, __, power: frames.append(power)) as listening:
        with pytest.raises(ClipTooShortError):
            listening.answer()
        assert listening.step()
        assert 1 < listening.seconds < whole.duration_seconds
        assert listening.answer().duration_seconds == listening.seconds
        while listening.step():
            pass
        assert not listening.step()
        assert_same(listening.answer(), whole)
    np.testing.assert_array_equal(np.concatenate(frames), mel_power(load_clip(data, RATE).samples, classifier.config))


def three_segments(bundle: Bundle) -> FloatArray:
    config = bundle.feature_config
    return noise(config.segment_seconds + 2.5 * config.segment_hop_seconds)


class _Network:
    """Says the number of each run, once it is told to."""

    def __init__(self) -> None:
        self.runs: list[Future[Answers]] = []

    def begin(self, segments: np.ndarray) -> Future[Answers]:
        self.runs.append(Future())
        return self.runs[-1]

    def say(self) -> None:
        """Say all that is waited for, the last first."""
        for number, run in reversed(list(enumerate(self.runs))):
            if not run.done():
                row = np.full((1, 10), float(number), np.float32)
                run.set_result(Answers(row, row, row[:, :0]))

    def say_until(self, done: Future[Any]) -> None:
        while not done.done():
            self.say()
            time.sleep(0.01)


def test_sound_is_taken_in_while_the_network_runs_and_answers_keep_their_order(bundle: Bundle) -> None:
    network = _Network()
    heard = Listening(bundle.feature_config, network.begin)
    heard.push(three_segments(bundle))
    n_begun = len(network.runs)
    network.say()
    with ThreadPoolExecutor(1) as other:
        outputs = other.submit(heard.outputs)
        network.say_until(outputs)
    said = np.concatenate([answers.logits for answers in outputs.result().answers])
    assert n_begun == 3 < len(network.runs)
    assert said[:, 0].tolist() == list(range(len(network.runs)))


def test_no_more_than_some_runs_are_waited_for(bundle: Bundle) -> None:
    network = _Network()
    heard = Listening(bundle.feature_config, network.begin)
    with ThreadPoolExecutor(1) as other:
        taken = other.submit(heard.push, noise(200.0))
        with pytest.raises(TimeoutError):
            taken.result(timeout=1.0)
        n_begun = len(network.runs)
        network.say_until(taken)
    assert n_begun == 5 < len(network.runs)


def test_a_network_that_fails_is_told_of_by_the_next_who_needs_it(bundle: Bundle) -> None:
    network = _Network()
    heard = Listening(bundle.feature_config, network.begin)
    heard.push(three_segments(bundle))
    network.runs[0].set_exception(BundleError("It fails."))
    with pytest.raises(BundleError, match="It fails"):
        heard.outputs()


def test_what_begins_before_a_moment_is_let_go_but_for_the_last_whole_segment(classifier: Classifier) -> None:
    heard, config = classifier.listen(), classifier.config
    heard.push(three_segments(classifier.bundle))
    starts = heard.outputs().starts
    hop_seconds = config.n_hop_frames / config.frame_rate_hz
    # What begins at that very moment stays.
    heard.forget(0.0)
    assert heard.outputs().starts == starts
    heard.forget(hop_seconds)
    assert heard.outputs().starts == starts[1:]
    timeline = classifier.answer(heard, len(three_segments(classifier.bundle)) / RATE).timeline
    assert timeline[0].start_seconds == hop_seconds
    heard.forget(1000.0)
    assert heard.outputs().starts == starts[2:]
    assert starts[2] == 2 * config.n_hop_frames
