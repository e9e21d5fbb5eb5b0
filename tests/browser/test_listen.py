"""The Listen page in a real Chromium: real files, a real recording, and what is taken home."""

from __future__ import annotations

import io
import re
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
import soundfile
from listen_in_browser import (
    SECONDS,
    SONG,
    box_of,
    loudest_hz,
    page_that_listens,
    upload,
    verdict,
    wait_for_player,
)
from sounds import noise, sine, wav_bytes

from .conftest import TONE_HZ

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("options", [("song.mp3", "-b:a", "128k"), ("song.m4a", "-c:a", "aac", "-b:a", "128k")])
def test_compressed_upload_gets_its_answer(page, encode, options: tuple[str, ...]) -> None:
    from playwright.sync_api import expect

    upload(page, encode(sine(5000.0, 12.0) + noise(12.0, level=0.001), *options))
    expect(verdict(page)).to_have_text(re.compile(r"^Sounds like treble\. (over )?\d+\s% sure\.$"))
    wait_for_player(page)
    assert loudest_hz(page) == pytest.approx(5000.0, rel=0.04)
    picture = box_of(page.locator(".picture"))
    assert picture["y"] + picture["height"] < 800, "the answer needs scrolling"


def test_recording_arrives_as_it_was_played(page) -> None:
    from playwright.sync_api import expect

    page.get_by_text("Record first, answer afterwards").click()
    microphone = page.locator('[data-testid="stAudioInput"]')
    microphone.get_by_role("button", name="Record").click()
    page.wait_for_timeout(3500)
    microphone.get_by_role("button", name="Stop recording").click()
    expect(verdict(page)).to_have_text(re.compile("^(Sounds like|Can't tell)"))
    wait_for_player(page)
    assert loudest_hz(page) == pytest.approx(TONE_HZ, rel=0.05)
    answer = page.request.get(page.locator(".view audio").evaluate("audio => audio.src"))
    samples, rate = soundfile.read(io.BytesIO(answer.body()))
    middle = samples[len(samples) // 4 : -len(samples) // 4]
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle)), 8 * len(middle)))
    assert spectrum.argmax() * rate / (8 * len(middle)) == pytest.approx(TONE_HZ, abs=1.0)
    # Played at −12 dB; the browser's resampling adds a little at the ends.
    expect(page.get_by_text(re.compile("Level check: its loudest moment is at −1[0-3] dB"))).to_be_visible()


def test_level_meter_hears_the_microphone_and_lets_go(page) -> None:
    from playwright.sync_api import expect

    page.get_by_text("Record first, answer afterwards").click()
    page.get_by_role("button", name="Check the level").click()
    expect(page.get_by_text("Good level.")).to_be_visible()
    level = float(page.get_by_role("meter").get_attribute("aria-valuenow"))
    assert level == pytest.approx(-12.0, abs=2.0)
    page.get_by_role("button", name="Stop checking").click()
    expect(page.get_by_role("meter")).to_be_hidden()
    # A context that never wakes, as in a browser without a sound output.
    page.evaluate("AudioContext.prototype.__defineGetter__('state', () => 'suspended')")
    page.get_by_role("button", name="Check the level").click()
    expect(page.get_by_text("the browser has no sound output")).to_be_visible()


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
    page.get_by_text("2 files · change").wait_for()
    upload(page, (name, b"words only\n" * 50))
    expect(page.get_by_role("alert")).to_contain_text("onerror=document.title='owned'")
    assert page.get_by_role("alert").locator("img").count() == 0
    assert "owned" not in page.title()


def test_row_is_chosen_by_a_click_anywhere_and_found_again_with_cursor_and_zoom(page) -> None:
    from playwright.sync_api import expect

    upload(page, ("low.wav", wav_bytes(sine(80.0, 6.0))), ("high.wav", wav_bytes(sine(6000.0, 6.0))))
    expect(verdict(page)).to_contain_text("Sounds like bass.")
    table = page.locator('[data-testid="stDataFrame"]')
    for _ in range(6):  # the table is a canvas, which takes clicks some time after it is there
        box = box_of(table)
        page.mouse.click(box["x"] + 0.6 * box["width"], box["y"] + 33 + 33 + 16)
        try:
            expect(verdict(page)).to_contain_text("Sounds like treble.", timeout=10_000)
            break
        except AssertionError:
            continue
    expect(verdict(page)).to_contain_text("Sounds like treble.")
    # The player of the row before stays until this one's is drawn.
    page.locator(".title", has_text="high.wav").wait_for()
    wait_for_player(page)
    page.get_by_role("button", name="Zoom in").click()
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("ArrowRight")
    expect(page.locator(".now")).to_have_text("0:01.0")
    page.wait_for_timeout(1000)  # the next frame draws it
    scale = page.locator(".stage > .clock")
    shown = scale.screenshot()

    def is_as_it_was() -> None:
        expect(verdict(page)).to_contain_text("Sounds like treble.")
        wait_for_player(page)
        expect(page.locator(".now")).to_have_text("0:01.0")
        for _ in range(60):
            if scale.screenshot() == shown:
                return
            page.wait_for_timeout(500)
        pytest.fail("another part is shown")

    page.get_by_role("link", name="Explore", exact=True).click()
    page.get_by_text("Two sounds", exact=True).wait_for()
    page.get_by_role("link", name="Listen", exact=True).click()
    is_as_it_was()
    page.reload()
    is_as_it_was()
    # What is read out: the answer, once it is there.
    expect(page.locator("#genrescope-announcer")).to_have_text(re.compile("Sounds like treble"))


