"""Listening along in a real Chromium, whose microphone hears a known tone."""

from __future__ import annotations

import io
import itertools
import re
import wave

import numpy as np
import pytest

from .conftest import TONE_HZ

pytestmark = pytest.mark.browser

# What the microphone gave the page, at a rate that the player plays as it is.
KEEP = """
() => {
  window.AudioContext = class extends AudioContext {
    constructor() {
      super({ sampleRate: 44100 });
    }
  };
  window.given = [];
  window.AudioWorkletNode = class extends AudioWorkletNode {
    constructor(...args) {
      super(...args);
      this.port.addEventListener("message", ({ data }) => window.given.push(...data.block));
    }
  };
}
"""

# What the page was told, message by message: seconds answered for, and how far the server lags behind.
WATCH = """
(place) => {
  window.seen = [];
  new MutationObserver(() => {
    const [seconds, lag] = [Number(place.dataset.seconds), Number(place.dataset.lag)];
    if (!place.hidden && seconds !== window.seen.at(-1)?.[0]) window.seen.push([seconds, lag]);
  }).observe(place, { attributes: true, attributeFilter: ["data-seconds", "data-lag", "hidden"] });
}
"""


def button(page):
    return page.get_by_role("button", name=re.compile("^(Listen|Stop listening)$"))


def samples_of(page) -> tuple[np.ndarray, int]:
    """What the player plays, which is what was recorded where that is no more than 44.1 kHz."""
    data = page.request.get(page.locator(".view audio").evaluate("audio => audio.src")).body()
    with wave.open(io.BytesIO(data)) as file:
        return np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32_768, file.getframerate()


def test_answer_comes_while_the_microphone_listens_and_nothing_is_lost(page) -> None:
    from playwright.sync_api import expect

    page.evaluate(KEEP)
    page.locator(".live .answer").evaluate(WATCH)
    page.locator(".keep input").check()
    expect(button(page)).to_have_text("Listen")
    button(page).click()
    expect(button(page)).to_have_text("Stop listening")
    expect(page.locator(".clock")).to_have_text(re.compile(r"^0:\d\d · on until you stop it$"))
    # Eight seconds of sound, however long that takes.
    page.wait_for_function("() => window.seen.length && window.seen.at(-1)[0] >= 8", timeout=120_000)
    expect(page.locator(".live .sentence")).to_have_text(re.compile("^(Sounds like|Can't tell)"))
    expect(page.locator(".live .timeline")).to_have_attribute("aria-label", re.compile(r"^\w+ from 0:00 to 0:\d\d"))
    seen = page.evaluate("window.seen")
    heard = page.locator(".live .sentence").inner_text()
    button(page).click()
    verdict = page.locator('[data-testid="stMain"] h3')
    expect(verdict).to_be_visible(timeout=60_000)
    # The tone does not change, and so neither does its name.
    assert verdict.inner_text().split(".")[0] == heard.split(".")[0]
    # Answers come from the third second of sound on, one for each second of it or more, where the machine keeps up.
    keeps_up = all(lag < 4 for _, lag in seen)
    assert seen[0][0] >= 3
    assert not keeps_up or seen[0][0] <= 4
    steps = [after[0] - before[0] for before, after in itertools.pairwise(seen) if before[1] < 4]
    assert steps
    assert max(steps) <= 1.001
    expect(page.locator(".view audio")).to_have_count(1, timeout=60_000)
    samples, rate = samples_of(page)
    given = np.array(page.evaluate("window.given"))
    assert (len(samples), rate) == (len(given), 44_100)
    np.testing.assert_allclose(samples, given, atol=2 / 32_768)
    assert np.abs(given).max() > 0.1
    spectrum = np.abs(np.fft.rfft(samples[rate : 3 * rate]))
    assert spectrum.argmax() / 2 == pytest.approx(TONE_HZ, abs=1.0)


def test_ends_by_itself_when_it_is_sure(open_page) -> None:
    from playwright.sync_api import TimeoutError, expect

    page = open_page()
    button(page).click()
    expect(page.locator(".clock")).to_have_text(re.compile(r"^0:\d\d · ends by itself, in \d+ s at most$"))
    try:
        page.locator('[data-testid="stMain"] h3').wait_for(timeout=60_000)
    except TimeoutError as err:
        pytest.fail(f"it did not end; the page says: {page.locator('body').inner_text()} ({err})")
    expect(page.get_by_text(re.compile(r"^recording · 0:\d\d · change$"))).to_be_visible()
    expect(page.locator(".view audio")).to_have_count(1, timeout=60_000)
    samples, rate = samples_of(page)
    assert 8.0 <= len(samples) / rate <= 20.0


