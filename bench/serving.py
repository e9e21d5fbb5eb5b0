"""The app on a port of its own, and a Chromium that visits it."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tiny_bundle import tiny_bundle

from bench import ROOT
from crnn.bundles.library import DEFAULT_MODEL

# A cold start on a busy machine; an app that takes longer is not up.
UP_SECONDS = 180.0
_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_ARGUMENTS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()


class NotServedError(Exception):
    """The app that something was to be tried on did not come up: nothing is known of it."""


@contextlib.contextmanager
def served(folder: Path, mode: str = "public", **settings: str) -> Iterator[tuple[str, int]]:
    """Host and port of the app in a mode, and its process id.

    Args:
        folder: Takes `models`, with a hand-made bundle, `home` and the log.
        mode: `GENRESCOPE_MODE` of the server.
        **settings: Further environment variables, which win over those that are set here.

    Raises:
        NotServedError: It ended, or does not answer.
    """
    port = free_port()
    tiny_bundle(folder / "models" / DEFAULT_MODEL)
    environment = {
        **os.environ,
        "GENRESCOPE_MODE": mode,
        "GENRESCOPE_MODELS": str(folder / "models"),
        "GENRESCOPE_HOME": str(folder / "home"),
        **settings,
    }
    with (folder / "log.txt").open("wb") as log:
        process = subprocess.Popen(run_command("app.py", port), cwd=ROOT, env=environment, stdout=log, stderr=log)
        try:
            await_up(port, process, folder / "log.txt")
            yield f"localhost:{port}", process.pid
        finally:
            process.terminate()
            process.wait(30)


def free_port() -> int:
    """A port of this machine that nobody has at the moment."""
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return int(probe.getsockname()[1])


def run_command(script: str | Path, port: int) -> list[str]:
    """The command that serves an app of Streamlit and opens no browser.

    Args:
        script: The app's.
        port: That it shall listen to.
    """
    options = ["--server.headless", "true", "--server.port", str(port)]
    return [sys.executable, "-m", "streamlit", "run", str(script), *options]


def await_up(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until an app answers.

    Args:
        port: That it listens to.
        process: The server's.
        log: What it writes.

    Raises:
        NotServedError: It ended, or does not answer.
    """
    deadline = time.monotonic() + UP_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with (
            contextlib.suppress(OSError),
            urllib.request.urlopen(f"http://localhost:{port}/_stcore/health", timeout=5),
        ):
            return
        time.sleep(0.02)
    status = process.poll()
    found = f"does not answer after {UP_SECONDS:.0f} s" if status is None else f"ended with status {status}"
    said = " ".join(log.read_text(encoding="utf-8", errors="replace").split())[-500:]
    raise NotServedError(f"The app {found} and cannot be tried. Its last words: {said or 'none'}")


def chromium_program() -> str | None:
    """The system's Chromium; None if there is none."""
    return next(filter(None, map(shutil.which, _BROWSERS)), None)


@contextlib.contextmanager
def chromium(*arguments: str) -> Iterator[Any]:
    """The system's Chromium without a window, driven by Playwright.

    Args:
        *arguments: Further options of its command line.

    Raises:
        RuntimeError: No Chromium is installed.
    """
    from playwright.sync_api import sync_playwright

    program = chromium_program()
    if program is None:
        raise RuntimeError("no Chromium is installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, headless=True, args=[*_ARGUMENTS, *arguments])
        yield browser
        browser.close()
