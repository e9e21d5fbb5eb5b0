"""Many visitors at once, and one who never stops: is every answer right, and does the memory come back?

    python -m bench.load --sessions 25 --uploads 2
    python -m bench.load --soak 500

Starts the app with a model that can be worked out by hand, and drives it with Chromium. In the first
form every session uploads clips of its own, all at the same moment, and must read on its page what the
clip gets alone, under the name of its own file. In the second one session uploads clip after clip.
Memory is that of the server's process (Linux). Prints JSON; the exit status is 1 if an answer was wrong.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from sounds import RATE, noise, sine, wav_bytes

from bench.measuring import resident_mb
from bench.serving import chromium, served
from crnn.bundles.bundle import load_bundle
from crnn.bundles.library import DEFAULT_MODEL
from crnn.inference import output
from crnn.inference.classifier import Classifier

PATIENCE_MS = 300_000
Clip = tuple[str, bytes]


def make_clip(number: int, seconds: float) -> Clip:
    """Name and wav of a clip unlike all others: a tone of its own in noise of its own.

    Args:
        number: Of the clip; it names the clip and chooses tone and noise.
        seconds: Its length.
    """
    tone = sine(60.0 * 1.17 ** (number % 31) * (1 + number / 5000), seconds)
    samples = (tone + noise(seconds, level=0.02, seed=number)).astype(np.float32)
    return f"clip-{number:04d}.wav", wav_bytes(samples, RATE, "PCM_16")


def _expected_words(classifier: Classifier, clip: Clip) -> str:
    """The sentence that the page must show for a clip."""
    return output.verdict_sentence(classifier.classify_file(clip[1], name=clip[0]))


def _upload(page: Any, clip: Clip) -> None:
    """Give a page a clip in place of the last one."""
    change = page.get_by_text(re.compile(r"^\S.* · change$"))
    page.get_by_role("tab", name="Upload").or_(change).first.wait_for(timeout=PATIENCE_MS)
    if not page.get_by_role("tab", name="Upload").is_visible():
        change.click()
    page.get_by_role("tab", name="Upload").click()
    given = {"name": clip[0], "mimeType": "audio/wav", "buffer": clip[1]}
    remove = page.locator('[data-testid="stFileChipDeleteBtn"] button')
    while remove.count():
        remove.first.click()
        page.locator('[data-testid="stMain"] h3').wait_for(state="detached", timeout=PATIENCE_MS)
    page.locator('[data-testid="stFileUploaderDropzoneInput"]').set_input_files([given])


def read_answer(page: Any) -> tuple[str, str]:
    """The sentence on a page and the name over its player, when both are there."""
    page.locator(".stage").wait_for(timeout=PATIENCE_MS)
    words = page.locator('[data-testid="stMain"] h3').inner_text()
    source = page.get_by_text(re.compile(r"^\S.* · change$")).first.inner_text()
    # Name and length.
    return " ".join(words.split()), source.removesuffix(" · change").rsplit(" · ", 1)[0]


def heard(page: Any) -> int:
    """Bytes of what the player plays: another's clip has another length."""
    return int(
        page.locator(".view audio").evaluate("audio => fetch(audio.src).then((r) => r.blob()).then((b) => b.size)")
    )


