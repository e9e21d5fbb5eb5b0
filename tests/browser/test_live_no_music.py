"""Listening along in a real Chromium to what the model takes for no music: speech, clicks, noise."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from listen_in_browser import hand_over
from sounds import sine, wav_bytes
from tiny_bundle import tiny_bundle

from crnn.bundles.bundle import Rejection

from .conftest import served

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The app with a model to which nothing sounds like music."""
    models = tmp_path_factory.mktemp("models")
    tiny_bundle(models / "tiny", rejection=Rejection(weights=(0.0, 0.0, 0.0), bias=-5.0, threshold=0.5))
    with served(models, tmp_path_factory.mktemp("server")) as address:
        yield address


def test_microphone_stays_while_what_it_hears_is_no_music(page) -> None:
    from playwright.sync_api import expect

    page.get_by_role("button", name="Listen", exact=True).click()
    answer = page.locator(".live .answer")
    expect(page.locator(".live .sentence")).to_have_text(re.compile("sound like music"), timeout=120_000)
    # It goes on: a second answer comes after the first.
    first = float(answer.get_attribute("data-seconds") or 0)
    page.wait_for_function(
        "([place, first]) => Number(place.dataset.seconds) > first", arg=[answer.element_handle(), first]
    )
    expect(page.locator(".live .timeline")).to_be_hidden()
    expect(page.locator(".live .scale")).to_be_hidden()
    expect(page.get_by_text("BidiComponent Error")).to_have_count(0)
    page.get_by_role("button", name="Stop listening").click()
    expect(page.locator('[data-testid="stMain"] h3')).to_have_text(re.compile("sound like music"))
    expect(page.locator(".view audio")).to_have_count(1)


def test_a_file_that_is_no_music_has_neither_bars_nor_timeline(page) -> None:
    from playwright.sync_api import expect

    page.get_by_role("tab", name="Upload").click()
    given = {"name": "hum.wav", "mimeType": "audio/wav", "buffer": wav_bytes(sine(100.0, 6.0), subtype="PCM_16")}
    hand_over(page, [given])
    expect(page.locator('[data-testid="stMain"] h3')).to_have_text("That doesn't sound like music.")
    expect(page.locator(".picture canvas").first).to_be_visible()
    # The spectrogram alone.
    expect(page.locator(".view .lanes > *")).to_have_count(1)
    bars = page.get_by_role("list", name=re.compile("^Confidence"))
    expect(bars).not_to_be_visible()
    # Who asks finds them.
    page.get_by_text("If it were music").click()
    expect(bars).to_be_visible()
