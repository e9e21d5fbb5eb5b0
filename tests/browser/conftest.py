"""A real server and a real Chromium, whose microphone hears a known tone."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from needed import lacks
from second_try import pytest_runtest_protocol  # noqa: F401 - a hook
from sounds import sine, wav_bytes
from tiny_bundle import tiny_bundle

from bench import serving

ROOT = Path(__file__).resolve().parents[2]
TONE_HZ = 1234.5


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the app, served with the hand-made model."""
    if shutil.which("ffmpeg") is None:
        lacks("ffmpeg is not installed: it makes the compressed files for these tests")
    models = tmp_path_factory.mktemp("models")
    tiny_bundle(models / "tiny")
    with served(models, tmp_path_factory.mktemp("server")) as address:
        yield address


@contextmanager
def served(models: Path, logs: Path, **environment: str) -> Iterator[str]:
    """The address of the app, served with the models of a folder.

    Args:
        models: Where they lie.
        logs: Where what the server says is written.
        environment: More variables of it.
    """
    port, log = serving.free_port(), logs / "log.txt"
    command, variables = serving.run_command("app.py", port), {**os.environ, "GENRESCOPE_MODELS": str(models)}
    with log.open("wb") as out:
        process = subprocess.Popen(command, cwd=ROOT, env=variables | environment, stdout=out, stderr=out)
        try:
            serving.await_up(port, process, log)
            yield f"http://localhost:{port}"
        finally:
            process.terminate()
            process.wait(60)


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[object]:
    """The browser; its microphone plays a sine of `TONE_HZ` for ever."""
    if serving.chromium_program() is None:
        lacks("no Chromium is installed")
    if importlib.util.find_spec("playwright") is None:
        lacks("playwright is not installed (requirements-dev.txt)")
    tone = tmp_path_factory.mktemp("microphone") / "tone.wav"
    tone.write_bytes(wav_bytes(sine(TONE_HZ, 20.0, 48_000, level=0.25), 48_000, "PCM_16"))
    arguments = (
        "--use-fake-device-for-media-stream --use-fake-ui-for-media-stream --autoplay-policy=no-user-gesture-required"
    ).split()
    with serving.chromium(*arguments, f"--use-file-for-fake-audio-capture={tone}") as browser:
        yield browser


PAGES = pytest.StashKey[list[Any]]()
# What was pressed, and on what it landed: a click that the page lost is one without a last line.
WATCH_PRESSES = """
(() => {
  const seen = (window.presses = []);
  for (const kind of ["pointerdown", "pointerup", "click"])
    addEventListener(kind, ({ target, timeStamp }) => {
      const words = (target.innerText ?? "").slice(0, 30).replaceAll("\\n", " ");
      seen.push(`${(timeStamp / 1000).toFixed(3)} ${kind} on ${target.nodeName} ${JSON.stringify(words)}`);
    }, true);
})();
"""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Where a test fails, tell what its pages show, and what was pressed."""
    report = yield
    for page in item.stash.get(PAGES, []) if report.when == "call" and report.failed else []:
        try:
            presses = page.evaluate("[(performance.now() / 1000).toFixed(3) + ' now', ...window.presses].join('\\n')")
            report.sections.append(("page", f"{page.url}\n{page.locator('body').inner_text(timeout=5000)}\n{presses}"))
        except Exception as err:  # noqa: BLE001 - whatever the browser says, the test's own failure matters more
            report.sections.append(("page", f"cannot be asked: {err}"))
    return report


@pytest.fixture
def open_page(chromium, server, request):
    """Opens the app in a window of a given size; fails the test on a script error or a foreign request."""
    from playwright.sync_api import expect

    expect.set_options(timeout=60_000)
    faults: list[str] = []
    contexts = []
    pages = request.node.stash[PAGES] = []

    def check(request) -> None:
        if not request.url.startswith((server, server.replace("http", "ws"), "blob:", "data:")):
            faults.append(f"asked for {request.url}")

    def make(width: int = 1280, height: int = 800):
        context = chromium.new_context(viewport={"width": width, "height": height}, permissions=["microphone"])
        contexts.append(context)
        context.add_init_script(WATCH_PRESSES)
        page = context.new_page()
        pages.append(page)
        page.set_default_timeout(60_000)
        page.on("request", check)
        page.on("pageerror", lambda error: faults.append(f"{error}\n{error.stack}"))
        page.goto(server)
        expect(page.get_by_role("tab", name="Record")).to_be_visible()
        return page

    yield make
    for context in contexts:
        context.close()
    assert not faults


@pytest.fixture
def page(open_page):
    """The app at 1280 × 800."""
    return open_page()
