"""Models saved, renamed, deleted and brought back; bundles packed and imported, and hostile zips refused."""

from __future__ import annotations

import dataclasses
import io
import shutil
import stat
import sys
import zipfile

import numpy as np
import onnx
import pytest
from tiny_bundle import tiny_bundle

from crnn.bundles import library
from crnn.bundles.bundle import EMBEDDINGS_NAME, JSON_NAME, ONNX_NAME, list_bundles, load_bundle, save_bundle
from crnn.errors import BundleError, UnknownModelError
from crnn.inference.classifier import Classifier
from crnn.owner import MACHINE

resource = pytest.importorskip("resource")


@pytest.fixture
def models(tmp_path, monkeypatch):
    monkeypatch.setenv("GENRESCOPE_MODELS", str(tmp_path / "models"))
    return tmp_path / "models"


@pytest.fixture
def tiny(models):
    return tiny_bundle(models / "tiny")


def test_a_shelf_of_ones_own_does_not_hide_what_came_with_the_project_from_who_names_it(models, tiny):
    assert library.find_bundle("tiny").path == tiny.path
    for name in library.BUNDLED_MODELS:
        assert library.find_bundle(name).name == name
    tiny_bundle(models / library.DEFAULT_MODEL)
    assert library.find_bundle(library.DEFAULT_MODEL).path == models / library.DEFAULT_MODEL
    with pytest.raises(UnknownModelError, match=r"On the shelf: ten-genres, tiny\."):
        library.find_bundle("other")


def zipped(names):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as zip_file:
        for name, data in names.items():
            zip_file.writestr(name, data)
    return out.getvalue()


def contents(data):
    with zipfile.ZipFile(io.BytesIO(data)) as zip_file:
        return {name: zip_file.read(name) for name in zip_file.namelist()}


def test_a_copy_has_its_own_name_and_notes(tiny, models):
    copy = library.save_copy(tiny, "other", "For parties.", owner=MACHINE)
    assert (copy.name, copy.notes, copy.path) == ("other", "For parties.", models / "other")
    with pytest.raises(BundleError, match="there already"):
        library.save_copy(tiny, "other", owner=MACHINE)
    with pytest.raises(BundleError, match="cannot be a model's name"):
        library.save_copy(tiny, "../other", owner=MACHINE)


def test_rename_and_back(tiny, models):
    renamed = library.rename(tiny, "large", owner=MACHINE)
    assert [bundle.name for bundle in list_bundles(models)[0]] == ["large"]
    tiny_bundle(models / "tiny")
    with pytest.raises(BundleError, match="there already"):
        library.rename(renamed, "tiny", owner=MACHINE)


def test_deleted_models_come_back(tiny, models):
    assert tiny.path is not None
    library.delete(tiny.path, owner=MACHINE)
    assert list_bundles(models) == ([], {})
    (gone,) = library.deleted(MACHINE)
    tiny_bundle(models / "tiny")
    with pytest.raises(BundleError, match="there again"):
        library.put_back(gone, owner=MACHINE)
    library.rename(load_bundle(models / "tiny"), "new", owner=MACHINE)
    library.put_back(gone, owner=MACHINE)
    assert [bundle.name for bundle in list_bundles(models)[0]] == ["new", "tiny"]
    library.throw_away(library.delete(models / "new", owner=MACHINE), owner=MACHINE)
    assert library.deleted(MACHINE) == []


def test_packed_models_are_imported_elsewhere(tiny, monkeypatch, tmp_path):
    packed = library.pack(tiny)
    monkeypatch.setenv("GENRESCOPE_MODELS", str(tmp_path / "elsewhere"))
    imported = library.import_zip(packed, owner=MACHINE)
    assert imported.path == tmp_path / "elsewhere" / "tiny"
    assert imported.file(ONNX_NAME).read_bytes() == tiny.file(ONNX_NAME).read_bytes()
    assert not imported.is_trainable
    with pytest.raises(BundleError, match="there already"):
        library.import_zip(packed, owner=MACHINE)
    assert library.import_zip(packed, "again", owner=MACHINE).name == "again"


