"""Processes beside the server: whoever uses its pages comes first."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from crnn.jobs.detached import start_detached


@pytest.mark.skipif(sys.platform == "win32", reason="no niceness")
@pytest.mark.parametrize(("stands_back", "niceness"), [(True, 15), (False, 0)])
def test_stands_back_among_sessions_and_within_its_own(stands_back: bool, niceness: int) -> None:
    with open(os.devnull, "wb") as log:
        process = start_detached(["sleep", "60"], dict(os.environ), log, stands_back=stands_back)
    try:
        # Beside that of the tests themselves.
        expected = min(19, os.getpriority(os.PRIO_PROCESS, 0) + niceness)
        deadline = time.monotonic() + 30
        while os.getpriority(os.PRIO_PROCESS, process.pid) != expected and time.monotonic() < deadline:
            time.sleep(0.01)
        assert os.getpriority(os.PRIO_PROCESS, process.pid) == expected
        group = Path(f"/proc/{process.pid}/autogroup")
        if group.exists():
            assert group.read_text(encoding="ascii").split()[-1] == str(niceness)
        assert os.getsid(process.pid) == process.pid
    finally:
        process.kill()
        process.wait()
