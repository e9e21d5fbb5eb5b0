"""Limits of the operating system on this process; where there are none (Windows), nothing is limited."""

from __future__ import annotations

import sys
from pathlib import Path


def lower(name: str, most: int) -> None:
    """Lower a limit of this process for good. One that is lower already stays: raising it is an error.

    Args:
        name: As the module `resource` has it, such as `RLIMIT_CPU`.
        most: What the process shall be granted.
    """
    if sys.platform == "win32":
        return
    import resource

    kind = getattr(resource, name)
    _, hard = resource.getrlimit(kind)
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(kind, (most, most))


def bound_address_space(more_bytes: int) -> None:
    """Let this process map only so many bytes more than it does now; Linux alone tells how many those are."""
    if sys.platform != "linux":
        return
    import resource

    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    lower("RLIMIT_AS", pages * resource.getpagesize() + more_bytes)
