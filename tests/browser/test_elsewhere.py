"""The page of docs/elsewhere that runs an exported network, but for the runtime, which is no part of this project."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tiny_bundle import tiny_bundle

from crnn.bundles.bundle import ONNX_NAME, Calibration
from crnn.networks.export_card import export_card, onnx_with_card

pytestmark = pytest.mark.browser

PAGE = Path(__file__).resolve().parents[2] / "docs" / "elsewhere" / "genre_onnx.html"
# Of two segments; and only where the page hands over the input as it lies beside it.
RUNTIME = """export class Tensor { constructor(type, data, dims) { Object.assign(this, { type, data, dims }); } }
export const InferenceSession = { create: async () => ({ run: async ({ log_mel }, [name]) => ({ [name]: { data:
  log_mel.type === "float32" && log_mel.dims.join() === "2,1,3" && log_mel.data[5] === 6
    ? Float32Array.of(1, 2, 3, 3, 2, 5) : Float32Array.of(0, 0, 0) } }) }) };"""


def test_the_page_says_the_posterior_by_the_card_inside_the_model(chromium, tmp_path: Path) -> None:
    bundle = tiny_bundle(tmp_path / "tiny", genres=("a", "ö", "{c"), calibration=Calibration(temperature=2.0))
    model = onnx_with_card(bundle.file(ONNX_NAME).read_bytes(), export_card(bundle))
    # Another entry of metadata behind it, as tools append them: the card ends before the file does.
    model += b"r\x06\n\x01k\x12\x01v"
    files = {
        "genre_onnx.html": PAGE.read_bytes(),
        "ort.wasm.bundle.min.mjs": RUNTIME.encode(),
        "mine.onnx": model,
        "log_mel.json": json.dumps({"shape": [2, 1, 3], "values": [1, 2, 3, 4, 5, 6]}).encode(),
    }
    types = {".html": "text/html", ".mjs": "text/javascript"}

    def answer(route) -> None:
        name = route.request.url.split("/")[-1].split("?")[0]
        kind = types.get(Path(name).suffix, "application/octet-stream")
        route.fulfill(status=200 if name in files else 404, body=files.get(name, b""), content_type=kind)

    page = chromium.new_page()
    page.route("**/*", answer)
    page.goto("http://localhost/genre_onnx.html?model=mine.onnx")
    page.wait_for_function("document.querySelector('#answer').textContent.startsWith('{')", timeout=60_000)
    found = json.loads(page.locator("#answer").text_content())
    page.close()
    # Mean logits 2, 2, 4 by a temperature of 2.
    assert found == pytest.approx({"a": 0.2119, "ö": 0.2119, "{c": 0.5761}, abs=1e-3)
