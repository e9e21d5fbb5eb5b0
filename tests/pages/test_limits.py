"""How much is accepted: said beside each uploader before anybody meets it, and in a sentence when he does."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from sounds import sine, wav_bytes
from streamlit.testing.v1 import AppTest
from tiny_bundle import tiny_bundle

from crnn import limits
from crnn.data import last_choice
from crnn.owner import MACHINE

APP = str(Path(__file__).resolve().parents[2] / "app.py")


@pytest.mark.parametrize(
    ("page", "sentences"),
    [
        (
            "app.py",
            [
                "Up to 200 files at once, 200 MB each, of any length.",
                "Of more than 15 minutes the spectrogram is coarse",
            ],
        ),
        (
            "pages/2_Train.py",
            ["Up to 200 files at once", "first 10 minutes"],
        ),
        ("pages/2_Train.py data sets", ["50 GiB unpacked, 100000 tracks", "GiB of disk are free"]),
        ("pages/3_Models.py", ["Up to 200 MB, 200 MB unpacked."]),
    ],
)
def test_limits_stand_beside_the_uploaders(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, page: str, sentences: list[str]
) -> None:
    monkeypatch.setenv("GENRESCOPE_HOME", str(tmp_path / "home"))
    tiny_bundle(models / "tiny")
    page, _, way = page.partition(" ")
    last_choice.keep_way("sets" if way else "clips", owner=MACHINE)
    app = AppTest.from_file(APP, default_timeout=240).switch_page(page).run()
    said = " ".join(caption.value for caption in app.main.caption)
    assert not [sentence for sentence in sentences if sentence not in said]


def test_more_files_than_are_accepted_are_told_of(app: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(limits.BY_MODE, "local", dataclasses.replace(limits.BY_MODE["local"], files_at_once=2))
    song = wav_bytes(sine(60.0, 6.0))
    app.file_uploader[0].set_value([(f"{i}.wav", song, "audio/wav") for i in range(3)]).run()
    said = " ".join(element.value for element in (*app.main.warning, *app.main.info, *app.main.caption))
    assert "3 files were given, and 2 at once are accepted: the first 2 were taken. Remove them to give" in said
    # Not in the box, which is closed by then.
    assert len(app.main.warning) == 1
    assert not [warning for box in app.main.expander for warning in box.warning]
    app.button(key="listen.remove").click().run()
    assert not app.main.warning
