"""What every page begins with: page settings, logging, and the words in the sidebar."""

from __future__ import annotations

import logging
from pathlib import Path

import streamlit as st

from crnn import paths
from crnn.audio.clip import ACCEPTED_FORMATS
from crnn.errors import CrnnError
from crnn.limits import BY_MODE
from crnn.text import number_of
from crnn.untrusted import VisibleFormatter
from ui.components.drawer import closing_drawer
from ui.shared import account, doorman, limits, promises, replies, sent, state, visitor, visits
from ui.shared.words import plain

_REPOSITORY = Path(__file__).resolve().parents[2]
_SIDEBAR_PIXELS = 220
_PAGE = "genrescope.page"
_NO_COOKIES = (
    "This browser blocks this page's cookies, so files and recordings do not arrive. "
    "Allow them for this address, then load the page again. Examples and listening along work without."
)

# What is put right of Streamlit's own style: six empty rems above every page; colours that are hard to read, of a
# chosen segment or tab, code in small print and the axes of charts; a wide table that scrolls the whole page; words
# beside each uploader that the page says again below it; and a link in focus that looks like the open page.
# A long name in the list of what was heard is cut, so that its × has room.
# The CSV button of tables is hidden: it passes names of files to spreadsheets as they are, formulas too.
_SPACING = """<style>
[data-testid="stMainBlockContainer"] { padding-top: 2.25rem; padding-bottom: 5rem; }
[data-testid="stSidebarHeader"] { height: 2.5rem; margin-bottom: 0; }
[data-testid="stButtonGroup"] [data-selected="true"] p { color: light-dark(#12110F, #FAFAFA); }
[data-testid="stElementToolbarButton"]:has(button[aria-label="Download as CSV"]) { display: none; }
[data-testid="stTabs"] [role="tab"][aria-selected="true"] p { color: light-dark(#12110F, #FAFAFA); }
[data-testid="stCaptionContainer"] code { color: inherit; background: none; padding: 0; }
[data-testid="stPlotlyChart"] :is(.xtick, .ytick, .cbaxis, .g-xtitle, .g-ytitle, .infolayer) text {
  fill: light-dark(#57544E, #BDB9B1) !important;
}
[data-testid="stFileUploaderDropzoneInstructions"] { display: none; }
[data-testid="stPageLink-NavLink"]:focus-visible { box-shadow: 0 0 0 3px rgb(68 119 170 / 50%); }
[class*="st-key-heard-row-"] { flex-wrap: nowrap; }
[class*="st-key-heard-row-"] > :first-child { flex: 0 1 auto; min-width: 0; }
[class*="st-key-heard-row-"] > :nth-child(2) { flex: 1 1 0; width: 0; min-width: 0; }
[class*="st-key-heard-row-"] > :last-child { flex: none; }
[class*="st-key-heard-row-"] > :first-child :is(div, button, p, span) { min-width: 0; max-width: 100%; }
[class*="st-key-heard-row-"] > :first-child p { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
[data-testid="stMainBlockContainer"] h1 { font-size: 1.75rem; padding: 0 0 0.5rem; }
[data-testid="stMainBlockContainer"] h2 { font-size: 1.5rem; }
[data-testid="stExpander"] h3 { font-size: 1.1rem; }
[data-testid="stApp"]:has([data-testid="stExpandSidebarButton"]) [data-testid="stMainBlockContainer"] {
  padding-top: 4.25rem;
}
@media (max-width: 768px) {
  [data-testid="stMainBlockContainer"] { padding-top: 4.25rem; padding-bottom: 8rem; }
  [data-testid="stMarkdownContainer"] :is(th, td) {
    padding: 0.2rem 0.25rem; font-size: 0.75rem;
  }
  [data-testid="stMarkdownContainer"] table { display: block; max-width: 100%; overflow-x: auto; }
}
</style>"""


def no_model() -> str:
    """What to do where there is no model, as Markdown: by who may do it, and on the shelf that was chosen."""
    if visitor.owner().mode != "local":
        return "There is no model yet. Whoever runs this server can add one."
    shelf = paths.models_dir()
    shown = "models" if shelf == paths.bundled_models_dir() else str(shelf)
    out = f'"{shown}/demo"' if " " in shown else f"{shown}/demo"
    return (
        "There is no model yet. Make one from synthesized music, which takes some minutes: "
        f"`python -m crnn train demo --out {out}`. Or copy a model's folder into `{shown}`. Then reload this page."
    )


def page_setup(title: str) -> None:
    """Set a page up; the first call on every page. Ends it where nobody may be served, or he has not signed in.

    Args:
        title: The page's name, for the browser's tab; Train speaks of what it keeps.
    """
    st.set_page_config(
        page_title=f"{title} · GenreScope",
        # A file of ours: a named icon would be fetched from a font server.
        page_icon=str(_REPOSITORY / "ui" / "icon.svg"),
        layout="wide",
        initial_sidebar_state=_SIDEBAR_PIXELS,
    )
    if st.session_state.get(_PAGE) != title:
        st.session_state[_PAGE] = title
        for of_this_page in (state.WAY, state.GAVE):
            st.session_state.pop(of_this_page, None)
    st.html(_SPACING)
    _start_logging()
    _keep_uploads_in_memory()
    replies.keep_replies()
    sent.look_first()
    try:
        mode = visitor.mode()
    except CrnnError as err:
        st.error(plain(str(err)))
        st.stop()
    doorman.stand(visitor.server_mode())
    with st.sidebar:
        st.subheader("GenreScope", anchor=False)
        if mode == "shared" and not visitor.is_signed_in():
            closing_drawer()
        else:
            for path, label in _pages():
                st.page_link(path, label=label)
            st.caption(promises.of_page(title, mode))
            account.draw(mode)
            closing_drawer()
            visits.keep_visit(repr(visitor.owner()) if mode == "shared" else "")
    if mode == "shared":
        account.ask_to_sign_in()
    visits.tell_what_is_lost()
    if not visitor.may_send_files(st.context.headers, st.context.cookies):
        st.warning(_NO_COOKIES)


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
    mode = visitor.mode()
    longest = BY_MODE[mode].sound_seconds
    length = "of any length" if longest == float("inf") else f"up to {longest / 3600:.0f} h long"
    return (
        "Let music play to the microphone, upload songs, or choose an example. The answer comes by itself.\n\n"
        f":small[This model knows {number_of(len(genres), 'genre')}: {plain(known)}. "
        f"Songs may be {length}: {ACCEPTED_FORMATS}.]"
    )


def _start_logging() -> None:
    # The app is the only place besides the command line that says where our own messages go.
    logger = logging.getLogger("crnn")
    if not logger.handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(VisibleFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)


def _keep_uploads_in_memory() -> None:
    # Streamlit's server parses an upload with Starlette, which would spool anything over a megabyte
    # to a temporary file. No upload comes before a page has run, so setting it here is early enough.
    from starlette.formparsers import MultiPartParser

    MultiPartParser.spool_max_size = max(MultiPartParser.spool_max_size, (limits.max_upload_mb() + 1) * 2**20)
