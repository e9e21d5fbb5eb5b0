"""The app where people sign in, with a real OpenID provider on the loopback, and two people's ways through it."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
from pathlib import Path
from typing import Any

from tiny_bundle import tiny_bundle

from bench import ROOT
from bench.serving import await_up, free_port, run_command


class House:
    """The app in shared mode, which can be killed and begun again.

    Args:
        folder: Where all of it lies.
        provider_port: Of the OpenID provider.
    """

    def __init__(self, folder: Path, provider_port: int) -> None:
        self.port = free_port()
        self.address, self.home = f"http://localhost:{self.port}", folder / "home"
        self.issuer = f"http://localhost:{provider_port}"
        self._folder = folder
        tiny_bundle(folder / "models" / "ten-genres")
        (folder / "secrets.toml").write_text(
            f'[auth]\nredirect_uri = "{self.address}/oauth2callback"\ncookie_secret = "{secrets.token_hex(32)}"\n'
            f'client_id = "genrescope"\nclient_secret = "secret"\n'
            f'server_metadata_url = "http://localhost:{provider_port}/.well-known/openid-configuration"\n'
        )

    def open(self) -> None:
        """Begin to serve, and wait until it does."""
        command = [*run_command("app.py", self.port), "--secrets.files", str(self._folder / "secrets.toml")]
        environment = {
            **os.environ,
            "GENRESCOPE_MODE": "shared",
            "GENRESCOPE_ADMINS": "ben",
            "GENRESCOPE_HOME": str(self.home),
            "GENRESCOPE_MODELS": str(self._folder / "models"),
            # An http provider, which only the loopback may have.
            "AUTHLIB_INSECURE_TRANSPORT": "1",
        }
        with (self._folder / "log.txt").open("ab") as log:
            self.process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
        await_up(self.port, self.process, self._folder / "log.txt")

    def kill(self) -> None:
        """End it without a word."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(20)


def sign_in(chromium: Any, house: House, name: str) -> Any:
    """A page of somebody who has just signed in.

    Args:
        chromium: The browser; the page has cookies of its own.
        house: The app, which is open.
        name: The subject that the provider is given; the sidebar must show it.
    """
    from playwright.sync_api import expect

    expect.set_options(timeout=60_000)
    page = chromium.new_context(viewport={"width": 1280, "height": 900}).new_page()
    page.goto(house.address)
    expect(page.get_by_text("everyone has models and clips of their own")).to_be_visible()
    expect(page.get_by_role("tab", name="Upload")).to_have_count(0)
    page.get_by_role("button", name="Sign in").click()
    page.locator('input[name="sub"]').fill(name)
    page.get_by_role("button", name="Authorize").click()
    expect(page.get_by_role("tab", name="Upload")).to_be_visible()
    expect(page.get_by_test_id("stSidebar").get_by_role("button", name=name)).to_be_visible()
    return page


def give(page: Any, song: bytes) -> str:
    """Upload a song and wait for its answer; the path by which the player fetches it, below `/media/`.

    Args:
        page: Of Listen, with its tab Upload in sight.
        song: A wav that the hand-made bundle calls bass.
    """
    from playwright.sync_api import expect

    page.get_by_role("tab", name="Upload").click()
    with page.expect_request(lambda request: "/media/" in request.url, timeout=60_000) as fetched:
        page.locator('[data-testid="stFileUploaderDropzoneInput"]').first.set_input_files(
            {"name": "song.wav", "mimeType": "audio/wav", "buffer": song}
        )
    expect(page.get_by_text("Sounds like bass").first).to_be_visible()
    return str(fetched.value.url.partition("/media/")[2])


def correct(page: Any, genre: str) -> None:
    """Keep the sound on show under another genre.

    Args:
        page: Of Listen, with its answer.
        genre: What it is filed under; need not be one of the model's.
    """
    from playwright.sync_api import expect

    page.get_by_text("No, this is …").click()
    page.get_by_label("If it is another genre").fill(genre)
    agrees = page.get_by_role("checkbox", name="Keep this sound on this server")
    # A form that was drawn anew in this very moment has not noticed the click.
    for _ in range(5):
        if not agrees.is_checked():
            page.get_by_text("Keep this sound on this server").click()
        page.wait_for_timeout(300)
    expect(agrees).to_be_checked()
    page.get_by_role("button", name="Correct it").click()
    expect(page.get_by_text("Kept among your corrections")).to_be_visible()
