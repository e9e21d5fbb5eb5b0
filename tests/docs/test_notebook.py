"""The student's notebook: without outputs in the repository, and run from top to bottom in a kernel of its own."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOK = ROOT / "docs" / "genrescope.ipynb"


def test_it_is_kept_without_outputs() -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert len(code) > 5
    assert [(cell.outputs, cell.execution_count) for cell in code] == [([], None)] * len(code)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_it_runs_from_top_to_bottom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENRESCOPE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    # The way is tried, not how well fourteen epochs learn.
    shortened = [cell for cell in notebook.cells if "epochs=14" in cell.source]
    assert len(shortened) == 1
    shortened[0].source = shortened[0].source.replace("epochs=14", "epochs=5")
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