def test_files_may_lie_in_no_folder(tiny):
    flat = {name.rpartition("/")[2]: data for name, data in contents(library.pack(tiny)).items()}
    assert library.import_zip(zipped(flat), "flat", owner=MACHINE).name == "flat"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda files: files | {"tiny/model.keras": b"x"}, "can run code"),
        (lambda files: files | {"tiny/evil.py": b"x"}, "can run code"),
        (lambda files: files | {"tiny/../../up.json": b"x"}, "outside its folder"),
        (lambda files: files | {"/etc/cron.d/up": b"x"}, "outside its folder"),
        (lambda files: files | {"C:\\up": b"x"}, "outside its folder"),
        (lambda files: {f"ti\x1bny/{name}": data for name, data in files.items()}, "outside its folder"),
        (lambda files: {f"deep/{name}": data for name, data in files.items()}, "is no model"),
        (lambda files: files | {"tiny/song.mp3": b"x"}, "is no model.*song.mp3"),
        (lambda files: files | {"other/README.md": b"x"}, "is no model"),
        (lambda files: files | {f"tiny/{i}": b"x" for i in range(100)}, "holds 10. files"),
        (lambda files: {}, "no bundle.json"),
        (lambda files: files | {f"tiny/{ONNX_NAME}": b"x"}, "changed or damaged"),
        (lambda files: files | {f"tiny/{JSON_NAME}": b"{}"}, "no known format"),
        (lambda files: files | {f"tiny/{JSON_NAME}": bytes(250 * 2**20)}, "more than 200 MB"),
    ],
)
def test_bad_zips_are_refused_with_a_sentence(tiny, models, change, sentence):
    before = sorted(models.rglob("*"))
    hostile = zipped(change(contents(library.pack(tiny))))
    with pytest.raises(BundleError, match=sentence):
        library.import_zip(hostile, "new", owner=MACHINE)
    assert sorted(models.rglob("*")) == before


def test_a_zip_that_holds_a_file_twice_is_refused(tiny):
    packed = io.BytesIO(library.pack(tiny))
    with zipfile.ZipFile(packed, "a") as zip_file, pytest.warns(UserWarning, match="Duplicate name"):
        zip_file.writestr(f"tiny/{JSON_NAME}", b"{}")
    with pytest.raises(BundleError, match="is no model"):
        library.import_zip(packed.getvalue(), "new", owner=MACHINE)


def test_links_are_refused(tiny):
    out = io.BytesIO(library.pack(tiny))
    with zipfile.ZipFile(out, "a") as zip_file:
        link = zipfile.ZipInfo("tiny/embeddings.npz")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        zip_file.writestr(link, "/etc/passwd")
    with pytest.raises(BundleError, match="or is a link"):
        library.import_zip(out.getvalue(), "new", owner=MACHINE)


@pytest.mark.parametrize("data", [b"", b"rubbish", b"PK\x03\x04 cut short"])
def test_what_is_no_zip_is_said(models, data):
    with pytest.raises(BundleError, match="no zip"):
        library.import_zip(data, owner=MACHINE)


def test_a_pickle_in_the_map_is_refused(tiny, models):
    """The digest finds damage, not forgery: a forged bundle must not get its pickle opened."""

    def write_files(draft):
        (draft / ONNX_NAME).write_bytes(tiny.file(ONNX_NAME).read_bytes())
        np.savez(draft / EMBEDDINGS_NAME, embeddings=np.array([{"a": 1}], dtype=object))

    forged = save_bundle(tiny, models / "forged", write_files)
    with pytest.raises(BundleError, match="cannot be read"):
        library.import_zip(library.pack(forged), "new", owner=MACHINE)


def with_weights_elsewhere(bundle, in_subgraph):
    """Its network, whose weights lie in a file of the folder that the app is run from."""
    network = onnx.load_from_string(bundle.file(ONNX_NAME).read_bytes())
    weights = network.graph.initializer[0]
    n_bytes = 4 * int(np.prod(weights.dims))
    weights.ClearField("raw_data")
    weights.data_location = onnx.TensorProto.EXTERNAL
    for key, value in (("location", "secret.bin"), ("offset", "0"), ("length", str(n_bytes))):
        weights.external_data.add(key=key, value=value)
    if in_subgraph:
        branch = onnx.helper.make_graph([], "branch", [], [], [weights])
        network.graph.node.append(onnx.helper.make_node("If", [], [], then_branch=branch, else_branch=branch))
        del network.graph.initializer[0]
    return network.SerializeToString(), n_bytes


