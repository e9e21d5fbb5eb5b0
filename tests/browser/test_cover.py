"""The cover picture of an upload, beside its answer."""

from __future__ import annotations

import struct
import zlib

import pytest
from listen_in_browser import box_of, hand_over
from sounds import sine, wav_bytes

pytestmark = pytest.mark.browser


def png(red: int) -> bytes:
    """A picture of one colour, 8 × 8."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    header = struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 0)
    rows = (b"\0" + bytes([red, 40, 40]) * 8) * 8
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def with_cover(wav: bytes, picture: bytes) -> bytes:
    """A WAV file with an ID3 tag that holds a picture."""
    data = b"\0image/png\0\x03\0" + picture
    frame = b"APIC" + len(data).to_bytes(4, "big") + b"\0\0" + data
    tag = b"ID3\x03\0\0" + bytes(len(frame) >> shift & 127 for shift in (21, 14, 7, 0)) + frame
    tag += bytes(len(tag) % 2)
    whole = wav + b"id3 " + len(tag).to_bytes(4, "little") + tag
    return whole[:4] + (len(whole) - 8).to_bytes(4, "little") + whole[8:]


def test_cover_stands_small_beside_the_answer(page) -> None:
    from playwright.sync_api import expect

    page.get_by_role("tab", name="Upload").click()
    sound = with_cover(wav_bytes(sine(5000.0, 8.0), subtype="PCM_16"), png(200))
    hand_over(page, {"name": "song.wav", "mimeType": "audio/wav", "buffer": sound})
    cover = page.get_by_role("img", name="Cover picture of the file")
    expect(cover).to_be_visible(timeout=60_000)
    page.wait_for_function("image => image.complete && image.naturalWidth === 8", arg=cover.element_handle())
    for width in (1280, 400):
        page.set_viewport_size({"width": width, "height": 800})
        expect(cover).to_be_in_viewport()
        box, verdict = box_of(cover), box_of(page.locator('[data-testid="stMain"] h3'))
        assert box["width"] == box["height"] == 72, width
        assert verdict["x"] > box["x"] + 72, width
        assert verdict["y"] < box["y"] + 72, width
