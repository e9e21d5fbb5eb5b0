import keras
import numpy as np
import pytest

from crnn.config import ModelConfig
from crnn.evaluation import cross_fitting
from crnn.evaluation.metrics import track_posteriors
from crnn.networks.crnn import build_crnn
from crnn.networks.onnx_export import OnnxNetwork
from crnn.training.instant import STRENGTHS, Head
from recipes import linear_head


def _embedded(rng, n_tracks, n_genres=3, size=6, spread=0.6):
    """Tracks of a few segments around their genre's corner."""
    labels = np.arange(n_tracks) % n_genres
    plain = [(np.eye(n_genres, size)[label] + rng.normal(0, spread, (4, size))).astype(np.float32) for label in labels]
    return linear_head.Embedded(plain, [track[:1] + 0.01 for track in plain]), labels


def test_head_tells_tracks_apart_that_it_never_saw(rng):
    learnt, labels = _embedded(rng, 90)
    other, other_labels = _embedded(rng, 60)
    head = linear_head.fit_linear_head(learnt, labels, 3, strength=0.1)
    answers = track_posteriors(head.logits(other.plain)).argmax(axis=1)
    assert (answers == other_labels).mean() > 0.85


def test_two_genres_get_a_logit_each(rng):
    learnt, labels = _embedded(rng, 40, n_genres=2)
    head = linear_head.fit_linear_head(learnt, labels, 2, strength=0.1)
    assert head.weights.shape == (6, 2)
    assert (track_posteriors(head.logits(learnt.plain)).argmax(axis=1) == labels).mean() > 0.9


@pytest.mark.parametrize("n_genres", [2, 3])
def test_discriminant_analysis_adds_to_the_logits(rng, n_genres):
    learnt, labels = _embedded(rng, 90, n_genres, spread=1.2)
    other, other_labels = _embedded(rng, 300, n_genres, spread=1.2)
    heads = [
        linear_head.fit_linear_head(learnt, labels, n_genres, strength=0.001, discriminant_weight=weight)
        for weight in (0.0, 0.3)
    ]
    first, second = (head.logits(other.plain)[0] for head in heads)
    assert np.abs(second).max() > np.abs(first).max()
    right = [(track_posteriors(head.logits(other.plain)).argmax(axis=1) == other_labels).mean() for head in heads]
    assert right[1] > right[0] - 0.02


def test_a_crowded_genre_does_not_swallow_the_others(rng):
    learnt, labels = _embedded(rng, 90, spread=1.5)
    kept = np.flatnonzero((labels == 0) | (np.arange(90) < 12))
    few = linear_head.Embedded([learnt.plain[i] for i in kept], [learnt.varied[i] for i in kept])
    head = linear_head.fit_linear_head(few, labels[kept], 3, strength=0.1)
    other, other_labels = _embedded(rng, 300, spread=1.5)
    answers = track_posteriors(head.logits(other.plain)).argmax(axis=1)
    recalls = [(answers[other_labels == genre] == genre).mean() for genre in range(3)]
    assert min(recalls) > 0.4


def test_out_of_fold_logits_know_nothing_of_their_own_fold(rng):
    chance = rng.permutation(np.arange(60) % 3)
    noise = linear_head.Embedded(
        [rng.normal(size=(4, 6)).astype(np.float32) for _ in chance], [np.zeros((0, 6), np.float32)] * 60
    )
    logits = linear_head.out_of_fold_logits(noise, chance, np.arange(60) % 5, 3, strength=1.0)
    assert (track_posteriors(logits).argmax(axis=1) == chance).mean() < 0.55
    assert all(track.shape == (4, 3) for track in logits)


def test_strength_is_the_one_of_the_lowest_loss(rng):
    learnt, labels = _embedded(rng, 60)
    strength, losses = linear_head.choose_strength(learnt, labels, np.arange(60) % 4, 3)
    assert set(losses) == set(STRENGTHS)
    assert losses[strength] == min(losses.values())


def test_parts_of_an_embedding_are_read_apart(rng):
    learnt, labels = _embedded(rng, 90)
    head = linear_head.fit_linear_head(learnt, labels, 3, strength=0.1, parts=(2, 4))
    first = linear_head.Embedded([t[:, :2] for t in learnt.plain], [t[:, :2] for t in learnt.varied])
    alone = linear_head.fit_linear_head(first, labels, 3, strength=0.1)
    np.testing.assert_allclose(head.weights[:2], alone.weights, atol=1e-6)
    other, other_labels = _embedded(rng, 60)
    assert (track_posteriors(head.logits(other.plain)).argmax(axis=1) == other_labels).mean() > 0.8
    with pytest.raises(ValueError, match="embedding of 6"):
        linear_head.fit_linear_head(learnt, labels, 3, strength=0.1, parts=(2, 3))


def test_attached_head_answers_as_fitted(rng):
    keras.utils.set_random_seed(0)
    small = ModelConfig(channels=(4,), pools=((2, 4),), gru_units=3, embedding_size=5)
    model = build_crnn(small, 16, 7)
    head = Head(rng.normal(size=(5, 3)).astype(np.float32), np.float32([0.1, 0.2, 0.3]))
    segments = rng.uniform(-80, 0, (2, 20, 16)).astype(np.float32)
    logits, embedding, _ = OnnxNetwork(linear_head.attach(model, head)).run(segments)
    np.testing.assert_allclose(logits, head.logits([embedding])[0], atol=1e-4)


def test_cross_fitting_keeps_its_promises_on_calibrated_logits(rng):
    logits = [rng.normal(0, 2.5, (1, 4)).astype(np.float32) for _ in range(1500)]
    posteriors = track_posteriors(logits)
    labels = np.array([rng.choice(4, p=p) for p in posteriors])
    judged = cross_fitting.cross_fit(logits, labels, np.arange(1500) % 5, ("a", "b", "c", "d"))
    assert judged.scores.expected_calibration_error < 0.04
    assert judged.set_coverage == pytest.approx(0.9, abs=0.03)
    assert judged.answered_accuracy > 0.85
    assert 0 < judged.answered < 1
    assert judged.to_dict()["part"] == "folds"
