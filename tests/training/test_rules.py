"""The rules of a training step, in exact numbers, on a network that is never trained."""

import dataclasses

import numpy as np
import pytest

from crnn.config import AugmentConfig, FeatureConfig, ModelConfig, TrainConfig
from crnn.data.labelled import NO_TRACKS, LabelledTracks, TrainingData, plain_segments
from crnn.jobs.order import CHECKPOINT_NAME, TrainingSettings
from crnn.networks.crnn import build_crnn
from crnn.training import cross_validation, trainer

FEATURES = FeatureConfig(n_fft=1024, n_mels=16, segment_seconds=2.0, segment_hop_seconds=1.0)
STILL = AugmentConfig(0, 0, 0, 0, 0, 0, 0, 0, 0)
SETTINGS = TrainingSettings(
    FEATURES,
    ModelConfig(channels=(4, 6), pools=((1, 2), (2, 2)), gru_units=5, embedding_size=7),
    STILL,
    TrainConfig(epochs=4, batch_size=8, learning_rate=1e-2, weight_decay=0.1, label_smoothing=0.0, patience=3),
)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    log_mels = tuple(rng.integers(0, 256, (FEATURES.n_frames, FEATURES.n_mels), dtype=np.uint8) for _ in range(2))
    return TrainingData(("a", "b"), LabelledTracks(("x", "y"), log_mels, np.array([0, 1])), NO_TRACKS)


@pytest.fixture
def run_of(data):
    """A run with changed settings, on a fresh network."""

    def make(augment=STILL, **changes):
        train = dataclasses.replace(SETTINGS.train, **changes)
        settings = dataclasses.replace(SETTINGS, augment=augment, train=train)
        return trainer._Run(build_crnn(settings.model, FEATURES.n_mels, 2), data, settings)

    return make


def test_decay_shrinks_kernels_and_leaves_biases_and_scales_alone(run_of):
    """With no gradient at all, AdamW takes rate x decay off what it decays: 0.01 x 0.1 of a weight of 1."""
    run = run_of()
    variables = run.model.trainable_variables
    for variable in variables:
        variable.assign(np.ones(variable.shape))
    run.model.optimizer.apply([np.zeros(variable.shape, np.float32) for variable in variables], variables)
    for variable in variables:
        is_kept = variable.name in {"bias", "gamma", "beta"}
        np.testing.assert_allclose(variable.numpy(), 1.0 if is_kept else 0.999, atol=1e-6, err_msg=variable.path)
    assert {variable.name for variable in variables} >= {"bias", "gamma", "beta", "kernel", "recurrent_kernel"}


def test_smoothed_targets_give_each_genre_its_share(run_of):
    _, targets = run_of(label_smoothing=0.2).crops.batch(0, [(0, 0), (1, 0)], 0)
    np.testing.assert_allclose(targets, [[0.9, 0.1], [0.1, 0.9]], atol=1e-7)


def test_mixed_segments_have_targets_mixed_alike(run_of, data):
    run = run_of(augment=dataclasses.replace(STILL, mixup_alpha=0.4))
    segments, targets = run.crops.batch(0, [(0, 0), (1, 0)] * 4, 0)
    first, second = (plain_segments(log_mel, FEATURES)[0] for log_mel in data.tracks.log_mels)
    for segment, (share, rest) in zip(segments, targets, strict=True):
        np.testing.assert_allclose(segment, share * first + rest * second, atol=1e-3)
    assert ((targets > 0.01) & (targets < 0.99)).any()


def test_a_resumed_run_still_has_the_best_weights(run_of, tmp_path):
    run = run_of()
    run.best, run.best_epoch, run.best_loss = [np.full_like(w, 0.25) for w in run.averages], 1, 0.5
    run.averages = [np.full_like(w, 0.75) for w in run.averages]
    run.epoch, run.history = 2, [{"event": "epoch", "epoch": 1}, {"event": "epoch", "epoch": 2}]
    run.save(tmp_path / CHECKPOINT_NAME)
    resumed = run_of()
    resumed.restore(tmp_path / CHECKPOINT_NAME)
    assert (resumed.best_epoch, resumed.best_loss) == (1, 0.5)
    result = resumed.go(None, lambda event: None, lambda: True)
    assert (result.stopped, result.kept_epoch) == (True, 1)
    for weight in result.model.get_weights():
        np.testing.assert_array_equal(weight, 0.25)


def test_answers_of_a_fold_of_another_size_are_not_taken_up(tmp_path):
    path = tmp_path / "logits.npz"
    cross_validation._write(path, [np.full((2, 3), i, np.float32) for i in range(3)])
    kept = cross_validation._read(path, 3)
    assert kept is not None
    assert [rows[0, 0] for rows in kept] == [0, 1, 2]
    assert cross_validation._read(path, 2) is None
    assert cross_validation._read(path, 4) is None


def test_patience_begins_where_the_body_begins_to_move(run_of):
    run = run_of(patience=3, epochs=20, freeze_epochs=4)
    run.best_epoch = 1
    stalled = {}
    for run.epoch in (6, 7):
        stalled[run.epoch] = run._has_stalled()
    assert stalled == {6: False, 7: True}
    assert not run_of(patience=0)._has_stalled()
