"""What there is to know of a zip before it is read: how long its list of files is, and what reading it may raise.

`zipfile` makes an object of some 500 bytes of each entry before it can be asked how many
there are: a zip of 60 MB that holds only names takes over a gigabyte.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from typing import IO

try:
    from lzma import LZMAError
except ImportError:  # a Python that was built without it; its zipfile then refuses such files itself
    LZMAError = zipfile.BadZipFile  # type: ignore[assignment,misc]

_N_BYTES_IN_RECORD = 5

# What `zipfile` and those who unpack for it raise for damage, whatever the packing. RuntimeError: a password is wanted,
# or, as NotImplementedError, it is packed in a way that Python does not know. (Damaged bzip2 is an OSError.)
DAMAGE = (zipfile.BadZipFile, zlib.error, LZMAError, EOFError, RuntimeError)


class LongListError(zipfile.BadZipFile):
    """A list of files that is too long to be read; what it says is for people to read."""


def reason(err: BaseException) -> str:
    """What is to be said of damage after a colon: what was found here; the words of `zipfile` tell nobody much.

    Args:
        err: One of `DAMAGE`.
    """
    return f": {err}" if isinstance(err, LongListError) else ""


def check_directory(file: IO[bytes], max_bytes: int) -> None:
    """Refuse a zip whose list of files is longer than `max_bytes`; the file is then at its beginning again.

    Args:
        file: A zip, open for reading.
        max_bytes: As its last record counts the list.

    Raises:
        LongListError: It is.
        BadZipFile: It has none.
    """
    # With the function of `zipfile`: a hostile record may look different to another reader.
    try:
        found = zipfile._EndRecData(file)  # type: ignore[attr-defined]
    except (OSError, struct.error) as err:
        raise zipfile.BadZipFile("it has no list of files") from err
    finally:
        file.seek(0)
    n_bytes = int(found[_N_BYTES_IN_RECORD]) if found else 0
    if n_bytes > max_bytes:
        raise LongListError(f"its list of files takes {n_bytes / 2**20:.1f} MB")
