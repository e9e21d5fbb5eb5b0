"""The CRNN on the tagger's convolutions: the tagger's own answers, exported whole, its tags held while it learns."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import onnxruntime
import pytest

from crnn.config import AugmentConfig, FeatureConfig, ModelConfig, TrainConfig
from crnn.jobs.order import TrainingSettings
from crnn.networks import crnn as networks
from crnn.networks.crnn import said_at_once
from crnn.networks.onnx_export import OnnxNetwork, onnx_model, write_onnx
from crnn.networks.tagger_crnn import N_CLASSES, POOLED_SIZE, is_taggers
from recipes.teachers import efficientat

SIZES = ModelConfig(front_end="tagger", gru_units=5, embedding_size=POOLED_SIZE + 17)


@pytest.fixture(scope="module")
def model() -> keras.Model:
    keras.utils.set_random_seed(3)
    return networks.build_crnn(SIZES, 128, 4)


@pytest.mark.parametrize("n_frames", [100, 237, 1000])
def test_the_export_answers_as_keras_does(model: keras.Model, n_frames: int) -> None:
    segments = np.random.default_rng(0).normal(0, 1, (2, n_frames, 128)).astype(np.float32)
    session = onnxruntime.InferenceSession(onnx_model(model).SerializeToString(), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    assert names == ["logits", "embedding", "tags"]
    expected = said_at_once(model, segments)
    for name, found in zip(names, session.run(names, {"log_mel": segments}), strict=True):
        np.testing.assert_allclose(found, expected[name], atol=1e-4)


def test_it_is_saved_once_both_agree_and_opens_with_plain_keras(model: keras.Model, tmp_path: Path) -> None:
    segments = np.random.default_rng(1).normal(0, 1, (3, 150, 128)).astype(np.float32)
    assert write_onnx(OnnxNetwork(model), tmp_path / "model.onnx", segments) <= 1e-4
    model.save(tmp_path / "model.keras")
    assert all(type(layer).__module__.startswith("keras.") for layer in model.layers)
    loaded = keras.saving.load_model(tmp_path / "model.keras", compile=False)
    expected = said_at_once(model, segments)
    for name, found in said_at_once(loaded, segments).items():
        np.testing.assert_allclose(found, expected[name], atol=1e-6)


def test_a_new_head_leaves_the_tags_as_they_were(model: keras.Model) -> None:
    segments = np.random.default_rng(2).normal(0, 1, (2, 120, 128)).astype(np.float32)
    renewed = networks.with_new_head(model, 6)
    assert networks.logits_of(renewed).shape == (None, 6)
    before, after = said_at_once(model, segments), said_at_once(renewed, segments)
    for name in ("tags", "embedding"):
        np.testing.assert_array_equal(before[name], after[name])
    logits, embeddings, tags = OnnxNetwork(renewed).run(segments)
    assert logits.shape == (2, 6)
    np.testing.assert_allclose(embeddings, after["embedding"], atol=1e-4)
    np.testing.assert_allclose(tags, after["tags"], atol=1e-4)


def test_what_the_tags_rest_on_is_never_learnt_anew(model: keras.Model) -> None:
    """Their calibration would no longer hold, nor what tells music from other sound."""
    networks.learns_head_only(model, head_only=False)
    free = {layer.name for layer in model.layers if layer.trainable and layer.weights}
    assert free == {"column_dense", "bidirectional", "memory", "logits"}
    assert all(
        is_taggers(model.get_layer(name)) for name in ("stem", "block1_project", "block15_excite", "top", "tags")
    )
    networks.learns_head_only(model, head_only=True)
    assert {layer.name for layer in model.layers if layer.trainable and layer.weights} == {"logits"}


@pytest.mark.slow
def test_equal_to_the_tagger_on_its_check_values(model: keras.Model, data_dir: Path) -> None:
    folder = data_dir / "teachers" / "mn04"
    if not (folder / "check.npz").is_file():
        pytest.skip("needs the tagger's weights and check values")
    before = model.get_weights()
    efficientat.set_weights(model, efficientat.read_weights(folder / efficientat.FILE_NAME))
    with np.load(folder / "check.npz") as stored:
        for genre in ("blues", "jazz", "metal"):
            found = said_at_once(model, stored[f"{genre}_mel"].astype(np.float32).T[None])
            np.testing.assert_allclose(found["tags"][0], stored[f"{genre}_logits"], atol=3e-3)
            np.testing.assert_allclose(found["embedding"][0, :POOLED_SIZE], stored[f"{genre}_pooled"], atol=1e-3)
    assert found["tags"].shape == (1, N_CLASSES)
    model.set_weights(before)


def test_another_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / efficientat.FILE_NAME).write_bytes(b"something else")
    with pytest.raises(ValueError, match="has the SHA-256"):
        efficientat.read_weights(tmp_path / efficientat.FILE_NAME)


@pytest.mark.slow
def test_it_learns_genres_and_keeps_its_tags() -> None:
    """The whole has weights that the learning part has not: those of the tags."""
    from crnn.data.labelled import NO_TRACKS, LabelledTracks, TrainingData
    from crnn.training import trainer

    keras.utils.set_random_seed(4)
    model = networks.build_crnn(SIZES, 128, 2)
    config = FeatureConfig(
        sample_rate=32_000, n_fft=1024, hop_length=320, fmin=0.0, fmax=15_000.0, segment_seconds=1.0,
        segment_hop_seconds=1.0, front_end="tagger_mel", level=0.01
    )  # fmt: skip
    settings = TrainingSettings(config, SIZES, AugmentConfig(mixup_alpha=0.0), TrainConfig(epochs=2, batch_size=2))
    rng = np.random.default_rng(5)
    cells = tuple(rng.integers(0, 255, (150, 128)).astype(np.uint8) for _ in range(2))
    tracks = LabelledTracks(("a", "b"), cells, np.array([0, 1]))
    segments = rng.normal(0, 1, (2, 120, 128)).astype(np.float32)
    before = said_at_once(model, segments)
    result = trainer.train(TrainingData(("a", "b"), tracks, NO_TRACKS), settings, initial=model)
    after = said_at_once(result.model, segments)
    assert len(result.history) == 2
    np.testing.assert_allclose(after["tags"], before["tags"], atol=1e-6)
    assert not np.allclose(after["logits"], before["logits"])
