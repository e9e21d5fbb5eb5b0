"""From sound to answer: the same in blocks, in batches and at any level; each verdict by its rule."""

from __future__ import annotations

import dataclasses
import itertools
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from sounds import RATE, FloatArray, chirp, noise, sine, wav_bytes
from tiny_bundle import tiny_bundle

from crnn.audio.clip import Clip
from crnn.bundles.bundle import Bundle, Calibration, Rejection, save_bundle
from crnn.config import FeatureConfig
from crnn.errors import BundleError, ClipTooShortError, EmptyAudioError
from crnn.features import log_mel
from crnn.inference.classifier import Classifier, Prediction
from crnn.inference.decision import softmax

SHORT = FeatureConfig(segment_seconds=3.0, segment_hop_seconds=1.0)


def clip_of(samples: FloatArray, name: str = "") -> Clip:
    return Clip(samples.astype(np.float32), RATE, name)


@pytest.fixture
def classifier(tmp_path: Path) -> Classifier:
    return Classifier(tiny_bundle(tmp_path / "short", config=SHORT))


def assert_same(one: Prediction, other: Prediction) -> None:
    np.testing.assert_allclose(one.posterior, other.posterior, atol=1e-5)
    np.testing.assert_allclose(one.embeddings, other.embeddings, atol=1e-3)
    assert one.segments == other.segments
    assert [cell.start_seconds for cell in one.timeline] == [cell.start_seconds for cell in other.timeline]
    assert (one.verdict, one.genre, one.prediction_set) == (other.verdict, other.genre, other.prediction_set)


@pytest.mark.parametrize(("frequency_hz", "genre"), [(150.0, "bass"), (1500.0, "middle"), (8000.0, "treble")])
def test_the_answer_is_the_one_worked_out_by_hand(bundle: Bundle, frequency_hz: float, genre: str) -> None:
    samples = sine(frequency_hz, 12.0) + noise(12.0, level=1e-3)
    prediction = Classifier(bundle).classify(clip_of(samples))
    assert (prediction.verdict, prediction.genre) == ("genre", genre)
    bands = log_mel.segment(samples, bundle.feature_config).mean(axis=1)
    groups = np.arange(128) * 3 // 128
    levels = np.stack([bands[:, groups == group].mean(axis=1) for group in range(3)], axis=1)
    np.testing.assert_allclose(prediction.embeddings, levels, atol=1e-3)
    np.testing.assert_allclose(prediction.posterior, softmax(0.25 * levels.mean(axis=0)), atol=1e-5)


@pytest.mark.parametrize("seconds", [1.0, 1.02, 2.9, 3.0, 3.01, 3.5, 7.77, 30.0, 61.3])
def test_a_file_in_blocks_equals_the_clip_in_memory(classifier: Classifier, seconds: float) -> None:
    samples = chirp(seconds) + noise(seconds)
    from_file = classifier.classify_file(wav_bytes(samples))
    assert_same(from_file, classifier.classify(clip_of(samples)))
    n_frames = 1 + len(samples) // SHORT.hop_length
    assert len(from_file.segments) == len(log_mel.segment_starts(n_frames, SHORT))


@pytest.mark.parametrize("n_frames", [26, 71, 72, 73, 95, 96, 97, 120, 121, 240, 10 * 72])
def test_segments_from_blocks_are_those_of_the_whole(classifier: Classifier, n_frames: int) -> None:
    assert (SHORT.n_frames, SHORT.n_hop_frames) == (72, 24)
    samples = noise(40.0)[: (n_frames - 1) * SHORT.hop_length]
    starts = [round(start * SHORT.frame_rate_hz) for start, _ in classifier.classify_file(wav_bytes(samples)).segments]
    assert starts == log_mel.segment_starts(n_frames, SHORT)


def test_the_network_hears_what_the_features_say(classifier: Classifier) -> None:
    samples = chirp(9.0) + noise(9.0)
    logits, embeddings = classifier.run(log_mel.segment(samples, SHORT))
    prediction = classifier.classify(clip_of(samples))
    np.testing.assert_allclose(prediction.embeddings, embeddings, atol=1e-3)
    np.testing.assert_allclose(prediction.posterior, softmax(logits.mean(axis=0)), atol=1e-5)


def test_one_at_a_time_equals_many_at_once(classifier: Classifier) -> None:
    segments = log_mel.segment(chirp(60.0) + noise(60.0), SHORT)
    assert len(segments) > 40
    logits, embeddings = classifier.run(segments)
    for i, segment in enumerate(segments):
        one_logits, one_embedding = classifier.run(segment[None])
        np.testing.assert_allclose(one_logits[0], logits[i], atol=1e-5)
        np.testing.assert_allclose(one_embedding[0], embeddings[i], atol=1e-4)


