"""The Listen page in a real Chromium: real files, a real recording, sound that plays."""

from __future__ import annotations

import io
import re
import urllib.request
from pathlib import Path

import numpy as np
import pytest
import soundfile
from sounds import noise, sine, wav_bytes

from .conftest import TONE_HZ

pytestmark = pytest.mark.browser

SECONDS = 20.0
SONG = wav_bytes(np.concatenate([sine(100.0, SECONDS / 2), sine(5000.0, SECONDS / 2)]), subtype="PCM_16")

# Time at the cursor's place on the screen, and the sound's own time, over some frames.
FOLLOW = """
async ({selector, frames}) => {
  const host = [...document.querySelectorAll('[data-testid="stBidiComponentIsolated"]')]
    .find((each) => each.shadowRoot.querySelector(selector));
  const find = (name) => host.shadowRoot.querySelector(name);
  const audio = find("audio");
  const seen = [];
  for (let frame = 0; frame < frames; frame += 1) {
    await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
    const box = find(".overlay").getBoundingClientRect();
    const cursor = find(".cursor").getBoundingClientRect();
    // The line is two pixels wide, its middle on the spot.
    seen.push([(cursor.left + 1 - box.left) / box.width, audio.currentTime, audio.paused ? 1 : 0]);
  }
  return seen;
}
"""


def upload(page, *files) -> None:
    page.get_by_role("tab", name="Upload").click()
    given = [{"name": f[0], "mimeType": "audio/wav", "buffer": f[1]} if isinstance(f, tuple) else str(f) for f in files]
    page.locator('[data-testid="stFileUploaderDropzoneInput"]').set_input_files(given)


def wait_for_player(page) -> None:
    page.locator(".stage").wait_for(timeout=60_000)
    page.locator(".picture canvas").first.wait_for(timeout=60_000)


def verdict(page):
    return page.locator('[data-testid="stMain"] h3')


def loudest_hz(page, at: float = 0.5) -> float:
    """Where a visitor who moves the mouse up the spectrogram reads the highest level."""
    box = page.locator(".picture").bounding_box()
    readings = []
    for y in np.arange(box["y"] + box["height"] - 1, box["y"], -1.5):
        page.mouse.move(box["x"] + at * box["width"], y)
        text = page.locator(".readout").inner_text()
        found = re.fullmatch(r"\d+:\d\d\.\d · ([\d.]+) (k?)Hz \(\S+\) · (≤ )?(−?)(\d+) dB", text)
        assert found, text
        hz = float(found[1]) * (1000 if found[2] else 1)
        readings.append((-float(found[5]) if found[4] else float(found[5]), hz))
    top = max(level for level, _ in readings)
    return float(np.median([hz for level, hz in readings if level == top]))


def follow(page, seconds: tuple[float, float] = (0.0, SECONDS), frames: int = 45) -> np.ndarray:
    """Cursor's time and sound's time in seconds, shape `(frames, 2)`, while it plays."""
    seen = np.array(page.evaluate(FOLLOW, {"selector": ".stage", "frames": frames}))
    assert not seen[:, 2].any(), "the sound does not play"
    return np.stack([seconds[0] + seen[:, 0] * (seconds[1] - seconds[0]), seen[:, 1]], axis=1)


def sound_time(page) -> float:
    return float(page.locator(".view audio").evaluate("audio => audio.currentTime"))


@pytest.mark.parametrize("options", [("song.mp3", "-b:a", "128k"), ("song.m4a", "-c:a", "aac", "-b:a", "128k")])
def test_compressed_upload_gets_its_answer(page, encode, options: tuple[str, ...]) -> None:
    from playwright.sync_api import expect

    upload(page, encode(sine(5000.0, 12.0) + noise(12.0, level=0.001), *options))
    expect(verdict(page)).to_have_text(re.compile(r"^Sounds like treble\. (over )?\d+ % sure\.$"))
    wait_for_player(page)
    assert loudest_hz(page) == pytest.approx(5000.0, rel=0.04)
    picture = page.locator(".picture").bounding_box()
    assert picture["y"] + picture["height"] < 800, "the answer needs scrolling"


def test_recording_arrives_as_it_was_played(page) -> None:
    from playwright.sync_api import expect

    microphone = page.locator('[data-testid="stAudioInput"]')
    microphone.get_by_role("button", name="Record").click()
    page.wait_for_timeout(3500)
    microphone.get_by_role("button", name="Stop recording").click()
    expect(verdict(page)).to_have_text(re.compile("^(Sounds like|Can't tell)"))
    wait_for_player(page)
    assert loudest_hz(page) == pytest.approx(TONE_HZ, rel=0.05)
    with urllib.request.urlopen(page.locator(".view audio").evaluate("audio => audio.src")) as answer:
        samples, rate = soundfile.read(io.BytesIO(answer.read()))
    middle = samples[len(samples) // 4 : -len(samples) // 4]
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle)), 8 * len(middle)))
    assert spectrum.argmax() * rate / (8 * len(middle)) == pytest.approx(TONE_HZ, abs=1.0)
    # Played at −12 dB; the browser's resampling adds a little at the ends.
    expect(page.get_by_text(re.compile("Level check: its loudest moment is at −1[0-3] dB"))).to_be_visible()


