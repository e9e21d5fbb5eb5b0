"""The one way to ONNX Runtime: without its telemetry, and with threads that rest while they wait.

From version 1.29 on its official builds send events of every process to their maker, and leave an identifier of
the machine in the user's cache folder, from the moment that the package is imported. A variable that stands before
that moment turns all of it off; the function of the package that does so comes too late for the first event.
"""

from __future__ import annotations

import os
from typing import Any

TELEMETRY_SWITCH = "ORT_DISABLE_TELEMETRY"


def onnx_runtime() -> Any:
    """The package `onnxruntime`, imported when it is first needed."""
    # Set, not offered: the pages promise that nothing is sent.
    os.environ[TELEMETRY_SWITCH] = "1"
    import onnxruntime

    return onnxruntime


def resting_options() -> Any:
    """Options of a session that says nothing but errors, and whose threads wait without taking a core.

    By default they spin: 5.6 s of CPU for an hour of mp3, taken from the process that decodes.
    """
    options = onnx_runtime().SessionOptions()
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    return options


def failures() -> tuple[type[Exception], ...]:
    """What ONNX Runtime raises when a network cannot be opened or run.

    Its own classes share no base. Its Python half raises `ValueError` for inputs that do not fit, its C++ half
    `RuntimeError`, `TypeError` or `MemoryError` where nothing better is registered.
    """
    known = vars(onnx_runtime().capi.onnxruntime_pybind11_state).values()
    own = tuple(kind for kind in known if isinstance(kind, type) and issubclass(kind, Exception))
    return (*own, RuntimeError, ValueError, TypeError, MemoryError)
