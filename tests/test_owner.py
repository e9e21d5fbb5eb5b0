"""Who is served how, whose things lie where, and what each may do."""

from __future__ import annotations

import io
import threading
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sounds import sine, wav_bytes
from tiny_bundle import tiny_bundle

from crnn import owner as owners
from crnn.bundles import library, shelves
from crnn.bundles.bundle import Bundle, load_bundle
from crnn.data import public_addresses, user_clips
from crnn.data.scan import scan
from crnn.errors import BundleError, ClipTooLongError, CrnnError, DiskFullError, NotAllowedError
from crnn.mode import decide
from crnn.owner import MACHINE, Owner, forget, person

ANN, BEN = person("https://id.example", "ann"), person("https://id.example", "ben")
STRANGER = Owner("public", "0" * 32)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GENRESCOPE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GENRESCOPE_MODELS", str(tmp_path / "models"))
    tiny_bundle(tmp_path / "models" / "ten-genres")
    return tmp_path / "home"


@pytest.mark.parametrize(
    ("told", "address", "mode"),
    [
        ({}, "localhost", "local"),
        ({}, "127.0.0.1", "local"),
        ({}, "0.0.0.0", "public"),
        ({}, "192.168.1.5", "public"),
        ({}, None, "public"),
        ({"GENRESCOPE_LOCAL": "no"}, "localhost", "public"),
        ({"GENRESCOPE_LOCAL": "yes"}, "0.0.0.0", "public"),
        ({"GENRESCOPE_MODE": "shared"}, "localhost", "shared"),
        ({"GENRESCOPE_MODE": " Public "}, "localhost", "public"),
        ({"GENRESCOPE_MODE": "local"}, "0.0.0.0", "local"),
        ({"GENRESCOPE_MODE": "shared", "GENRESCOPE_LOCAL": "no"}, None, "shared"),
    ],
)
def test_the_mode(told: dict[str, str], address: str | None, mode: str) -> None:
    assert decide(told, address) == mode


def test_a_misspelt_mode_serves_nobody() -> None:
    with pytest.raises(CrnnError, match="is “sharred”, and local, shared or public is expected"):
        decide({"GENRESCOPE_MODE": "sharred"}, "localhost")


def test_everybody_has_folders_of_his_own(home: Path) -> None:
    assert MACHINE.home == home
    assert ANN.home.parent == BEN.home.parent == home / "people"
    assert ANN.home != BEN.home
    assert STRANGER.home == home / "visits" / ("0" * 32)
    # Where one provider's name ends and the person's begins must not be open to choice.
    assert person("https://a", "b").key != person("https://", "ab").key


@pytest.mark.parametrize("key", ["", "..", "A" * 32, "0" * 31, "../" + "0" * 29])
def test_no_key_leads_elsewhere(key: str) -> None:
    with pytest.raises(ValueError, match="owner with the key"):
        Owner("shared", key)


def test_what_each_may_do() -> None:
    acts = ("keep", "import", "train", "export", "show", "folders", "addresses")
    assert [act for act in acts if MACHINE.may(act)] == ["keep", "import", "train", "export", "folders", "addresses"]
    assert [act for act in acts if ANN.may(act)] == ["keep", "import", "train", "export", "show", "addresses"]
    assert [act for act in acts if STRANGER.may(act)] == []
    with pytest.raises(NotAllowedError, match="Folders of the server are not read"):
        ANN.require("folders")


def test_a_share_of_the_disk(home: Path) -> None:
    limit = ANN.limits.disk_bytes
    big = ANN.home / "big"
    big.parent.mkdir(parents=True)
    with big.open("wb") as file:
        file.truncate(limit - 10)
    ANN.check_room(10)
    with pytest.raises(DiskFullError, match="2048 of your 2048 MB are used"):
        ANN.check_room(11)
    BEN.check_room(limit)
    MACHINE.check_room(10 * limit)


def test_how_long_a_sound_may_be() -> None:
    owners.check_granted(3600.0, STRANGER)
    with pytest.raises(ClipTooLongError, match="longer than 1 h, which is the most"):
        owners.check_granted(3600.1, STRANGER)
    owners.check_granted(1e9, MACHINE)


def test_delete_what_is_mine(home: Path) -> None:
    for who in (ANN, BEN):
        (who.home / "runs").mkdir(parents=True)
    forget(ANN)
    assert [path.name for path in (home / "people").iterdir()] == [BEN.key]
    forget(ANN)
    with pytest.raises(NotAllowedError, match="Delete that folder"):
        forget(MACHINE)
    assert BEN.home.is_dir()


