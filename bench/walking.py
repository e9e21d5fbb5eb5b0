"""Twenty acts of a new user in Chromium, for `bench.walk`."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from bench.measuring import SOURCE_RATE, Sound, write_mp3, write_wav
from crnn.synthesis.examples import example

_PATIENCE_MS = 60_000
_SCRIPT_ENDED = "document.querySelector('[data-testid=stApp]').dataset.testScriptState === 'notRunning'"


@dataclasses.dataclass(frozen=True)
class Sounds:
    """Files that the visitor has."""

    medley: Path
    short: Path
    several: tuple[Path, ...]
    no_music: Path
    no_sound: Path
    clips: dict[str, tuple[Path, ...]]
    microphone: Path


def make_sounds(folder: Path) -> Sounds:
    """The files, synthesized.

    Args:
        folder: Where they shall lie.
    """
    jazz, metal, classical = (
        example(name, SOURCE_RATE).samples for name in ("jazz quartet", "metal riff", "string quartet")
    )
    medley = np.concatenate([np.tile(jazz, 3), np.tile(metal, 3), np.tile(classical, 2)])
    several = tuple(
        _mp3(folder / f"{name}.mp3", sound) for name, sound in (("one", jazz), ("two", metal), ("three", classical))
    )
    clips = {
        genre: tuple(
            write_wav(folder / f"{genre} {number}.wav", sound[number * 4 * SOURCE_RATE :][: 4 * SOURCE_RATE])
            for number in range(3)
        )
        for genre, sound in (("swing", jazz), ("thrash", metal))
    }
    (folder / "broken.mp3").write_bytes(b"This is a letter, not a song. " * 200)
    chatter = np.random.default_rng(0).normal(0, 0.05, 8 * SOURCE_RATE).astype(np.float32)
    return Sounds(
        medley=_mp3(folder / "A medley of three pieces, with a name as long as people give.mp3", medley),
        short=write_wav(folder / "short.wav", jazz[: 2 * SOURCE_RATE]),
        several=several,
        no_music=write_wav(folder / "hiss.wav", chatter),
        no_sound=folder / "broken.mp3",
        clips=clips,
        microphone=write_wav(folder / "microphone.wav", np.tile(jazz, 2)),
    )


def _mp3(path: Path, samples: Sound) -> Path:
    return write_mp3(path, samples.astype(np.float32))


class Walk:
    """A visitor in a page.

    Args:
        page: Playwright's, opened at the app.
        sounds: What he has.
    """

    def __init__(self, page: Any, sounds: Sounds) -> None:
        self.page, self.sounds = page, sounds
        self.main = page.get_by_test_id("stMain")

    def settle(self) -> None:
        """Until the page has been drawn."""
        self.page.wait_for_timeout(400)
        self.page.wait_for_function(_SCRIPT_ENDED, timeout=_PATIENCE_MS)
        self.page.wait_for_timeout(400)

    def press(self, name: str | re.Pattern[str]) -> None:
        """Press a button of the page.

        Args:
            name: What it says.
        """
        self.main.get_by_role("button", name=name).first.click()

    def choose(self, words: str) -> None:
        """Choose a tab or a part of the page.

        Args:
            words: What it is called.
        """
        self.main.get_by_text(words, exact=True).first.click()
        self.settle()

    def go(self, name: str) -> None:
        """To another page, by its link; a narrow window has it behind a button.

        Args:
            name: Of the page.
        """
        link = self.page.get_by_role("link", name=name, exact=True)
        if not _is_in_sight(link):
            self.page.get_by_test_id("stExpandSidebarButton").click()
        link.click()
        self.page.wait_for_timeout(500)
        self.close_sidebar()
        self.settle()

    def close_sidebar(self) -> None:
        """Where it lies over the page, as on a phone."""
        close = self.page.get_by_test_id("stSidebarCollapseButton").get_by_role("button")
        if (self.page.viewport_size or {"width": 0})["width"] < 800 and close.is_visible():
            close.click()

    def give(self, *files: Path) -> None:
        """Upload files on the page that is open.

        Args:
            files: Of the visitor.
        """
        change = self.main.get_by_text(re.compile(r"· change$"))
        if change.is_visible():
            change.click()
        tab = self.main.get_by_role("tab", name="Upload")
        if tab.is_visible():
            tab.click()
        self.main.get_by_test_id("stFileUploaderDropzoneInput").first.set_input_files([str(file) for file in files])

    def look(self, part: str) -> None:
        """Choose a part of Explore, and wait for its picture.

        Args:
            part: What it is called.
        """
        self.choose(part)
        self.await_picture()

    def await_picture(self) -> None:
        """Until a spectrogram is there."""
        self.page.locator(".picture canvas").first.wait_for(timeout=_PATIENCE_MS)
        self.settle()


def _is_in_sight(element: Any) -> bool:
    """Whether it lies within the window; a sidebar that is closed stands left of it."""
    return element.is_visible() and (element.bounding_box() or {"x": -1})["x"] >= 0


def _open(walk: Walk) -> None:
    walk.page.locator('[role="tab"]').first.wait_for(timeout=_PATIENCE_MS)
    walk.settle()


def _example(walk: Walk) -> None:
    walk.main.get_by_role("tab", name="Example").click()
    walk.main.get_by_text("metal riff", exact=True).first.click()
    walk.await_picture()


def _play_and_zoom(walk: Walk) -> None:
    walk.press("Play")
    for _ in range(3):
        walk.press("Zoom in")
    walk.settle()
    walk.press("Pause")


def _medley(walk: Walk) -> None:
    walk.give(walk.sounds.medley)
    walk.main.locator("h3").get_by_text(re.compile("Changes|Sounds|tell")).first.wait_for(timeout=_PATIENCE_MS)
    walk.await_picture()


def _part(walk: Walk) -> None:
    walk.press("select")
    picture = walk.page.locator(".picture").first
    picture.scroll_into_view_if_needed()
    box = picture.bounding_box()
    y = box["y"] + box["height"] / 2
    walk.page.mouse.move(box["x"] + 0.45 * box["width"], y)
    walk.page.mouse.down()
    walk.page.mouse.move(box["x"] + 0.6 * box["width"], y, steps=5)
    walk.page.mouse.up()
    walk.main.get_by_role("button", name="Why this part?").wait_for(timeout=_PATIENCE_MS)
    walk.settle()


def _why(walk: Walk) -> None:
    walk.press("Why this part?")
    walk.main.get_by_text(re.compile("measured by deleting")).wait_for(timeout=_PATIENCE_MS)
    walk.settle()


def _what_spoke(walk: Walk) -> None:
    walk.press(re.compile("hear it|Hear", re.IGNORECASE))
    walk.settle()


def _map(walk: Walk) -> None:
    walk.choose("Where it lies")
    walk.main.locator(".js-plotly-plot").first.wait_for(timeout=_PATIENCE_MS)
    walk.settle()


def _listen(walk: Walk) -> None:
    walk.go("Listen")
    change = walk.main.get_by_text(re.compile(r"· change$"))
    if change.is_visible():
        change.click()
    walk.main.get_by_role("tab", name="Record").click()
    walk.page.locator(".keep input").check()
    walk.page.locator(".live .go").click()
    walk.page.locator(".live .timeline").wait_for(timeout=_PATIENCE_MS)
    walk.page.wait_for_timeout(3000)


def _answer_of_listening(walk: Walk) -> None:
    walk.page.locator(".live .go").click()
    walk.await_picture()


def _share(walk: Walk) -> None:
    walk.press("Share")
    walk.page.wait_for_timeout(1500)
    walk.settle()


def _several(walk: Walk) -> None:
    walk.page.keyboard.press("Escape")
    walk.give(*walk.sounds.several, walk.sounds.short, walk.sounds.no_music, walk.sounds.no_sound)
    walk.main.get_by_test_id("stDataFrame").first.wait_for(timeout=_PATIENCE_MS)
    walk.await_picture()


def _heard(walk: Walk) -> None:
    heard = walk.page.get_by_text("Heard in this visit", exact=True)
    if not _is_in_sight(heard):
        walk.page.get_by_test_id("stExpandSidebarButton").click()
    heard.wait_for(timeout=_PATIENCE_MS)
    walk.settle()


def _bad_file(walk: Walk) -> None:
    # One sound is brought back, so that the bad file comes alone.
    walk.page.get_by_role("button", name="one.mp3").first.click()
    walk.settle()
    walk.close_sidebar()
    walk.give(walk.sounds.no_sound)
    walk.main.get_by_test_id("stAlert").first.wait_for(timeout=_PATIENCE_MS)
    walk.settle()


def _teach(walk: Walk) -> None:
    walk.choose("Clip by clip")
    for genre, clips in walk.sounds.clips.items():
        name = walk.main.get_by_label("Genre", exact=True)
        name.fill(genre)
        name.press("Enter")
        walk.settle()
        walk.give(*clips)
        walk.main.get_by_text(re.compile(rf"{genre}.*3|3 clips")).first.wait_for(timeout=_PATIENCE_MS)
        walk.settle()
    walk.press("Learn them")
    walk.main.get_by_text(re.compile("Try it")).first.wait_for(timeout=2 * _PATIENCE_MS)
    walk.settle()


def _model_card(walk: Walk) -> None:
    walk.go("Models")
    table = walk.main.get_by_test_id("stDataFrame").first
    table.locator("canvas").first.wait_for(timeout=_PATIENCE_MS)
    # The box of the first row, which selects it.
    table.click(position={"x": 15, "y": 33 + 16})
    walk.main.get_by_text("Model card").wait_for(timeout=_PATIENCE_MS)
    walk.settle()


ACTS: dict[str, Callable[[Walk], None]] = {
    "open": _open,
    "an example": _example,
    "play and zoom": _play_and_zoom,
    "a medley": _medley,
    "choose a part": _part,
    "why": _why,
    "hear what spoke": _what_spoke,
    "what if": lambda walk: walk.look("What if"),
    "views": lambda walk: walk.look("Views"),
    "map": _map,
    "two sounds": lambda walk: walk.look("Two sounds"),
    "listen live": _listen,
    "its answer": _answer_of_listening,
    "share": _share,
    "several files": _several,
    "heard": _heard,
    "a bad file": _bad_file,
    "Train": lambda walk: walk.go("Train"),
    "teach": _teach,
    "a model's card": _model_card,
}