def crowd(
    host: str,
    pid: int,
    classifier: Classifier,
    browser: Any,
    *,
    n_sessions: int,
    n_uploads: int,
    patience_seconds: float = 180.0,
) -> dict[str, Any]:
    """Sessions that all upload at once, each a clip of its own length; what went wrong and what it cost.

    Args:
        host: Name and port of the app.
        pid: Of its process.
        classifier: The model that the app uses.
        browser: Chromium.
        n_sessions: How many pages, each with cookies and storage of its own.
        n_uploads: Rounds of uploads.
        patience_seconds: How long the memory may take to come back; a session is kept for two minutes after its page.
    """
    contexts = [browser.new_context(viewport={"width": 1000, "height": 800}) for _ in range(n_sessions)]
    pages = [context.new_page() for context in contexts]
    for page in pages:
        page.goto(f"http://{host}")
        page.get_by_role("tab", name="Upload").wait_for(timeout=PATIENCE_MS)
    # The first answer loads the network and what draws; that stays, and is not the visitors'.
    _upload(pages[0], make_clip(9000, 10.0))
    read_answer(pages[0])
    before = resident_mb(pid)
    wrong: list[dict[str, Any]] = []
    waits: list[float] = []
    for turn in range(n_uploads):
        clips = [make_clip(turn * n_sessions + i, 6.0 + 0.25 * i) for i in range(n_sessions)]
        expected = [[_expected_words(classifier, clip), clip[0], len(clip[1])] for clip in clips]
        began = time.monotonic()
        for page, clip in zip(pages, clips, strict=True):
            _upload(page, clip)
        for i, page in enumerate(pages):
            read = [*read_answer(page), heard(page)]
            waits.append(time.monotonic() - began)
            if read != expected[i]:
                wrong.append({"session": i, "expected": expected[i], "read": read})
    at_most = resident_mb(pid)
    for context in contexts:
        context.close()
    after = _settled(host, pid, browser, before, patience_seconds)
    return {
        "sessions": n_sessions,
        "uploads": n_sessions * n_uploads,
        "wrong": wrong,
        "last_answer_seconds": round(max(waits), 1),
        "memory_mb": {
            "before": round(before),
            "with_all": round(at_most),
            "after": round(after),
        },
    }


def _settled(host: str, pid: int, browser: Any, aim: float, patience_seconds: float) -> float:
    """Memory when it has come back near `aim`, or when patience ends.

    Visitors come and go meanwhile: Streamlit forgets those whose two minutes are over when another one leaves.
    """
    deadline = time.monotonic() + patience_seconds
    while resident_mb(pid) > aim * 1.1 and time.monotonic() < deadline:
        time.sleep(10)
        context = browser.new_context()
        page = context.new_page()
        page.goto(f"http://{host}")
        page.get_by_role("tab", name="Upload").wait_for(timeout=PATIENCE_MS)
        context.close()
    return resident_mb(pid)


def soak(
    host: str, pid: int, classifier: Classifier, browser: Any, *, n_uploads: int, settle_at: int = 100
) -> dict[str, Any]:
    """One session, clip after clip; the growth of the server's memory from clip `settle_at` on.

    Args:
        host: Name and port of the app.
        pid: Of its process.
        classifier: The model that the app uses.
        browser: Chromium.
        n_uploads: How many clips.
        settle_at: From which clip on growth counts.
    """
    page = browser.new_context().new_page()
    page.goto(f"http://{host}")
    wrong, memory = 0, []
    for number in range(n_uploads):
        clip = make_clip(number, 10.0)
        _upload(page, clip)
        wrong += read_answer(page) != (_expected_words(classifier, clip), clip[0])
        memory.append(resident_mb(pid))
        if number % 50 == 49:
            print(f"{number + 1} of {n_uploads}: {memory[-1]:.0f} MB", file=sys.stderr, flush=True)
    settle_at = min(settle_at, n_uploads // 2)
    # The mean of some: a single look depends on what was just thrown away. None counts as both.
    n_looks = max(1, min(10, (n_uploads - settle_at) // 2))
    first, last = np.mean(memory[settle_at : settle_at + n_looks]), np.mean(memory[-n_looks:])
    return {
        "uploads": n_uploads,
        "wrong": wrong,
        "from_upload": settle_at,
        "memory_mb": {"then": round(float(first)), "last": round(float(last)), "growth": round(float(last - first), 1)},
    }


def main() -> int:
    """Run one of both and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, default=25)
    parser.add_argument("--uploads", type=int, default=2, help="of each session")
    parser.add_argument("--soak", type=int, default=0, metavar="N", help="one session with N uploads instead")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        with served(Path(folder), "local") as (host, pid), chromium() as browser:
            classifier = Classifier(load_bundle(Path(folder) / "models" / DEFAULT_MODEL))
            if options.soak:
                result = soak(host, pid, classifier, browser, n_uploads=options.soak)
            else:
                result = crowd(host, pid, classifier, browser, n_sessions=options.sessions, n_uploads=options.uploads)
        log = (Path(folder) / "log.txt").read_text(encoding="utf-8", errors="replace")
        result["server_faults"] = log.count("Traceback")
    print(json.dumps(result, indent=1))
    return 1 if result["wrong"] or result["server_faults"] else 0


if __name__ == "__main__":
    sys.exit(main())