@pytest.mark.parametrize("gain_db", [-30, 30])
def test_level_does_not_change_the_answer(classifier: Classifier, gain_db: float) -> None:
    samples = chirp(8.0) + noise(8.0, level=0.01)
    assert_same(
        classifier.classify(clip_of(samples)), classifier.classify(clip_of(samples * np.float32(10 ** (gain_db / 20))))
    )


def test_an_archive_track_equals_its_sound(classifier: Classifier) -> None:
    samples = chirp(8.0) + noise(8.0, level=0.05)
    archived = log_mel.log_mel(samples, dataclasses.replace(SHORT, db_floor=-120.0))
    by_archive, by_sound = classifier.classify_log_mel(archived), classifier.classify(clip_of(samples))
    np.testing.assert_allclose(by_archive.posterior, by_sound.posterior, atol=1e-4)


@pytest.mark.parametrize("seconds", [1.0, 2.0, 3.0, 3.2, 10.0, 31.7])
def test_timeline_parts_the_whole_duration(classifier: Classifier, seconds: float) -> None:
    prediction = classifier.classify(clip_of(noise(seconds)))
    cells = prediction.timeline
    assert cells[0].start_seconds == 0.0
    assert cells[-1].end_seconds == prediction.duration_seconds == pytest.approx(seconds, abs=1e-4)
    # The last frame's window reaches beyond the sound.
    assert prediction.segments[-1][1] == prediction.duration_seconds
    for earlier, later in itertools.pairwise(cells):
        assert earlier.end_seconds == later.start_seconds
    for cell, (start, end) in zip(cells, prediction.segments, strict=True):
        assert cell.end_seconds > cell.start_seconds
        assert start <= cell.start_seconds < cell.end_seconds <= end
        assert cell.posterior.sum() == pytest.approx(1.0, abs=1e-6)


def test_each_moment_is_answered_by_the_nearest_segment(classifier: Classifier) -> None:
    prediction = classifier.classify(clip_of(noise(9.3)))
    centres = np.mean(prediction.segments, axis=1)
    for moment in np.linspace(0.01, 9.29, 200):
        cell = next(cell for cell in prediction.timeline if cell.start_seconds <= moment <= cell.end_seconds)
        assert abs(centres[cell.segment] - moment) == pytest.approx(np.abs(centres - moment).min(), abs=1e-9)


def test_timeline_follows_a_change(classifier: Classifier) -> None:
    samples = np.concatenate([sine(150.0, 10.0), sine(8000.0, 10.0)]) + noise(20.0, level=1e-3)
    prediction = classifier.classify(clip_of(samples))
    names = [prediction.genres[cell.posterior.argmax()] for cell in prediction.timeline]
    change = next(cell.start_seconds for cell, name in zip(prediction.timeline, names, strict=True) if name == "treble")
    assert names[0] == "bass"
    assert names[-1] == "treble"
    assert change == pytest.approx(10.0, abs=1.5)


def test_posteriors_and_sets_hold_together(classifier: Classifier) -> None:
    prediction = classifier.classify(clip_of(chirp(8.0)))
    assert prediction.posterior.sum() == pytest.approx(1.0, abs=1e-6)
    assert prediction.posterior.dtype == np.float32
    ranked = prediction.ranked()
    assert ranked == sorted(ranked, key=lambda pair: -pair[1])
    assert prediction.confidence == ranked[0][1]
    assert prediction.prediction_set[0] == ranked[0][0]
    assert dict(ranked)[prediction.prediction_set[-1]] >= 0.05


# Verdicts


@pytest.mark.parametrize("samples", [np.zeros(12 * RATE), sine(150.0, 12.0, level=1e-4)], ids=["zeros", "faint tone"])
def test_silence_is_a_verdict_of_its_own(bundle: Bundle, samples: FloatArray) -> None:
    prediction = Classifier(bundle).classify(clip_of(samples))
    assert (prediction.verdict, prediction.genre) == ("silence", None)
    assert all(cell.is_silent for cell in prediction.timeline)
    for posterior in (prediction.posterior, *(cell.posterior for cell in prediction.timeline)):
        np.testing.assert_allclose(posterior, 1 / 3, atol=1e-6)


@pytest.mark.parametrize(("level_db", "verdict"), [(-70.0, "silence"), (-50.0, "genre")])
def test_silence_begins_below_60_db(bundle: Bundle, level_db: float, verdict: str) -> None:
    prediction = Classifier(bundle).classify(clip_of(sine(440.0, 12.0, level=10 ** (level_db / 20))))
    assert prediction.verdict == verdict


