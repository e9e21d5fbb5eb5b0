"""docs/command-line.md: its examples are commands, and its lists those of the code."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from crnn.__main__ import build_parser
from crnn.inference.tag_words import MEANINGS

PAGE = (Path(__file__).parents[2] / "docs" / "command-line.md").read_text(encoding="utf-8")
EXAMPLES = [line for part in PAGE.split("```sh\n")[1:] for line in part.split("```")[0].splitlines()]


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_is_a_command(example: str) -> None:
    python, option, package, *arguments = shlex.split(example)
    assert (python, option, package) == ("python", "-m", "crnn")
    assert callable(build_parser().parse_args(arguments).run)


def test_the_words_of_tags_are_those_that_count() -> None:
    listed = [line for line in PAGE.splitlines() if line.startswith("- **")]
    assert listed == [f"- **{genre}**: {words}" for genre, words in MEANINGS.items()]