def test_what_is_unpacked_of_an_upload_is_its_owners(home: Path) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as zip_file:
        for number, genre in enumerate(("jazz", "rock")):
            zip_file.writestr(f"{genre}/a.wav", wav_bytes(sine(100.0 + number, 2.0)))
    upload = user_clips.keep_upload("songs.zip", out.getvalue(), owner=ANN)
    tracks = scan(upload).tracks
    assert all(track.path is not None and ANN.owns(track.path) for track in tracks)
    forget(ANN)
    assert not list(home.rglob("*.wav"))


def test_leftovers_are_swept(home: Path) -> None:
    (STRANGER.home / "models").mkdir(parents=True)
    (BEN.home / "models").mkdir(parents=True)
    (home / "people" / f".{ANN.key}-1").mkdir()
    owners.sweep_visits()
    assert sorted(path.name for path in home.rglob("*")) == sorted(["people", BEN.key, "models"])


def test_a_model_shown_to_all_is_seen_until_it_is_renamed(home: Path) -> None:
    made = library.save_copy(load_bundle(home.parent / "models" / "ten-genres"), "mine", owner=ANN)
    assert [s.shelf for s in shelves.visible(ANN)] == ["host", "own"]
    assert [s.shelf for s in shelves.visible(BEN)] == ["host"]
    shelves.show(made, owner=ANN, to_all=True)
    assert shelves.is_shown(made, ANN)
    assert [(s.folder, s.shelf) for s in shelves.visible(BEN)][1:] == [(made.path, "shown")]
    assert [s.shelf for s in shelves.visible(STRANGER)] == ["host"]
    with pytest.raises(BundleError, match="There is no model “mine” of yours"):
        library.rename(made, "his", owner=BEN)
    renamed = library.rename(made, "other", owner=ANN)
    assert [s.shelf for s in shelves.visible(BEN)] == ["host"]
    gone = library.delete(renamed.path or Path(), owner=ANN)
    assert library.deleted(BEN) == []
    with pytest.raises(BundleError, match="of yours"):
        library.put_back(gone, owner=BEN)
    with pytest.raises(BundleError, match="of yours"):
        library.throw_away(gone, owner=BEN)
    library.put_back(gone, owner=ANN)
    assert [s.folder.name for s in shelves.visible(ANN)] == ["ten-genres", "other"]


def test_an_admin_changes_the_hosts_models(home: Path) -> None:
    bundle = load_bundle(home.parent / "models" / "ten-genres")
    admin = person("https://id.example", "eve", is_admin=True)
    assert library.is_own(bundle, admin)
    assert not library.is_own(bundle, ANN)
    gone = library.delete(bundle.path or Path(), owner=admin)
    assert library.deleted(ANN) == []
    library.put_back(gone, owner=admin)
    assert load_bundle(home.parent / "models" / "ten-genres") == bundle


