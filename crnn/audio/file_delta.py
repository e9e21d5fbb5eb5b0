"""How to make a file again, byte for byte, from one that differs from it in its tags.

Tags lie before, behind or within the sound, and change lengths and counters elsewhere; the
sound itself, most of the file, is the same, shifted. A delta lists what to copy from the
changed file and holds only the rest.
"""

from __future__ import annotations

import base64
import hashlib
import json
import mmap
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np

# Shorter runs of equal bytes are not worth an entry.
_MIN_RUN = 64
_STRIDE = 16
_PIECE_BYTES = 1 << 24
_ANCHOR_BYTES = 64
_N_ANCHORS = 16

# ("copy", offset, length) or ("bytes", offset in the original, length)
Step = tuple[str, int, int]


def make_delta(original: Path, changed: Path) -> str:
    """What `restore` needs besides `changed` to write `original`, as text.

    Args:
        original: The file that shall be had again.
        changed: The file that will still be there then.

    Returns:
        Base64 of packed steps: stretches of `changed` to copy, and the bytes that it lacks.

    Raises:
        OSError: One of them cannot be read.
    """
    with _mapped(original) as old, _mapped(changed) as new:
        steps = _merged(_steps(old, new))
        held = b"".join(bytes(old[at : at + length]) for kind, at, length in steps if kind == "bytes")
    listed = [[kind, at if kind == "copy" else 0, length] for kind, at, length in steps]
    facts = json.dumps(listed).encode()
    packed = zlib.compress(len(facts).to_bytes(8, "little") + facts + held, 6)
    return base64.b64encode(packed).decode("ascii")


def restore(delta: str, changed: Path, out: IO[bytes]) -> str:
    """Write the original to `out`; returns its SHA-256.

    Args:
        delta: From `make_delta`.
        changed: The very file that it was made with.
        out: Open for writing; what was written before a fault stays there.

    Raises:
        OSError: The disk refuses.
        ValueError: The delta is damaged.
    """
    try:
        content = zlib.decompress(base64.b64decode(delta))
        n_facts = int.from_bytes(content[:8], "little")
        steps = [(str(kind), int(at), int(length)) for kind, at, length in json.loads(content[8 : 8 + n_facts])]
    except (ValueError, TypeError, zlib.error) as err:
        raise ValueError(f"it is damaged ({err})") from err
    held_at = 8 + n_facts
    digest = hashlib.sha256()
    with changed.open("rb") as source:
        for kind, at, length in steps:
            if kind == "copy":
                source.seek(at)
                pieces: Any = _read(source, length)
            else:
                pieces = [content[held_at : held_at + length]]
                held_at += length
            for piece in pieces:
                digest.update(piece)
                out.write(piece)
    return digest.hexdigest()


def _read(file: IO[bytes], length: int) -> Iterator[bytes]:
    while length > 0 and (piece := file.read(min(length, _PIECE_BYTES))):
        length -= len(piece)
        yield piece


def _mapped(path: Path) -> mmap.mmap:
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def _steps(old: mmap.mmap, new: mmap.mmap) -> Iterator[Step]:
    """Copies at the shifts that the sound may have, and what lies between them."""
    shifts = _shifts(old, new)
    at = 0
    while at < len(old):
        runs = {shift: _equal_run(old, new, at, at + shift) for shift in shifts}
        best = max(shifts, key=lambda shift: runs[shift])
        if runs[best] >= min(_MIN_RUN, len(old) - at):
            yield "copy", at + best, runs[best]
            at += runs[best]
        else:
            length = min(_STRIDE, len(old) - at)
            yield "bytes", at, length
            at += length


def _shifts(old: mmap.mmap, new: mmap.mmap) -> list[int]:
    """By how much parts of the original may have moved: not, as its end did, and as pieces of it are found."""
    shifts = {0, len(new) - len(old)}
    for i in range(_N_ANCHORS):
        at = len(old) * (i + 1) // (_N_ANCHORS + 1)
        anchor = old[at : at + _ANCHOR_BYTES]
        # Silence is everywhere: it tells no place.
        if len(set(anchor)) > 8 and (found := new.find(anchor)) >= 0:
            shifts.add(found - at)
    return sorted(shifts, key=abs)


def _equal_run(old: mmap.mmap, new: mmap.mmap, i: int, j: int) -> int:
    """How many bytes from `i` in one and from `j` in the other are equal."""
    if j < 0:
        return 0
    length, piece = 0, _MIN_RUN
    while True:
        a, b = old[i + length : i + length + piece], new[j + length : j + length + piece]
        if a != b or not a:
            n = min(len(a), len(b))
            different = np.frombuffer(a, np.uint8, n) != np.frombuffer(b, np.uint8, n)
            return length + (int(different.argmax()) if different.any() else n)
        length += len(a)
        piece = min(piece * 16, _PIECE_BYTES)


def _merged(steps: Iterable[Step]) -> list[Step]:
    """Steps with neighbours of one kind joined."""
    joined: list[Step] = []
    for kind, at, length in steps:
        if joined and kind == joined[-1][0] and at == joined[-1][1] + joined[-1][2]:
            joined[-1] = (kind, joined[-1][1], joined[-1][2] + length)
        else:
            joined.append((kind, at, length))
    return joined
