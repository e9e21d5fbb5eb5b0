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
import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from sounds import RATE, noise, sine, wav_bytes
from tiny_bundle import tiny_bundle

from bench import ROOT
from crnn.bundles.bundle import load_bundle
from crnn.inference import output
from crnn.inference.classifier import Classifier

PATIENCE_MS = 300_000
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()
Clip = tuple[str, bytes]


@contextlib.contextmanager
def serve(models: Path, log: Path) -> Iterator[tuple[str, int]]:
    """The app's address and its process id.

    Args:
        models: Folder of the models.
        log: File that the server writes its log to.
    """
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        port = probe.getsockname()[1]
    address = f"http://localhost:{port}"
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.headless", "true", "--server.port"]
    environment = {**os.environ, "GENRESCOPE_MODELS": str(models), "GENRESCOPE_HOME": str(models.parent / "home")}
    with log.open("wb") as out:
        process = subprocess.Popen(
            [*command, str(port)], cwd=ROOT, env=environment, stdout=out, stderr=subprocess.STDOUT
        )
        try:
            _wait_until_up(address, process)
            yield address, process.pid
        finally:
            process.terminate()
            process.wait(30)


def _wait_until_up(address: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{address}/_stcore/health", timeout=5):
            return
        time.sleep(0.3)
    raise RuntimeError("the server did not come up")


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


def memory_mb(pid: int) -> float:
    """Resident memory of a process; 0 where Linux's account of it is not there."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    except OSError:
        return 0.0
    found = re.search(r"VmRSS:\s+(\d+)", status)
    return int(found[1]) / 1024 if found else 0.0


@contextlib.contextmanager
def browser(*arguments: str) -> Iterator[Any]:
    """A Chromium without a window."""
    from playwright.sync_api import sync_playwright

    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=program, headless=True, args=[*ARGUMENTS, *arguments])
        yield opened
        opened.close()


def crowd(
    address: str,
    pid: int,
    classifier: Classifier,
    chromium: Any,
    *,
    n_sessions: int,
    n_uploads: int,
    patience_seconds: float = 180.0,
) -> dict[str, Any]:
    """Sessions that all upload at once, each a clip of its own length; what went wrong and what it cost.

    Args:
        address: Of the app.
        pid: Of its process.
        classifier: The model that the app uses.
        chromium: The browser.
        n_sessions: How many pages, each with cookies and storage of its own.
        n_uploads: Rounds of uploads.
        patience_seconds: How long the memory may take to come back; a session is kept for two minutes after its page.
    """
    contexts = [chromium.new_context(viewport={"width": 1000, "height": 800}) for _ in range(n_sessions)]
    pages = [context.new_page() for context in contexts]
    for page in pages:
        page.goto(address)
        page.get_by_role("tab", name="Upload").wait_for(timeout=PATIENCE_MS)
    # The first answer loads the network and what draws; that stays, and is not the visitors'.
    _upload(pages[0], make_clip(9000, 10.0))
    read_answer(pages[0])
    before = memory_mb(pid)
    wrong: list[dict[str, Any]] = []
    waits: list[float] = []
    for turn in range(n_uploads):
        clips = [make_clip(turn * n_sessions + i, 6.0 + 0.25 * i) for i in range(n_sessions)]
        expected = [_expected_words(classifier, clip) for clip in clips]
        began = time.monotonic()
        for page, clip in zip(pages, clips, strict=True):
            _upload(page, clip)
        for i, (page, clip) in enumerate(zip(pages, clips, strict=True)):
            words, name = read_answer(page)
            n_bytes = heard(page)
            waits.append(time.monotonic() - began)
            if (words, name, n_bytes) != (expected[i], clip[0], len(clip[1])):
                wrong.append(
                    {"session": i, "expected": [expected[i], clip[0], len(clip[1])], "read": [words, name, n_bytes]}
                )
    at_most = memory_mb(pid)
    for context in contexts:
        context.close()
    after = _settled(address, pid, chromium, before, patience_seconds)
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


def _settled(address: str, pid: int, chromium: Any, aim: float, patience_seconds: float) -> float:
    """Memory when it has come back near `aim`, or when patience ends.

    Visitors come and go meanwhile: Streamlit forgets those whose two minutes are over when another one leaves.
    """
    deadline = time.monotonic() + patience_seconds
    while memory_mb(pid) > aim * 1.1 and time.monotonic() < deadline:
        time.sleep(10)
        context = chromium.new_context()
        page = context.new_page()
        page.goto(address)
        page.get_by_role("tab", name="Upload").wait_for(timeout=PATIENCE_MS)
        context.close()
    return memory_mb(pid)


def soak(
    address: str, pid: int, classifier: Classifier, chromium: Any, *, n_uploads: int, settle_at: int = 100
) -> dict[str, Any]:
    """One session, clip after clip; the growth of the server's memory from clip `settle_at` on.

    Args:
        address: Of the app.
        pid: Of its process.
        classifier: The model that the app uses.
        chromium: The browser.
        n_uploads: How many clips.
        settle_at: From which clip on growth counts.
    """
    page = chromium.new_context().new_page()
    page.goto(address)
    wrong, memory = 0, []
    for number in range(n_uploads):
        clip = make_clip(number, 10.0)
        _upload(page, clip)
        wrong += read_answer(page) != (_expected_words(classifier, clip), clip[0])
        memory.append(memory_mb(pid))
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
        tiny_bundle(Path(folder) / "models" / "tiny")
        classifier = Classifier(load_bundle(Path(folder) / "models" / "tiny"))
        log = Path(folder) / "log.txt"
        with serve(Path(folder) / "models", log) as (address, pid), browser() as chromium:
            if options.soak:
                result = soak(address, pid, classifier, chromium, n_uploads=options.soak)
            else:
                result = crowd(
                    address, pid, classifier, chromium, n_sessions=options.sessions, n_uploads=options.uploads
                )
        result["server_faults"] = log.read_text(errors="replace").count("Traceback")
    print(json.dumps(result, indent=1))
    return 1 if result["wrong"] or result["server_faults"] else 0


if __name__ == "__main__":
    sys.exit(main())
