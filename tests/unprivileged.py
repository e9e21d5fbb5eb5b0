"""Python in a process that file permissions bind, also where the tests are run by root."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def run_unprivileged(script: str, **environment: str) -> str:
    """What the script prints; fails the test if it ends with an error.

    Root may do without permissions by two capabilities, which the child is started without.
    """
    command = [sys.executable, "-c", script]
    if os.name == "nt":
        pytest.skip("permissions are other things on Windows")
    if os.geteuid() == 0:
        if shutil.which("setpriv") is None:
            pytest.skip("run by root, and setpriv (util-linux) is not there to give up root's rights")
        command = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search", *command]
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path, **environment},
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
