"""Words on a card: as wide as the widest usual font draws them, and none beyond the edge."""

from __future__ import annotations

from pathlib import Path

import pytest
from needed import lacks

from crnn.analysis import lettering

_DEJAVU = Path("/usr/share/fonts/truetype/dejavu/DejaVuSans-Bold.ttf")
SENTENCES = [
    "Changes: classical 34 % of the time, jazz 33 %, metal 33 %.",
    "Can't tell: between classical, jazz and rock.",
    "Other candidates: hiphop, R&B and Música. About 120 BPM · F♯ minor or A major",
    "WWW MMM mmm @@@ 0123456789 “…” − ŽŠČ Жжш",
]


def test_width_is_the_sum_of_the_letters() -> None:
    # 0.68 + 0.5 + 0.35 of the size; an accent stands over its letter, and an ideograph is as wide as it is high.
    assert lettering.width("at ", 100) == pytest.approx(153.0)
    assert lettering.width("á", 100) == lettering.width("a\u0301", 100) == lettering.width("a", 100)
    assert lettering.width("音", 42) == 42


@pytest.mark.parametrize("words", SENTENCES)
def test_no_estimate_is_below_the_widest_font(words: str) -> None:
    from PIL import ImageFont

    if not _DEJAVU.exists():
        lacks("DejaVu Sans Bold is not installed: it is the widest usual font")
    drawn = ImageFont.truetype(str(_DEJAVU), 420).getlength(words) / 10
    assert drawn <= lettering.width(words, 42) <= 1.15 * drawn


def test_headline_of_three_shares_breaks_before_its_edge() -> None:
    # 47 letters of it fitted by number, and reached 1188 of 1140 pixels.
    assert lettering.lines(SENTENCES[0], 42, 1050) == [
        "Changes: classical 34 % of the time, jazz",
        "33 %, metal 33 %.",
    ]


def test_lines_keep_percentages_whole_and_cut_what_cannot_break() -> None:
    assert lettering.lines("aa 5 % bb", 10, 25) == ["aa", "5 %", "bb"]
    assert lettering.lines("aaaaaaaa b", 10, 40) == ["aaaa…", "b"]
    assert lettering.lines("", 10, 40) == [""]


def test_name_is_cut_where_it_would_go_over_the_edge() -> None:
    assert lettering.cut("aaaa", 10, 30) == "aaaa"
    assert lettering.cut("aaaaa", 10, 33) == "aaa…"
