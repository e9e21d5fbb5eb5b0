"""What plays in one browser is not served to another."""

from __future__ import annotations

import urllib.error
import urllib.request

import pytest
from listen_in_browser import SONG, upload, wait_for_player

pytestmark = pytest.mark.browser


def test_a_sound_is_played_and_sought_by_its_own_browser_alone(open_page) -> None:
    page, other = open_page(), open_page()
    upload(page, ("song.wav", SONG))
    wait_for_player(page)
    src = page.locator(".view audio").evaluate("audio => audio.src")
    # A seek to what was not fetched yet is a request for a part.
    page.locator(".view audio").evaluate("audio => { audio.currentTime = 15; }")
    page.locator(".view audio").evaluate("audio => audio.seeking && new Promise(done => (audio.onseeked = done))")
    assert page.locator(".view audio").evaluate("audio => audio.currentTime") == pytest.approx(15.0)
    assert (
        page.evaluate("async src => (await fetch(src, { headers: { Range: 'bytes=1000-1009' } })).status", src) == 206
    )
    # The same song in another browser, by a known address.
    upload(other, ("song.wav", SONG))
    wait_for_player(other)
    assert other.locator(".view audio").evaluate("audio => audio.src") != src
    assert other.evaluate("async src => (await fetch(src)).status", src) == 404
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(src)
    answer = page.request.get(src)
    assert answer.headers["cache-control"] == "private"
    assert answer.body()[:4] == b"RIFF"
