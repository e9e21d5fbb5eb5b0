"""Processes that outlive the server which started them."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from pathlib import Path
from typing import IO

_REPOSITORY = Path(__file__).resolve().parents[2]
# What corresponds to `start_new_session` on other systems.
if sys.platform == "win32":
    _FLAGS = subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP
else:
    _FLAGS = 0
# Whoever uses the pages comes first; on an idle machine it costs nothing.
_NICENESS = 15


def start_detached(
    command: list[str], environment: dict[str, str], log: IO[bytes], *, stands_back: bool
) -> subprocess.Popen[bytes]:
    """A process that no closed terminal and no ended server takes along.

    Args:
        command: What to run.
        environment: Its variables.
        log: Takes what it says.
        stands_back: Whether it leaves the processor to others first.
    """
    if stands_back and sys.platform != "win32":
        command = ["nice", "-n", str(_NICENESS), *command]
    process = subprocess.Popen(
        command,
        cwd=_REPOSITORY,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        creationflags=_FLAGS,
        start_new_session=sys.platform != "win32",
    )
    if stands_back:
        # Linux shares the processor among sessions first: one process's niceness counts within its own alone.
        with contextlib.suppress(OSError):
            Path(f"/proc/{process.pid}/autogroup").write_text(str(_NICENESS), encoding="ascii")
    return process
