"""Files that once ended the server, given by one visitor while another's is being listened to."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from listen_in_browser import page_that_listens, upload, verdict
from sounds import noise, sine, wav_bytes

pytestmark = pytest.mark.browser

STOP = "[...document.querySelectorAll('button')].find((each) => each.innerText.trim() === 'Stop')?.click()"


def test_eight_channels_are_answered_while_another_visitor_is(open_page, encode, tmp_path: Path) -> None:
    from playwright.sync_api import expect

    long = tmp_path / "long.wav"
    long.write_bytes(wav_bytes(np.tile(noise(10.0, 8000), 1440), 8000, "PCM_U8"))
    song = encode(sine(5000.0, 12.0) + noise(12.0, level=0.001), "song.m4a", "-ac", "8", "-c:a", "aac", "-b:a", "512k")
    bringing = open_page()
    # So long a sound may take some seconds alone: the other visitor does not wait for them.
    is_listening = r"/Listening: [\d:]+\.\d of 4:00:00\.0/.test(document.body.innerText)"
    waiting = page_that_listens(open_page, long, is_listening)
    upload(bringing, song)
    expect(verdict(bringing)).to_have_text(re.compile(r"^Sounds like treble\. (over )?\d+\s% sure\.$"), timeout=90_000)
    expect(bringing.get_by_text("8 channels were mixed to mono.")).to_have_count(1)
    # His own sound is of no genre; what counts is that somebody is there to say so. Listened to its end it would take
    # half a minute: he stops, unless it is over.
    waiting.evaluate(STOP)
    expect(waiting.get_by_text("Listening: ")).to_have_count(0, timeout=300_000)
    expect(verdict(waiting)).to_be_visible(timeout=300_000)
