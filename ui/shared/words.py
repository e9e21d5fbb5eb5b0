"""Text for the screen: names that cannot become markup, and Markdown tables."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

# Streamlit turns :red[…], :smile: and :material/…: into things, after Markdown has read its escapes, bare addresses
# into links, and -> between spaces into an arrow; an invisible joiner (U+2060) keeps them text.
_JOINED = re.compile(
    r":(?=[A-Za-z/+_:-]|\w+:)|www(?=\.)|(?<=[\w.+-])@(?=[\w-])|(?<!\S)[-<>~](?=(->|[->=])(?!\S))", re.IGNORECASE
)
_MARKUP = re.compile(r"([\\`*_{}\[\]<>~$#|!&])")
# What a line may begin with: lists, rules, the underlining of a heading, a directive. Track numbers do.
_LINE_START = re.compile(r"^(\d*)(?=[.)](?:\s|$))|^(?=[-+](?:\s|-|$)|=+$)")
_PERCENT = re.compile(r"(?<=\d) (?=%)")
# They turn the direction of all that follows, beyond the name that holds them.
_TURNING = re.compile("[\u202a-\u202e\u2066-\u2069]")


def plain(text: str) -> str:
    """`text` as Markdown that shows exactly its characters: no markup, HTML, links or pictures.

    A percentage is one word where a line ends.
    """
    one_line = _PERCENT.sub("\N{NO-BREAK SPACE}", " ".join(_TURNING.sub("\N{REPLACEMENT CHARACTER}", text).split()))
    joined = _JOINED.sub("\\g<0>\u2060", one_line)
    return _LINE_START.sub(r"\1\\", _MARKUP.sub(r"\\\1", joined))


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table, its cells taken literally.

    Args:
        header: Names of the columns.
        rows: Cells, as many as columns.
    """
    lines = [header, ["---"] * len(header)]
    text = ["| " + " | ".join(line) + " |" for line in lines]
    text += ["| " + " | ".join(plain(cell) for cell in row) + " |" for row in rows]
    return "\n".join(text)


def duration(seconds: float) -> str:
    """A time to wait, in words."""
    if seconds < 50:
        return f"{max(5, 5 * round(seconds / 5))} seconds"
    if seconds < 90:
        return "a minute"
    if seconds < 3600:
        return f"{round(seconds / 60)} minutes"
    return f"{seconds / 3600:.1f} hours"


def file_stem_of(name: str) -> str:
    """What is downloaded about a sound is called, before its ending: safe on every file system, and as it is seen.

    Args:
        name: The sound's, chosen by whoever made the file.
    """
    stem = name.rsplit(".", 1)[0] if "." in name[1:] else name
    kept = "".join(letter if letter.isalnum() or letter in " -_" else "_" for letter in stem).strip()
    return kept[:80] or "recording"