def test_level_meter_hears_the_microphone_and_lets_go(page) -> None:
    from playwright.sync_api import expect

    page.get_by_role("button", name="Check the level").click()
    expect(page.get_by_text("Good level.")).to_be_visible()
    level = float(page.get_by_role("meter").get_attribute("aria-valuenow"))
    assert level == pytest.approx(-12.0, abs=2.0)
    page.get_by_role("button", name="Stop checking").click()
    expect(page.get_by_role("meter")).to_be_hidden()


def test_cursor_keeps_in_step_with_the_sound(page) -> None:
    upload(page, ("song.wav", SONG))
    wait_for_player(page)
    page.get_by_role("button", name="Play", exact=True).click()
    page.wait_for_timeout(400)
    steps = follow(page)
    assert np.quantile(np.abs(steps[:, 0] - steps[:, 1]), 0.9) < 0.05  # a busy machine holds up a frame
    assert steps[-1, 0] > steps[0, 0] + 0.3, "the cursor stands still"

    box = page.locator(".picture").bounding_box()
    page.mouse.click(box["x"] + 0.7 * box["width"], box["y"] + 30)
    assert sound_time(page) == pytest.approx(0.7 * SECONDS, abs=0.5)
    steps = follow(page)
    assert np.quantile(np.abs(steps[:, 0] - steps[:, 1]), 0.9) < 0.05  # a busy machine holds up a frame
    assert steps[0, 0] > 0.69 * SECONDS

    page.get_by_role("button", name="½×").click()
    page.wait_for_timeout(300)
    started, steps = sound_time(page), follow(page)
    assert np.quantile(np.abs(steps[:, 0] - steps[:, 1]), 0.9) < 0.05  # a busy machine holds up a frame
    assert page.locator(".view audio").evaluate("audio => audio.playbackRate") == 0.5
    assert steps[-1, 1] > started


def test_click_and_keys_seek(page) -> None:
    upload(page, ("song.wav", SONG))
    wait_for_player(page)
    box = page.locator(".cells").bounding_box()
    page.mouse.click(box["x"] + 0.25 * box["width"], box["y"] + 40)
    assert sound_time(page) == pytest.approx(0.25 * SECONDS, abs=0.05)
    stage = page.get_by_role("slider", name="Position in the sound")
    stage.focus()
    page.keyboard.press("ArrowRight")
    assert sound_time(page) == pytest.approx(0.25 * SECONDS + 1, abs=0.05)
    page.keyboard.press("Home")
    assert sound_time(page) == 0.0
    assert stage.get_attribute("aria-valuetext").startswith("0:00.0 of 0:20.0, bass ")
    page.keyboard.press("Space")
    page.wait_for_timeout(500)
    assert sound_time(page) > 0.1
    page.keyboard.press("Space")
    assert page.locator(".view audio").evaluate("audio => audio.paused")


def test_zoom_and_pan_keep_clicks_true(page) -> None:
    upload(page, ("song.wav", SONG))
    wait_for_player(page)
    box = page.locator(".picture").bounding_box()
    page.mouse.click(box["x"] + 0.5 * box["width"], box["y"] + 30)
    for _ in range(2):
        page.get_by_role("button", name="Zoom in").click()
    # A quarter of the sound around its middle is shown: 7.5 to 12.5 s.
    page.mouse.click(box["x"] + 0.2 * box["width"], box["y"] + 30)
    assert sound_time(page) == pytest.approx(8.5, abs=0.05)
    page.mouse.move(box["x"] + 0.8 * box["width"], box["y"] + 30)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.4 * box["width"], box["y"] + 30, steps=8)
    page.mouse.up()
    assert sound_time(page) == pytest.approx(8.5, abs=0.05), "a drag must not seek"
    page.mouse.click(box["x"] + 0.2 * box["width"], box["y"] + 30)
    assert sound_time(page) == pytest.approx(10.5, abs=0.1)
    page.keyboard.down("Control")
    page.mouse.wheel(0, 100)
    page.keyboard.up("Control")
    page.wait_for_timeout(200)
    page.get_by_role("button", name="all", exact=True).click()
    page.mouse.click(box["x"] + 0.9 * box["width"], box["y"] + 30)
    assert sound_time(page) == pytest.approx(18.0, abs=0.05)


