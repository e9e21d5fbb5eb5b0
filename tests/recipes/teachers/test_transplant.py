"""The student that starts from its teachers answers much like them before any training."""

import os
from pathlib import Path

import numpy as np
import pytest

from crnn.audio.clip import load_clip
from crnn.config import FeatureConfig, ModelConfig
from crnn.features import log_mel
from crnn.paths import data_dir

WHEEL = Path(os.environ.get("GENRESCOPE_MUSICNN", ""))
CHOI = data_dir() / "teachers" / "choi-crnn-msd.h5"
REFERENCE = data_dir() / "gtzan-reference"
CONFIG = FeatureConfig(segment_seconds=3.0, segment_hop_seconds=3.0)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not REFERENCE.is_dir(), reason="needs gtzan-reference (GENRESCOPE_DATA)"),
]


@pytest.mark.skipif(not WHEEL.is_file(), reason="needs musicnn's wheel (GENRESCOPE_MUSICNN)")
def test_features_of_an_untrained_student_follow_the_teachers():
    import keras

    from crnn.networks.crnn import DB_PER_NEPER, FRAMES, build_crnn, set_normalization
    from recipes.teachers import musicnn, transplant

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
        ours.append(tapped.predict_on_batch(log_mel.segment(clip.samples, CONFIG)[:9]).mean(axis=1))
        patches = musicnn.segment(musicnn.log_mel(clip.samples, clip.sample_rate), musicnn.SEGMENT_FRAMES)[:9]
        theirs.append(teacher.predict_on_batch(patches)["frames"].mean(axis=1))
    a, b = np.concatenate(ours), np.concatenate(theirs)
    followed = [
        np.corrcoef(a[:, i], b[:, i])[0, 1] for i in range(408) if a[:, i].std() > 1e-6 and b[:, i].std() > 0.02
    ]
    assert np.mean(followed) > 0.5


@pytest.mark.skipif(not CHOI.is_file(), reason="needs the tagger's weights (GENRESCOPE_DATA)")
@pytest.mark.parametrize("ranks", [(0, 0, 0, 0), (0, 40, 64, 0)])
def test_steps_of_an_untrained_stack_follow_the_teachers(ranks):
    import keras

    from crnn.networks.crnn import STACK_STEPS, build_crnn
    from recipes.teachers import choi, transplant

    teacher = choi.load_choi(CHOI)
    config = FeatureConfig(segment_seconds=6.0, segment_hop_seconds=6.0)
    network = ModelConfig(front_end="timbral+stack", gru_units=4, embedding_size=340, stack_ranks=ranks)
    student = build_crnn(network, config.n_mels, 10)
    transplant.transplant_stack(student, teacher, config)
    tapped = keras.Model(student.inputs, student.get_layer(STACK_STEPS).output)
    ours, theirs = [], []
    for path in sorted(REFERENCE.glob("*.flac")):
        samples = load_clip(path, config.sample_rate).samples
        steps = teacher.predict_on_batch(choi.log_mel(samples, config.sample_rate)[None])["steps"][0]
        middle_seconds = (len(samples) / config.sample_rate - choi.N_FRAMES * choi.HOP_LENGTH / choi.SAMPLE_RATE) / 2
        frames = log_mel.log_mel(samples, config)
        for first in (1, 4, 7, 10):
            start = round((middle_seconds + float(choi.step_seconds(first)) + 0.07) * config.frame_rate_hz)
            segment = log_mel.rereference(frames[start : start + config.n_frames], config)
            ours.append(tapped.predict_on_batch(segment[None])[0])
            theirs.append(steps[first : first + 3])
    a, b = np.concatenate(ours), np.concatenate(theirs)
    followed = [np.corrcoef(a[:, i], b[:, i])[0, 1] for i in range(choi.STEP_SIZE) if b[:, i].std() > 1e-3]
    assert np.mean(followed) > 0.55
