"""Walks twenty acts of a new user through the app in Chromium, and takes a picture after each, to be looked at.

`python -m bench.walk --out pictures` opens an empty app of its own, once for each width and colour scheme, with sounds
that it synthesizes; the pictures of an act lie side by side in one file. A line an act tells where it could not be
done, where the page scrolls sideways or says something that a visitor should never read, and what the browser's console
complained of. Whether it is lovely is for the eye.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

from bench import ROOT
from bench.browsing import server
from bench.serving import chromium
from bench.walking import ACTS, Sounds, Walk, make_sounds

# What is Streamlit's or Python's own, and nothing for a visitor.
_NEVER_SAID = re.compile(r"Traceback|streamlit run|Error:|An error has occurred|\bundefined\b|\bNaN\b")


def walked(walk: Walk, act: Callable[[Walk], None]) -> list[str]:
    """What was wrong with an act, as sentences.

    Args:
        walk: Who does it.
        act: One of `ACTS`.
    """
    from playwright.sync_api import Error

    wrong = []
    try:
        act(walk)
    except Error as err:
        wrong.append(f"could not be done: {str(err).splitlines()[0]}")
    if walk.main.evaluate("main => main.scrollWidth > main.clientWidth + 1"):
        wrong.append("scrolls sideways")
    if said := _NEVER_SAID.search(walk.main.inner_text()):
        wrong.append(f"says {said.group()!r}")
    return wrong


def beside(pictures: list[bytes]) -> bytes:
    """A PNG of pictures side by side.

    Args:
        pictures: PNGs, one at least.
    """
    from PIL import Image

    images = [Image.open(io.BytesIO(picture)).convert("RGB") for picture in pictures]
    whole = Image.new("RGB", (sum(i.width for i in images), max(i.height for i in images)), "grey")
    left = 0
    for image in images:
        whole.paste(image, (left, 0))
        left += image.width
    out = io.BytesIO()
    whole.save(out, "PNG")
    return out.getvalue()


@contextlib.contextmanager
def _opened(folder: Path, sounds: Sounds, width: int, scheme: str) -> Iterator[tuple[Walk, list[str]]]:
    """A visitor on an empty app, and what the console complains of."""
    microphone = [f"--use-file-for-fake-audio-capture={sounds.microphone}", "--use-fake-device-for-media-stream"]
    home = {"GENRESCOPE_HOME": str(folder / f"home {width} {scheme}")}
    with (
        mock.patch.dict(os.environ, home),
        chromium(*microphone, "--use-fake-ui-for-media-stream") as browser,
        server(ROOT / "app.py") as (address, _),
    ):
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, permissions=["microphone"]
        )
        page = context.new_page()
        page.set_default_timeout(30_000)
        complaints: list[str] = []
        page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(address)
        yield Walk(page, sounds), complaints
        context.close()


def _walked_until(last: str, walk: Walk, complaints: list[str]) -> Iterator[tuple[str, list[str], float]]:
    """Name of each act up to one, what was wrong with it, and its seconds."""
    for act, do in ACTS.items():
        began = time.perf_counter()
        wrong = walked(walk, do)
        wrong += [f"console: {text[:200]}" for text in complaints]
        complaints.clear()
        yield act, wrong, time.perf_counter() - began
        if act == last:
            return


def main() -> int:
    """Walk, and print a line an act."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder for the pictures")
    parser.add_argument("--widths", default="1280,768,400", help="of the window, in pixels")
    parser.add_argument("--schemes", default="light,dark")
    parser.add_argument(
        "--only", default="", help=f"some of: {', '.join(ACTS)}; those before are done without a picture"
    )
    options = parser.parse_args()
    wanted = options.only.split(",") if options.only else list(ACTS)
    if unknown := set(wanted) - set(ACTS):
        parser.error(f"no act is called {', '.join(sorted(unknown))}")
    options.out.mkdir(parents=True, exist_ok=True)
    looks = [(int(width), scheme) for scheme in options.schemes.split(",") for width in options.widths.split(",")]
    last = max(wanted, key=list(ACTS).index)
    n_wrong, taken = 0, dict[str, list[bytes]]()
    with tempfile.TemporaryDirectory() as name:
        sounds = make_sounds(Path(name))
        for width, scheme in looks:
            with _opened(Path(name), sounds, width, scheme) as (walk, complaints):
                for act, wrong, seconds in _walked_until(last, walk, complaints):
                    n_wrong += bool(wrong)
                    print(f"{width} {scheme:5} {act:18} {seconds:5.1f} s  {'; '.join(wrong)}", flush=True)
                    if act in wanted:
                        taken.setdefault(act, []).append(walk.page.screenshot())
        for number, act in enumerate(ACTS):
            if act in taken:
                (options.out / f"{number + 1:02} {act}.png").write_bytes(beside(taken[act]))
    return 1 if n_wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
