"""The files of docs/hosting say what the programs that read them understand."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.slow
def test_the_units_variables_let_its_own_name_in() -> None:
    unit = (ROOT / "docs" / "hosting" / "genrescope.service").read_text(encoding="utf-8")
    told = dict(line.split("=", 1) for line in re.findall(r"^Environment=(.*)$", unit, re.MULTILINE))
    # systemd takes quotes away wherever they stand.
    environment = {**os.environ, **{name: value.replace('"', "") for name, value in told.items() if name != "HOME"}}
    shown = subprocess.run(
        [sys.executable, "-m", "streamlit", "config", "show"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=True,
    ).stdout
    hosts = re.search(r"^allowedHosts = \[(.*?)\]", shown, re.MULTILINE | re.DOTALL)
    assert hosts is not None
    assert re.findall(r'"([^"]*)"', hosts[1]) == ["genrescope.example"]
