"""How wide words are before anybody draws them: a card's fonts are those of the browser that opens it.

Widths are those of DejaVu Sans Bold, the widest of the fonts that systems come with: what fits by these fits by all.
"""

from __future__ import annotations

import re
import unicodedata

# Width of letters in hundredths of the font's size, to the next of these steps.
_STEPS = {
    35: " 'ijl",
    38: ",./I\\|·J",
    42: "-:;",
    46: "!()[]f",
    50: "_`rt♭♯",
    53: '*"',
    60: "?csz",
    65: "Lvxy",
    68: "EFTaek",
    70: "$0123456789o",
    73: "CPSYZbdghnpqu{}",
    78: "ABKRVX",
    85: "#+<=>DGHNOQU^~−",
    92: "&w",
    101: "%@M…",
    105: "m",
    111: "W",
}
_HUNDREDTHS = {letter: width for width, letters in _STEPS.items() for letter in letters}
# Of what is not in the list: an ideograph, a picture, the widest letter of other alphabets.
_WIDE, _PICTURE, _OTHER = 100, 140, 125


def width(words: str, size: float) -> float:
    """How wide words are at most, in pixels.

    Args:
        words: On one line.
        size: Of the font, in pixels.
    """
    return sum(map(_hundredths, unicodedata.normalize("NFD", words))) * size / 100


def _hundredths(letter: str) -> int:
    if letter in _HUNDREDTHS:
        return _HUNDREDTHS[letter]
    kind = unicodedata.category(letter)
    if kind in {"Mn", "Me", "Cf"}:
        return 0
    if kind == "So":
        return _PICTURE
    return _WIDE if unicodedata.east_asian_width(letter) in "WF" else _OTHER


def lines(words: str, size: float, room: float) -> list[str]:
    """Words on as many lines as they need; a percentage stays together, and a word longer than a line is cut.

    Args:
        words: A sentence or two.
        size: Of the font, in pixels.
        room: Width of a line, in pixels.
    """
    found: list[str] = []
    for word in re.split(r" (?!%)", words):
        longer = f"{found[-1]} {word}" if found else word
        if found and width(longer, size) <= room:
            found[-1] = longer
        else:
            found.append(cut(word, size, room))
    return found


def cut(words: str, size: float, room: float) -> str:
    """Words as far as they fit on one line, with an ellipsis where they go on.

    Args:
        words: A name.
        size: Of the font, in pixels.
        room: Width of the line, in pixels.
    """
    if width(words, size) <= room:
        return words
    kept = words
    while kept and width(f"{kept}…", size) > room:
        kept = kept[:-1]
    return f"{kept}…"
