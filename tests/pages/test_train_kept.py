"""How much is kept, said on Train and cleared there; where a training starts, followed by name and content."""

from __future__ import annotations

from pathlib import Path

import pytest
from page_words import read
from sounds import RATE, sine, wav_bytes
from streamlit.testing.v1 import AppTest
from tiny_bundle import tiny_bundle
from train_page import open_page, zipped

from crnn.bundles import library
from crnn.bundles.bundle import load_bundle
from crnn.data import user_clips
from crnn.owner import MACHINE


@pytest.fixture(autouse=True)
def _nothing_made(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What trainings of other tests had made counts as kept, too."""
    monkeypatch.setenv("GENRESCOPE_MADE", str(home / "made"))


def kept_line(app: AppTest) -> str:
    return next((line for line in read(app).splitlines() if line.startswith(("Kept on", "Cleared"))), "")


def test_what_is_kept_is_said_and_cleared(home: Path) -> None:
    songs = {f"{g}/{g}{i}.wav": wav_bytes(sine(99.0 * i + ord(g), 2.0)) for g in "ab" for i in (1, 2)}
    # One that can be learnt from: another is taken out of the choice.
    chosen = user_clips.keep_upload("chosen.zip", zipped(songs | {"notes": bytes(5 * 2**19)}), owner=MACHINE)
    other = user_clips.keep_upload("other.zip", bytes(2 * 2**20), owner=MACHINE)
    app = open_page()
    assert "Kept on this machine to be quicker next time:" in kept_line(app)
    assert "uploads 5 MB" in kept_line(app)
    app.multiselect(key="train.sources").set_value([str(chosen)]).run()
    app.button(key="train.kept.uploads").click().run()
    assert not app.exception
    assert kept_line(app) == "Cleared 2 MB."
    assert (chosen.exists(), other.exists()) == (True, False)
    assert "uploads 3 MB" in kept_line(app.run())


def test_nothing_is_said_where_nothing_is_kept(home: Path) -> None:
    assert kept_line(open_page()) == ""
    assert kept_line(open_page("clips")) == ""


def test_a_start_that_was_renamed_elsewhere_is_followed(home: Path, models: Path) -> None:
    """Chosen, renamed in another window, chosen still; deleted, another stands in its place and that is said."""
    tiny_bundle(models / "first")
    tiny_bundle(models / "second", genres=("low", "mid", "high"))
    for genre in ("choro", "samba"):
        for hz in (200.0, 300.0):
            clip = wav_bytes(sine(hz + 7 * len(genre), 2.0), RATE, "PCM_16")
            user_clips.add_clip(user_clips.own_dir(MACHINE), genre, "", clip, owner=MACHINE)
    app = open_page()
    app.selectbox(key="train.head.init").set_value("second").run()
    library.rename(load_bundle(models / "second"), "zebra", owner=MACHINE)
    app.run()
    assert not app.exception
    assert app.selectbox(key="train.head.init").value == "zebra"
    assert "second is called zebra now." in read(app)
    assert "called zebra" not in read(app.run())
    library.delete(models / "zebra", owner=MACHINE)
    app.run()
    assert app.selectbox(key="train.head.init").value == "first"
    assert "zebra is no longer there. It starts from first instead." in read(app)
