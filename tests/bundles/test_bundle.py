"""Bundles: whole or refused, and refused with a sentence."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tiny_bundle import tiny_bundle

from crnn.bundles import bundle as bundles
from crnn.bundles.bundle import Bundle, Calibration, Rejection, list_bundles, load_bundle, save_bundle
from crnn.config import FeatureConfig
from crnn.errors import BundleError, PlaceTakenError

Values = dict[str, Any]


def rewrite(bundle: Bundle, change: Callable[[Values], object], *, sign: bool = True) -> Path:
    """Change `bundle.json` as a forger would (with a fitting digest), or as damage would."""
    assert bundle.path is not None
    path = bundle.path / "bundle.json"
    values = json.loads(path.read_text(encoding="utf-8"))
    change(values)
    if sign:
        values.pop("digest", None)
        canonical = json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        values["digest"] = hashlib.sha256(canonical.encode(errors="replace")).hexdigest()
    path.write_text(json.dumps(values), encoding="utf-8")
    return bundle.path


def test_saved_is_loaded(tmp_path: Path) -> None:
    facts: dict[str, Any] = {
        "genres": ("rock", "jazz", "été"),
        "config": FeatureConfig(segment_seconds=3.0, segment_hop_seconds=1.5),
        "calibration": Calibration(temperature=1.7, unsure_below=0.4, set_threshold=0.1),
        "rejection": Rejection(weights=(0.5, -0.25, 1e-9), bias=0.1, threshold=0.3),
    }
    saved = tiny_bundle(tmp_path / "one", **facts)
    loaded = load_bundle(tmp_path / "one")
    assert loaded == saved
    assert (loaded.name, loaded.genres, loaded.feature_config) == ("one", facts["genres"], facts["config"])
    assert (loaded.calibration, loaded.rejection) == (facts["calibration"], facts["rejection"])
    assert not loaded.is_trainable
    assert loaded.file("model.onnx").is_file()
    with pytest.raises(BundleError, match=r"The model “one” has no model\.keras"):
        loaded.file("model.keras")


def test_nothing_is_left_beside_it(bundle: Bundle) -> None:
    assert bundle.path is not None
    assert [path.name for path in bundle.path.parent.iterdir()] == ["tiny"]
    assert sorted(path.name for path in bundle.path.iterdir()) == ["README.md", "bundle.json", "model.onnx"]


@pytest.mark.parametrize("position", [0, 100, -1])
def test_one_changed_byte_of_a_file_is_refused(bundle: Bundle, position: int) -> None:
    path = bundle.file("model.onnx")
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(BundleError, match=r"model\.onnx of the model “tiny” was changed or damaged"):
        load_bundle(path.parent)


def test_every_changed_byte_of_the_json_is_refused_or_means_the_same(bundle: Bundle) -> None:
    assert bundle.path is not None
    path = bundle.path / "bundle.json"
    content = path.read_bytes()
    for position in range(0, len(content), 7):
        damaged = bytearray(content)
        damaged[position] ^= 1
        path.write_bytes(bytes(damaged))
        try:
            assert load_bundle(bundle.path) == bundle
        except BundleError:
            continue


def test_the_card_may_be_edited(bundle: Bundle) -> None:
    assert bundle.path is not None
    (bundle.path / "README.md").write_text("My own words.", encoding="utf-8")
    assert load_bundle(bundle.path) == bundle


def test_a_missing_file_is_named(bundle: Bundle) -> None:
    bundle.file("model.onnx").unlink()
    with pytest.raises(BundleError, match=r"The model “tiny” lacks model\.onnx"):
        load_bundle(bundle.path or Path())


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
def test_a_link_is_no_file(bundle: Bundle, tmp_path: Path) -> None:
    path = bundle.file("model.onnx")
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BundleError, match="lacks model"):
        load_bundle(path.parent)


def test_no_bundle_there(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"“gone” is no model: it has no bundle\.json"):
        load_bundle(tmp_path / "gone")


def test_a_newer_format_says_so(bundle: Bundle) -> None:
    folder = rewrite(bundle, lambda values: values.update(format_version=99))
    with pytest.raises(BundleError, match="has the format 99; this GenreScope reads up to 3. Update GenreScope"):
        load_bundle(folder)


@pytest.mark.parametrize("version", [None, 0, -1, 1.0, True, "1", [1]])
def test_versions_that_are_none(bundle: Bundle, version: object) -> None:
    with pytest.raises(BundleError, match="names no known format version"):
        load_bundle(rewrite(bundle, lambda values: values.update(format_version=version)))


def test_a_changed_value_without_a_new_digest_is_refused(bundle: Bundle) -> None:
    folder = rewrite(bundle, lambda values: values.update(genres=["a", "b", "c"]), sign=False)
    with pytest.raises(BundleError, match="was changed or damaged"):
        load_bundle(folder)


def set_in(part: str, **changes: object) -> Callable[[Values], object]:
    return lambda values: values[part].update(changes)


FORGERIES: dict[str, Callable[[Values], object]] = {
    "no genres": lambda v: v.pop("genres"),
    "one genre": lambda v: v.update(genres=["a"]),
    "equal genres": lambda v: v.update(genres=["a", "a", "b"]),
    "genre of no letters": lambda v: v.update(genres=["a", " ", "b"]),
    "genre with a line break": lambda v: v.update(genres=["a", "b\nc", "d"]),
    "genre that is a number": lambda v: v.update(genres=["a", 1, "d"]),
    "genres as text": lambda v: v.update(genres=7),
    "unknown field": lambda v: v.update(surprise=1),
    "no calibration": lambda v: v.pop("calibration"),
    "half a calibration": lambda v: v["calibration"].pop("unsure_below"),
    "temperature 0": set_in("calibration", temperature=0),
    "temperature as text": set_in("calibration", temperature="1"),
    "threshold above 1": set_in("calibration", unsure_below=2),
    "threshold below 0": set_in("calibration", set_threshold=-0.1),
    "temperature true": set_in("calibration", temperature=True),
    "fraction of a bin": set_in("feature_config", n_fft=2048.5),
    "whole number as fraction": set_in("feature_config", hop_length=914.0),
    "hop of 0": set_in("feature_config", hop_length=0),
    "a hop too small": set_in("feature_config", hop_length=1, segment_seconds=60),
    "unknown feature": set_in("feature_config", colour="blue"),
    "features as list": lambda v: v.update(feature_config=[1]),
    "rejection of another size": lambda v: v.update(rejection={"weights": [1.0], "bias": 0.0, "threshold": 0.5}),
    "rejection of text": lambda v: v.update(rejection={"weights": ["a", "b", "c"], "bias": 0.0, "threshold": 0.5}),
    "rejection as text": lambda v: v.update(rejection="yes"),
    "path as file": lambda v: v["files"].update({"../../secret": "0" * 64}),
    "no network": lambda v: v.update(files={}),
    "files as list": lambda v: v.update(files=["model.onnx"]),
    "name with a way out": lambda v: v.update(name="../../tiny"),
    "name as number": lambda v: v.update(name=5),
    "scores as text": lambda v: v.update(scores="best"),
    "embedding as text": lambda v: v.update(embedding_size="3"),
    "a number that no float holds": set_in("calibration", set_coverage=10**400),
    "a number below what any float holds": set_in("calibration", set_coverage=-(10**400)),
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_forged_json_is_refused_with_a_sentence(bundle: Bundle, forgery: str) -> None:
    with pytest.raises(BundleError, match="“tiny”|cannot be a model's name"):
        load_bundle(rewrite(bundle, FORGERIES[forgery]))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"null",
        b"[]",
        b'"text"',
        b"{",
        b"\xff\xfe\x00",
        b'{"format_version": 1, "a": NaN}',
        b'{"format_version": 1, "a": 1e999}',
        b'{"format_version": 1, "a": "\\ud800"}',
        b"[" * 200_000,
        b'{"format_version": 1, "a": ' + b"[" * 900 + b"]" * 900 + b"}",
        b'{"format_version": ' + b"9" * 5000 + b"}",
        b" " * (5 * 2**20),
    ],
    ids=range(13),
)
def test_hostile_json_is_refused_with_a_sentence(bundle: Bundle, content: bytes) -> None:
    assert bundle.path is not None
    (bundle.path / "bundle.json").write_bytes(content)
    with pytest.raises(BundleError, match="“tiny”"):
        load_bundle(bundle.path)


def test_a_description_of_more_than_four_megabytes_is_not_read(bundle: Bundle) -> None:
    assert bundle.path is not None
    text = (bundle.path / "bundle.json").read_bytes()
    for n_bytes, expected in ((4 * 2**20, contextlib.nullcontext()), (4 * 2**20 + 1, pytest.raises(BundleError))):
        (bundle.path / "bundle.json").write_bytes(text.ljust(n_bytes))
        with expected:
            assert load_bundle(bundle.path) == bundle


def test_of_one_name_the_first_shelf_has_it(tmp_path: Path) -> None:
    first, second = (tiny_bundle(tmp_path / shelf / "tiny") for shelf in ("first", "second"))
    assert bundles.bundle_folders(tmp_path / "first", tmp_path / "second") == [first.path]
    assert bundles.bundle_folders(tmp_path / "second", tmp_path / "first") == [second.path]


@pytest.mark.parametrize("name", ["", " "])
def test_a_model_without_a_name_is_asked_for_one(name: str) -> None:
    with pytest.raises(BundleError, match=r"^A model needs a name\."):
        bundles.check_name(name)


@pytest.mark.parametrize("name", [".hidden", "a/b", "..", "a b", "ä", "x" * 65, "end.", "-dash", "a\n", "a\\b"])
def test_names_that_no_folder_bears(name: str) -> None:
    with pytest.raises(BundleError, match="cannot be a model's name"):
        bundles.check_name(name)


@pytest.mark.parametrize("name", ["CON", "nul", "aux.2", "Com1", "lpt9.old.one"])
def test_names_of_a_device_of_windows_are_none_of_a_model(name: str) -> None:
    with pytest.raises(BundleError, match="Windows keeps it for a device"):
        bundles.check_name(name)


@pytest.mark.parametrize("name", ["gtzan-crnn", "My_Model.2", "7", "x" * 64, "console", "com10", "my-con"])
def test_names_that_will_do(name: str) -> None:
    assert bundles.check_name(name) == name


def test_an_existing_model_is_not_overwritten_unasked(bundle: Bundle) -> None:
    assert bundle.path is not None
    with pytest.raises(BundleError, match="A model “tiny” is there already"):
        tiny_bundle(bundle.path)
    assert load_bundle(bundle.path) == bundle


@pytest.mark.parametrize("place", ["Music", "Music/song.mp3"])
@pytest.mark.parametrize("replace", [False, True])
def test_what_is_no_model_is_never_replaced(bundle: Bundle, tmp_path: Path, place: str, replace: bool) -> None:
    """`train Music --out Music --replace` once left a model where the music had been."""
    (tmp_path / "Music").mkdir()
    (tmp_path / "Music" / "song.mp3").write_bytes(b"dear")
    with pytest.raises(PlaceTakenError, match=f"“{Path(place).name}” is no model, so none takes its place"):
        save_bundle(bundle, tmp_path / place, copy_onnx(bundle), replace=replace)
    assert (tmp_path / "Music" / "song.mp3").read_bytes() == b"dear"
    assert [path.name for path in tmp_path.glob("Music/*")] == ["song.mp3"]


def test_an_empty_folder_is_a_place_for_a_model(bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    assert save_bundle(bundle, tmp_path / "new", copy_onnx(bundle)).name == "new"


def test_the_shelf_is_in_the_order_of_the_alphabet(tmp_path: Path) -> None:
    for name in ("ska", "Zydeco", "Bolero"):
        tiny_bundle(tmp_path / name)
    assert [bundle.name for bundle in bundles.list_bundles(tmp_path)[0]] == ["Bolero", "ska", "Zydeco"]


def copy_onnx(bundle: Bundle) -> Callable[[Path], None]:
    network = bundle.file("model.onnx").read_bytes()
    return lambda draft: (draft / "model.onnx").write_bytes(network) and None


def test_replacing_leaves_one_whole_model(bundle: Bundle) -> None:
    assert bundle.path is not None
    changed = dataclasses.replace(bundle, notes="second")
    assert save_bundle(changed, bundle.path, copy_onnx(bundle), replace=True).notes == "second"
    assert [path.name for path in bundle.path.parent.iterdir()] == ["tiny"]


def test_a_failure_while_saving_leaves_the_old_model(bundle: Bundle) -> None:
    assert bundle.path is not None

    def fail(draft: Path) -> None:
        (draft / "model.onnx").write_bytes(b"half")
        raise OSError(28, "No space left on device")

    with pytest.raises(BundleError, match="could not be saved in .*: No space left on device. Nothing there"):
        save_bundle(bundle, bundle.path, fail, replace=True)
    assert load_bundle(bundle.path) == bundle
    assert [path.name for path in bundle.path.parent.iterdir()] == ["tiny"]


def test_a_failure_of_the_last_rename_brings_the_old_model_back(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = Path.rename

    def refuse_drafts(path: Path, target: Path) -> Path:
        if path.name.startswith(".tiny-") and "-old-" not in path.name:
            raise OSError(5, "Input/output error")
        return rename(path, target)

    assert bundle.path is not None
    monkeypatch.setattr(Path, "rename", refuse_drafts)
    with pytest.raises(BundleError, match="Input/output error"):
        save_bundle(bundle, bundle.path, copy_onnx(bundle), replace=True)
    assert load_bundle(bundle.path) == bundle
    assert [path.name for path in bundle.path.parent.iterdir()] == ["tiny"]


KILLED = """
import os, pathlib, signal, sys
sys.path.insert(0, sys.argv[3])
from tiny_bundle import tiny_onnx
from crnn.bundles.bundle import load_bundle, save_bundle

