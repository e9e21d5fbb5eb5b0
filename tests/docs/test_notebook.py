"""The student's notebook: without outputs in the repository, and run from top to bottom in a kernel of its own."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
from IPython.core.inputtransformer2 import TransformerManager
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOK = ROOT / "docs" / "genrescope.ipynb"
# The way is tried, not how well fourteen epochs learn; making its 408 sounds at 22 kHz takes longer than learning them.
_AT_8_KHZ = "sample_rate=8000, n_fft=512, hop_length=332, n_mels=64, fmax=4000.0"
SHORTER = {
    "epochs=14": "epochs=5",
    'features = preset("quick").features': (
        f'import dataclasses\nfeatures = dataclasses.replace(preset("quick").features, {_AT_8_KHZ})'
    ),
    'settings = preset("quick")': 'settings = dataclasses.replace(preset("quick"), features=features)',
}


def test_it_is_kept_without_outputs() -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert len(code) > 5
    assert [(cell.outputs, cell.execution_count) for cell in code] == [([], None)] * len(code)


@pytest.mark.parametrize("filled_in", ["", "git+https://example.org/me/mine"])
@pytest.mark.parametrize("is_checkout", [True, False])
def test_the_first_cell_installs_the_checkout_or_what_is_filled_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_checkout: bool, filled_in: str
) -> None:
    """Where the package is not at hand yet, as on a hosted notebook."""
    beside = tmp_path / "docs"
    beside.mkdir()
    if is_checkout:
        (tmp_path / "crnn").mkdir()
    monkeypatch.chdir(beside)
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    monkeypatch.setattr("sys.path", [*sys.path])
    first = next(cell for cell in nbformat.read(NOTEBOOK, as_version=4).cells if cell.cell_type == "code")
    source = TransformerManager().transform_cell(first.source.replace('ADDRESS = ""', f"ADDRESS = {filled_in!r}"))
    asked: list[tuple[str, str]] = []
    shell = SimpleNamespace(run_line_magic=lambda *line: asked.append(line))
    names: dict[str, object] = {"get_ipython": lambda: shell}
    if not is_checkout and not filled_in:
        with pytest.raises(ValueError, match="fill in ADDRESS"):
            exec(source, names)
        return
    exec(source, names)
    assert asked == [("pip", 'install --quiet "genrescope[app,train] @ {address}"')]
    assert names["address"] == (tmp_path.as_uri() if is_checkout else filled_in)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_it_runs_from_top_to_bottom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENRESCOPE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    for written, shorter in SHORTER.items():
        (cell,) = (cell for cell in notebook.cells if written in cell.source)
        cell.source = cell.source.replace(written, shorter)
    beside = {"metadata": {"path": str(ROOT / "docs")}}
    # On a busy machine a kernel may take minutes to begin.
    client = NotebookClient(notebook, timeout=900, startup_timeout=300, kernel_name="python3", resources=beside)
    client.execute()
    text = "\n".join(
        output.get("text", "") for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs
    )
    assert text.count(" 24 tracks") == 8
    for title in ("By artist:", "At random:", "By five folds:"):
        assert title in text
    right, n_tracks = (int(number) for number in re.search(r"(\d+) of (\d+) unheard tracks right", text).groups())  # type: ignore[union-attr]
    # A guess has one of eight, four of these.
    assert n_tracks == 32
    assert right > 4
    assert re.search(r"0\.\d\d MB in .*my-first\.onnx", text)
    pictures = [o for c in notebook.cells if c.cell_type == "code" for o in c.outputs if "data" in o]
    assert sum("application/vnd.plotly.v1+json" in o["data"] for o in pictures) == 4
    assert sum("text/html" in o["data"] and "<audio" in o["data"]["text/html"] for o in pictures) == 1