def test_segments_exact_input_is_shown_and_left_again(page) -> None:
    from playwright.sync_api import expect

    upload(page, ("song.wav", SONG))
    wait_for_player(page)
    page.get_by_role("button", name="Play", exact=True).click()
    page.get_by_role("button", name="Show the model’s input here").click()
    expect(page.get_by_text("What the model heard from 0:00.0 to 0:10.0")).to_be_visible()
    assert not page.locator(".view audio").evaluate("audio => audio.paused"), "the sound stopped"
    page.get_by_role("button", name="Pause", exact=True).click()
    assert loudest_hz(page) == pytest.approx(100.0, rel=0.3)
    page.get_by_role("button", name="Back to the whole sound").click()
    expect(page.get_by_role("button", name="Show the model’s input here")).to_be_visible()
    assert loudest_hz(page, at=0.75) == pytest.approx(5000.0, rel=0.04)


def test_rubbish_gets_its_sentence(page) -> None:
    from playwright.sync_api import expect

    upload(page, ("notes.wav", b"these are words, not music\n" * 50))
    expect(page.get_by_role("alert")).to_contain_text("“notes.wav” is a text file. Give audio: wav, mp3, flac")
    assert page.locator(".stage").count() == 0


def test_hostile_name_is_shown_and_does_nothing(page) -> None:
    from playwright.sync_api import expect

    name = "<img src=x onerror=document.title='owned'> ![a](http://evil.example/a.png) :red[b].wav"
    upload(page, (name, b"words only\n" * 50), ("song.wav", SONG))
    expect(page.locator('[data-testid="stDataFrame"]')).to_be_visible()
    page.reload()
    upload(page, (name, b"words only\n" * 50))
    expect(page.get_by_role("alert")).to_contain_text("onerror=document.title='owned'")
    assert page.get_by_role("alert").locator("img").count() == 0
    assert "owned" not in page.title()


def test_row_of_the_table_opens_its_detail(page) -> None:
    from playwright.sync_api import expect

    upload(page, ("low.wav", wav_bytes(sine(80.0, 6.0))), ("high.wav", wav_bytes(sine(6000.0, 6.0))))
    table = page.locator('[data-testid="stDataFrame"]')
    expect(table).to_be_visible()
    page.wait_for_timeout(1000)
    box = table.bounding_box()
    page.mouse.click(box["x"] + 15, box["y"] + 33 + 33 + 16)
    expect(verdict(page)).to_contain_text("Sounds like treble.")
    wait_for_player(page)


def test_narrow_screen_shows_three_bars_and_a_player_in_reach(open_page) -> None:
    from playwright.sync_api import expect

    page = open_page(400, 800)
    upload(page, ("song.wav", SONG))
    wait_for_player(page)
    bars = page.locator(".list li")
    expect(bars.nth(2)).to_be_visible()
    toolbar = page.get_by_role("toolbar", name="Player").bounding_box()
    assert toolbar["y"] + toolbar["height"] == pytest.approx(800, abs=1)
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    top = verdict(page).bounding_box()["y"]
    assert top < page.locator(".list").bounding_box()["y"] < page.locator(".stage").bounding_box()["y"]


def test_list_of_pages_leaves_a_narrow_screen_when_one_was_chosen(open_page) -> None:
    from playwright.sync_api import expect

    page = open_page(400, 800)
    page.get_by_test_id("stExpandSidebarButton").click()
    page.get_by_test_id("stSidebar").get_by_role("link", name="Explore", exact=True).click()
    expect(page.get_by_text("a sound from the Listen page comes along")).to_be_visible()
    expect(page.get_by_test_id("stExpandSidebarButton")).to_be_visible()
    expect(page.get_by_test_id("stSidebar")).not_to_be_in_viewport()


def test_downloads_are_what_they_say(page, tmp_path: Path) -> None:
    import json

    upload(page, ("song.wav", SONG))
    wait_for_player(page)
    page.get_by_role("button", name="Download").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="JSON, everything").click()
    assert download.value.suggested_filename == "song.json"
    values = json.loads(Path(download.value.path()).read_text(encoding="utf-8"))
    assert values["file"] == "song.wav"
    assert values["duration_seconds"] == pytest.approx(SECONDS, abs=0.01)
    assert [values["timeline"][i]["genres"]["bass"] > 0.5 for i in (0, -1)] == [True, False]
    with page.expect_download() as download:
        page.get_by_role("button", name="Audacity labels").click()
    lines = Path(download.value.path()).read_text(encoding="utf-8").splitlines()
    assert [line.split("\t")[2] for line in lines] == ["bass", "treble"]


def test_long_file_shows_its_progress_and_can_be_stopped(page, tmp_path: Path) -> None:
    from playwright.sync_api import expect

    path = tmp_path / "long.wav"
    path.write_bytes(wav_bytes(np.tile(noise(10.0, 8000), 1440), 8000, "PCM_U8"))
    upload(page, path)
    expect(page.get_by_text(re.compile(r"^Listening: \d+:\d\d\.\d of 240:00\.0"))).to_be_visible()
    page.locator('[data-testid="stMain"]').get_by_role("button", name="Stop", exact=True).click()
    expect(page.get_by_text("Record ten seconds of music")).to_be_visible()
    assert page.locator(".stage").count() == 0
