"""The student that starts from the teacher answers much like it before any training."""

import os
from pathlib import Path

import numpy as np
import pytest

from crnn import features
from crnn.audio import load_clip
from crnn.config import FeatureConfig, ModelConfig
from crnn.paths import data_dir

WHEEL = Path(os.environ.get("GENRESCOPE_MUSICNN", ""))
REFERENCE = data_dir() / "gtzan-reference"
CONFIG = FeatureConfig(segment_seconds=3.0, segment_hop_seconds=3.0)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not WHEEL.is_file(), reason="needs musicnn's wheel (GENRESCOPE_MUSICNN)"),
    pytest.mark.skipif(not REFERENCE.is_dir(), reason="needs gtzan-reference (GENRESCOPE_DATA)"),
]


def test_features_of_an_untrained_student_follow_the_teachers():
    import keras

    from crnn.model import DB_PER_NEPER, FRAMES, build_crnn, set_normalization
    from crnn.teachers import musicnn, transplant

    teacher = musicnn.load_musicnn(WHEEL)
    config = ModelConfig(front_end="timbral", gru_units=48, embedding_size=200)
    student = build_crnn(config, CONFIG.n_mels, 50)
    transplant.transplant(student, teacher, CONFIG)
    offsets = np.full(CONFIG.n_mels, transplant.band_offset_db())
    student = set_normalization(student, offsets, np.full(CONFIG.n_mels, DB_PER_NEPER**2))
    tapped = keras.Model(student.inputs, student.get_layer(FRAMES).output)
    ours, theirs = [], []
    for path in sorted(REFERENCE.glob("*.flac")):
        clip = load_clip(path, CONFIG.sample_rate)
        ours.append(tapped.predict_on_batch(features.segment(clip.samples, CONFIG)[:9]).mean(axis=1))
        patches = musicnn.segment(musicnn.log_mel(clip.samples, clip.sample_rate), musicnn.SEGMENT_FRAMES)[:9]
        theirs.append(teacher.predict_on_batch(patches)["frames"].mean(axis=1))
    a, b = np.concatenate(ours), np.concatenate(theirs)
    followed = [
        np.corrcoef(a[:, i], b[:, i])[0, 1] for i in range(408) if a[:, i].std() > 1e-6 and b[:, i].std() > 0.02
    ]
    assert np.mean(followed) > 0.5
