"""The inputs of the recipe of `ten-genres`: digests by the shell's own words, and what is refused."""

import shutil
import subprocess
import sys

import pytest

from recipes import ear, ear_named
from recipes.ear_sounds import PACKAGES

BY_SHELL = "find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum"


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="no sha256sum here")
def test_a_file_and_a_folder_have_the_digests_that_the_shell_gives(tmp_path):
    # "Z" before "a" by bytes, and "a.wav" before "a/b.wav": 0x2e is less than 0x2f.
    for name in ("a/b.wav", "a.wav", "Z.wav", "é.wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    (tmp_path / "link.wav").symlink_to(tmp_path / "a.wav")
    by_hand = subprocess.run(["sha256sum", "a.wav"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert ear_named.digest(tmp_path / "a.wav") == by_hand.stdout.split()[0]
    by_hand = subprocess.run(["bash", "-c", BY_SHELL], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert ear_named.digest(tmp_path) == by_hand.stdout.split()[0]


def test_what_is_missing_and_what_is_another_is_named(tmp_path, monkeypatch):
    data, debian = tmp_path / "data", tmp_path / "debian"
    (data / "not-music").mkdir(parents=True)
    (data / "not-music" / "rain.flac").write_bytes(b"rain")
    (data / "gtzan-logmel.npz").write_bytes(b"frames")
    names = ("not-music", "gtzan-logmel.npz", "debian/asc-music")
    same = {name: ear_named.digest(data / name) for name in names[:2]}
    monkeypatch.setattr(ear_named, "named", lambda: same | {"debian/asc-music": "0" * 64})
    assert ear_named.others(data, debian) == ["debian/asc-music"]
    (data / "not-music" / "rain.flac").write_bytes(b"ruin")
    assert ear_named.others(data, debian) == ["not-music", "debian/asc-music"]


def test_all_that_is_read_is_named():
    assert {f"debian/{package}" for package in PACKAGES} <= set(ear_named.named())
    assert all(len(sha256) == 64 for sha256 in ear_named.named().values())


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "missing, or not what recipes/ear_named.json names: gtzan-logmel.npz,"),
        (["--body", "no/such.keras"], "no/such.keras is no file"),
    ],
)
def test_the_recipe_refuses_before_it_computes(tmp_path, monkeypatch, capsys, arguments, sentence):
    work = tmp_path / "work"
    places = ["--data", str(tmp_path), "--debian", str(tmp_path), "--work", str(work)]
    monkeypatch.setattr(sys, "argv", ["ear", *places, *arguments])
    with pytest.raises(SystemExit) as stopped:
        ear.main()
    assert stopped.value.code == 2
    assert sentence in capsys.readouterr().err
    assert not work.exists()