folder, at = pathlib.Path(sys.argv[1]), int(sys.argv[2])
rename, done = pathlib.Path.rename, 0

def counted(self, target):
    global done
    if done == at:
        os.kill(os.getpid(), signal.SIGKILL)
    done += 1
    return rename(self, target)

pathlib.Path.rename = counted
bundle = load_bundle(folder)
save_bundle(bundle, folder, lambda draft: (draft / "model.onnx").write_bytes(tiny_onnx()), replace=True)
"""


@pytest.mark.parametrize("renames_done", [0, 1])
def test_a_kill_among_the_renames_of_a_save_loses_no_model(bundle: Bundle, renames_done: int) -> None:
    folder = bundle.path
    assert folder is not None
    command = [sys.executable, "-c", KILLED, str(folder), str(renames_done), str(Path(__file__).parents[1])]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], check=False)
    assert done.returncode == -signal.SIGKILL
    assert folder.exists() == (renames_done == 0)
    assert load_bundle(folder) == bundle
    found, faults = list_bundles(folder.parent)
    assert ([b.name for b in found], faults) == (["tiny"], {})
    assert not [path for path in folder.parent.iterdir() if "-old-" in path.name]


def test_a_draft_without_network_is_not_saved(bundle: Bundle, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"files must hold model\.onnx"):
        save_bundle(bundle, tmp_path / "other", lambda draft: None)
    assert not (tmp_path / "other").exists()


def test_rewriting_the_json_keeps_the_files(bundle: Bundle) -> None:
    changed = dataclasses.replace(bundle, notes="a note", calibration=Calibration(temperature=2.0))
    assert bundles.rewrite_json(changed) == changed
    assert bundle.path is not None
    assert sorted(path.name for path in bundle.path.iterdir()) == ["README.md", "bundle.json", "model.onnx"]


def test_listing_tells_good_from_bad(bundle: Bundle) -> None:
    assert bundle.path is not None
    shelf = bundle.path.parent
    tiny_bundle(shelf / "another")
    tiny_bundle(shelf / "broken").file("model.onnx").write_bytes(b"x")
    (shelf / ".tiny-draft").mkdir()
    (shelf / "stray.txt").write_text("x", encoding="utf-8")
    found, faults = bundles.list_bundles(shelf)
    assert [one.name for one in found] == ["another", "tiny"]
    assert list(faults) == ["broken"]
    assert "was changed or damaged" in faults["broken"]
    assert bundles.list_bundles(shelf / "nowhere") == ([], {})


def test_a_model_that_came_while_another_was_saved_is_not_replaced(tmp_path: Path) -> None:
    """Two trainings of one name: the second to end is refused, not the first one's model lost."""
    tiny = tiny_bundle(tmp_path / "source")

    def write_files(draft: Path) -> None:
        (draft / "model.onnx").write_bytes(tiny.file("model.onnx").read_bytes())
        if not (tmp_path / "mine").exists():
            save_bundle(dataclasses.replace(tiny, notes="the first"), tmp_path / "mine", write_files_of_the_first)

    def write_files_of_the_first(draft: Path) -> None:
        (draft / "model.onnx").write_bytes(tiny.file("model.onnx").read_bytes())

    with pytest.raises(BundleError, match="A model “mine” is there already"):
        save_bundle(tiny, tmp_path / "mine", write_files)
    assert load_bundle(tmp_path / "mine").notes == "the first"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine", "source"]
