"""What is wrong with the data that `train` learns from: told on stderr, and by the status."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tiny_bundle import tiny_bundle
from training_runs import small_data_set

from crnn.__main__ import main
from crnn.bundles.bundle import load_bundle
from crnn.training.materials import Outcome


@pytest.fixture
def sounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GENRESCOPE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GENRESCOPE_MODELS", str(tmp_path / "models"))
    # pytest keeps its own.
    monkeypatch.setattr("signal.signal", lambda *_: None)
    tiny_bundle(tmp_path / "models" / "tiny")
    return small_data_set(tmp_path / "sounds", n_tracks=4, seconds=1.2)


def trained(folder: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    out = folder.parent / "models" / "mine"
    status = main(["train", str(folder), "--preset", "instant", "--init", "tiny", "--jobs", "1", "--out", str(out)])
    assert (out / "bundle.json").is_file()
    return status, capsys.readouterr().err


def test_what_could_not_be_used_is_told_and_is_status_1_though_the_model_is_saved(sounds, capsys) -> None:
    (sounds / "hum" / "text.mp3").write_text("This is no sound.")
    (sounds / "hiss" / "zero.ogg").write_bytes(b"")
    garbled = sounds / "sweep" / "garbled.wav"
    garbled.write_bytes((sounds / "sweep" / "sweep0.wav").read_bytes()[:60])
    status, err = trained(sounds, capsys)
    assert status == 1
    assert "hum/text.mp3: The file is a text file.\n" in err
    assert "hiss/zero.ogg: The file is empty (0 bytes).\n" in err
    assert err.count("garbled") == 1


def test_one_recording_under_two_genres_is_told(sounds, capsys) -> None:
    shutil.copy(sounds / "hum" / "hum0.wav", sounds / "hiss" / "wrong.wav")
    status, err = trained(sounds, capsys)
    assert status == 1
    assert "hum0, wrong: 2 tracks are the same recording. It is filed under hiss and hum.\n" in err


def test_copies_under_one_genre_are_told_and_are_no_failure(sounds, capsys) -> None:
    shutil.copy(sounds / "hum" / "hum0.wav", sounds / "hum" / "again.wav")
    status, err = trained(sounds, capsys)
    assert status == 0
    assert "again, hum0: 2 tracks are the same recording.\n" in err


def test_wrong_use_is_status_2_and_data_that_do_not_allow_it_1(sounds, capsys) -> None:
    there, new = sounds.parent / "models" / "tiny", sounds.parent / "models" / "new"
    order = ["train", str(sounds), "--init", "tiny", "--out"]
    assert main([*order, str(new), "--preset", "instant", "--epochs", "3"]) == 2
    assert main([*order, str(there), "--preset", "instant"]) == 2
    assert main([*order, str(new), "--init", "nosuch"]) == 2
    assert main(["evaluate", str(sounds), "--model", "nosuch"]) == 2
    assert main(["classify", str(sounds), "--model", "nosuch"]) == 2
    assert main([*order, str(new), "--preset", "instant", "--split", "artist"]) == 1
    assert "No artist is known" in capsys.readouterr().err
    assert main(["train", str(sounds / "nowhere"), "--init", "tiny", "--out", str(new), "--preset", "instant"]) == 1


def test_after_a_stop_it_is_told_how_to_go_on(sounds, capsys, monkeypatch) -> None:
    """--resume alone would be refused, for the best so far lies there as a model."""
    best = load_bundle(sounds.parent / "models" / "tiny")
    for stopped, said in ((True, "Stopped: the best so far was kept. "), (False, "")):
        monkeypatch.setattr("crnn.training.pipeline.carry_out", lambda *_, s=stopped, **__: Outcome(best, (), s))
        assert main(["train", str(sounds), "--out", "m", "--init", "scratch"]) == 0
        assert capsys.readouterr().err == (said and f"{said}The same command with --resume --replace goes on.\n")