def test_silent_stretches_do_not_vote(classifier: Classifier) -> None:
    tone = sine(8000.0, 6.0) + noise(6.0, level=1e-3)
    alone = classifier.classify(clip_of(tone))
    framed = classifier.classify(clip_of(np.concatenate([tone, np.zeros(20 * RATE, np.float32)])))
    assert framed.genre == alone.genre == "treble"
    assert not framed.timeline[0].is_silent
    assert sum(cell.is_silent for cell in framed.timeline) >= 15
    heard = np.array([cell.posterior for cell in framed.timeline if not cell.is_silent])
    geometric = np.exp(np.log(heard).mean(axis=0))
    np.testing.assert_allclose(framed.posterior, geometric / geometric.sum(), atol=1e-6)


def test_unsure_below_the_threshold_of_the_bundle(tmp_path: Path) -> None:
    samples = sine(440.0, 12.0) + noise(12.0, level=1e-3)
    sure = Classifier(tiny_bundle(tmp_path / "sure")).classify(clip_of(samples))
    assert sure.verdict == "genre"
    for name, threshold, verdict in (("a", sure.confidence + 0.01, "unsure"), ("b", sure.confidence - 0.01, "genre")):
        model = tiny_bundle(tmp_path / name, calibration=Calibration(unsure_below=threshold))
        prediction = Classifier(model).classify(clip_of(samples))
        assert prediction.verdict == verdict
        assert (prediction.genre is None) == (verdict == "unsure")
        assert prediction.confidence == pytest.approx(sure.confidence)


def test_temperature_softens_and_keeps_the_order(tmp_path: Path) -> None:
    samples = sine(440.0, 12.0) + noise(12.0, level=1e-3)
    hard = Classifier(tiny_bundle(tmp_path / "hard")).classify(clip_of(samples))
    soft_bundle = tiny_bundle(tmp_path / "soft", calibration=Calibration(temperature=5.0))
    soft = Classifier(soft_bundle).classify(clip_of(samples))
    assert soft.confidence < hard.confidence
    assert [name for name, _ in soft.ranked()] == [name for name, _ in hard.ranked()]


@pytest.mark.parametrize(("bias", "verdict"), [(50.0, "genre"), (-50.0, "not_music")])
def test_not_music_by_the_rejection_of_the_bundle(tmp_path: Path, bias: float, verdict: str) -> None:
    model = tiny_bundle(tmp_path / "m", rejection=Rejection(weights=(0.0, 0.0, 0.0), bias=bias))
    prediction = Classifier(model).classify(clip_of(sine(440.0, 12.0)))
    assert prediction.verdict == verdict
    assert prediction.music_probability == pytest.approx(float(bias > 0), abs=1e-6)


def test_rejection_reads_the_embedding(tmp_path: Path) -> None:
    # Music is what has more than −60 dB on average in the low bands.
    model = tiny_bundle(tmp_path / "m", rejection=Rejection(weights=(1.0, 0.0, 0.0), bias=60.0))
    assert Classifier(model).classify(clip_of(noise(12.0))).verdict == "genre"
    assert Classifier(model).classify(clip_of(sine(9000.0, 12.0))).verdict == "not_music"


# Faults


def test_short_and_empty_sounds_are_refused(classifier: Classifier) -> None:
    with pytest.raises(ClipTooShortError, match="is 0.50 s long"):
        classifier.classify(clip_of(noise(0.5)))
    with pytest.raises(ClipTooShortError, match="“a.wav” is 0.50 s long"):
        classifier.classify_file(wav_bytes(noise(0.5)), name="a.wav")
    with pytest.raises(EmptyAudioError):
        classifier.classify_file(b"")


def test_a_clip_at_another_rate_is_a_mistake_of_the_caller(classifier: Classifier) -> None:
    with pytest.raises(ValueError, match="clip at 48000 Hz, the model needs 22050 Hz"):
        classifier.classify(Clip(noise(2.0), 48_000))


def test_notes_and_progress_come_from_the_file(classifier: Classifier) -> None:
    seen: list[float] = []
    prediction = classifier.classify_file(wav_bytes(noise(30.0, 44_100), 44_100), on_progress=seen.append)
    assert prediction.notes == ("Resampled from 44.1 to 22.05 kHz.",)
    assert seen == sorted(seen)
    assert seen[-1] == pytest.approx(30.0, abs=0.1)


