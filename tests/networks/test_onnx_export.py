import keras
import numpy as np
import onnx
import onnxruntime
import pytest
from tiny_networks import BOTH, SQUARE, TIMBRAL

from crnn.errors import BundleError
from crnn.networks import onnx_export
from crnn.networks.crnn import build_crnn, said_at_once, set_normalization, with_new_head


@pytest.fixture(scope="module", params=[SQUARE, TIMBRAL, BOTH], ids=["square", "timbral", "both"])
def model(request):
    """A CRNN whose batch norms and normalisation are not at their defaults; nobody changes it."""
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    built = set_normalization(build_crnn(request.param, 16, 3), rng.normal(-40, 5, 16), rng.uniform(50, 300, 16))
    for layer in built.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights([rng.uniform(0.5, 1.5, w.shape) for w in layer.get_weights()])
    return built


def served_outputs(model):
    outputs = {name: model.get_layer(name).output for name in ("logits", "embedding")}
    return keras.Model(model.inputs, outputs)


def test_onnx_answers_as_keras_does_for_any_length_and_batch(model, tmp_path):
    rng, serving = np.random.default_rng(1), served_outputs(model)
    segments = rng.uniform(-80, 0, (2, 24, 16)).astype(np.float32)
    assert onnx_export.write_onnx(onnx_export.OnnxNetwork(model), tmp_path / "m.onnx", segments) < 1e-5
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx")
    for n_segments, n_frames in ((1, 2), (5, 7), (1, 24), (5, 61)):
        segments = rng.uniform(-80, 0, (n_segments, n_frames, 16)).astype(np.float32)
        logits, embedding = session.run(["logits", "embedding"], {"log_mel": segments})
        expected = said_at_once(serving, {"log_mel": segments})
        np.testing.assert_allclose(logits, expected["logits"], atol=1e-4, err_msg=f"{segments.shape}")
        np.testing.assert_allclose(embedding, expected["embedding"], atol=1e-4, err_msg=f"{segments.shape}")


def test_onnx_uses_its_own_gru_and_no_loop(model):
    operators = {node.op_type for node in onnx_export.onnx_model(model).graph.node}
    assert "GRU" in operators
    assert not operators & {"Loop", "If"}


def test_weights_of_half_precision_take_half_the_room(model, tmp_path, monkeypatch):
    monkeypatch.setattr(onnx_export, "_LEAST_TO_HALVE", 1)
    segments = np.random.default_rng(1).uniform(-80, 0, (3, 24, 16)).astype(np.float32)
    onnx_export.write_onnx(onnx_export.OnnxNetwork(model), tmp_path / "full.onnx", segments)
    halved = keras.models.clone_model(model)
    halved.set_weights([w.astype(np.float16).astype(np.float32) for w in model.get_weights()])
    assert onnx_export.write_onnx(onnx_export.OnnxNetwork(halved), tmp_path / "half.onnx", segments) < 1e-5
    weights = [
        sum(len(t.raw_data) for t in onnx.load(tmp_path / f"{name}.onnx").graph.initializer)
        for name in ("full", "half")
    ]
    assert weights[1] < 0.7 * weights[0]


def test_an_export_that_differs_is_not_written(model, tmp_path, monkeypatch):
    monkeypatch.setattr(onnx_export, "MAX_POSTERIOR_DIFFERENCE", -1.0)
    segments = np.zeros((1, 8, 16), np.float32)
    with pytest.raises(BundleError, match="not saved"):
        onnx_export.write_onnx(onnx_export.OnnxNetwork(model), tmp_path / "m.onnx", segments)
    assert not (tmp_path / "m.onnx").exists()


def test_a_layer_without_counterpart_is_named(model):
    body = model.get_layer("embedding").output
    odd = keras.Model(
        model.inputs, keras.layers.Dense(3, name="logits")(keras.layers.UnitNormalization(name="odd")(body))
    )
    with pytest.raises(ValueError, match="odd"):
        onnx_export.onnx_model(odd)


def test_new_head_keeps_the_body(model):
    segments = np.random.default_rng(2).uniform(-80, 0, (2, 20, 16)).astype(np.float32)
    before = said_at_once(served_outputs(model), {"log_mel": segments})["embedding"]
    renewed = with_new_head(model, 5)
    assert renewed.output_shape == (None, 5)
    after = said_at_once(served_outputs(renewed), {"log_mel": segments})["embedding"]
    np.testing.assert_array_equal(before, after)


def test_saved_model_answers_the_same_after_loading(model, tmp_path):
    segments = np.random.default_rng(3).uniform(-80, 0, (2, 20, 16)).astype(np.float32)
    model.save(tmp_path / "m.keras")
    loaded = keras.saving.load_model(tmp_path / "m.keras", safe_mode=True)
    np.testing.assert_allclose(said_at_once(loaded, segments), said_at_once(model, segments), atol=1e-6)
