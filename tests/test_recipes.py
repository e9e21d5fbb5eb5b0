"""The recipe of the bundled model in miniature: untrained teachers, synthesized music, two steps."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from crnn import demo
from recipes.bad_sound import degrade

RATE = 22_050


@pytest.mark.parametrize("seed", range(12))
def test_bad_sound_is_the_same_sound_worse(seed):
    sound = demo.synthesize(sorted(demo.STYLES)[0], 0, 4.0, RATE)
    worse = degrade(sound, RATE, np.random.default_rng(seed))
    assert worse.shape == sound.shape
    assert worse.dtype == np.float32
    assert np.isfinite(worse).all()
    assert 1e-3 < np.abs(worse - sound).max() < 50
    np.testing.assert_array_equal(worse, degrade(sound, RATE, np.random.default_rng(seed)))


@pytest.fixture(scope="module")
def heard(tmp_path_factory):
    """Teachers without knowledge, and what they say of two pieces, one of them too short to fill 30 s."""
    import keras

    from crnn.teachers import choi, musicnn
    from recipes import gtzan_crnn, targets

    folder = tmp_path_factory.mktemp("music")
    keras.utils.set_random_seed(0)
    teachers = targets.Teachers(musicnn._build_musicnn("MSD_musicnn"), choi._build_choi())
    for index, (style, seconds) in enumerate(zip(sorted(demo.STYLES), (31.0, 20.0, 5.0), strict=False)):
        soundfile.write(folder / f"{index}.wav", demo.synthesize(style, 0, seconds, RATE), RATE)
    (folder / "broken.mp3").write_bytes(b"no music")
    paths = sorted(folder.iterdir())
    cache = folder / "targets.npz"
    found = targets.targets_of_files(paths, teachers, gtzan_crnn.WINDOWS, 4, cache)
    return teachers, found, targets.targets_of_files([], teachers, gtzan_crnn.WINDOWS, 4, cache)


def test_targets_are_of_the_pieces_long_enough_and_are_kept(heard):
    _, found, again = heard
    assert found.log_mel.shape[:2] == (2, 4)
    assert found.log_mel.shape[3] == 128
    assert found.piece.tolist() == [0, 0, 0, 0, 1, 1, 1, 1]
    assert found.frame_mean.shape == (8, 753)
    assert found.steps.shape == (2, 15, 128)
    # No window reaches into the repetition of the short piece.
    assert found.start[4:].max() + 72 <= 20.0 * RATE / 914 + 1
    np.testing.assert_array_equal(again.start, found.start)


def test_each_half_of_a_student_learns_without_the_other(heard):
    from recipes import distil, gtzan_crnn

    teachers, found, _ = heard
    student = distil.new_student(teachers, gtzan_crnn.WINDOWS, gtzan_crnn.NETWORK)
    windows = distil.TaggedWindows(found.log_mel[:, 0, :72], found.whole_posterior, found.whole_posterior)
    sources = [distil.Source(found, 1.0)]
    halves = {
        "timbral_embedding": distil.TimbralDistillation(
            student, teachers.windows, sources, windows, gtzan_crnn.WINDOWS
        ),
        "stack_conv2": distil.StackDistillation(student, teachers.whole, sources, gtzan_crnn.SEGMENTS),
    }
    for name, half in halves.items():
        before = {layer: student.get_layer(layer).get_weights()[0] for layer in halves}
        losses: dict[int, np.ndarray] = {}
        half.run(distil.Leg(2, 2, bad_share=0.5, warmup_steps=1), losses.__setitem__)
        assert np.isfinite(list(losses.values())).all()
        assert sorted(losses) == [0, 1]
        for layer, weights in before.items():
            changed = not np.array_equal(weights, student.get_layer(layer).get_weights()[0])
            assert changed == (layer == name), (layer, name)


def test_sources_without_music_are_named(heard, tmp_path):
    from recipes import gtzan_crnn, targets

    with pytest.raises(ValueError, match="nothing"):
        targets.targets_of_files([Path("no.wav")], heard[0], gtzan_crnn.WINDOWS, 4, tmp_path / "nothing.npz")
