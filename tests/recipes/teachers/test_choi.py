"""The port of the Choi CRNN: it must call jazz jazz; skipped where weights or data are not at hand."""

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

ROOT = Path(__file__).parents[3]
DATA = Path(os.environ.get("GENRESCOPE_DATA", ROOT.parent / "shared" / "data"))
WEIGHTS = DATA / "teachers" / "choi-crnn-msd.h5"

needs_weights = pytest.mark.skipif(not WEIGHTS.is_file(), reason=f"no weights at {WEIGHTS}: set GENRESCOPE_DATA")
choi = pytest.importorskip("recipes.teachers.choi", reason="keras is not installed")


@pytest.mark.parametrize("seconds", [3.0, 29.12, 40.0])
def test_log_mel_has_one_shape_and_is_standardised(seconds: float) -> None:
    samples = np.random.default_rng(0).normal(0, 0.1, int(seconds * 12_000)).astype(np.float32)
    frames = choi.log_mel(samples, 12_000)
    assert frames.shape == (choi.N_FRAMES, choi.N_MELS)
    assert abs(frames.mean()) < 1e-3
    assert abs(frames.std() - 1) < 1e-3


def test_silence_is_all_zero() -> None:
    assert not choi.log_mel(np.zeros(12_000, np.float32), 12_000).any()


@needs_weights
@pytest.mark.parametrize(("track_id", "tag"), [("jazz.00000", "jazz"), ("hiphop.00002", "Hip-Hop")])
def test_a_genre_is_heard(track_id: str, tag: str) -> None:
    path = DATA / "gtzan-reference" / f"{track_id}.flac"
    if not path.is_file():
        pytest.skip(f"no {path}")
    samples, sample_rate = sf.read(path, dtype="float32")
    logits = choi.load_choi(WEIGHTS).predict_on_batch(choi.log_mel(samples, sample_rate)[None])["logits"][0]
    assert choi.CHOI_TAGS[int(np.argmax(logits))] == tag


@needs_weights
def test_moments_agree_with_those_stored_in_the_weights() -> None:
    """What proves the port: activations have the spread that training saw. Any slip in the layout breaks it."""
    paths = sorted((DATA / "gtzan-reference").glob("*.flac"))
    if not paths:
        pytest.skip(f"no clips in {DATA / 'gtzan-reference'}")
    import keras

    batch = np.stack([choi.log_mel(*sf.read(path, dtype="float32")) for path in paths[:6]])
    model = choi.load_choi(WEIGHTS)
    inner = keras.Model(model.input, [model.get_layer(f"conv{index}").output for index in range(1, 5)])
    for index, activations in enumerate(inner.predict_on_batch(batch), start=1):
        norm = model.get_layer(f"bn{index}")
        mean, variance = activations.mean((0, 1, 2)), activations.var((0, 1, 2))
        assert np.corrcoef(mean, np.asarray(norm.moving_mean))[0, 1] > 0.75, norm.name
        assert 0.5 < np.median(variance / np.asarray(norm.moving_variance)) < 2.0, norm.name


@needs_weights
def test_a_chunk_of_all_steps_says_what_the_whole_network_says() -> None:
    model = choi.load_choi(WEIGHTS)
    picture = np.random.default_rng(0).normal(size=(2, choi.N_FRAMES, choi.N_MELS)).astype(np.float32)
    answer = model.predict_on_batch(picture)
    chunk = choi.chunk_features(model, choi.N_STEPS).predict_on_batch(answer["steps"])
    np.testing.assert_allclose(chunk[:, -50:], answer["logits"], atol=1e-4)
    np.testing.assert_allclose(chunk[:, 32:64], answer["penultimate"], atol=1e-4)


def test_steps_follow_each_other_through_what_is_seen() -> None:
    seconds = choi.step_seconds(np.arange(choi.N_STEPS + 1))
    assert seconds[0] < 0 < seconds[1]
    np.testing.assert_allclose(np.diff(seconds), 2.048)
    assert seconds[-1] > 29.12
