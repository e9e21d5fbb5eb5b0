"""Names, tags, notes and models that hold markup and scripts, on every page and in the report: text, no more."""

from __future__ import annotations

import dataclasses
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from listen_in_browser import hand_over
from sounds import sine, wav_bytes
from tiny_bundle import tiny_bundle, tiny_onnx

from bench.serving import served
from crnn.bundles.bundle import EMBEDDINGS_NAME, ONNX_NAME, load_bundle, save_bundle
from crnn.evaluation.report import to_html

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(600)]

IMAGE = "<img src=x onerror=window.owned=1>"
SCRIPT = "<script>window.owned=1</script>"
LINK = '<a href="http://evil.example/">win</a>'
MARKDOWN = "![a](http://evil.example/a.png) [b](javascript:window.owned=1) :red[c]"
# A name has a hundred characters at most.
GENRES = (IMAGE, LINK, f"{SCRIPT} ![a](http://evil.example/a.png) :red[c]")


class Watch:
    """A page, and what went wrong on it."""

    def __init__(self, chromium: Any) -> None:
        from playwright.sync_api import expect

        expect.set_options(timeout=60_000)
        self.faults: list[str] = []
        self.page = chromium.new_context(viewport={"width": 1280, "height": 900}).new_page()
        self.page.set_default_timeout(60_000)
        self.page.on("dialog", lambda dialog: self.faults.append(f"dialog {dialog.message}"))
        self.page.on("request", lambda request: "evil" in request.url and self.faults.append(request.url))

    def check(self) -> None:
        """Nothing ran, nothing was fetched, and no markup became an element."""
        assert self.page.evaluate("window.owned") is None
        elements = 'img[src="x"], a[href*="evil.example"], a[href^="javascript:"], a[*|href*="evil.example"]'
        assert self.page.locator(elements).count() == 0
        assert self.faults == []


def hostile_model(folder: Path) -> None:
    """A model whose genres, notes, data and tracks are markup."""
    tiny = tiny_bundle(folder.parent.parent / "source", genres=GENRES)
    facts = dataclasses.replace(tiny, notes=f"{SCRIPT} {MARKDOWN}", data={"name": LINK, IMAGE: SCRIPT}, created=IMAGE)

    def write_files(draft: Path) -> None:
        (draft / ONNX_NAME).write_bytes(tiny_onnx(n_genres=3))
        (draft / "README.md").write_text(f"{SCRIPT} {MARKDOWN}\n")
        np.savez(
            draft / EMBEDDINGS_NAME,
            embeddings=np.float32([[-20, -60, -60], [-60, -20, -60], [-60, -60, -20]]),
            labels=np.arange(3),
            track_ids=np.array([IMAGE, LINK, SCRIPT]),
            centre=np.float32([-45, -45, -45]),
            axes=np.float32([[1, 0], [0, 1], [0, 0]]),
        )

    save_bundle(facts, folder, write_files)


@pytest.fixture
def watch(chromium: Any) -> Iterator[Watch]:
    found = Watch(chromium)
    yield found
    found.page.context.close()


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """The app with the hostile model."""
    hostile_model(tmp_path / "models" / "ten-genres")
    # `served` would put the harmless model there.
    with served(tmp_path / "server", GENRESCOPE_MODELS=str(tmp_path / "models")) as (host, _):
        yield f"http://{host}"


def tagged_song(ffmpeg: str, folder: Path) -> bytes:
    """A song whose tags are markup."""
    (folder / "a.wav").write_bytes(wav_bytes(sine(60.0, 8.0)))
    tags: list[str] = []
    for name, value in (("title", SCRIPT), ("artist", MARKDOWN), ("genre", IMAGE), ("album", LINK)):
        tags += ["-metadata", f"{name}={value}"]
    command = [ffmpeg, "-v", "error", "-y", "-i", str(folder / "a.wav"), *tags, str(folder / "a.mp3")]
    subprocess.run(command, check=True, timeout=60)
    return (folder / "a.mp3").read_bytes()


