"""Training on three small synthetic genres: it learns, stops, resumes and repeats itself."""

import dataclasses

import numpy as np
import pytest

from crnn import evaluation, training
from crnn.archive import to_uint8
from crnn.config import AugmentConfig, FeatureConfig, ModelConfig, TrainConfig
from crnn.errors import CrnnError, TooFewTracksError, TrainingDivergedError
from crnn.orders import CHECKPOINT_NAME, TrainingSettings

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
    return training.LabelledTracks(ids, tuple(log_mels), np.array(labels))


@pytest.fixture(scope="module")
def data():
    return training.TrainingData(GENRES, _tracks(8, 0), _tracks(5, 1))


def _with(**changes):
    return dataclasses.replace(SETTINGS, train=dataclasses.replace(SETTINGS.train, **changes))


def test_learns_and_beats_chance_on_tracks_it_never_saw(data):
    events = []
    result = training.train(data, _with(epochs=8), on_event=events.append)
    logits = training.predict_logits(result.model, data.valid.log_mels, FEATURES)
    scores = evaluation.score(data.valid.labels, evaluation.track_posteriors(logits), GENRES)
    assert scores.accuracy >= 0.8
    epochs = [event for event in events if event["event"] == "epoch"]
    assert [event["epoch"] for event in epochs] == list(range(1, 9))
    assert epochs[-1]["loss"] < epochs[0]["loss"]
    assert result.kept_epoch == 8
    assert not result.stopped


def test_same_seed_same_model_other_seed_other_model(data):
    first, again, other = (training.train(data, _with(epochs=1, seed=seed)).model.get_weights() for seed in (3, 3, 4))
    for a, b in zip(first, again, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)
    assert any(np.abs(a - b).max() > 1e-3 for a, b in zip(first, other, strict=True))


def test_resumed_run_equals_an_uninterrupted_one(data, tmp_path):
    whole = training.train(data, SETTINGS)
    seen = []

    def stop_in_third_epoch():
        return len([e for e in seen if e["event"] == "epoch"]) == 2 and seen[-1]["event"] == "step"

    part = training.train(data, SETTINGS, run_dir=tmp_path, on_event=seen.append, should_stop=stop_in_third_epoch)
    assert part.stopped
    assert len(part.history) == 2
    resumed = training.train(data, SETTINGS, run_dir=tmp_path, resume=True)
    assert [e["epoch"] for e in resumed.history] == [1, 2, 3, 4]
    for a, b in zip(whole.model.get_weights(), resumed.model.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4)
    assert resumed.history[-1]["valid_loss"] == pytest.approx(whole.history[-1]["valid_loss"], abs=1e-3)


def test_stop_before_the_first_step_gives_a_usable_model(data):
    result = training.train(data, SETTINGS, should_stop=lambda: True)
    assert result.stopped
    assert result.history == []
    assert np.isfinite(training.predict_logits(result.model, data.valid.log_mels[:1], FEATURES)[0]).all()


def test_early_stop_keeps_the_best_epoch(data):
    result = training.train(data, _with(epochs=60, patience=3, learning_rate=3e-2))
    losses = [event["valid_loss"] for event in result.history]
    assert result.kept_epoch == int(np.argmin(losses)) + 1
    assert len(losses) == min(60, result.kept_epoch + 3)


def test_divergence_is_named(data):
    poisoned = training.train(data, _with(epochs=1)).model
    poisoned.get_layer("logits").set_weights(
        [np.full(w.shape, np.nan) for w in poisoned.get_layer("logits").get_weights()]
    )
    with pytest.raises(TrainingDivergedError, match="lower learning rate"):
        training.train(data, SETTINGS, initial=poisoned)


def test_genre_without_tracks_is_refused(data):
    with pytest.raises(TooFewTracksError, match="at least one track"):
        training.train(dataclasses.replace(data, genres=(*GENRES, "empty")), SETTINGS)


@pytest.mark.parametrize("content", [b"", b"rubbish", b"PK\x03\x04 not really a zip"])
def test_damaged_checkpoint_is_a_sentence(data, tmp_path, content):
    (tmp_path / CHECKPOINT_NAME).write_bytes(content)
    with pytest.raises(CrnnError, match="Start the training anew"):
        training.train(data, SETTINGS, run_dir=tmp_path, resume=True)


def test_balanced_epochs_show_each_genre_as_often(data):
    few = training.LabelledTracks(data.tracks.track_ids[:18], data.tracks.log_mels[:18], data.tracks.labels[:18])
    run_data = dataclasses.replace(data, tracks=few)
    model = training.train(data, _with(epochs=1)).model
    run = training._Run(model, run_data, SETTINGS)
    labels = few.labels[[track for track, _ in run._epoch_order()]]
    assert np.bincount(labels).tolist() == [6, 6, 6]


def test_training_sees_what_inference_sees(data):
    """With all variation off, a crop of a track as long as a segment is the segment itself."""
    still = AugmentConfig(0, 0, 0, 0, 0, 0, 0, 0, 0)
    exact = tuple(log_mel[: FEATURES.n_frames] for log_mel in data.tracks.log_mels)
    tracks = training.LabelledTracks(data.tracks.track_ids, exact, data.tracks.labels)
    model = training.train(data, _with(epochs=1)).model
    settings = dataclasses.replace(SETTINGS, augment=still)
    run = training._Run(model, dataclasses.replace(data, tracks=tracks), settings)
    segments, targets = run._batch([(0, 0), (9, 0)], 0)
    np.testing.assert_array_equal(segments[0], training.plain_segments(exact[0], FEATURES)[0])
    np.testing.assert_array_equal(segments[1], training.plain_segments(exact[9], FEATURES)[0])
    assert targets.argmax(axis=1).tolist() == [0, 1]
