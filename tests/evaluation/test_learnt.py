"""Scores of tracks that the model learnt say so, and those of other tracks of the same names do not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sounds import RATE, sine, wav_bytes
from tiny_bundle import tiny_bundle
from training_runs import small_data_set

from crnn.__main__ import main
from crnn.jobs.order import TrainingOrder, preset
from crnn.training.pipeline import carry_out


@pytest.fixture
def learnt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The 18 tracks that a head has learnt."""
    monkeypatch.setenv("GENRESCOPE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GENRESCOPE_MODELS", str(tmp_path / "models"))
    tiny_bundle(tmp_path / "models" / "tiny")
    folder = small_data_set(tmp_path / "sounds", seconds=1.2)
    order = TrainingOrder((str(folder),), tmp_path / "models" / "mine", preset("quick"), init="tiny", method="head")
    assert carry_out(order).bundle is not None
    return folder


def notes_of(folder: Path, capsys: pytest.CaptureFixture[str]) -> tuple[list[str], str]:
    capsys.readouterr()
    main(["evaluate", str(folder), "--model", "mine", "--format", "json"])
    said = capsys.readouterr()
    return json.loads(said.out)["notes"], said.err


def test_learnt_tracks_are_told(learnt, capsys) -> None:
    said = "18 of these 18 tracks were learnt by the model: the scores say nothing of music unheard."
    notes, err = notes_of(learnt, capsys)
    assert said in notes
    assert said in err
    capsys.readouterr()
    main(["evaluate", str(learnt), "--model", "mine"])
    assert said in capsys.readouterr().out


def test_learnt_tracks_among_others_are_known_by_their_sound(learnt, capsys) -> None:
    (learnt / "hum" / "new.wav").write_bytes(wav_bytes(sine(1500.0, 1.2), RATE, "PCM_16"))
    notes, _ = notes_of(learnt, capsys)
    assert notes[-1].startswith("18 of these 19 tracks were learnt")
    assert notes[-1].endswith("by these the scores are better than on music unheard.")


def test_other_tracks_of_the_same_names_are_not_taken_for_learnt(learnt, capsys) -> None:
    sounds = {genre: sorted((learnt / genre).iterdir()) for genre in ("hum", "hiss", "sweep")}
    contents = {genre: [path.read_bytes() for path in paths] for genre, paths in sounds.items()}
    for genre, stranger in (("hum", "hiss"), ("hiss", "sweep"), ("sweep", "hum")):
        for path, content in zip(sounds[genre], contents[stranger], strict=True):
            path.write_bytes(content)
    assert notes_of(learnt, capsys) == ([], "")
