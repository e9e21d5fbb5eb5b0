"""A microphone that is still open: answered as it comes, in bounded memory."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from sounds import noise, sine, wav_bytes
from tiny_bundle import tiny_bundle

from crnn.bundles.bundle import Bundle, Calibration, Rejection
from crnn.inference.classifier import Classifier
from crnn.inference.live import FIRST_SECONDS, RECENT_SECONDS, SETTLED_SECONDS, LiveListening

MICROPHONE_RATE = 44_100


def pcm(samples: np.ndarray) -> bytes:
    return np.round(samples * 32_767).astype("<i2").tobytes()


def tone(hertz: float, seconds: float) -> np.ndarray:
    return sine(hertz, seconds, MICROPHONE_RATE) + noise(seconds, MICROPHONE_RATE, level=0.001)


def hear(live: LiveListening, samples: np.ndarray, step_seconds: float = 0.5) -> list[float]:
    """Push samples in steps; when there was an answer after each."""
    answered = []
    n_step = round(step_seconds * MICROPHONE_RATE)
    for start in range(0, len(samples), n_step):
        live.push(pcm(samples[start : start + n_step]))
        if live.answer() is not None:
            answered.append(live.seconds)
    return answered


@pytest.fixture
def classifier(bundle: Bundle) -> Classifier:
    return Classifier(bundle, n_threads=1)


def test_first_answer_comes_after_three_seconds_and_then_with_every_block(classifier: Classifier) -> None:
    live = LiveListening(classifier, MICROPHONE_RATE)
    assert hear(live, tone(6000.0, 6.0)) == [3.0, 3.5, 4.0, 4.5, 5.0, 5.5, 6.0]
    edges = [(moment.start_seconds, moment.end_seconds) for moment in live.moments]
    assert edges == [(0.0, 3.0), (3.0, 3.5), (3.5, 4.0), (4.0, 4.5), (4.5, 5.0), (5.0, 5.5), (5.5, 6.0)]


def test_answer_is_that_of_the_same_sound_as_a_file(classifier: Classifier) -> None:
    live = LiveListening(classifier, MICROPHONE_RATE)
    samples = np.concatenate([tone(80.0, 4.0), tone(6000.0, 5.0)])
    hear(live, samples)
    assert live.prediction is not None
    as_file = classifier.classify_file(wav_bytes(samples, MICROPHONE_RATE, "PCM_16"))
    # The resampler holds back some milliseconds while more may come.
    np.testing.assert_allclose(live.prediction.posterior, as_file.posterior, atol=0.02)
    assert live.sound == pcm(samples)


def test_answer_follows_what_is_played(classifier: Classifier) -> None:
    live = LiveListening(classifier, MICROPHONE_RATE)
    hear(live, tone(80.0, 12.0), 1.0)
    assert live.prediction is not None
    assert live.prediction.genre == "bass"
    # After two thirds of what the answer speaks of it is the treble's.
    hear(live, tone(6000.0, RECENT_SECONDS), 1.0)
    assert live.prediction.genre == "treble"
    named = [moment.genre for moment in live.moments]
    assert named[0] == "bass"
    assert named[-1] == "treble"
    assert sum(a != b for a, b in itertools.pairwise(named)) <= 2, "it changes once"


def test_what_was_heard_last_counts_where_a_model_gives_a_remainder_no_segment(tmp_path) -> None:
    config = tiny_bundle(tmp_path / "usual").feature_config
    with_tail = type(config).from_dict(config.to_dict() | {"segment_hop_seconds": 10.0, "tail_seconds": 5.0})
    live = LiveListening(Classifier(tiny_bundle(tmp_path / "tailed", config=with_tail), n_threads=1), MICROPHONE_RATE)
    hear(live, tone(80.0, 10.0), 1.0)
    before = live.moments[-1].posterior
    hear(live, tone(6000.0, 2.0), 1.0)
    assert live.moments[-1].posterior[2] > before[2] + 0.05


def test_settles_when_one_genre_is_named_long_enough_and_not_before(classifier: Classifier) -> None:
    live = LiveListening(classifier, MICROPHONE_RATE)
    settled = []
    for _ in range(12):
        hear(live, tone(6000.0, 1.0), 1.0)
        settled.append(live.is_settled)
    assert settled == [seconds >= SETTLED_SECONDS for seconds in range(1, 13)]


@pytest.mark.parametrize("samples", [tone(6000.0, 12.0), np.zeros(12 * MICROPHONE_RATE)])
def test_never_settles_where_no_genre_is_named(tmp_path, samples: np.ndarray) -> None:
    # Never sure of anything.
    unsure = tiny_bundle(tmp_path / "unsure", calibration=Calibration(unsure_below=1.0))
    live = LiveListening(Classifier(unsure, n_threads=1), MICROPHONE_RATE)
    hear(live, samples, 1.0)
    assert not live.is_settled


def test_a_change_of_genre_begins_the_wait_anew(classifier: Classifier) -> None:
    live = LiveListening(classifier, MICROPHONE_RATE)
    named, settled = [], []
    for hertz in [80.0] * 5 + [6000.0] * 20:
        hear(live, tone(hertz, 1.0), 1.0)
        named.append(live.prediction.genre if live.prediction else None)
        settled.append(live.is_settled)
    changed = named.index("treble")
    assert 8 <= changed < 18
    assert settled == [second >= SETTLED_SECONDS and not changed < second < changed + 5 for second in range(1, 26)]


@pytest.mark.slow
def test_half_an_hour_takes_no_more_than_its_end(classifier: Classifier) -> None:
    """What is held after 5 minutes is what is held after 30: sound, timeline, and what the network said."""
    live = LiveListening(classifier, MICROPHONE_RATE, kept_seconds=120.0)
    minute = tone(6000.0, 60.0)
    held = []
    for number in range(1, 31):
        hear(live, minute, 5.0)
        if number in {5, 30}:
            said = live._heard.outputs(is_open=True)
            held.append((len(live.sound), len(live.moments), len(said.starts), len(live._told)))
    assert held[0] == held[1]
    assert live.seconds == 1800.0
    assert live.kept_seconds == 120.0
    assert len(live.sound) == 2 * 120 * MICROPHONE_RATE
    assert live.moments[0].end_seconds >= 1800.0 - 120.0
    assert live.prediction is not None
    assert live.prediction.timeline[0].start_seconds >= 1800.0 - RECENT_SECONDS - 10.0
    assert live.prediction.genre == "treble"


def test_no_answer_before_there_is_enough(classifier: Classifier) -> None:
    live = LiveListening(classifier, MICROPHONE_RATE)
    assert hear(live, tone(6000.0, FIRST_SECONDS - 0.5)) == []
    assert live.moments == ()
    assert not live.is_settled


@pytest.mark.parametrize(("rejection", "genre"), [(None, "treble"), (Rejection((0.0,) * 3, -9.0, 0.5), None)])
def test_what_does_not_sound_like_music_has_no_genre_in_the_timeline(tmp_path, rejection, genre) -> None:
    live = LiveListening(Classifier(tiny_bundle(tmp_path / "m", rejection=rejection), n_threads=1), MICROPHONE_RATE)
    hear(live, tone(6000.0, 4.0))
    assert {moment.genre for moment in live.moments} == {genre}
    assert not any(moment.is_silent for moment in live.moments)


def test_what_is_older_than_is_kept_goes_with_its_block_and_its_moment(classifier: Classifier) -> None:
    """Blocks of a second each; of twelve the last ten are kept, and of the timeline what ends within them."""
    live = LiveListening(classifier, MICROPHONE_RATE, kept_seconds=10.0)
    hear(live, tone(6000.0, 12.0), 1.0)
    assert live.kept_seconds == 10.0
    assert [(moment.start_seconds, moment.end_seconds) for moment in live.moments] == [
        (0.0, 3.0),
        *((float(second), second + 1.0) for second in range(3, 12)),
    ]
    hear(live, tone(6000.0, 2.0), 1.0)
    # What ended at 3 s is older than the last ten of fourteen; what ends at 4 s is not.
    assert live.moments[0].start_seconds == 3.0
    # A single block is kept whatever its length.
    whole = LiveListening(classifier, MICROPHONE_RATE, kept_seconds=1.0)
    whole.push(pcm(tone(6000.0, 2.0)))
    assert whole.kept_seconds == 2.0
    whole.push(pcm(tone(6000.0, 0.5)))
    assert whole.kept_seconds == 0.5