@pytest.mark.parametrize("in_subgraph", [False, True])
def test_a_network_that_reads_other_files_is_refused(tiny, models, tmp_path, monkeypatch, in_subgraph):
    network, n_bytes = with_weights_elsewhere(tiny, in_subgraph)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "secret.bin").write_bytes(bytes(n_bytes))
    forged = save_bundle(tiny, models / "forged", lambda draft: (draft / ONNX_NAME).write_bytes(network))
    with pytest.raises(BundleError, match="would read other files"):
        library.import_zip(library.pack(forged), "new", owner=MACHINE)
    # Nor does one that somebody copied there.
    with pytest.raises(BundleError, match="cannot be opened"):
        Classifier(forged)


@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited on Linux alone")
def test_a_network_that_asks_for_gigabytes_is_refused(tiny, models):
    """Twelve of them, in a zip of a kilobyte."""
    network = onnx.load_from_string(tiny.file(ONNX_NAME).read_bytes())
    graph = network.graph
    graph.initializer.append(onnx.numpy_helper.from_array(np.array([3 * 2**30], np.int64), "how_many"))
    graph.node.insert(0, onnx.helper.make_node("ConstantOfShape", ["how_many"], ["many"]))
    graph.node.insert(1, onnx.helper.make_node("ReduceSum", ["many"], ["none"], keepdims=0))
    last = graph.node[-1]
    graph.node.append(onnx.helper.make_node("Add", ["before", "none"], [last.output[0]]))
    last.output[0] = "before"
    forged = save_bundle(
        tiny, models / "forged", lambda draft: (draft / ONNX_NAME).write_bytes(network.SerializeToString())
    )
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    with pytest.raises(BundleError, match="(“forged” cannot be opened|takes more than 1 GiB of memory)"):
        library.import_zip(library.pack(forged), "new", owner=MACHINE)
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss - before < 1.5 * 2**20


def test_a_network_that_ends_its_process_is_refused(tiny, models, monkeypatch):
    packed = library.pack(tiny)
    monkeypatch.setattr(library.sys, "executable", "false")
    with pytest.raises(BundleError, match="ended the process in which it was tried out"):
        library.import_zip(packed, "new", owner=MACHINE)
    assert list_bundles(models) == ([tiny], {})


def test_a_zip_packed_again_on_a_mac_is_imported(tiny, models):
    """Its own notes of each file, and of the folder, lie beside the model's files."""
    packed = io.BytesIO(library.pack(tiny))
    with zipfile.ZipFile(packed, "a") as zip_file:
        zip_file.writestr(f"__MACOSX/{tiny.name}/._bundle.json", b"\0\5\x16\7")
        zip_file.writestr(f"{tiny.name}/.DS_Store", b"\0\0\0\1Bud1")
    assert library.import_zip(packed.getvalue(), "from-a-mac", owner=MACHINE).genres == tiny.genres


def test_a_whole_zip_holds_what_training_starts_from(tiny, models, tmp_path):
    draft = tmp_path / "draft"
    shutil.copytree(tiny.path, draft)
    (draft / "model.keras").write_bytes(b"weights")
    facts = dataclasses.replace(tiny, name="whole")
    whole = save_bundle(facts, models / "whole", lambda to: shutil.copytree(draft, to, dirs_exist_ok=True))
    assert zipfile.ZipFile(io.BytesIO(library.pack(whole))).namelist() == [
        f"whole/{name}" for name in ("bundle.json", "model.onnx")
    ]
    packed = library.pack(whole, whole=True)
    zipfile.ZipFile(io.BytesIO(packed)).extractall(tmp_path / "elsewhere")
    assert load_bundle(tmp_path / "elsewhere" / "whole").is_trainable
    with pytest.raises(BundleError, match="holds a Keras file"):
        library.import_zip(packed, "again", owner=MACHINE)
