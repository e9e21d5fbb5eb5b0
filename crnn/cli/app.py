"""`app`: the app in a browser, from a checkout or from where it was installed."""

from __future__ import annotations

import argparse
import importlib.util
import subprocess
import sys
from typing import Any

from crnn import paths
from crnn.cli.common import add_command
from crnn.errors import CrnnError


def add_commands(commands: Any) -> None:
    """Add `app`."""
    parser = add_command(
        commands,
        "app",
        "the app, in a browser",
        "Start the app; it opens in a browser. Options behind -- go to Streamlit:\n"
        "  genrescope app -- --server.port 8600 --server.headless true",
    )
    parser.add_argument("options", nargs="*", metavar="OPTION", help="for Streamlit")
    parser.set_defaults(run=app)


def app(options: argparse.Namespace) -> int:
    """Run the app until it is ended; the server's exit status."""
    if importlib.util.find_spec("streamlit") is None:
        raise CrnnError("The app needs packages that are not installed. Add them with: pip install '.[app]'")
    folder = paths.app_dir()
    command = [sys.executable, "-m", "streamlit", "run", "app.py", *options.options]
    # From its own folder: there lies .streamlit, with the address it listens at and the limit of uploads.
    # Ours is where stdout and stderr are by now; what they were is kept from decoders that print.
    return subprocess.run(command, cwd=folder, check=False, stdout=sys.stdout, stderr=sys.stderr).returncode
