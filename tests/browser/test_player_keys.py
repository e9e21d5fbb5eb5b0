"""The player's keys on a page in a real Chromium, wherever the last click was."""

from __future__ import annotations

import pytest
from listen_in_browser import SONG, box_of, sound_time, upload, wait_for_player, wait_until_it_plays
from sounds import sine, wav_bytes

pytestmark = pytest.mark.browser


def test_keys_are_the_players_after_a_click_on_what_is_no_field(page) -> None:
    upload(page, ("song.wav", SONG))
    wait_for_player(page)
    audio = page.locator(".view audio")

    def pressed(key: str) -> tuple[float, bool, float]:
        page.keyboard.press(key)
        return tuple(audio.evaluate("audio => [audio.currentTime, audio.paused, audio.playbackRate]"))

    play, half = page.locator(".play"), page.get_by_role("button", name="½×")
    play.click()
    assert pressed("Shift+ArrowRight")[0] >= 10
    assert pressed("Space")[1]
    half.click()
    assert pressed("Space")[1:] == (False, 0.5)
    assert pressed("Space")[1:] == (True, 0.5)
    page.get_by_text("The same in words and numbers").click()
    at = sound_time(page)
    assert pressed("ArrowLeft")[0] == pytest.approx(at - 1, abs=0.02)
    # Come to by keyboard, a button keeps its space, and arrows mean nothing to it.
    page.get_by_role("button", name="1×", exact=True).click()
    page.keyboard.press("Shift+Tab")
    assert pressed("Space") == pytest.approx((at - 1, True, 0.75), abs=0.02)
    assert pressed("ArrowLeft")[0] == pytest.approx(at - 2, abs=0.02)
    for _ in range(3):
        page.keyboard.press("Tab")
    assert pressed("ArrowRight")[0] == pytest.approx(at - 1, abs=0.02)
    assert page.get_by_role("button", name="Loop").evaluate("button => button.matches(':focus')")
    assert pressed("Space")[1]
    assert page.get_by_role("button", name="Loop").get_attribute("aria-pressed") == "true"


def test_space_plays_after_a_click_on_a_table_or_a_choice(page) -> None:
    from playwright.sync_api import expect

    upload(page, *((f"{number}.wav", wav_bytes(sine(100.0 * number, 20.0))) for number in (1, 2, 3)))
    wait_for_player(page)
    audio = page.locator(".view audio")
    box = box_of(page.get_by_test_id("stDataFrame"))
    page.mouse.click(box["x"] + 16, box["y"] + 35 + 35 + 17)
    # For a moment the player before may be there as well.
    page.locator(".view .title", has_text="2.wav").wait_for()
    wait_for_player(page)
    page.keyboard.press("Space")
    wait_until_it_plays(page)
    page.keyboard.press("Space")
    assert audio.evaluate("audio => audio.paused")
    # The arrows are the table's, letters are not.
    at = sound_time(page)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("l")
    assert sound_time(page) == at
    expect(page.locator(".loop")).to_have_attribute("aria-pressed", "true")
    page.get_by_role("link", name="Explore", exact=True).click()
    page.get_by_text("What if", exact=True).first.click()
    page.get_by_text("without a rectangle", exact=True).wait_for()
    wait_for_player(page)
    page.get_by_text("without a rectangle", exact=True).click()
    page.get_by_text("drag a rectangle").wait_for()
    wait_for_player(page)
    page.keyboard.press("Space")
    wait_until_it_plays(page)
    expect(page.get_by_role("radio", name="without a rectangle")).to_be_checked()
