"""Where things lie: models, what the app writes, and the data of tests.

A checkout keeps its models and all that the app writes in its own folder; an installed
package keeps them in the user's data directory, and brings the bundled models with it.
Environment variables move each of them; nothing is made here, only named.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

from crnn.errors import CrnnError

_PACKAGE = Path(__file__).resolve().parent
_REPOSITORY = _PACKAGE.parent


def home_dir() -> Path:
    """Folder of all that the app writes besides models (`GENRESCOPE_HOME`)."""
    return _from_environment("GENRESCOPE_HOME") or (_REPOSITORY / "var" if _is_checkout() else _user_dir())


def made_dir() -> Path:
    """Folder of what was made once for everybody and is made again where it is missing (`GENRESCOPE_MADE`)."""
    return _from_environment("GENRESCOPE_MADE") or home_dir() / "made"


def models_dir() -> Path:
    """Folder of the models that can be changed: the shelf (`GENRESCOPE_MODELS`)."""
    return _from_environment("GENRESCOPE_MODELS") or (
        _REPOSITORY / "models" if _is_checkout() else _user_dir() / "models"
    )


def bundled_models_dir() -> Path:
    """Folder of the models that came with it: an installed package's own, or a checkout's, where its shelf is too."""
    return (_REPOSITORY if _is_checkout() else _PACKAGE) / "models"


def shelves() -> tuple[Path, ...]:
    """Folders whose models are shown, the first before the others; of a checkout the one that was chosen alone."""
    return (models_dir(),) if _is_checkout() else (models_dir(), bundled_models_dir())


def app_dir() -> Path:
    """Folder of app.py and its pages."""
    return _REPOSITORY if _is_checkout() else _PACKAGE / "app"


def data_dir() -> Path:
    """Folder where tests and scripts look for data (`GENRESCOPE_DATA`); it need not exist."""
    return _from_environment("GENRESCOPE_DATA") or _REPOSITORY.parent / "shared" / "data"


def _is_checkout() -> bool:
    return (_REPOSITORY / "app.py").is_file()


def _user_dir() -> Path:
    import platformdirs

    return platformdirs.user_data_path("genrescope", appauthor=False)


def _from_environment(variable: str) -> Path | None:
    value = os.environ.get(variable, "").strip()
    return user_path(value).resolve() if value else None


def user_path(text: str | Path) -> Path:
    """The path that a user wrote, its `~` replaced; whether something is there is another question.

    Raises:
        CrnnError: It names the home of a user that this machine does not know, or cannot be a path.
    """
    if "\0" in str(text):
        raise CrnnError("A path cannot hold a zero byte.")
    try:
        # What lies there under this very name is meant, “~old.wav” say.
        path = Path(text) if os.path.lexists(text) else Path(text).expanduser()
        os.lstat(path)
    except RuntimeError as err:
        raise CrnnError(f"This machine knows no home of {Path(text).parts[0]}. Write the whole path.") from err
    except OSError as err:
        if err.errno == errno.ENAMETOOLONG:
            raise CrnnError(f"{str(text)[:40]}… is too long for a path: {len(str(text))} characters.") from err
    return path


def open_ordinary(path: Path) -> BinaryIO:
    """The file there, open for reading, unless it is a pipe, which would block for ever, or a device without end.

    Raises:
        OSError: It is one, or cannot be opened.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError("it is no ordinary file")
    return path.open("rb")
