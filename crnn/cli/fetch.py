"""`fetch`: a data set from an address."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from crnn.cli.common import add_command, counting


def add_commands(commands: Any) -> None:
    """Add `fetch`."""
    parser = add_command(
        commands,
        "fetch",
        "fetch a data set from an address",
        "Fetch a zip or log-mel archive over http or https, and print where it lies: scan and train take that.\n"
        "A download that broke off goes on where it ended.",
    )
    parser.add_argument("url", metavar="URL")
    parser.add_argument("--sha256", default="", metavar="HEX", help="refuse another file than this")
    parser.set_defaults(run=fetch)


def fetch(options: argparse.Namespace) -> int:
    """Fetch, and print the path."""
    from crnn.data.download import fetch as fetch_archive
    from crnn.owner import MACHINE

    with counting("B", is_scaled=True) as on_progress:
        fetched = fetch_archive(options.url, owner=MACHINE, sha256=options.sha256, on_progress=on_progress)
    print(f"SHA-256 {fetched.sha256}", file=sys.stderr)
    print(fetched.path)
    return 0
