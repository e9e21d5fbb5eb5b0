"""What every page begins with: page settings, logging, and the words in the sidebar."""

from __future__ import annotations

import logging
from pathlib import Path

import streamlit as st

from crnn.audio import ACCEPTED_FORMATS
from ui import limits
from ui.drawer import closing_drawer
from ui.words import plain

_REPOSITORY = Path(__file__).resolve().parent.parent
_SIDEBAR_PIXELS = 220

PROMISE = "Audio stays on this machine: it is held in memory, and never sent anywhere or written to disk."

WELCOME = (
    f"Record ten seconds of music, upload songs, or choose an example. The answer comes by itself.\n\n:small[{PROMISE}]"
)
NO_MODEL = (
    "There is no model yet. Make one from synthesized music, which takes some minutes: "
    "`python -m crnn train demo --out models/demo`. Or copy a model's folder into `models`. Then reload this page."
)


def page_setup(title: str, promise: str = PROMISE) -> None:
    """Set a page up; the first call on every page.

    Args:
        title: The page's name, for the browser's tab.
        promise: What becomes of the sound that is given there.
    """
    st.set_page_config(
        page_title=f"{title} · GenreScope",
        # A file of ours: a named icon would be fetched from a font server.
        page_icon=str(_REPOSITORY / "ui" / "icon.svg"),
        layout="wide",
        initial_sidebar_state=_SIDEBAR_PIXELS,
    )
    _start_logging()
    _keep_uploads_in_memory()
    with st.sidebar:
        st.subheader("GenreScope", anchor=False)
        for path, label in _pages():
            st.page_link(path, label=label)
        st.caption(promise)
        closing_drawer()


def _pages() -> list[tuple[str, str]]:
    """Path and label of each page, if there is more than this one (Streamlit knows no link without `pages/`)."""
    others = sorted((_REPOSITORY / "pages").glob("*.py"))
    links = [(f"pages/{page.name}", page.stem.partition("_")[2].replace("_", " ")) for page in others]
    return [("app.py", "Listen"), *links] if links else []


def welcome(genres: tuple[str, ...]) -> str:
    """What to do first, and what may come of it, as Markdown.

    Args:
        genres: What the model knows.
    """
    known = ", ".join(genres) if len(genres) <= 24 else f"{', '.join(genres[:24])} and {len(genres) - 24} more"
    return (
        "Record ten seconds of music, upload songs, or choose an example. The answer comes by itself.\n\n"
        f":small[This model knows {len(genres)} genres: {plain(known)}. "
        f"Songs may be of any length: {ACCEPTED_FORMATS}.]\n\n:small[{PROMISE}]"
    )


def _start_logging() -> None:
    # The app is the only place besides the command line that says where our own messages go.
    logger = logging.getLogger("crnn")
    if not logger.handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)


def _keep_uploads_in_memory() -> None:
    # Streamlit's server parses an upload with Starlette, which would spool anything over a megabyte
    # to a temporary file. No upload comes before a page has run, so setting it here is early enough.
    from starlette.formparsers import MultiPartParser

    MultiPartParser.spool_max_size = max(MultiPartParser.spool_max_size, (limits.max_upload_mb() + 1) * 2**20)
