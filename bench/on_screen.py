"""What a visitor waits for in a real browser: parts of `bench.speed`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from bench import browsing
from bench.measuring import Figures, children, compared, music, write_mp3

Options = argparse.Namespace


def _page(options: Options, folder: Path) -> Figures:
    """First paint of Listen after `streamlit run`, against an app of one line."""
    costs = browsing.first_paint(folder, min(options.repeats, 5))
    return compared(costs["listen"], costs["one line"], "at most 1.5 times as long")


def _upload(options: Options, folder: Path) -> Figures:
    """A 30-s mp3 to its verdict on screen, against an app that only plays it."""
    mp3 = write_mp3(folder / "clip.mp3", music(30))
    costs = browsing.upload(folder, mp3, options.repeats)
    more = costs["listen"].seconds - costs["player"].seconds
    return compared(costs["listen"], costs["player"], "at most 1.0 s more", seconds_more=more)


def _hour(options: Options, folder: Path) -> Figures:
    """An hour of mp3 from its upload to the verdict on screen, against `classify` of the same file."""
    mp3 = write_mp3(folder / "hour.mp3", music(60), repeats=60)
    by_command = children({"classify": ["-m", "crnn", "classify", mp3, "--model", options.model]}, 1)["classify"]
    return compared(browsing.upload(folder, mp3, 1)["listen"], by_command, "no slower")


PARTS: dict[str, Callable[[Options, Path], Figures]] = {"page": _page, "upload": _upload, "hour": _hour}
