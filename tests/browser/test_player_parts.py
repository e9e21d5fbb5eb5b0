"""A part of a sound, chosen in the player in a real Chromium: its answer, its length, its coming back."""

from __future__ import annotations

import re

import pytest
import soundfile
from listen_in_browser import SONG, box_of, sound_time, upload, wait_for_player

pytestmark = pytest.mark.browser


def choose_part(page, start: float, end: float) -> None:
    """Drag from one share of the width to another."""
    select = page.get_by_role("button", name="select")
    if select.get_attribute("aria-pressed") != "true":
        select.click()
    box = box_of(page.locator(".picture"))
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + start * box["width"], y)
    page.mouse.down()
    page.mouse.move(box["x"] + end * box["width"], y, steps=5)
    page.mouse.up()


def test_answer_of_a_part_is_told_where_it_was_chosen(open_page) -> None:
    from playwright.sync_api import expect

    # As low as where a model of ten genres has its answer of the part below the screen.
    page = open_page(1280, 660)
    upload(page, ("song.wav", SONG))
    wait_for_player(page)
    told = page.locator(".told")
    expect(told).to_be_empty()
    choose_part(page, 0.6, 0.8)
    expect(told).to_have_text(re.compile(r"^This part: treble, 0\.\d\d$"))
    assert told.get_attribute("role") == "status"
    expect(told).to_be_in_viewport(ratio=1)
    expect(page.get_by_text(re.compile(r"^0:12\.0 to 0:16\.0\. Sounds like treble\. "))).not_to_be_in_viewport()
    # Buttons zoom to it, not to a cursor at 0:00; where it is not seen, nothing is said of it.
    zoom_in = page.get_by_role("button", name="Zoom in")
    zoom_in.click()
    zoom_in.click()
    expect(told).to_have_text(re.compile("^This part: treble"))
    page.get_by_role("slider", name="Position in the sound").press("Home")
    expect(told).to_be_empty()
    page.get_by_role("button", name="all", exact=True).click()
    expect(told).to_have_text(re.compile("^This part: treble"))
    choose_part(page, 0.1, 0.12)
    expect(told).to_have_text("Too short for an answer: a part needs 1 s.")
    # Of one that is only being drawn nothing is said.
    page.mouse.down()
    box = box_of(page.locator(".picture"))
    page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 20, steps=5)
    expect(told).to_be_empty()
    page.mouse.up()


def test_part_has_its_own_answer_loop_and_reasons(page) -> None:
    from playwright.sync_api import expect

    upload(page, ("song.wav", SONG))
    wait_for_player(page)
    choose_part(page, 0.6, 0.8)
    expect(page.get_by_text(re.compile(r"^0:12\.0 to 0:16\.0\. Sounds like treble\. "))).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("button", name="WAV of this part").click()
    samples, rate = soundfile.read(download.value.path())
    assert len(samples) / rate == pytest.approx(4.0, abs=0.05)
    page.get_by_role("button", name="Loop").click()
    audio = page.locator(".view audio")
    audio.evaluate("audio => { audio.currentTime = 15.5; return audio.play(); }")
    for _ in range(600):
        if 11.9 < sound_time(page) < 13.5:
            break
        page.wait_for_timeout(100)
    assert 11.9 < sound_time(page) < 15.0, "it does not go round"
    page.get_by_role("button", name="Why this part?").click()
    page.get_by_text("Why, or why not").wait_for(timeout=60_000)
    expect(page.get_by_text(re.compile("[Tt]he model hears treble")).first).to_be_visible(timeout=60_000)


def test_part_that_is_marked_has_a_length(page) -> None:
    from playwright.sync_api import expect

    upload(page, ("song.wav", SONG))
    wait_for_player(page)
    told, status, region = (page.locator(name) for name in (".told", ".status", ".region"))
    stage = page.get_by_role("slider", name="Position in the sound")

    def press(*keys: str) -> None:
        for key in keys:
            stage.press(key)

    # At its very beginning nothing ends, at its end nothing starts.
    press("Home", "o")
    expect(told).to_have_text("A part ends after it starts: go on, then press O.")
    expect(region).to_be_hidden()
    press("End", "i")
    expect(told).to_have_text("A part starts before it ends: go back, then press I.")
    expect(region).to_be_hidden()
    press("Home", "ArrowRight")
    expect(told).to_be_empty()
    # At one moment both: what there was stays.
    press("i")
    expect(status).to_have_text("Part: 0:01.0 to 0:20.0")
    press("o")
    expect(told).to_have_text("A part ends after it starts: go on, then press O.")
    expect(status).to_have_text("Part: 0:01.0 to 0:20.0")
    press("PageUp", "o")
    expect(status).to_have_text("Part: 0:01.0 to 0:11.0")
    # One that starts after its end goes on to where the picture ends.
    press("ArrowRight", "i")
    expect(status).to_have_text("Part: 0:12.0 to 0:20.0")
    press("PageDown", "o")
    expect(status).to_have_text("Part: 0:00.0 to 0:02.0")


def test_part_comes_back_with_the_page(page) -> None:
    from playwright.sync_api import expect

    upload(page, ("song.wav", SONG))
    wait_for_player(page)
    told, status = page.locator(".told"), page.locator(".status")
    choose_part(page, 0.6, 0.8)
    expect(told).to_have_text(re.compile("^This part: treble"))
    page.reload()
    wait_for_player(page)
    expect(status).to_have_text("Part: 0:12.0 to 0:16.0")
    expect(told).to_have_text(re.compile("^This part: treble"))
    expect(page.get_by_text(re.compile(r"^0:12\.0 to 0:16\.0\. Sounds like treble\. "))).to_be_visible()
    # One that was dropped stays away.
    page.keyboard.press("Escape")
    expect(page.get_by_text("Ask about a part: press")).to_be_visible()
    page.reload()
    wait_for_player(page)
    expect(page.get_by_text("Ask about a part: press")).to_be_visible()
    expect(page.locator(".region")).to_be_hidden()
