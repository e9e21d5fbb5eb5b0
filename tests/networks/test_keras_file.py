"""Keras files as a stranger might make them, in bundles whose digests are right: a sentence each, and no memory."""

from __future__ import annotations

import dataclasses
import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import h5py
import keras
import numpy as np
import pytest
from tiny_bundle import trainable_bundle

from crnn.bundles.bundle import KERAS_NAME, ONNX_NAME, Bundle, list_bundles, load_bundle, save_bundle
from crnn.errors import BundleError
from crnn.inference.classifier import Classifier
from crnn.networks.keras_file import open_keras

resource = pytest.importorskip("resource")

WEIGHTS = "model.weights.h5"


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return trainable_bundle(tmp_path_factory.mktemp("models") / "good")


def saved(model: keras.Model, folder: Path) -> bytes:
    model.save(folder / "other.keras")
    return (folder / "other.keras").read_bytes()


def repacked(good: Bundle, change: Callable[[bytes], bytes]) -> bytes:
    """The good file with other weights."""
    out = io.BytesIO()
    with zipfile.ZipFile(good.file(KERAS_NAME)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, change(old.read(name)) if name == WEIGHTS else old.read(name))
    return out.getvalue()


def with_array(content: bytes, **declared: object) -> bytes:
    """The weights of which one array is another."""
    file = io.BytesIO(content)
    with h5py.File(file, "r+") as weights:
        names: list[str] = []
        weights.visit(names.append)
        kernel = next(name for name in names if isinstance(weights[name], h5py.Dataset) and weights[name].ndim == 2)
        del weights[kernel]
        weights.create_dataset(kernel, **declared)
    return file.getvalue()


def with_lambda() -> keras.Model:
    log_mel = keras.Input((None, 16))
    pooled = keras.layers.GlobalAveragePooling1D()(log_mel)
    return keras.Model(log_mel, keras.layers.Lambda(lambda x: x[:, :3])(pooled))


def of_other_shape() -> keras.Model:
    log_mel = keras.Input((None, 16))
    return keras.Model(log_mel, keras.layers.Dense(7)(keras.layers.GlobalAveragePooling1D()(log_mel)))


HOSTILE: dict[str, tuple[Callable[[Bundle, Path], bytes], str]] = {
    "lambda": (
        lambda good, folder: saved(with_lambda(), folder),
        "damaged, or holds what no model of ours does .*Lambda",
    ),
    "gigabytes in HDF5": (
        lambda good, folder: repacked(
            good, lambda h5: with_array(h5, shape=(1 << 16, 1 << 16), dtype="f4", chunks=(1024, 1024))
        ),
        "declares 16.00 GB",
    ),
    "gigabytes in the zip": (
        lambda good, folder: repacked(good, lambda h5: h5 + bytes(300 << 20)),
        "would unpack to more than 200 MB",
    ),
    "array of another shape": (
        lambda good, folder: repacked(good, lambda h5: with_array(h5, data=np.zeros((3, 3), "f4"))),
        "damaged, or holds what no model",
    ),
    "network of another shape": (lambda good, folder: saved(of_other_shape(), folder), r"does not fit .*\(None, 7\)"),
    "cut short": (lambda good, folder: good.file(KERAS_NAME).read_bytes()[:3000], "cannot be read"),
    "no zip": (lambda good, folder: b"\x89HDF\r\n\x1a\n" + bytes(500), "cannot be read"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_keras_file_is_refused_and_its_neighbour_loads(good: Bundle, tmp_path: Path, kind: str) -> None:
    make, sentence = HOSTILE[kind]
    content, network = make(good, tmp_path), good.file(ONNX_NAME).read_bytes()

    def write_files(draft: Path) -> None:
        (draft / KERAS_NAME).write_bytes(content)
        (draft / ONNX_NAME).write_bytes(network)

    assert good.path is not None
    hostile = save_bundle(dataclasses.replace(good, name="hostile"), tmp_path / "hostile", write_files)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(BundleError, match=f"model.keras of “hostile”.*{sentence}"):
        open_keras(hostile)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 * 1024
    # What serves is another file, which was not touched.
    assert Classifier(load_bundle(tmp_path / "hostile")).bundle.genres == good.genres
    assert list_bundles(good.path.parent) == ([good], {})


def test_an_error_without_words_is_told_by_its_type(good: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keras.saving, "load_model", mock.Mock(side_effect=MemoryError))
    with pytest.raises(BundleError, match=r"\(MemoryError\)"):
        open_keras(good)


def test_a_good_keras_file_is_opened(good: Bundle) -> None:
    assert open_keras(good).output_shape == (None, 3)


@pytest.mark.parametrize("name", ["gtzan-crnn", "ten-genres"])
def test_the_bundled_models_open_though_their_outputs_are_kept_otherwise(name: str) -> None:
    """A list of one output, and a dict of three."""
    bundle = load_bundle(Path(__file__).resolve().parents[2] / "models" / name)
    assert open_keras(bundle).input_shape == (None, None, 128)
