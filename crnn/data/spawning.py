"""Worker processes that know nothing of the program which starts them.

A spawned process runs its parent's main module anew. Under Streamlit that is a page: the worker fails on
it, and the pool with it. Work that lies in modules of its own needs no main module.
"""

from __future__ import annotations

import sys
import threading
import types
from multiprocessing.context import SpawnContext, SpawnProcess
from typing import Any

_lock = threading.Lock()


class _Process(SpawnProcess):
    @staticmethod
    def _Popen(process_obj: Any) -> Any:  # noqa: N802 - the name that multiprocessing calls
        with _lock:
            main = sys.modules["__main__"]
            # What has neither a file nor a spec is not run again.
            sys.modules["__main__"] = types.ModuleType("__main__")
            try:
                return SpawnProcess._Popen(process_obj)
            finally:
                sys.modules["__main__"] = main


class WorkerContext(SpawnContext):
    """As `multiprocessing.get_context("spawn")`, without the main module."""

    Process = _Process
