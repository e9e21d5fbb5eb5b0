"""The shelf in a real Chromium: two tabs on one model, a name that is taken, an export that is stopped."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from listen_in_browser import hand_over
from tiny_bundle import tiny_bundle, trainable_bundle

from crnn.bundles import library
from crnn.bundles.bundle import load_bundle

from .conftest import served

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(600)]

# Of the list of models, in pixels: rows are as high as its head.
_ROW = 33


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """Two models, by name: alpha and beta."""
    folder = tmp_path / "models"
    tiny_bundle(folder / "alpha")
    trainable_bundle(folder / "beta")
    return folder


@pytest.fixture
def shelf(models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of the Models page of an app of its own, whose temporary files lie in a folder of its own."""
    (tmp_path / "temporary").mkdir()
    monkeypatch.setenv("GENRESCOPE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    with served(models, tmp_path) as address:
        yield f"{address}/Models"


def opened(context, address: str, row: int, name: str):
    """A tab in which the model of a row is chosen."""
    from playwright.sync_api import expect

    expect.set_options(timeout=60_000)
    page = context.new_page()
    page.set_default_timeout(60_000)
    page.goto(address)
    table = page.get_by_test_id("stDataFrame").first
    expect(table.locator("canvas").first).to_be_visible()
    expect(page.get_by_text("Choose a row to see that model’s card")).to_be_visible()
    # The first cell of a row, which selects it.
    table.click(position={"x": 15, "y": _ROW * row + _ROW // 2})
    expect(page.get_by_role("heading", name=name, exact=True)).to_be_visible()
    return page


def press(page, name: str) -> None:
    page.get_by_test_id("stMainBlockContainer").get_by_role("button", name=name, exact=True).click()


def test_a_model_that_was_deleted_in_a_second_tab_is_told_and_nothing_else_is_deleted(chromium, shelf, models) -> None:
    from playwright.sync_api import expect

    context = chromium.new_context(viewport={"width": 1280, "height": 1000})
    first, second = (opened(context, shelf, 1, "alpha") for _ in range(2))
    press(second, "Delete")
    expect(second.get_by_text("alpha was deleted. It can be put back below.")).to_be_visible()
    # The first still shows it, and its button.
    expect(first.get_by_role("heading", name="alpha", exact=True)).to_be_visible()
    press(first, "Delete")
    expect(first.get_by_text("alpha is no longer there.", exact=True)).to_be_visible()
    expect(first.get_by_text("beta was deleted")).to_have_count(0)
    assert load_bundle(models / "beta").name == "beta"
    # Put back in the second, it is there for the first again.
    press(second, "Undo")
    expect(second.get_by_text("alpha is back.")).to_be_visible()
    assert load_bundle(models / "alpha").name == "alpha"
    context.close()


def test_a_taken_name_on_import_is_mended_by_another(chromium, shelf, models, tmp_path) -> None:
    from playwright.sync_api import expect

    packed = tmp_path / "alpha.zip"
    packed.write_bytes(library.pack(load_bundle(models / "alpha")))
    context = chromium.new_context(viewport={"width": 400, "height": 900})
    page = context.new_page()
    expect.set_options(timeout=60_000)
    page.goto(shelf)
    page.get_by_text("Import a model").click()
    # Compare has an uploader of its own.
    box = page.get_by_test_id("stExpander").filter(has_text="Import a model")
    hand_over(box, str(packed))
    fault = page.get_by_text("A model “alpha” is there already.")
    expect(fault).to_be_visible()
    name = page.get_by_label("Name", exact=True)
    name.fill("alpha too")
    name.press("Enter")
    hand_over(box, str(packed))
    expect(page.get_by_text("alpha.zip was imported as alpha-too.")).to_be_visible()
    expect(fault).to_have_count(0)
    assert sorted(path.name for path in models.iterdir() if not path.name.startswith(".")) == [
        "alpha",
        "alpha-too",
        "beta",
    ]
    context.close()


def test_an_export_is_stopped_and_leaves_nothing(chromium, shelf, tmp_path) -> None:
    from playwright.sync_api import expect

    context = chromium.new_context(viewport={"width": 1280, "height": 1000})
    page = opened(context, shelf, 2, "beta")
    press(page, "Export")
    page.get_by_role("button", name="TensorFlow Lite", exact=True).click()
    stop = page.get_by_role("button", name="Stop", exact=True).last
    expect(page.get_by_text("TensorFlow Lite: making and checking it")).to_be_visible()
    stop.click()
    expect(page.get_by_text("TensorFlow Lite was stopped: nothing of it is kept.")).to_be_visible()
    expect(page.get_by_role("button", name="TensorFlow Lite", exact=True)).to_be_visible()
    expect(page.get_by_text("making and checking it")).to_have_count(0)
    # The process ends, and its folder goes, a moment after the page said so.
    deadline = time.monotonic() + 20
    while left := [*exports_under_way(), *(tmp_path / "temporary").iterdir()]:
        assert time.monotonic() < deadline, left
        time.sleep(0.1)
    context.close()


def tops(page, names: list[str]) -> list[int]:
    """How far down the rows of the exports stand."""
    boxes = [page.get_by_role("button", name=name, exact=True).bounding_box() for name in names]
    return [round(box["y"]) for box in boxes]


@pytest.mark.parametrize("width", [1280, 400])
def test_nothing_moves_or_pales_while_an_export_is_made_and_a_click_does_not_end_it(chromium, shelf, width) -> None:
    from playwright.sync_api import expect

    context = chromium.new_context(viewport={"width": width, "height": 1000})
    page = opened(context, shelf, 2, "beta")
    press(page, "Export")
    others = ["To import elsewhere", "Keras", "TensorFlow Lite"]
    expect(page.get_by_role("button", name="Keras", exact=True)).to_be_visible()
    # The box is drawn where it fits.
    page.wait_for_timeout(500)
    before = tops(page, ["ONNX", *others])
    page.get_by_role("button", name="ONNX", exact=True).click()
    expect(page.get_by_text("ONNX: making and checking it")).to_be_visible()
    expect(page.get_by_role("button", name="ONNX", exact=True)).to_have_count(0)
    assert tops(page, ["Stop", *others]) == pytest.approx(before, abs=1)
    page.wait_for_timeout(1500)
    assert tops(page, ["Stop", *others]) == pytest.approx(before, abs=1)
    for name in others:
        expect(page.get_by_role("button", name=name, exact=True)).to_be_disabled()
    expect(page.locator('[data-stale="true"]')).to_have_count(0)
    page.keyboard.press("Escape")
    # Each a run of the page.
    press(page, "Rename")
    page.get_by_label("New name").fill("gamma")
    page.keyboard.press("Escape")
    page.get_by_text("Import a model").click()
    page.get_by_label("Name", exact=True).fill("delta")
    page.get_by_label("Name", exact=True).press("Enter")
    page.wait_for_timeout(500)
    press(page, "Export")
    expect(page.get_by_role("button", name="Save beta-onnx.zip")).to_be_visible()
    context.close()


def exports_under_way() -> list[str]:
    """Commands of processes that export a model of this test."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        # Others end meanwhile.
        with contextlib.suppress(OSError):
            command = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if " export " in command and "beta.tflite" in command:
                found.append(command)
    return found
