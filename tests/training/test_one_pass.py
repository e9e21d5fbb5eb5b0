"""From folder to bundle each thing is done once: a look at every track, the split, the kept network's export and word.

The training that is counted has tracks shorter than a segment, and another one starts from what it gave.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from sounds import RATE, noise, sine, wav_bytes
from training_runs import SETTINGS, order_for, small_data_set

from crnn.bundles.bundle import UNFITTED, load_bundle
from crnn.data.collection import gather, log_mels
from crnn.data.demo import STYLES, synthesize
from crnn.data.feature_cache import FeatureCache
from crnn.evaluation.report import calibration_sentence
from crnn.inference.classifier import Classifier
from crnn.networks import onnx_export
from crnn.training import pipeline


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("GENRESCOPE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GENRESCOPE_MODELS", str(tmp_path / "models"))
    return tmp_path


@pytest.fixture
def counted(monkeypatch):
    return counting(monkeypatch)


def counting(patch):
    """Calls of what should happen once, by name; each still does its work."""
    calls = {"cache": 0, "split": 0, "export": 0, "heard again": 0}

    def count(name, owner, attribute):
        original = getattr(owner, attribute)

        def call(*arguments, **options):
            calls[name] += 1
            return original(*arguments, **options)

        patch.setattr(owner, attribute, call)

    count("cache", FeatureCache, "load")
    count("split", pipeline, "select_tracks")
    count("export", onnx_export, "onnx_model")
    count("heard again", Classifier, "run_all")
    return calls


def order(folder, out, epochs=2, **changes):
    settings = dataclasses.replace(SETTINGS, train=dataclasses.replace(SETTINGS.train, epochs=epochs))
    return dataclasses.replace(order_for(folder), settings=settings, out=out, **changes)


@pytest.fixture(scope="module")
def once(tmp_path_factory):
    """A training from folder to bundle, where it was done, and how often it did what should happen once.

    One 9.8-second recording among the first sixteen ended every training after its last epoch: here are such.
    """
    folder = tmp_path_factory.mktemp("once")
    small_data_set(folder / "sounds")
    for genre, seconds in (("hum", 1.0), ("hiss", 1.3), ("sweep", 1.9)):
        (folder / "sounds" / genre / f"{genre}0.wav").write_bytes(wav_bytes(sine(300.0, seconds), RATE, "PCM_16"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GENRESCOPE_HOME", str(folder / "home"))
        patch.setenv("GENRESCOPE_MODELS", str(folder / "models"))
        calls = counting(patch)
        outcome = pipeline.carry_out(order(folder / "sounds", folder / "models" / "first"))
    return folder, outcome, calls


@pytest.mark.slow
def test_a_training_looks_once_splits_once_and_exports_what_it_keeps_once(once):
    _, outcome, calls = once
    # Each of the two epochs is judged on the validation tracks under weights of its own.
    assert calls == {"cache": 1, "split": 1, "export": 2 + 1, "heard again": 0}
    assert outcome.bundle.scores["valid"]["accuracy"] == outcome.report["scores"]["accuracy"]


@pytest.mark.slow
def test_tracks_shorter_than_a_segment_train_check_save_and_serve(once):
    folder, outcome, _ = once
    assert outcome.bundle is not None
    assert outcome.report is not None
    prediction = Classifier(load_bundle(folder / "models" / "first")).classify_file(
        folder / "sounds" / "hum" / "hum0.wav"
    )
    assert prediction.duration_seconds == pytest.approx(1.0, abs=0.01)
    # So few tracks claim no calibration, neither on the card nor in the report.
    assert outcome.bundle.calibration == UNFITTED
    said = calibration_sentence(outcome.report)
    assert said == "Not calibrated: only 3 tracks to check with. The confidence is the network's own."
    card = (folder / "models" / "first" / "README.md").read_text(encoding="utf-8")
    assert "Not calibrated: only 3 tracks to check with." in card
    assert "no prediction set is claimed" in card
    assert "it was calibrated on" not in card


@pytest.mark.slow
def test_a_model_is_the_start_of_another_with_other_genres(once, monkeypatch):
    folder, first, _ = once
    monkeypatch.setenv("GENRESCOPE_HOME", str(folder / "home"))
    monkeypatch.setenv("GENRESCOPE_MODELS", str(folder / "models"))
    seen = []
    genres = {"hiss": None, "hum": "drone"}
    second = pipeline.carry_out(
        order(folder / "sounds", folder / "models" / "second", init="first", genres=genres), on_event=seen.append
    )
    assert second.bundle is not None
    assert second.bundle.genres == ("drone", "sweep")
    assert second.bundle.model == first.bundle.model | {"n_parameters": second.bundle.model["n_parameters"]}
    assert [event["stage"] for event in seen if event["event"] == "stage"] == [
        "scanning",
        "features",
        "copies",
        "loading",
        "embedding",
        "head",
        "training",
        "saving",
    ]
    # The head and the network answered the same unheard tracks; the better one is there, and the report tells.
    assert second.report["compared"]["n_tracks"] == len(first.report["tracks"]) // 3 * 2
    assert second.report is not None
    assert np.isclose(sum(second.report["tracks"][0]["posterior"].values()), 1.0)


@pytest.mark.slow
def test_copies_that_are_heard_have_the_split_made_anew(home, counted):
    folder = small_data_set(home / "sounds")
    song = synthesize(next(iter(STYLES)), 1, 14.0, RATE)
    for name, level in (("one", 1.0), ("two", 0.5)):
        (folder / "hiss" / f"{name}.wav").write_bytes(wav_bytes(level * song))
    outcome = pipeline.carry_out(order(folder, home / "models" / "copies", epochs=1))
    assert outcome.bundle.split["copies"] == [["one", "two"]]
    assert counted["split"] == 2


def test_faults_name_tracks_as_the_collection_does(home):
    first, second = small_data_set(home / "first"), small_data_set(home / "second")
    (second / "hum" / "hum0.wav").write_bytes(wav_bytes(noise(3.0, level=0.0)))
    collection = gather([first, second])
    _, faults = log_mels(collection, collection.tracks, SETTINGS.features, folder=home / "cache", n_jobs=1)
    assert [fault.subject for fault in faults] == ["second/hum0"]
