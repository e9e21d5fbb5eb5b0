"""Training on three small synthetic genres: it learns, stops, resumes and repeats itself."""

import dataclasses
import time
from types import SimpleNamespace

import numpy as np
import pytest

from crnn.config import AugmentConfig, FeatureConfig, ModelConfig, TrainConfig
from crnn.data import labelled
from crnn.errors import CrnnError, TooFewTracksError, TrainingDivergedError
from crnn.evaluation import metrics
from crnn.features.archive import to_uint8
from crnn.jobs.order import CHECKPOINT_NAME, TrainingSettings
from crnn.networks.crnn import build_crnn
from crnn.training import trainer
from crnn.training.crops import Crops

FEATURES = FeatureConfig(n_fft=1024, n_mels=32, segment_seconds=2.0, segment_hop_seconds=1.0)
SETTINGS = TrainingSettings(
    FEATURES,
    ModelConfig(channels=(8, 16), pools=((1, 2), (4, 4)), gru_units=8, embedding_size=16, dropout=0.1),
    AugmentConfig(mixup_alpha=0.0),
    TrainConfig(epochs=4, batch_size=8, learning_rate=1e-2, average_decay=0.5, label_smoothing=0.0),
)
GENRES = ("low", "pulsing", "high")


def _tracks(n_per_genre, seed):
    """Log-mels by hand: a low hum, a pulse over all bands, a high hiss; each with noise."""
    rng = np.random.default_rng(seed)
    log_mels, labels = [], []
    for label in range(3):
        for _ in range(n_per_genre):
            decibels = rng.normal(-60, 5, (80, FEATURES.n_mels))
            if label == 1:
                decibels[:: rng.integers(5, 8)] += 50
            else:
                decibels[:, (slice(0, 8), None, slice(24, 32))[label]] += 45
            log_mels.append(to_uint8(decibels - decibels.max()))
            labels.append(label)
    ids = tuple(f"{seed}-{i}" for i in range(len(labels)))
    return labelled.LabelledTracks(ids, tuple(log_mels), np.array(labels))


@pytest.fixture(scope="module")
def data():
    return labelled.TrainingData(GENRES, _tracks(8, 0), _tracks(5, 1))


@pytest.fixture(scope="module")
def whole(data):
    """A training that nothing interrupts."""
    return trainer.train(data, SETTINGS)


@pytest.fixture(scope="module")
def checkpointed(data, tmp_path_factory):
    """A training of one epoch by another seed than the default, and the folder of its checkpoint."""
    folder = tmp_path_factory.mktemp("one")
    return trainer.train(data, _with(epochs=1, seed=3), run_dir=folder, identity="one"), folder


def _untrained():
    return build_crnn(SETTINGS.model, FEATURES.n_mels, len(GENRES))


def _with(**changes):
    return dataclasses.replace(SETTINGS, train=dataclasses.replace(SETTINGS.train, **changes))


def test_learns_and_beats_chance_on_tracks_it_never_saw(data):
    events = []
    result = trainer.train(data, _with(epochs=8), on_event=events.append)
    logits = trainer.predict_logits(result.model, data.valid.log_mels, FEATURES)
    scores = metrics.score(data.valid.labels, metrics.track_posteriors(logits), GENRES)
    assert scores.accuracy >= 0.8
    epochs = [event for event in events if event["event"] == "epoch"]
    assert [event["epoch"] for event in epochs] == list(range(1, 9))
    assert epochs[-1]["loss"] < epochs[0]["loss"]
    losses = [event["valid_loss"] for event in epochs]
    assert result.kept_epoch == int(np.argmin(losses)) + 1
    assert not result.stopped


def test_same_seed_same_model_other_seed_other_model(data, checkpointed):
    other = trainer.train(data, _with(epochs=1, seed=4)).model.get_weights()
    again = trainer.train(data, _with(epochs=1, seed=3)).model.get_weights()
    first = checkpointed[0].model.get_weights()
    for a, b in zip(first, again, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)
    assert any(np.abs(a - b).max() > 1e-3 for a, b in zip(first, other, strict=True))


def test_resumed_run_equals_an_uninterrupted_one(data, tmp_path, whole):
    seen = []

    def stop_in_third_epoch():
        return len([e for e in seen if e["event"] == "epoch"]) == 2 and seen[-1]["event"] == "step"

    part = trainer.train(data, SETTINGS, run_dir=tmp_path, on_event=seen.append, should_stop=stop_in_third_epoch)
    assert part.stopped
    assert len(part.history) == 2
    resumed = trainer.train(data, SETTINGS, run_dir=tmp_path, resume=True)
    assert [e["epoch"] for e in resumed.history] == [1, 2, 3, 4]
    for a, b in zip(whole.model.get_weights(), resumed.model.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4)
    assert resumed.history[-1]["valid_loss"] == pytest.approx(whole.history[-1]["valid_loss"], abs=1e-3)


