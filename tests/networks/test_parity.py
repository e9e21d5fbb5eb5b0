"""Every kind of export answers on music as the app does, or is not written."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from sounds import RATE, chirp, wav_bytes
from tiny_bundle import tiny_bundle, trainable_bundle

from crnn.__main__ import main
from crnn.config import FeatureConfig
from crnn.networks.parity import music_segments
from crnn.synthesis.examples import example_names

KINDS = ("onnx", "keras", "tflite")


@pytest.fixture(scope="module")
def trainable(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(trainable_bundle(tmp_path_factory.mktemp("models") / "small").path)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_an_export_is_compared_on_music_before_it_is_written(trainable, kind, tmp_path, capsys):
    (tmp_path / "sweep.wav").write_bytes(wav_bytes(chirp(5.0), RATE))
    out = tmp_path / f"model.{kind}"
    command = ["export", "--model", trainable, "--to", kind, "--out", str(out)]
    assert main([*command, "--compare-on", str(tmp_path / "sweep.wav")]) == 0
    told = capsys.readouterr().err
    assert f"The posteriors of {2 * len(example_names()) + 2} segments of music differ" in told
    assert out.stat().st_size > 1000
    # What has no room for metadata has its card beside it.
    if kind != "onnx":
        card = json.loads(out.with_name(f"{out.name}.json").read_text(encoding="utf-8"))
        assert (card["genres"], card["features"]["n_fft"]) == (["bass", "middle", "treble"], 1024)


@pytest.fixture(scope="module")
def different(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A model whose two files answer differently."""
    return str(trainable_bundle(tmp_path_factory.mktemp("others") / "small", other_weights=True).path)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_an_export_that_answers_differently_is_not_written(different, kind, tmp_path, capsys):
    out = tmp_path / f"model.{kind}"
    assert main(["export", "--model", different, "--to", kind, "--out", str(out)]) == 1
    assert "answers differently from the one that the app serves" in capsys.readouterr().err
    assert not out.exists()


def test_a_model_without_keras_is_exported_and_says_what_was_not_compared(tmp_path, capsys):
    bundle = tiny_bundle(tmp_path / "tiny")
    assert main(["export", "--model", str(bundle.path), "--to", "onnx", "--out", str(tmp_path / "m.onnx")]) == 0
    assert "Not compared with Keras" in capsys.readouterr().err


def test_a_network_that_was_saved_with_a_list_of_inputs_is_unrolled(trainable):
    """As the first bundled model was."""
    import keras

    from crnn.networks.crnn import said_at_once
    from crnn.networks.tflite_export import unrolled

    saved = keras.saving.load_model(Path(trainable) / "model.keras", compile=False)
    listed = keras.Model([saved.inputs[0]], saved.get_layer("logits").output)
    assert isinstance(listed.input, list)
    segments = np.random.default_rng(0).uniform(-80, 0, (2, 12, 16)).astype(np.float32)
    fixed = unrolled(listed, 12)
    assert fixed.inputs[0].shape == (None, 12, 16)
    np.testing.assert_allclose(said_at_once(fixed, segments), said_at_once(listed, segments), atol=1e-5)


def test_segments_are_of_whole_length_and_of_music(tmp_path):
    config = FeatureConfig(segment_seconds=40.0, segment_hop_seconds=20.0)
    segments = music_segments(config)
    assert segments.shape == (2 * len(example_names()), config.n_frames, config.n_mels)
    assert np.isfinite(segments).all()
    assert segments.std() > 5