# What the server says arrives as much later as the page is told.
LATE = """
(() => {
  const listen = WebSocket.prototype.addEventListener;
  WebSocket.prototype.addEventListener = function (type, act, ...more) {
    const later = (event) => (window.lateMs ? setTimeout(() => act(event), window.lateMs) : act(event));
    return listen.call(this, type, type === "message" ? later : act, ...more);
  };
})();
"""


def test_zoom_just_before_leaving_does_not_lead_back(open_page) -> None:
    from playwright.sync_api import expect

    page = open_page()
    page.context.add_init_script(LATE)
    page.reload()
    upload(page, ("song.wav", SONG))
    wait_for_player(page)
    page.wait_for_function("document.querySelector('[data-testid=stApp]').dataset.testScriptState === 'notRunning'")
    page.evaluate("window.lateMs = 1500")
    page.get_by_role("button", name="Zoom in").click()
    page.get_by_role("link", name="Explore", exact=True).click()
    page.get_by_text("Two sounds", exact=True).wait_for()
    page.evaluate("window.lateMs = 0")
    # A word that came too late would empty the page when Explore has been drawn.
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")
    wait_for_player(page)
    expect(page.get_by_text("Two sounds", exact=True)).to_be_visible()


def test_a_link_leads_on_where_a_table_speaks_after_it(open_page) -> None:
    page = open_page()
    page.context.add_init_script(LATE)
    page.reload()
    upload(page, *((f"{number}.wav", wav_bytes(sine(100.0 * number, 20.0))) for number in (1, 2, 3)))
    wait_for_player(page)
    box = box_of(page.get_by_test_id("stDataFrame"))
    page.mouse.click(box["x"] + 16, box["y"] + 35 + 35 + 17)
    page.locator(".view .title", has_text="2.wav").wait_for()
    wait_for_player(page)
    page.wait_for_function("document.querySelector('[data-testid=stApp]').dataset.testScriptState === 'notRunning'")
    page.evaluate("window.lateMs = 1000")
    # Of the cell that the arrow leads to the table tells 150 ms later, and by that asks for Listen.
    page.keyboard.press("ArrowRight")
    page.get_by_role("link", name="Explore", exact=True).click()
    page.get_by_text("Two sounds", exact=True).wait_for(timeout=20_000)
    wait_for_player(page)


def test_a_link_that_led_on_leads_nowhere_else(page) -> None:
    for name, path in (("Models", "/Models"), ("Listen", "/"), ("Explore", "/Explore"), ("Listen", "/")):
        page.get_by_role("link", name=name, exact=True).click()
        # A page that has just come notes nothing yet, and is left all the same.
        page.wait_for_function("path => location.pathname === path", arg=path)
        page.wait_for_function("document.documentElement.dataset.genrescopeLeaving === undefined")
        assert urlsplit(page.url).path == path


def test_who_goes_back_at_once_is_not_led_on_again(page) -> None:
    page.get_by_role("link", name="Explore", exact=True).click()
    page.wait_for_url("**/Explore")
    page.go_back()
    # Longer than a link is waited for.
    page.wait_for_timeout(3000)
    assert urlsplit(page.url).path == "/"


def test_a_link_leads_on_from_a_microphone_that_listens(open_page) -> None:
    page = open_page()
    page.context.add_init_script(LATE)
    page.reload()
    page.get_by_role("button", name="Listen", exact=True).click()
    page.locator(".answer[data-seconds]").wait_for(timeout=60_000)
    page.evaluate("window.lateMs = 1000")
    page.get_by_role("link", name="Explore", exact=True).click()
    page.get_by_text("Two sounds", exact=True).wait_for(timeout=20_000)
    wait_for_player(page)