def test_it_goes_on_where_the_theme_changes(page) -> None:
    """Streamlit takes its components down and sets them up again then, on the same elements."""
    from playwright.sync_api import expect

    page.evaluate(KEEP)
    page.locator(".keep input").check()
    button(page).click()
    expect(page.locator(".live .sentence")).to_be_visible(timeout=60_000)
    # Whether it does depends on what else is drawn in that moment.
    for scheme in ("dark", "light") * 10:
        page.emulate_media(color_scheme=scheme)
        page.wait_for_timeout(150)
    button(page).click()
    expect(page.locator(".view audio")).to_have_count(1, timeout=60_000)
    samples, _ = samples_of(page)
    assert len(samples) == page.evaluate("window.given.length")


def test_what_is_lost_on_the_way_comes_again(page) -> None:
    """The first message that holds sound is swallowed: nothing of it is missing in the end."""
    from playwright.sync_api import expect

    page.evaluate(KEEP)
    page.evaluate("""() => {
      const send = WebSocket.prototype.send;
      let isSwallowed = false;
      WebSocket.prototype.send = function (data) {
        if (!isSwallowed && data.length > 20000) isSwallowed = true;
        else send.call(this, data);
      };
    }""")
    page.locator(".keep input").check()
    button(page).click()
    expect(page.locator(".live .sentence")).to_be_visible(timeout=120_000)
    button(page).click()
    try:
        expect(page.locator(".view audio")).to_have_count(1, timeout=120_000)
    except AssertionError as err:
        said = page.locator("body").inner_text()
        pytest.fail(f"no sound came of it; the page says: {said} ({err})")
    samples, _ = samples_of(page)
    given = np.array(page.evaluate("window.given"))
    assert len(samples) == len(given)
    np.testing.assert_allclose(samples, given, atol=2 / 32_768)


def test_refresh_keeps_what_was_heard_and_says_so(page) -> None:
    from playwright.sync_api import expect

    page.locator(".live .answer").evaluate(WATCH)
    page.locator(".keep input").check()
    button(page).click()
    page.wait_for_function("() => window.seen.length && window.seen.at(-1)[0] >= 4", timeout=120_000)
    page.reload()
    told = page.get_by_test_id("stAlertContentInfo")
    expect(told).to_have_text(re.compile("^The listening was broken off, by a refresh"))
    expect(page.locator('[data-testid="stMain"] h3')).to_be_visible()
    expect(page.locator(".view audio")).to_have_count(1, timeout=60_000)
    samples, rate = samples_of(page)
    assert len(samples) / rate >= 4
    expect(page.get_by_text(re.compile(r"^recording · 0:\d\d · change$"))).to_be_visible()


def test_denied_microphone_is_told_before_anything_is_pressed(page) -> None:
    from playwright.sync_api import expect

    browser = page.context.new_cdp_session(page)
    here = {"browserContextId": browser.send("Target.getTargetInfo")["targetInfo"]["browserContextId"]}
    browser.send("Browser.setPermission", {"permission": {"name": "microphone"}, "setting": "denied"} | here)
    page.reload()
    words = page.locator(".live .words")
    expect(words).to_have_text("No microphone: allow it in the browser’s address bar, or plug one in.")


def test_microphone_that_opens_for_nobody_is_told(page) -> None:
    from playwright.sync_api import expect

    page.evaluate("""() => {
      navigator.mediaDevices.getUserMedia = async () => {
        throw new DOMException("not today", "NotAllowedError");
      };
    }""")
    button(page).click()
    expect(page.locator(".live .words")).to_have_text(re.compile("^No microphone: allow it"))
    expect(button(page)).to_have_text("Listen")


def test_browser_without_worklets_listens_all_the_same(open_page) -> None:
    from playwright.sync_api import expect

    page = open_page()
    page.evaluate("AudioContext.prototype.__defineGetter__('audioWorklet', () => undefined)")
    button(page).click()
    expect(page.locator('[data-testid="stMain"] h3')).to_be_visible(timeout=120_000)


def test_recorder_stays_for_a_browser_that_cannot_listen_along(page) -> None:
    from playwright.sync_api import expect

    expect(page.get_by_test_id("stAudioInput")).to_be_hidden()
    page.get_by_text("Record first, answer afterwards").click()
    expect(page.get_by_test_id("stAudioInput")).to_be_visible()
