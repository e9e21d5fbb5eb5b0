"""What may be ordered of a server: as much as is granted, of one's own data, from one's own models and the host's."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from crnn import limits
from crnn.errors import BundleError, CrnnError, DatasetError, DiskFullError
from crnn.jobs.order import TrainingOrder, preset
from crnn.jobs.quota import checked
from crnn.owner import MACHINE, Owner, person

ANN, BEN = person("https://id.example", "ann"), person("https://id.example", "ben")


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GENRESCOPE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GENRESCOPE_MODELS", str(tmp_path / "models"))
    folders = (tmp_path / "models" / "host", ANN.models_dir / "mine", BEN.models_dir / "his", BEN.models_dir / "host")
    for folder in folders:
        folder.mkdir(parents=True)
    return tmp_path / "models"


def order(source: str = "demo", *, epochs: int = 1, folds: int = 0, init: str | None = None) -> TrainingOrder:
    settings = preset("quick")
    settings = dataclasses.replace(settings, train=dataclasses.replace(settings.train, epochs=epochs))
    return TrainingOrder((source,), Path("new"), settings, folds=folds, init=init, n_jobs=4)


def test_at_a_machine_of_ones_own_it_stays_as_it_is(shelf: Path) -> None:
    asked = order("/anywhere", epochs=5000, folds=20, init="/some/model")
    assert checked(asked, MACHINE) is asked


def test_as_much_as_is_granted_and_in_one_process(shelf: Path) -> None:
    granted = checked(order(epochs=200, folds=5), ANN)
    assert (granted.n_jobs, granted.init) == (1, None)
    for epochs, folds in ((201, 5), (200, 6)):
        with pytest.raises(CrnnError, match=f"{epochs} epochs and {folds} folds were asked for; at most 200 epochs"):
            checked(order(epochs=epochs, folds=folds), ANN)


@pytest.mark.parametrize(("owner", "is_his"), [(ANN, True), (BEN, False)])
def test_data_of_ones_own(shelf: Path, owner: Owner, is_his: bool) -> None:
    music = owner.home / "music"
    music.mkdir(parents=True)
    if is_his:
        assert checked(order(str(music)), ANN).datasets == (str(music),)
    else:
        with pytest.raises(DatasetError, match="There is no data set “music” of yours"):
            checked(order(str(music)), ANN)


def test_a_start_of_the_hosts_or_ones_own(shelf: Path) -> None:
    starts = {"host": shelf / "host", "mine": ANN.models_dir / "mine", str(shelf / "host"): shelf / "host"}
    assert {init: checked(order(init=init), ANN).init for init in starts} == {k: str(v) for k, v in starts.items()}
    # Nor is another's found by a path that ends as the host's does.
    for init in ("his", "none", str(BEN.models_dir / "his"), str(BEN.models_dir / "host")):
        with pytest.raises(BundleError, match=f"There is no model “{Path(init).name}” to start from"):
            checked(order(init=init), ANN)


def test_who_has_no_room_left_trains_nothing(shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (ANN.home / "full").write_bytes(b"12")
    monkeypatch.setitem(limits.BY_MODE, "shared", dataclasses.replace(ANN.limits, disk_bytes=2))
    checked(order(), ANN)
    monkeypatch.setitem(limits.BY_MODE, "shared", dataclasses.replace(ANN.limits, disk_bytes=1))
    with pytest.raises(DiskFullError):
        checked(order(), ANN)
