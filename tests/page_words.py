"""What a visitor reads on a page."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest


def read(app: AppTest) -> str:
    """All that the main part of the page says, as it is shown: without what only escapes or joins."""
    main = app.main
    kinds = (
        main.header,
        main.subheader,
        main.markdown,
        main.caption,
        main.error,
        main.info,
        main.warning,
        main.success,
    )
    said = "\n".join(element.value for elements in kinds for element in elements)
    return said.replace("\\", "").replace("\u2060", "").replace("\u00a0", " ")