def test_a_run_goes_on_from_the_epoch_after_which_the_body_is_freed(data, tmp_path):
    """And from the next one, in the same folder."""
    settings = _with(epochs=3, freeze_epochs=1)
    for n_done in (1, 2):
        seen = []
        trainer.train(
            data,
            settings,
            run_dir=tmp_path,
            resume=True,
            on_event=seen.append,
            should_stop=lambda seen=seen: any(event["event"] == "epoch" for event in seen),
        )
        assert [event["epoch"] for event in seen if event["event"] == "epoch"] == [n_done]
    resumed = trainer.train(data, settings, run_dir=tmp_path, resume=True)
    for a, b in zip(trainer.train(data, settings).model.get_weights(), resumed.model.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4)


def test_stop_before_the_first_step_gives_a_usable_model(data):
    result = trainer.train(data, SETTINGS, should_stop=lambda: True)
    assert result.stopped
    assert result.history == []
    assert np.isfinite(trainer.predict_logits(result.model, data.valid.log_mels[:1], FEATURES)[0]).all()


def test_early_stop_keeps_the_best_epoch(data):
    result = trainer.train(data, _with(epochs=60, patience=3, learning_rate=3e-2))
    losses = [event["valid_loss"] for event in result.history]
    assert result.kept_epoch == int(np.argmin(losses)) + 1
    assert len(losses) == min(60, result.kept_epoch + 3)


def test_one_rule_keeps_an_epoch_however_the_run_ends(data):
    """The best of those that are watched; the last that was finished where nothing watches."""
    settings = _with(epochs=6, learning_rate=0.3)
    whole = trainer.train(data, settings)
    losses = [event["valid_loss"] for event in whole.history]
    assert whole.kept_epoch == int(np.argmin(losses)) + 1 < 6
    unwatched = dataclasses.replace(data, valid=labelled.NO_TRACKS)
    steps_per_epoch = 3
    at_once, later = (
        trainer.train(unwatched, settings, should_stop=_after_steps(2 * steps_per_epoch + n)) for n in (0, 2)
    )
    assert (later.stopped, later.kept_epoch) == (True, 2)
    for a, b in zip(at_once.model.get_weights(), later.model.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


def _after_steps(n):
    """Asks for a stop once `n` steps were begun."""
    asked = iter(range(10_000))
    return lambda: next(asked) >= n


def test_a_checkpoint_of_another_run_is_refused(data, checkpointed):
    _, folder = checkpointed
    with pytest.raises(CrnnError, match="of a training with other settings or data"):
        trainer.train(data, _with(epochs=4, seed=3), run_dir=folder, resume=True, identity="two")


def test_an_epoch_does_not_take_the_time_of_a_pause(data, monkeypatch):
    """A pause is a question whether to stop that is not answered for long; here a clock is set on by hand."""
    real, ahead = time.monotonic, [0.0]
    monkeypatch.setattr(trainer, "time", SimpleNamespace(monotonic=lambda: real() + ahead[0]))

    def should_stop():
        ahead[0] += 1000.0
        return False

    result = trainer.train(data, _with(epochs=2), should_stop=should_stop)
    assert ahead[0] >= 4000.0
    assert [0.0 <= epoch["seconds"] < 500.0 for epoch in result.history] == [True, True]


def test_divergence_is_named(data):
    poisoned = _untrained()
    poisoned.get_layer("logits").set_weights(
        [np.full(w.shape, np.nan) for w in poisoned.get_layer("logits").get_weights()]
    )
    with pytest.raises(TrainingDivergedError, match="lower learning rate"):
        trainer.train(data, SETTINGS, initial=poisoned)


def test_genre_without_tracks_is_refused(data):
    with pytest.raises(TooFewTracksError, match="at least one track"):
        trainer.train(dataclasses.replace(data, genres=(*GENRES, "empty")), SETTINGS)


@pytest.mark.parametrize("content", [b"", b"rubbish", b"PK\x03\x04 not really a zip"])
def test_damaged_checkpoint_is_a_sentence(data, tmp_path, content):
    (tmp_path / CHECKPOINT_NAME).write_bytes(content)
    with pytest.raises(CrnnError, match="Start the training anew"):
        trainer.train(data, SETTINGS, run_dir=tmp_path, resume=True)


def test_balanced_epochs_show_each_genre_as_often(data):
    few = labelled.LabelledTracks(data.tracks.track_ids[:18], data.tracks.log_mels[:18], data.tracks.labels[:18])
    labels = few.labels[[track for track, _ in Crops(few, len(GENRES), SETTINGS).order(epoch=0)]]
    assert np.bincount(labels).tolist() == [6, 6, 6]


def test_training_sees_what_inference_sees(data):
    """With all variation off, a crop of a track as long as a segment is the segment itself."""
    still = AugmentConfig(0, 0, 0, 0, 0, 0, 0, 0, 0)
    exact = tuple(log_mel[: FEATURES.n_frames] for log_mel in data.tracks.log_mels)
    tracks = labelled.LabelledTracks(data.tracks.track_ids, exact, data.tracks.labels)
    settings = dataclasses.replace(SETTINGS, augment=still)
    segments, targets = Crops(tracks, len(GENRES), settings).batch(0, [(0, 0), (9, 0)], 0)
    np.testing.assert_array_equal(segments[0], labelled.plain_segments(exact[0], FEATURES)[0])
    np.testing.assert_array_equal(segments[1], labelled.plain_segments(exact[9], FEATURES)[0])
    assert targets.argmax(axis=1).tolist() == [0, 1]
