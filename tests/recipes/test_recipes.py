"""The recipe of the bundled model in miniature: untrained teachers, synthesized music, two steps."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import soundfile

from crnn.data import demo
from recipes.bad_sound import coded, degrade

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


@pytest.mark.parametrize("seed", range(6))
def test_a_codec_changes_little_but_something_and_keeps_the_time(seed):
    from crnn.features import log_mel as features
    from recipes.gtzan_crnn import SEGMENTS

    sound = demo.synthesize(sorted(demo.STYLES)[0], 0, 7.3, RATE)
    after = coded(sound, RATE, np.random.default_rng(seed))
    assert after.shape == sound.shape
    assert after.dtype == np.float32
    np.testing.assert_array_equal(after, coded(sound, RATE, np.random.default_rng(seed)))
    before_db, after_db = (features.log_mel(samples, SEGMENTS)[:-5] for samples in (sound, after))
    loud = before_db > -40
    assert 0.02 < np.abs(before_db - after_db)[loud].mean() < 3


@pytest.fixture(scope="module")
def heard(tmp_path_factory):
    """Teachers without knowledge, and what they say of two pieces, one of them too short to fill 30 s."""
    import keras

    from recipes import gtzan_crnn, targets
    from recipes.teachers import choi, musicnn

    folder = tmp_path_factory.mktemp("music")
    keras.utils.set_random_seed(0)
    teachers = targets.Teachers(musicnn._build_musicnn(), choi._build_choi())
    for index, (style, seconds) in enumerate(zip(sorted(demo.STYLES), (31.0, 20.0, 5.0), strict=False)):
        soundfile.write(folder / f"{index}.wav", demo.synthesize(style, 0, seconds, RATE), RATE)
    (folder / "broken.mp3").write_bytes(b"no music")
    paths = sorted(folder.iterdir())
    cache = folder / "targets.npz"
    found = targets.targets_of_files(paths, teachers, gtzan_crnn.WINDOWS, 4, cache)
    return teachers, found, targets.targets_of_files([], teachers, gtzan_crnn.WINDOWS, 4, cache)


def test_targets_are_of_the_pieces_long_enough_and_are_kept(heard):
    from recipes import targets

    _, found, again = heard
    assert found.log_mel.shape[:2] == (2, targets.N_GOOD + targets.N_BAD)
    assert found.log_mel.shape[3] == 128
    assert found.piece.tolist() == [0, 0, 0, 0, 1, 1, 1, 1]
    assert found.frame_mean.shape == (8, 753)
    assert found.steps.shape == (2, 15, 128)
    # No window reaches into the repetition of the short piece.
    assert found.start[4:].max() + 72 <= 20.0 * RATE / 914 + 1
    np.testing.assert_array_equal(again.start, found.start)


def test_a_piece_as_the_archive_would_hold_it_is_the_piece_some_milliseconds_off(heard):
    _, found, _ = heard
    plain, as_archive = found.log_mel[:, 0].astype(float), found.log_mel[:, 1].astype(float)
    # 80 dB are 255 steps.
    difference_db = np.abs(plain - as_archive)[:, :400] * 80 / 255
    assert 0.05 < difference_db.mean() < 6
    assert np.corrcoef(plain[0, :400].ravel(), as_archive[0, :400].ravel())[0, 1] > 0.9


def test_what_the_archive_holds_of_a_whole_track_is_heard_at_its_time(tmp_path, heard):
    from crnn.features.archive import to_uint8
    from crnn.features.log_mel import log_mel
    from recipes import gtzan_crnn, targets

    samples = demo.synthesize(sorted(demo.STYLES)[0], 0, 30.0, RATE)
    frames = log_mel(samples, dataclasses.replace(gtzan_crnn.WINDOWS, hop_length=512))
    index = ((np.arange(723) + 2) / 724.5 * len(frames)).astype(int)
    stored = targets.StoredLogMel(to_uint8(frames[index]), index * 512 / RATE)
    for name, seconds in (("whole", 30.0), ("cut", 20.0)):
        soundfile.write(tmp_path / f"{name}.wav", samples[: int(seconds * RATE)], RATE)
    paths, of_tracks = sorted(tmp_path.iterdir()), {"whole": stored, "cut": stored}
    cache = tmp_path / "stored.npz"
    found = targets.targets_of_files(paths, heard[0], gtzan_crnn.WINDOWS, 4, cache, stored=of_tracks)
    columns = {tuple(column) for column in stored.log_mel.tolist()}
    held = [[tuple(frame) in columns for frame in piece[targets.N_GOOD - 1].tolist()] for piece in found.log_mel]
    cut, whole = held
    assert all(whole)
    assert not any(cut[:200])
    plain, own = (found.log_mel[1, kind].astype(float) for kind in (0, targets.N_GOOD - 1))
    assert np.corrcoef(plain.ravel(), own.ravel())[0, 1] > 0.9


def test_copies_are_at_another_speed_and_mixed(tmp_path, heard):
    from recipes import gtzan_crnn, targets

    path = tmp_path / "piece.wav"
    soundfile.write(path, demo.synthesize(sorted(demo.STYLES)[0], 0, 25.0, RATE), RATE)
    cache = tmp_path / "copies.npz"
    found = targets.targets_of_files([path], heard[0], gtzan_crnn.WINDOWS, 4, cache, with_copies=True)
    assert found.log_mel.shape[0] == 3
    assert np.bincount(found.piece).tolist() == [4, 4, 4]
    assert found.start.max() + 72 <= 25.0 * RATE / 914 + 1
    assert not np.array_equal(found.log_mel[0, 0], found.log_mel[1, 0])
    assert not np.array_equal(found.log_mel[1, 0], found.log_mel[2, 0])


@pytest.fixture
def step_by_step():
    """Two steps are done before TensorFlow and XLA would have compiled one."""
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


def test_each_half_of_a_student_learns_without_the_other(heard, step_by_step):
    from recipes import distil, gtzan_crnn, hearing

    teachers, found, _ = heard
    student = distil.new_student(teachers, gtzan_crnn.WINDOWS, gtzan_crnn.NETWORK)
    windows = hearing.TaggedWindows(found.log_mel[:, 0, :72], found.whole_posterior, found.whole_posterior)
    sources = [hearing.Source(found, 1.0)]
    halves = {
        "timbral_embedding": distil.TimbralDistillation(
            student, teachers.windows, sources, windows, gtzan_crnn.WINDOWS
        ),
        "stack_conv2": distil.StackDistillation(student, teachers.whole, sources, gtzan_crnn.SEGMENTS),
    }
    for name, half in halves.items():
        before = {layer: student.get_layer(layer).get_weights()[0] for layer in halves}
        losses: dict[int, np.ndarray] = {}
        half.run(hearing.Leg(2, 2, bad_share=0.5, warmup_steps=1), losses.__setitem__)
        assert np.isfinite(list(losses.values())).all()
        assert sorted(losses) == [0, 1]
        for layer, weights in before.items():
            changed = not np.array_equal(weights, student.get_layer(layer).get_weights()[0])
            assert changed == (layer == name), (layer, name)


def test_sources_without_music_are_named(heard, tmp_path):
    from recipes import gtzan_crnn, targets

    with pytest.raises(ValueError, match="nothing"):
        targets.targets_of_files([Path("no.wav")], heard[0], gtzan_crnn.WINDOWS, 4, tmp_path / "nothing.npz")


def test_ablation_counts_every_track_once_by_a_head_of_the_other_part():
    from crnn.features.archive import LogMelArchive
    from recipes import ablation

    rng = np.random.default_rng(0)
    genres = ("jazz", "metal") * 20
    embeddings = [rng.normal(3.0 * (genre == "jazz"), 1.0, (5, 4)).astype(np.float32) for genre in genres]
    nothing = (None,) * len(genres)
    archive = LogMelArchive(
        track_ids=tuple(map(str, range(40))),
        genres=genres,
        log_mel=[np.zeros((10, 128), np.uint8)] * 40,
        splits=("train",) * 24 + ("valid",) * 16,
        artists=nothing,
        titles=nothing,
        groups=nothing,
    )
    form = {"strength": 0.1, "discriminant_weight": 0.3, "parts": (2, 2)}
    judged = ablation.judge(embeddings, archive, **form)
    assert judged.right.all()
    assert judged.is_valid.sum() == 16
    assert judged.row(judged).split(" | ")[3] == "+0.0 (+0.0 to +0.0)"
    # Had a head learnt the tracks that it is asked about, it would know that half of them are called otherwise.
    swapped = archive.genres[:24] + tuple({"jazz": "metal", "metal": "jazz"}[genre] for genre in archive.genres[24:])
    assert not ablation.judge(embeddings, dataclasses.replace(archive, genres=swapped), **form).right.any()