def test_no_more_models_than_are_granted(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import dataclasses

    from crnn import limits

    monkeypatch.setitem(limits.BY_MODE, "shared", dataclasses.replace(ANN.limits, models=1))
    bundle = load_bundle(home.parent / "models" / "ten-genres")
    library.save_copy(bundle, "one", owner=ANN)
    with pytest.raises(BundleError, match="You have 1 models, which is as many as are kept for you"):
        library.save_copy(bundle, "two", owner=ANN)
    with pytest.raises(NotAllowedError, match="beyond your visit"):
        library.save_copy(bundle, "two", owner=STRANGER)


def test_the_host_may_name_another_default(monkeypatch: pytest.MonkeyPatch) -> None:
    assert library.default_model() == "ten-genres"
    monkeypatch.setenv("GENRESCOPE_DEFAULT_MODEL", "ours")
    assert library.default_model() == "ours"


def test_a_stranger_keeps_no_clip(home: Path) -> None:
    with pytest.raises(NotAllowedError, match="beyond your visit"):
        user_clips.add_clip(user_clips.own_dir(STRANGER), "jazz", "a.wav", b"RIFF", owner=STRANGER)
    assert not STRANGER.home.exists()


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:4700::1111", "64:ff9b::808:808"])
def test_open_addresses(address: str) -> None:
    assert public_addresses.is_public(address)


@pytest.mark.parametrize(
    "address",
    "127.0.0.1 10.1.2.3 172.31.0.1 192.168.0.1 169.254.169.254 0.0.0.0 100.64.0.1 224.0.0.1 ::1 fe80::1 fe80::1%eth0 "
    "fd00::1 ::ffff:127.0.0.1 2002:7f00:1:: 64:ff9b::7f00:1".split(),
)
def test_addresses_of_a_network(address: str) -> None:
    assert not public_addresses.is_public(address)


def test_uploads_of_the_same_moment_share_the_room(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GENRESCOPE_HOME", str(tmp_path))
    ann = person("https://id.example", "ann")
    there = user_clips.uploads_dir(ann) / "there" / "big.zip"
    there.parent.mkdir(parents=True)
    with there.open("wb") as file:
        file.truncate(ann.limits.disk_bytes - 30 * 2**20)
    together = threading.Barrier(6)

    def keep(number: int) -> bool:
        data = bytes([number]) * (20 * 2**20)
        together.wait()
        try:
            user_clips.keep_upload(f"{number}.zip", data, owner=ann)
        except DiskFullError:
            return False
        return True

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(keep, range(6))) == 1
    assert owners.used_bytes(ann.home) <= ann.limits.disk_bytes


def test_models_saved_at_the_same_moment_share_the_room(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GENRESCOPE_HOME", str(tmp_path / "home"))
    bundle = tiny_bundle(tmp_path / "tiny")
    for number in range(ANN.limits.models - 1):
        library.save_copy(bundle, f"kept-{number}", owner=ANN)
    together, save_bundle = threading.Barrier(6), library.save_bundle

    def slowly(*args: Any, **others: Any) -> Bundle:
        time.sleep(0.1)
        return save_bundle(*args, **others)

    monkeypatch.setattr(library, "save_bundle", slowly)

    def save(number: int) -> bool:
        together.wait()
        try:
            library.save_copy(bundle, f"new-{number}", owner=ANN)
        except BundleError:
            return False
        return True

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(save, range(6))) == 1


def test_what_a_link_leads_to_is_not_his_who_made_it(home: Path, tmp_path: Path) -> None:
    (ANN.home / "uploads").mkdir(parents=True)
    (tmp_path / "another").mkdir()
    link = ANN.home / "uploads" / "mine"
    link.symlink_to(tmp_path / "another", target_is_directory=True)
    assert ANN.owns(ANN.home / "uploads")
    assert not ANN.owns(link)
    assert not ANN.owns(ANN.home / "uploads" / ".." / ".." / BEN.key)


def test_what_was_shown_is_not_shown_under_a_name_that_is_used_again(home: Path) -> None:
    host = load_bundle(home.parent / "models" / "ten-genres")
    made = library.save_copy(host, "mine", owner=ANN)
    shelves.show(made, owner=ANN, to_all=True)
    # To him it is his own, once.
    assert [s.shelf for s in shelves.visible(ANN)] == ["host", "own"]
    library.rename(made, "other", owner=ANN)
    again = library.save_copy(host, "mine", owner=ANN)
    assert [s.shelf for s in shelves.visible(BEN)] == ["host"]
    shelves.show(again, owner=ANN, to_all=True)
    first = library.delete(again.path or Path(), owner=ANN)
    library.delete(ANN.models_dir / "other", owner=ANN)
    assert [gone.name for gone in library.deleted(ANN)] == ["other", "mine"]
    library.put_back(first, owner=ANN)
    assert [s.shelf for s in shelves.visible(BEN)] == ["host"]


def test_what_was_imported_is_shown_to_nobody_nor_is_its_copy(home: Path) -> None:
    packed = library.pack(load_bundle(home.parent / "models" / "ten-genres"))
    imported = library.import_zip(packed, "foreign", owner=ANN)
    copy = library.save_copy(imported, "copied", owner=ANN)
    for bundle in (imported, copy):
        assert bundle.path is not None
        assert bundle.path.parent == ANN.imported_dir
        with pytest.raises(BundleError, match="was not made by you here"):
            shelves.show(bundle, owner=ANN, to_all=True)


def test_a_name_that_looks_like_anothers_is_taken(home: Path) -> None:
    host = load_bundle(home.parent / "models" / "ten-genres")
    library.save_copy(host, "mine", owner=ANN)
    for name in ("mlne", "M1-ne", "ten.genres"):
        with pytest.raises(BundleError, match="could be taken for it"):
            library.save_copy(host, name, owner=ANN)