def onnx_bytes(*, inputs: int = 1, n_mels: int = 128, n_genres: int = 3, embedding: int = 3, op: str = "") -> bytes:
    """A network of any outer form; `op` is what it does to its (constant) logits."""
    tensor = helper.make_tensor_value_info
    nodes = [helper.make_node("ReduceMean", ["in0"], ["mean"], axes=[1], keepdims=0)]
    for name, width in (("logits", n_genres), ("embedding", embedding)):
        nodes.append(helper.make_node("Constant", [], [f"{name}_zeros"], value_floats=[0.0] * width))
        nodes.append(helper.make_node("Constant", [], [f"{name}_axis"], value_ints=[1]))
        nodes.append(helper.make_node("ReduceMax", ["mean"], [f"{name}_peak"], axes=[1], keepdims=1))
        last = f"{name}_sum" if op else name
        nodes.append(helper.make_node("Add", [f"{name}_peak", f"{name}_zeros"], [last]))
        if op:
            nodes.append(helper.make_node(op, [last], [name]))
    graph = helper.make_graph(
        nodes,
        "any",
        [tensor(f"in{i}", TensorProto.FLOAT, ["n", "frames", n_mels]) for i in range(inputs)],
        [
            tensor("logits", TensorProto.FLOAT, ["n", n_genres]),
            tensor("embedding", TensorProto.FLOAT, ["n", embedding]),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def with_network(bundle: Bundle, network: bytes, folder: Path) -> Bundle:
    return save_bundle(bundle, folder, lambda draft: (draft / "model.onnx").write_bytes(network) and None)


def test_a_network_of_the_right_form_is_taken(bundle: Bundle, tmp_path: Path) -> None:
    prediction = Classifier(with_network(bundle, onnx_bytes(), tmp_path / "m")).classify(clip_of(noise(12.0)))
    np.testing.assert_allclose(prediction.posterior, 1 / 3, atol=1e-6)


@pytest.mark.parametrize("form", [{"inputs": 2}, {"n_mels": 64}, {"n_genres": 4}, {"embedding": 5}])
def test_a_network_that_does_not_fit_is_refused(bundle: Bundle, tmp_path: Path, form: dict[str, int]) -> None:
    with pytest.raises(BundleError, match="does not fit its description"):
        Classifier(with_network(bundle, onnx_bytes(**form), tmp_path / "m"))


def test_a_network_that_is_none_is_refused(bundle: Bundle, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="The network of the model “m” cannot be opened"):
        Classifier(with_network(bundle, b"no network", tmp_path / "m"))


def test_a_network_that_gives_no_numbers_is_refused(bundle: Bundle, tmp_path: Path) -> None:
    # The loudest band of noise is near 0 dB, so its logarithm is that of a negative number.
    model = with_network(bundle, onnx_bytes(op="Log"), tmp_path / "m")
    with pytest.raises(BundleError, match="gives values that are not numbers"):
        Classifier(model).classify(clip_of(noise(12.0)))


# What it brings along

ALONE_SCRIPT = """
import sys
from pathlib import Path
from crnn.bundles.bundle import load_bundle
from crnn.inference.classifier import Classifier
from crnn.inference.output import to_json, verdict_sentence
prediction = Classifier(load_bundle(Path(sys.argv[1]))).classify_file(Path(sys.argv[2]))
to_json(prediction, "a"), verdict_sentence(prediction)
dear = "tensorflow keras librosa sklearn numba pandas streamlit plotly matplotlib torch jax".split()
print(prediction.verdict, sorted(name for name in dear if name in sys.modules))
"""


def test_a_classification_loads_nothing_dear(bundle: Bundle, tmp_path: Path) -> None:
    path = tmp_path / "a.flac"
    path.write_bytes(wav_bytes(noise(12.0, 44_100), 44_100, "PCM_16", "FLAC"))
    done = subprocess.run(
        [sys.executable, "-c", ALONE_SCRIPT, str(bundle.path), str(path)],
        check=True,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        timeout=180,
    )
    assert done.stdout.split(maxsplit=1) == ["genre", "[]\n"]


def test_softmax_of_large_logits() -> None:
    np.testing.assert_allclose(softmax(np.array([[1e4, 0.0], [-1e4, -1e4]])), [[1, 0], [0.5, 0.5]])
    np.testing.assert_allclose(softmax(np.log(np.array([1.0, 2.0, 5.0]))), [0.125, 0.25, 0.625], atol=1e-7)
    np.testing.assert_allclose(softmax(np.array([0.0, 2.0]), 2.0), softmax(np.array([0.0, 1.0])))
