"""The Listen page in a browser, read and handled as a visitor does."""

from __future__ import annotations

import re

import numpy as np
import pytest
from sounds import sine, wav_bytes

SECONDS = 20.0
SONG = wav_bytes(np.concatenate([sine(100.0, SECONDS / 2), sine(5000.0, SECONDS / 2)]), subtype="PCM_16")


def hand_over(place, files) -> None:
    """Give files to the one uploader of a place, once what stood there before the last act has gone.

    A page shows an uploader and the one that takes its place side by side until its run has ended.
    """
    from playwright.sync_api import expect

    uploader = place.get_by_test_id("stFileUploaderDropzoneInput")
    expect(uploader).to_have_count(1)
    uploader.set_input_files(files)


def upload(page, *files) -> None:
    change = page.get_by_text(re.compile(r"^\S.* · change$"))
    # The page may not be there yet: one of the two comes.
    page.get_by_role("tab", name="Upload").or_(change).first.wait_for()
    if not page.get_by_role("tab", name="Upload").is_visible():
        change.click()
    page.get_by_role("tab", name="Upload").click()
    given = [{"name": f[0], "mimeType": "audio/wav", "buffer": f[1]} if isinstance(f, tuple) else str(f) for f in files]
    hand_over(page, given)


def page_that_listens(open_page, path, is_listening: str):
    """A page that was given a long sound, once JavaScript says that it listens.

    On a machine busy with other tests the first page may show nothing of an upload for a minute; why was not found.
    """
    from playwright.sync_api import TimeoutError as TimedOutError

    shown = []
    for _ in range(3):
        page = open_page()
        upload(page, path)
        try:
            page.wait_for_function(is_listening, polling=50, timeout=90_000)
        except TimedOutError:
            shown.append(page.inner_text("body"))
            page.close()
        else:
            return page
    raise AssertionError("\n---\n".join(shown))


def wait_for_player(page) -> None:
    from playwright.sync_api import expect

    # Until the page is drawn to its end a player may still be put elsewhere, and the one before it be there, too.
    app = page.get_by_test_id("stApp")
    expect(app).to_have_attribute("data-test-script-state", "notRunning", timeout=60_000)
    expect(page.locator(".stage")).to_have_count(1, timeout=60_000)
    expect(app).to_have_attribute("data-test-script-state", "notRunning", timeout=60_000)
    # What the page needs is fetched when it is first drawn, and Streamlit hides what is beside it meanwhile.
    page.wait_for_load_state("networkidle")
    page.locator(".picture canvas").first.wait_for(timeout=60_000)


def box_of(locator):
    """Where it is; while a part of the page is still fetched Streamlit hides what is beside it."""
    for _ in range(100):
        box = locator.bounding_box()
        if box is not None:
            return box
        locator.page.wait_for_timeout(100)
    pytest.fail("it is not shown")


# Whether any view's sound is heard; the element may be another one by now.
PLAYS = """() => [...document.querySelectorAll('[data-testid="stBidiComponentIsolated"]')].some((host) => {
  const audio = host.shadowRoot?.querySelector("audio");
  return audio && !audio.paused && audio.currentTime > 0.1;
})"""


def wait_until_it_plays(page) -> None:
    page.wait_for_function(PLAYS)


def verdict(page):
    return page.locator('[data-testid="stMain"] h3')


def loudest_hz(page, at: float = 0.5) -> float:
    """Where a visitor who moves the mouse up the spectrogram reads the highest level."""
    box = box_of(page.locator(".picture"))
    readings = []
    for y in np.arange(box["y"] + box["height"] - 1, box["y"], -1.5):
        page.mouse.move(box["x"] + at * box["width"], y)
        text = page.locator(".readout").inner_text()
        found = re.fullmatch(r"\d+:\d\d\.\d · ([\d.]+) (k?)Hz \(\S+\) · (≤ )?(−?)(\d+) dB from the loudest", text)
        assert found, text
        hz = float(found[1]) * (1000 if found[2] else 1)
        readings.append((-float(found[5]) if found[4] else float(found[5]), hz))
    top = max(level for level, _ in readings)
    return float(np.median([hz for level, hz in readings if level == top]))


def sound_time(page) -> float:
    return float(page.locator(".view audio").evaluate("audio => audio.currentTime"))
