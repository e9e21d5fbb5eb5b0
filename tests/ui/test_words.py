"""Text from strangers stays text."""

from __future__ import annotations

import pytest

from ui.shared.words import duration, file_stem_of, plain, table


@pytest.mark.parametrize("text", ["Sounds like jazz.", "“a.wav” is 0.40 s long.", "12:30, −23 dB (A5)", ""])
def test_ordinary_sentences_pass_unchanged(text: str) -> None:
    assert plain(text) == text


def test_percentage_stays_in_one_line() -> None:
    assert plain("3 of 4 *right*: 75 % (30 to 95 %).") == "3 of 4 \\*right\\*: 75\u00a0% (30 to 95\u00a0%)."


@pytest.mark.parametrize(
    ("text", "forbidden"),
    [
        ("![x](http://evil.example/x.png)", "!["),
        ("[x](javascript:alert(1))", "[x]"),
        ("<script>alert(1)</script>", "<script"),
        (":red[x]", ":red["),
        (":material/home:", ":material"),
        (":smile:", ":smile:"),
        (":100:", ":100:"),
        ("www.evil.example", "www.evil"),
        ("https://evil.example", "https://"),
        ("$x$", "$x$"),
        ("a\n\n# b", "\n"),
        ("`x`", "`x`"),
        ("**x**", "**x**"),
        ("Win@evil.example", "@evil"),
        ("WWW.evil.example", "WWW."),
        ("::x", "::"),
        (":::x", "::"),
        ("01. Intro.mp3", "01. "),
        ("2) Intro.mp3", "2) "),
        ("- Intro.mp3", "- "),
        ("---", "---"),
        ("===", "==="),
    ],
)
def test_markup_loses_its_force(text: str, forbidden: str) -> None:
    shown = plain(text)
    assert forbidden not in shown.replace("\\" + forbidden[0], "").replace("\\.", "").replace("\\)", "")
    assert shown.replace("\\", "").replace("\u2060", "") == " ".join(text.split())


@pytest.mark.parametrize("sign", ["->", "<-", "<->", "--", ">=", "<=", "~="])
def test_signs_between_spaces_become_no_others(sign: str) -> None:
    for text in (f"a {sign} b", sign):
        # Streamlit looks when Markdown has read its escapes.
        assert sign not in plain(text).replace("\\", "")


@pytest.mark.parametrize("text", ["-23 dB", "1.5 s", "a-b", "(a)", "me@", "0:07.3 to 0:30", "a --b"])
def test_what_is_no_markup_is_left_alone(text: str) -> None:
    assert plain(text) == text


def test_a_name_does_not_turn_what_follows_it() -> None:
    assert plain("a\u202evaw.exe") == "a\N{REPLACEMENT CHARACTER}vaw.exe"


def test_table_takes_cells_literally() -> None:
    assert table(("a", "b"), [("x|y", "1")]) == "| a | b |\n| --- | --- |\n| x\\|y | 1 |"


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("Song 1.mp3", "Song 1"),
        # It turns the direction of what follows: an exe is seen as a wav.
        ("a\u202evaw.exe, part.wav", "a_vaw_exe_ part"),
        ("../../.bashrc.wav", "_______bashrc"),
        ('a"; filename="b.exe.wav', "a__ filename__b_exe"),
        ("a\r\nb\0.wav", "a__b_"),
        ("", "recording"),
        (".bashrc", "_bashrc"),
        ("a.wav", "a"),
        ("wav", "wav"),
        ("x" * 81 + ".wav", "x" * 80),
    ],
)
def test_downloads_are_called_as_they_are_seen(name: str, stem: str) -> None:
    assert file_stem_of(name) == stem


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "5 seconds"),
        (7.4, "5 seconds"),
        (7.6, "10 seconds"),
        (49.9, "50 seconds"),
        (50, "a minute"),
        (89.9, "a minute"),
        (90, "2 minutes"),
        (149, "2 minutes"),
        (151, "3 minutes"),
        (3599.9, "60 minutes"),
        (3600, "1.0 hours"),
        (5400, "1.5 hours"),
    ],
)
def test_a_time_to_wait_is_rounded_as_people_say_it(seconds: float, words: str) -> None:
    assert duration(seconds) == words
