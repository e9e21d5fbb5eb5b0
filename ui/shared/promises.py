"""What becomes of what a visitor gives, in words, by mode: no more is promised than is done."""

from __future__ import annotations

from crnn.mode import Mode

# Streamlit keeps a visit for as long as `server.disconnectedSessionTTL`, and the doorman looks every few seconds.
_LEFT = "within two minutes after you leave"

_SOUNDS: dict[Mode, str] = {
    "local": (
        "Audio stays on this machine: it is held in memory, and never sent anywhere. Only what you ask to keep is "
        "written to disk."
    ),
    "shared": (
        "What you give goes to this server and nowhere else. It is held in memory, no other visitor can hear it, and "
        f"it is gone {_LEFT}. Only what you ask to keep is written to disk."
    ),
    "public": (
        "What you give goes to this server and nowhere else. It is held in memory, never written to disk, no other "
        f"visitor can hear it, and it is gone {_LEFT}. The server’s host could see it in passing, as with any server."
    ),
}
_TRAINING: dict[Mode, str] = {
    "local": (
        "Audio stays on this machine. What you add on this page is kept in the app's own folder, because training "
        "reads it from there."
    ),
    "shared": (
        "What you add on this page is kept on this server until you delete it, because training reads it from there. "
        "No other visitor can hear or see it; the server’s host could."
    ),
    "public": (
        "What you give goes to this server and nowhere else. Of a clip only what the model hears in it is held, in "
        f"memory; the sound is let go at once. No other visitor can hear or use it, and it is gone {_LEFT}. The "
        "server’s host could see it in passing, as with any server."
    ),
}
NO_TRAINING = (
    "Whole networks are not trained here: that takes minutes of a machine, and this one is everybody’s. To train one, "
    "or to keep what you teach, run the app on your machine; its README says how in two lines."
)
MINE = (
    "Clips, corrections, uploads, trainings and models that you kept here, and what was computed of them. It cannot "
    "be undone."
)


def of_page(title: str, mode: Mode) -> str:
    """What becomes of the sound that is given on a page.

    Args:
        title: The page's name.
        mode: How its visitor is served.
    """
    return (_TRAINING if title == "Train" else _SOUNDS)[mode]