def test_on_every_page_it_is_text(watch: Watch, address: str, ffmpeg: str, tmp_path: Path) -> None:
    from playwright.sync_api import expect

    page = watch.page
    page.goto(address)
    page.get_by_role("tab", name="Upload").click()
    hand_over(page, {"name": f"{IMAGE}.mp3", "mimeType": "audio/mpeg", "buffer": tagged_song(ffmpeg, tmp_path)})
    expect(page.get_by_test_id("stMain").get_by_text("onerror=window.owned=1").first).to_be_visible()
    page.locator(".stage").wait_for()
    page.get_by_text("The same in words and numbers").click()
    watch.check()

    page.get_by_role("link", name="Explore").click()
    page.locator(".stage").first.wait_for()
    watch.check()
    # Plotly makes links of tags in its labels.
    page.get_by_test_id("stButtonGroup").get_by_text("Where it lies").click()
    expect(page.locator(".js-plotly-plot .legend")).to_contain_text("<a href")
    watch.check()

    page.get_by_role("link", name="Models").click()
    expect(page.get_by_text("SHA-256 of its network")).to_be_visible()
    # Its CSV would hold names as formulas.
    page.get_by_test_id("stDataFrame").first.hover()
    toolbar = page.get_by_test_id("stElementToolbarButton")
    toolbar.filter(has=page.get_by_label("Search")).first.wait_for()
    assert toolbar.filter(has=page.get_by_label("Download as CSV")).first.is_hidden()
    watch.check()

    page.get_by_role("link", name="Train").click()
    for genre, hz in ((IMAGE, 60.0), (LINK, 5000.0)):
        page.get_by_label("Genre", exact=True).fill(genre)
        hand_over(
            page,
            [
                {
                    "name": f"{IMAGE}{n}.wav",
                    "mimeType": "audio/wav",
                    "buffer": wav_bytes(sine(hz + n)),
                }
                for n in range(3)
            ],
        )
        expect(page.get_by_test_id("stFileChip")).to_have_count(3)
        page.get_by_role("button", name="Add them").click()
        expect(page.get_by_test_id("stFileChip")).to_have_count(0)
        page.get_by_text(" · 3 clips").first.wait_for()
    page.get_by_role("button", name="Learn them").click()
    expect(page.get_by_test_id("stMain").get_by_text("unheard clips right")).to_be_visible()
    page.locator(".js-plotly-plot .heatmaplayer").first.wait_for(state="attached")
    watch.check()


def test_the_report_is_text(watch: Watch, tmp_path: Path) -> None:
    scores: dict[str, Any] = {
        "n_tracks": 2,
        "accuracy": 0.5,
        "accuracy_interval": [0.1, 0.9],
        "macro_f1": 0.5,
        "expected_calibration_error": 0.1,
        "per_genre": {genre: {"n_tracks": 1, "precision": 1, "recall": 1, "f1": 1} for genre in GENRES},
        "genres": list(GENRES),
        "confusion": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
        "reliability": [[0.5, 0.5, 2]],
    }
    track = {"track_id": SCRIPT, "genre": IMAGE, "answer": LINK, "confidence": 0.9}
    report = {
        "created": IMAGE,
        "data": {"name": LINK, "n_tracks": IMAGE},
        "genres": list(GENRES),
        "scores": scores,
        "lucky_guess": {"genre": IMAGE, "accuracy": 0.5},
        "protection": [SCRIPT],
        "notes": [IMAGE, MARKDOWN],
        "kept_epoch": 0,
        "history": [],
        "tracks": [track],
    }
    (tmp_path / "report.html").write_text(to_html(report, SCRIPT), encoding="utf-8")
    watch.page.goto((tmp_path / "report.html").as_uri())
    assert "onerror=window.owned=1" in watch.page.locator("body").inner_text()
    watch.check()
    # Even markup that came through would run and fetch nothing.
    watch.page.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=window.owned=1>')")
    watch.page.evaluate("() => new Promise(done => setTimeout(done, 200))")
    assert watch.page.evaluate("window.owned") is None


def test_the_hostile_model_is_one_that_loads(tmp_path: Path) -> None:
    """Else the pages would have shown nothing of it."""
    hostile_model(tmp_path / "models" / "ten-genres")
    assert load_bundle(tmp_path / "models" / "ten-genres").genres == GENRES
