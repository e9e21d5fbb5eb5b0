"""The port of MSD_musicnn, against the published taggrams; skipped where weights or data are not at hand."""

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

ROOT = Path(__file__).parents[3]
DATA = Path(os.environ.get("GENRESCOPE_DATA", ROOT.parent / "shared" / "data"))
WHEEL = Path(os.environ.get("GENRESCOPE_MUSICNN", "musicnn-0.1.0-py3-none-any.whl"))

needs_wheel = pytest.mark.skipif(not WHEEL.is_file(), reason=f"no musicnn wheel at {WHEEL}: set GENRESCOPE_MUSICNN")
needs_data = pytest.mark.skipif(
    not (DATA / "gtzan-taggrams.npz").is_file(), reason=f"no gtzan-taggrams.npz in {DATA}: set GENRESCOPE_DATA"
)
musicnn = pytest.importorskip("recipes.teachers.musicnn", reason="keras is not installed")


def test_segments_start_at_multiples_of_the_hop() -> None:
    frames = np.arange(400 * 96, dtype=np.float32).reshape(400, 96)
    segments = musicnn.segment(frames, 61)
    assert segments.shape == (4, 187, 96)
    np.testing.assert_array_equal(segments[2], frames[122 : 122 + 187])


def test_audio_shorter_than_a_segment_has_none() -> None:
    assert musicnn.segment(np.zeros((100, 96), np.float32), 61).shape == (0, 187, 96)


def test_resampling_keeps_a_tone_and_its_length() -> None:
    samples = np.sin(2 * np.pi * 440 * np.arange(22_050) / 22_050).astype(np.float32)
    resampled = musicnn.resample(samples, 22_050, 16_000)
    expected = np.sin(2 * np.pi * 440 * np.arange(16_000) / 16_000)
    assert resampled.shape == (16_000,)
    np.testing.assert_allclose(resampled[500:-500], expected[500:-500], atol=1e-3)


@needs_wheel
def test_it_loads_and_gives_fifty_tags() -> None:
    outputs = musicnn.load_musicnn(WHEEL).predict_on_batch(np.zeros((2, 187, 96), np.float32))
    assert outputs["logits"].shape == (2, len(musicnn.TAGS))
    assert outputs["penultimate"].shape == (2, 200)
    assert outputs["frames"].shape == (2, 187, 753)


@needs_wheel
@needs_data
def test_audio_reproduces_the_published_taggrams() -> None:
    with np.load(DATA / "gtzan-taggrams.npz") as archive:
        published = dict(zip(archive["track_ids"].tolist(), archive["tag_posterior"], strict=True))
    paths = [path for path in sorted((DATA / "gtzan-reference").glob("*.flac")) if path.stem in published]
    if not paths:
        pytest.skip(f"no lossless train clips in {DATA / 'gtzan-reference'}")
    model = musicnn.load_musicnn(WHEEL)
    for path in paths:
        samples, sample_rate = sf.read(path, dtype="float32")
        segments = musicnn.segment(musicnn.log_mel(samples, sample_rate), musicnn.TAGGRAM_HOP_FRAMES)
        posterior = 1 / (1 + np.exp(-model.predict_on_batch(segments)["logits"]))
        assert np.corrcoef(posterior.ravel(), published[path.stem][: len(posterior)].ravel())[0, 1] > 0.999, path.stem