def test_narrow_screen_shows_three_bars_and_a_player_in_reach(open_page) -> None:
    from playwright.sync_api import expect

    page = open_page(400, 800)
    upload(page, ("song.wav", SONG))
    wait_for_player(page)
    bars = page.locator(".list li")
    expect(bars.nth(2)).to_be_visible()
    toolbar = box_of(page.get_by_role("toolbar", name="Player"))
    assert toolbar["y"] + toolbar["height"] == pytest.approx(800, abs=1)
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    top = box_of(verdict(page))["y"]
    assert top < box_of(page.locator(".list"))["y"] < box_of(page.locator(".stage"))["y"]


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
    assert [line.split("\t")[2] for line in lines] == [stretch["genre"] for stretch in values["stretches"]]
    assert lines


def test_long_file_shows_its_progress_and_can_be_stopped(open_page, tmp_path: Path) -> None:
    from playwright.sync_api import expect

    path = tmp_path / "long.wav"
    path.write_bytes(wav_bytes(np.tile(noise(10.0, 8000), 1440), 8000, "PCM_U8"))
    # So long a sound may take some seconds alone: Stop is pressed as soon as the bar has words.
    stop = r"""() => {
      const button = [...document.querySelectorAll('button')].find((b) => b.innerText.trim() === 'Stop');
      if (!button || !/Listening: [\d:]+\.\d of 4:00:00\.0/.test(document.body.innerText)) return false;
      button.click();
      return true;
    }"""
    page = page_that_listens(open_page, path, stop)
    stopped = page.get_by_text(re.compile(r"^Stopped at [\d:]+\.\d of 4:00:00\.0\. So far:"))
    expect(stopped).to_be_visible()
    expect(page.locator(".stage")).to_be_visible()
    page.get_by_role("button", name="Go on").click()
    expect(stopped).to_be_hidden()
    page.wait_for_function(stop, polling=50, timeout=120_000)
    expect(stopped).to_be_visible()


def test_file_added_while_another_is_heard_takes_over_its_bar(open_page, tmp_path: Path) -> None:
    from playwright.sync_api import expect

    first, second = tmp_path / "first.wav", tmp_path / "second.wav"
    first.write_bytes(wav_bytes(np.tile(noise(10.0, 8000), 1440), 8000, "PCM_U8"))
    second.write_bytes(SONG)
    is_heard = r"/Listening: [\d:]+\.\d of 4:00:00\.0/.test(document.body.innerText)"
    page = page_that_listens(open_page, first, is_heard)
    upload(page, second)
    told = page.get_by_text(re.compile(r"Listening to 1 of 2 files: [\d:]+\.\d of 4:00:00\.0"))
    expect(told).to_be_visible(timeout=60_000)
    # One bar and one Stop, while the page is on its way and what stood there has not gone.
    stops = page.get_by_role("button", name="Stop", exact=True)
    assert stops.count() == 1
    share = "Number(document.querySelector('[data-testid=stProgress] [role=progressbar]').ariaValueNow)"
    page.wait_for_function(f"{share} > 0 && {share} <= 50", timeout=60_000)
    stops.click()


def test_card_is_a_picture_and_a_page_that_stand_alone(page) -> None:
    from playwright.sync_api import expect

    upload(page, ("song.wav", SONG))
    wait_for_player(page)
    page.get_by_role("button", name="Share").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Picture (PNG)").click()
    assert download.value.suggested_filename == "song.png"
    header = Path(download.value.path()).read_bytes()[:24]
    assert header[:8] == b"\x89PNG\r\n\x1a\n"
    assert int.from_bytes(header[16:20]) == 2400, "twice as fine as the card is wide"
    with page.expect_download() as download:
        page.get_by_role("button", name="Page (HTML)").click()
    assert download.value.suggested_filename == "song.html"
    alone = page.context.new_page()
    asked: list[str] = []
    alone.on("request", lambda request: asked.append(request.url))
    alone.set_content(Path(download.value.path()).read_text(encoding="utf-8"))
    expect(alone.get_by_role("heading")).to_have_text(re.compile("bass"))
    expect(alone.get_by_role("cell", name="treble").first).to_be_visible()
    # Whatever font this browser has, no word is over the edge of the card.
    right = "Math.max(...[...document.querySelectorAll('svg text')].map((t) => t.getBBox().x + t.getBBox().width))"
    assert alone.evaluate(right) < 1200
    assert not [address for address in asked if not address.startswith("data:")]


def test_first_visit_shows_an_example_that_is_one_click_away(page) -> None:
    from playwright.sync_api import expect

    expect(page.get_by_text("This model heard the example")).to_be_visible()
    page.get_by_role("button", name="Hear and see it").click()
    expect(verdict(page)).to_be_visible()
    wait_for_player(page)
    expect(page.get_by_text("This model heard the example")).to_have_count(0)
    expect(page.get_by_text("disco groove · 0:24 · change")).to_be_visible()
