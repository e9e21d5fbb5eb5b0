"""What a file is by its first bytes, and whether it ends too early.

Names lie: a text is called .wav, an mp3 .ogg. And decoders survive a missing
end without a word, so the few headers that declare a length are read here.
Everything is bounded: a header's word is compared, never allocated.
"""

from __future__ import annotations

import io
import struct
from typing import BinaryIO

# First bytes of files that people take for sound, and what to call them.
_NOT_SOUND = (
    (b"%PDF", "a PDF document"),
    (b"PK\x03\x04", "a zip archive (or an office document)"),
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"GIF8", "a GIF picture"),
    (b"MThd", "a MIDI file, which holds notes and no sound"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"Rar!", "a RAR archive"),
    (b"7z\xbc\xaf", "a 7-Zip archive"),
    (b"\x89HDF", "an HDF5 data file"),
    (b"SQLite format 3", "a database"),
)
_TEXT_BYTES = frozenset(range(0x20, 0x7F)) | {0x09, 0x0A, 0x0D, 0x0C, 0x1B} | frozenset(range(0x80, 0x100))


def describe_non_audio(head: bytes) -> str | None:
    """A plain name for content that is no sound, or None if it may be sound.

    Args:
        head: The first bytes of the file (512 are enough).
    """
    for magic, description in _NOT_SOUND:
        if head.startswith(magic):
            return description
    start = head.lstrip()[:64].lower()
    if start.startswith((b"<!doctype html", b"<html")):
        return "a web page"
    if head and not head.strip(b"\x00"):
        return "a file of zeros"
    looks_textual = all(byte in _TEXT_BYTES for byte in head)
    if looks_textual and sum(byte < 0x80 for byte in head) > 0.7 * len(head):
        return "a text file"
    return None


def is_cut_short(source: BinaryIO, decoded_seconds: float) -> bool:
    """Whether a container declares more sound than was there.

    Knows wav, aiff, au, flac, ogg and mp3 with a Xing header; says False where nothing is declared.

    Args:
        source: The file, seekable; its position is changed.
        decoded_seconds: How much the decoder gave.
    """
    source.seek(0, io.SEEK_END)
    size = source.tell()
    source.seek(0)
    head = source.read(4096)
    if head[:4] in (b"RIFF", b"FORM"):
        order = "<" if head[:4] == b"RIFF" else ">"
        declared = int(struct.unpack(order + "I", head[4:8])[0]) + 8 if len(head) >= 8 else 0
        # 0xFFFFFFFF and 0 are what streaming writers leave: nothing is declared.
        return 8 < declared < 0xFFFFFF00 and size < declared - 1
    if head[:4] == b"fLaC":
        declared_seconds = _flac_seconds(head)
        return declared_seconds > decoded_seconds * 1.01 + 0.1
    if head[:4] == b".snd" and len(head) >= 12:
        start, length = struct.unpack(">II", head[4:12])
        return bool(length != 0xFFFFFFFF and size < start + length)
    if head[:4] == b"OggS":
        return not _ends_with_last_ogg_page(source, size)
    declared_bytes = _xing_bytes(source, head)
    return declared_bytes > 0 and size < 0.99 * declared_bytes


def _flac_seconds(head: bytes) -> float:
    if len(head) < 26:
        return 0.0
    packed = int.from_bytes(head[18:26], "big")
    sample_rate, n_samples = packed >> 44, packed & (2**36 - 1)
    return n_samples / sample_rate if sample_rate else 0.0


def _ends_with_last_ogg_page(source: BinaryIO, size: int) -> bool:
    # The last page of a whole stream carries the end-of-stream flag (RFC 3533), and all its bytes.
    source.seek(max(0, size - 65_536 - 512))
    tail = source.read()
    start = tail.rfind(b"OggS")
    if start < 0 or len(tail) < start + 27:
        return False
    n_lacing = tail[start + 26]
    body = sum(tail[start + 27 : start + 27 + n_lacing])
    return bool(tail[start + 5] & 4) and len(tail) >= start + 27 + n_lacing + body


def _xing_bytes(source: BinaryIO, head: bytes) -> int:
    """Size in bytes that the Xing or Info header of an mp3 declares, 0 without one."""
    start = 0
    if head[:3] == b"ID3" and len(head) >= 10:
        start = 10 + sum((byte & 0x7F) << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=True))
        source.seek(start)
        head = source.read(4096)
    for magic in (b"Xing", b"Info"):
        at = head.find(magic, 0, 256)
        if at >= 0 and len(head) >= at + 16:
            flags = int.from_bytes(head[at + 4 : at + 8], "big")
            offset = at + 8 + (4 if flags & 1 else 0)
            return start + int.from_bytes(head[offset : offset + 4], "big") if flags & 2 else 0
    return 0
