"""The server is restarted while a page is open: it says so, and goes on."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
from listen_in_browser import upload, verdict
from sounds import sine, wav_bytes
from tiny_bundle import tiny_bundle

from bench import serving

from .conftest import ROOT

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


def serve(port: int, folder: Path) -> subprocess.Popen[bytes]:
    """The app at a port, once it answers."""
    log = folder.with_suffix(".log")
    with log.open("ab") as out:
        process = subprocess.Popen(
            serving.run_command("app.py", port),
            cwd=ROOT,
            env={**os.environ, "GENRESCOPE_MODELS": str(folder)},
            stdout=out,
            stderr=out,
        )
    serving.await_up(port, process, log)
    return process


def test_page_goes_on_after_a_restart_of_the_server(chromium, tmp_path: Path) -> None:
    from playwright.sync_api import expect

    tiny_bundle(tmp_path / "tiny")
    port = serving.free_port()
    process = serve(port, tmp_path)
    try:
        page = chromium.new_context().new_page()
        page.goto(f"http://localhost:{port}")
        upload(page, ("high.wav", wav_bytes(sine(6000.0, 12.0))))
        expect(verdict(page)).to_have_text(re.compile("^Sounds like treble"), timeout=60_000)
        process.kill()
        process.wait()
        process = serve(port, tmp_path)
        expect(page.get_by_text("gone from the server’s memory")).to_be_visible(timeout=120_000)
        upload(page, ("low.wav", wav_bytes(sine(60.0, 12.0))))
        expect(verdict(page)).to_have_text(re.compile("^Sounds like bass"), timeout=60_000)
        assert page.get_by_test_id("stException").count() == 0
    finally:
        process.kill()
        process.wait()
