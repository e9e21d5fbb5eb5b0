"""From folder to bundle each thing is done once: a look at every track, the split, the export of the kept network."""

from __future__ import annotations

import dataclasses

import pytest
from sounds import RATE, noise, wav_bytes
from training_runs import SETTINGS, order_for, small_data_set

from crnn.data.collection import gather, log_mels
from crnn.data.demo import STYLES, synthesize
from crnn.data.feature_cache import FeatureCache
from crnn.networks import onnx_export
from crnn.training import pipeline


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("GENRESCOPE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GENRESCOPE_MODELS", str(tmp_path / "models"))
    return tmp_path


@pytest.fixture
def counted(monkeypatch):
    """Calls of what should happen once, by name; each still does its work."""
    calls = {"cache": 0, "split": 0, "export": 0}

    def counting(name, owner, attribute):
        original = getattr(owner, attribute)

        def call(*arguments, **options):
            calls[name] += 1
            return original(*arguments, **options)

        monkeypatch.setattr(owner, attribute, call)

    counting("cache", FeatureCache, "load")
    counting("split", pipeline, "select_tracks")
    counting("export", onnx_export, "onnx_model")
    return calls


def trained(folder, out, epochs=2):
    settings = dataclasses.replace(SETTINGS, train=dataclasses.replace(SETTINGS.train, epochs=epochs))
    return pipeline.carry_out(dataclasses.replace(order_for(folder), settings=settings, out=out))


@pytest.mark.slow
def test_a_training_looks_once_splits_once_and_exports_what_it_keeps_once(home, counted):
    outcome = trained(small_data_set(home / "sounds"), home / "models" / "once")
    # Each of the two epochs is judged on the validation tracks under weights of its own.
    assert counted == {"cache": 1, "split": 1, "export": 2 + 1}
    assert outcome.bundle.scores["valid"]["accuracy"] == outcome.report["scores"]["accuracy"]


@pytest.mark.slow
def test_copies_that_are_heard_have_the_split_made_anew(home, counted):
    folder = small_data_set(home / "sounds")
    song = synthesize(next(iter(STYLES)), 1, 14.0, RATE)
    for name, level in (("one", 1.0), ("two", 0.5)):
        (folder / "hiss" / f"{name}.wav").write_bytes(wav_bytes(level * song))
    outcome = trained(folder, home / "models" / "copies", epochs=1)
    assert outcome.bundle.split["copies"] == [["one", "two"]]
    assert counted["split"] == 2


def test_faults_name_tracks_as_the_collection_does(home):
    first, second = small_data_set(home / "first"), small_data_set(home / "second")
    (second / "hum" / "hum0.wav").write_bytes(wav_bytes(noise(3.0, level=0.0)))
    collection = gather([first, second])
    _, faults = log_mels(collection, collection.tracks, SETTINGS.features, folder=home / "cache", n_jobs=1)
    assert [fault.subject for fault in faults] == ["second/hum0"]
