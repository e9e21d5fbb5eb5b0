"""What uploaders and recorders hold, as far as this server has it.

A page that stays open while the server is restarted may hand over a file before the new server has drawn its uploader
for the first time. Streamlit then has the file and calls nobody, for it learns whom to call when the uploader is
drawn. So who draws one looks at what it returns, too, and takes what nobody took.
"""

from __future__ import annotations

from collections.abc import Sequence

from streamlit.runtime.uploaded_file_manager import UploadedFile


def held(files: Sequence[object]) -> list[UploadedFile]:
    """The files that this server has, in their order.

    A browser may still name files that a restarted server never had. Streamlit leaves those out of what an uploader
    returns, but not out of the visit's state.

    Args:
        files: Of an uploader or recorder, as the state has them; None for one that holds nothing.
    """
    return [file for file in files if isinstance(file, UploadedFile)]


def file_name(file: UploadedFile) -> str:
    """What a file is called where it comes from.

    Browsers write the quotation marks of a name, of a 12" mix say, as %22 in what they send (HTML Standard,
    “multipart/form-data encoding algorithm”), and Streamlit leaves them so.

    Args:
        file: Of an uploader.
    """
    return file.name.replace("%22", '"')


def ids(files: Sequence[object]) -> set[str]:
    """Streamlit's ids of the files that this server has.

    Args:
        files: As in `held`.
    """
    return {file.file_id for file in held(files)}
