"""The second network of a bundle, which is kept as ONNX alone, built again in Keras."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import keras
import numpy as np
import pytest
from tiny_bundle import tiny_bundle
from tiny_networks import BOTH

from crnn.audio.clip import load_clip
from crnn.bundles.bundle import Bundle, load_bundle
from crnn.bundles.companion import COMPANION_NAME, Companion
from crnn.config import FeatureConfig, ModelConfig
from crnn.errors import BundleError
from crnn.features import log_mel
from crnn.inference.network import open_session
from crnn.networks.crnn import LOGITS, build_crnn, said_at_once, set_normalization
from crnn.networks.from_onnx import companion_model, keras_of_onnx
from crnn.networks.onnx_export import onnx_model
from crnn.networks.parity import music_segments
from crnn.networks.plain_keras import plain

CLOSE = 1e-4


def trained(sizes: ModelConfig = BOTH) -> keras.Model:
    """A network none of whose weights are at their beginnings, and its normalisations not at their defaults."""
    rng = np.random.default_rng(0)
    model = set_normalization(build_crnn(sizes, 16, 3), rng.normal(-40, 5, 16), rng.uniform(50, 300, 16))
    for layer in model.layers:
        is_norm = isinstance(layer, keras.layers.BatchNormalization)
        if is_norm and len(layer.output.shape) == 4:
            layer.epsilon = 1e-5
        low, high = (0.5, 1.5) if is_norm else (-0.5, 0.5)
        layer.set_weights([rng.uniform(low, high, w.shape) for w in layer.get_weights()])
    return model


def test_a_network_comes_back_from_its_onnx_file() -> None:
    model = trained()
    built = keras_of_onnx(onnx_model(model), BOTH)
    segments = np.random.default_rng(1).uniform(-80, 0, (4, 24, 16)).astype(np.float32)
    np.testing.assert_allclose(said_at_once(built, segments), said_at_once(model, segments), atol=1e-5)


def test_a_file_of_another_build_is_refused() -> None:
    of_other_pools = dataclasses.replace(BOTH, stack_pools=(3, 2))
    with pytest.raises(ValueError, match="is not the one in the file"):
        keras_of_onnx(onnx_model(trained(of_other_pools)), BOTH)
    of_other_filters = dataclasses.replace(BOTH, middle_filters=5)
    with pytest.raises(ValueError, match="its layers are not those"):
        keras_of_onnx(onnx_model(trained(of_other_filters)), BOTH)


def test_a_second_network_of_no_known_build_is_told(tmp_path: Path) -> None:
    bundle = tiny_bundle(tmp_path / "two", companion=Companion(FeatureConfig(), 0.5))
    with pytest.raises(
        BundleError, match=r"second network of “two” cannot be had in Keras: .*Export ONNX, which has both"
    ):
        companion_model(bundle)


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return load_bundle(Path(__file__).resolve().parents[2] / "models" / "ten-genres")


@pytest.fixture(scope="module")
def companion(bundle: Bundle) -> keras.Model:
    return plain(companion_model(bundle))


def difference(bundle: Bundle, companion: keras.Model, segments: np.ndarray) -> float:
    """The greatest one of logits."""
    session = open_session(bundle, 0, COMPANION_NAME)
    served = session.run([LOGITS], {"log_mel": segments})[0]
    return float(np.abs(said_at_once(companion, segments) - served).max())


def test_the_bundled_one_says_in_keras_what_it_says_in_onnx(bundle: Bundle, companion: keras.Model) -> None:
    assert bundle.companion is not None
    config = bundle.companion.feature_config
    noise = np.random.default_rng(0).uniform(config.db_floor, 0, (4, config.n_frames, config.n_mels))
    assert difference(bundle, companion, noise.astype(np.float32)) < CLOSE
    assert difference(bundle, companion, noise[:, :57].astype(np.float32)) < CLOSE
    assert difference(bundle, companion, music_segments(config)[:6]) < CLOSE


def test_the_bundled_one_says_so_of_recorded_music(bundle: Bundle, companion: keras.Model, data_dir: Path) -> None:
    recordings = sorted((data_dir / "gtzan-audio").glob("*/*.ogg"))
    if not recordings:
        pytest.skip(f"no recordings in {data_dir}")
    assert bundle.companion is not None
    config = bundle.companion.feature_config
    for path in recordings[:: len(recordings) // 4 + 1]:
        segments = log_mel.segment(load_clip(path, config.sample_rate).samples, config)
        assert difference(bundle, companion, segments) < CLOSE, path.name
