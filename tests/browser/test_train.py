"""From data to a model that answers, in a real Chromium: train, refresh, stop, save, use, export, import."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from listen_in_browser import hand_over
from sounds import noise, sine, wav_bytes
from tiny_bundle import tiny_bundle
from training_runs import small_data_set

from .conftest import served

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(600)]

EPOCHS = 500
PATIENCE_MS = 300_000


@pytest.fixture
def workshop(tmp_path: Path) -> Iterator[str]:
    """The address of an app with nothing in it: no model, no run."""
    home = tmp_path / "home"
    try:
        with served(tmp_path / "models", tmp_path, GENRESCOPE_HOME=str(home)) as address:
            yield address
    finally:
        _end_runs(home)


def _end_runs(home: Path) -> None:
    """A walk that failed half-way must not leave its training behind: that outlives the server on purpose."""
    from crnn.jobs import runs
    from crnn.owner import MACHINE

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GENRESCOPE_HOME", str(home))
        active = runs.active_run(MACHINE)
        if active is not None:
            os.kill(active.status()["pid"], signal.SIGKILL)


def press(page, name: str) -> None:
    page.get_by_test_id("stMainBlockContainer").get_by_role("button", name=name, exact=True).click()


def give_clips(page, clips) -> None:
    """Upload clips of the genre that is named on Train."""
    given = [
        {"name": f"{number}.wav", "mimeType": "audio/wav", "buffer": wav_bytes(clip, subtype="PCM_16")}
        for number, clip in enumerate(clips)
    ]
    hand_over(page, given)


def test_the_whole_way_from_data_to_an_answer(chromium, workshop, tmp_path) -> None:
    from playwright.sync_api import expect

    expect.set_options(timeout=60_000)
    page = chromium.new_context(viewport={"width": 1280, "height": 1000}).new_page()
    page.set_default_timeout(60_000)
    page.goto(f"{workshop}/Train")
    start(page, small_data_set(tmp_path / "sounds", n_tracks=10))
    refresh_and_stop_in_another_tab(page, f"{workshop}/Train")
    read_the_report(page)
    save_and_use(page, tmp_path / "sounds" / "hiss" / "hiss1.wav")
    export_delete_and_import(page, tmp_path / "my-sounds.zip")


def start(page, folder: Path) -> None:
    from playwright.sync_api import expect

    page.get_by_text("Data sets", exact=True).click()
    expect(page.get_by_text("192 tracks, 8 genres")).to_be_visible(timeout=60_000)
    page.get_by_text("Add a data set").click()
    page.get_by_role("tab", name="Folder of this machine").click()
    page.get_by_label("Path of the folder").fill(str(folder))
    page.get_by_label("Path of the folder").press("Enter")
    expect(page.get_by_text("30 tracks, 3 genres")).to_be_visible()
    expect(page.get_by_text("Artists are not known")).to_be_visible()
    page.get_by_label("Epochs", exact=True).fill(str(EPOCHS))
    press(page, "Start training")


def refresh_and_stop_in_another_tab(page, address: str) -> None:
    from playwright.sync_api import expect

    progress = re.compile(rf"Learning: epoch \d+ of {EPOCHS}")
    expect(page.get_by_text(progress)).to_be_visible(timeout=PATIENCE_MS)
    expect(page.locator(".js-plotly-plot").first).to_be_visible(timeout=PATIENCE_MS)
    press(page, "Pause")
    expect(page.get_by_text("Paused.")).to_be_visible()
    page.reload()
    expect(page.get_by_text("Paused.")).to_be_visible()
    expect(page.locator(".js-plotly-plot").first).to_be_visible()
    second = page.context.new_page()
    second.goto(address)
    press(second, "Go on")
    expect(second.get_by_text("Paused.")).to_have_count(0)
    press(second, "Stop")
    # A tab that is closed at once takes its click along.
    expect(second.get_by_text(re.compile(r"Stopping\.|Calibrating|unheard tracks right")).first).to_be_visible()
    second.close()


def read_the_report(page) -> None:
    from playwright.sync_api import expect

    expect(page.get_by_role("button", name="Resume")).to_be_visible(timeout=PATIENCE_MS)
    # The same words are announced, at a moment of their own, outside the page's main part.
    main = page.get_by_test_id("stMain")
    expect(main.get_by_text(re.compile(r"\d of 6 unheard tracks right"))).to_be_visible()
    expect(page.get_by_text(re.compile(r"Kept: epoch \d+ of \d+, the one with the lowest loss"))).to_be_visible()


def save_and_use(page, song: Path) -> None:
    from playwright.sync_api import expect

    press(page, "Save as a model")
    page.get_by_label("Name").fill("my-sounds")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("Saved as my-sounds.")).to_be_visible()
    press(page, "Use it on Listen")
    expect(page.get_by_text("This model knows 3 genres: hiss, hum, sweep.")).to_be_visible()
    page.get_by_role("tab", name="Upload").click()
    hand_over(page, str(song))
    expect(page.locator('[data-testid="stMain"] h3')).to_be_visible(timeout=60_000)


def export_delete_and_import(page, packed: Path) -> None:
    from playwright.sync_api import expect

    page.get_by_role("link", name="Models").click()
    press(page, "Export")
    page.get_by_role("button", name="To import elsewhere").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Save my-sounds.zip").click()
    download.value.save_as(packed)
    page.keyboard.press("Escape")
    press(page, "Delete")
    expect(page.get_by_text("my-sounds was deleted.")).to_be_visible()
    page.get_by_text("Import a model").click()
    page.get_by_test_id("stFileUploaderDropzoneInput").last.set_input_files(str(packed))
    expect(page.get_by_text("my-sounds.zip was imported.")).to_be_visible()


def test_short_clips_from_the_microphone_train_save_and_answer(chromium, workshop, tmp_path) -> None:
    from playwright.sync_api import expect

    expect.set_options(timeout=60_000)
    tiny_bundle(tmp_path / "models" / "tiny")
    page = chromium.new_context(viewport={"width": 1280, "height": 1000}, permissions=["microphone"]).new_page()
    page.goto(f"{workshop}/Train")
    genre = page.get_by_role("textbox", name="Genre")
    genre.fill("hum")
    genre.press("Enter")
    # Of one or two seconds, where the model hears more at once. The microphone hears one tone alone: others go with it.
    microphone = page.get_by_test_id("stAudioInput")
    microphone.get_by_role("button", name="Record").click()
    page.wait_for_timeout(1600)
    microphone.get_by_role("button", name="Stop recording").click()
    expect(page.get_by_text("hum has 1 clip.")).to_be_visible()
    give_clips(page, [sine(hertz, seconds) for hertz, seconds in ((300.0, 1.2), (2000.0, 2.5))])
    expect(page.get_by_text("hum has 3 clips.")).to_be_visible()
    press(page, "Next genre")
    expect(genre).to_have_value("")
    expect(genre).to_be_focused()
    genre.fill("hiss")
    genre.press("Enter")
    give_clips(page, [noise(seconds, seed=seed) for seed, seconds in enumerate((1.1, 1.9, 3.0))])
    expect(page.get_by_text("hiss has 3 clips.")).to_be_visible()
    # A phone has no room for what was learnt below the button: the page goes there by itself.
    page.set_viewport_size({"width": 400, "height": 850})
    press(page, "Learn them")
    expect(page.get_by_text("Try it: play it something, or give it a song.")).to_be_in_viewport(timeout=PATIENCE_MS)
    press(page, "Listen")
    expect(page.get_by_text(re.compile("^(Sounds like|Can't tell|None of)")).first).to_be_visible()
