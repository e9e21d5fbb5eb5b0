"""Limits of the system on a process: lowered, never raised."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytest.importorskip("resource")

LOWER = """
import resource
from crnn import os_limits
os_limits.lower("RLIMIT_FSIZE", {most})
print(resource.getrlimit(resource.RLIMIT_FSIZE))
"""


@pytest.mark.parametrize(("most", "left"), [(1000, 1000), (8000, 4096)])
def test_a_lower_limit_that_is_there_stays(most: int, left: int) -> None:
    """Whoever may not raise a limit gets an error for asking, and the network that was to be tried was refused."""
    command = f"ulimit -f 8 && exec '{sys.executable}' -c '{LOWER.format(most=most)}'"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == f"({left}, {left})"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what a process maps")
def test_a_process_may_map_so_much_more_and_no_more() -> None:
    code = "from crnn import os_limits; os_limits.bound_address_space(2**28); bytes(2**27); bytes(2**29)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "MemoryError" in done.stderr
    assert "bytes(2**27)\n" not in done.stderr
