"""`write_tags` and `undo_tags` without a model: what is written, what is counted, and that the way back is whole."""

from __future__ import annotations

import argparse
import json

import pytest
import soundfile
from sounds import RATE, sine

from crnn.cli import tagging
from crnn.errors import CrnnError


def planned(tmp_path, **changes):
    """Options of a run that changes nothing, and two answers."""
    plain = {"at_least": None, "format": "table", "out": None, "overwrite_genre": False, "dry_run": True}
    options = argparse.Namespace(**plain | {"undo_file": tmp_path / "undo.jsonl"} | changes)
    rows = []
    for name, sure in (("a", 0.8), ("b", 0.79)):
        soundfile.write(tmp_path / f"{name}.flac", sine(80, 1), RATE, format="FLAC")
        rows.append({"file": str(tmp_path / f"{name}.flac"), "genre": "jazz", "confidence": sure})
    return rows, options


@pytest.mark.parametrize(("at_least", "names"), [(None, ["a"]), (0.0, ["a", "b"]), (0.79, ["a", "b"]), (0.81, [])])
def test_from_the_confidence_asked_for_on_genres_are_written(tmp_path, capsys, at_least, names):
    rows, options = planned(tmp_path, at_least=at_least)
    assert tagging.write_tags(rows, options, lambda: False) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[3] for line in lines] == [f"{name}.flac:" for name in names]


def test_no_file_is_changed_before_the_way_back_is_kept(tmp_path, monkeypatch):
    rows, options = planned(tmp_path, dry_run=False)
    before = (tmp_path / "a.flac").read_bytes()

    def full(*_):
        raise CrnnError("no room")

    monkeypatch.setattr(tagging, "_keep", full)
    with pytest.raises(CrnnError, match="no room"):
        tagging.write_tags(rows, options, lambda: False)
    assert (tmp_path / "a.flac").read_bytes() == before


def test_one_of_two_genres_does_not_say_it_already(tmp_path, monkeypatch, capsys):
    rows, options = planned(tmp_path)
    for old, said in ((("Jazz", "Rock"), "It is tagged Jazz and Rock."), (("Jazz",), "It says so already.")):
        monkeypatch.setattr(tagging.tag_writing, "genres_in", lambda _, old=old: old)
        tagging.write_tags(rows, options, lambda: False)
        assert said in capsys.readouterr().out


def tags_written(tmp_path, genre, name="x"):
    """Write a genre into a file, with the undo file of the test; its bytes before."""
    path = tmp_path / f"{name}.flac"
    if not path.exists():
        soundfile.write(path, sine(80, 1), RATE, format="FLAC")
    before = path.read_bytes()
    rows = [{"file": str(path), "genre": genre, "confidence": 0.9}]
    _, options = planned(tmp_path, dry_run=False, overwrite_genre=True)
    assert tagging.write_tags(rows, options, lambda: False) == 0
    assert path.read_bytes() != before
    return before


def test_two_genres_written_into_a_file_are_undone_both(tmp_path, capsys):
    before = tags_written(tmp_path, "jazz")
    tags_written(tmp_path, "rock")
    assert tagging.undo_tags(tmp_path / "undo.jsonl") == 0
    assert (tmp_path / "x.flac").read_bytes() == before
    assert capsys.readouterr().err.splitlines()[-1] == "As they were: 1 file."


@pytest.mark.parametrize("cut", ["at its start", "within a letter", "before its end"])
def test_an_undo_file_that_was_cut_short_undoes_what_was_done_and_is_written_on(tmp_path, cut):
    """Its last line is of a change that was not made."""
    undo_file = tmp_path / "undo.jsonl"
    before = {name: tags_written(tmp_path, "jazz", name) for name in ("x", "Café")}
    content = undo_file.read_bytes()
    n_first = content.index(b"\n") + 1
    end = {"at its start": n_first + 1, "within a letter": content.rindex(b"\xc3") + 1, "before its end": -1}[cut]
    undo_file.write_bytes(content[:end])
    (tmp_path / "Café.flac").write_bytes(before["Café"])
    assert tagging.undo_tags(undo_file) == 0
    assert {name: (tmp_path / f"{name}.flac").read_bytes() for name in before} == before
    # The next change follows the last whole line.
    tags_written(tmp_path, "rock", "y")
    assert undo_file.read_bytes()[:n_first] == content[:n_first]
    assert [json.loads(line)["new_genre"] for line in undo_file.read_text(encoding="utf-8").splitlines()] == [
        "Jazz",
        "Rock",
    ]


@pytest.mark.parametrize("content", [b"my notes", b"my notes\nand more"])
def test_another_file_is_not_taken_for_an_undo_file(tmp_path, content):
    rows, options = planned(tmp_path, dry_run=False)
    (tmp_path / "undo.jsonl").write_bytes(content)
    before = (tmp_path / "a.flac").read_bytes()
    with pytest.raises(CrnnError, match="is no undo file"):
        tagging.write_tags(rows, options, lambda: False)
    # What only shows what it would do has no need of it.
    options.dry_run = True
    assert tagging.write_tags(rows, options, lambda: False) == 0
    assert (tmp_path / "undo.jsonl").read_bytes() == content
    assert (tmp_path / "a.flac").read_bytes() == before


def test_no_tag_is_written_where_the_undo_file_cannot_be(tmp_path):
    rows, options = planned(tmp_path, dry_run=False, undo_file=tmp_path / "a.flac" / "undo.jsonl")
    before = (tmp_path / "a.flac").read_bytes()
    with pytest.raises(CrnnError, match=r"undo.jsonl cannot be written, so no tag is: .+ .+\."):
        tagging.write_tags(rows, options, lambda: False)
    assert (tmp_path / "a.flac").read_bytes() == before


def test_each_change_that_cannot_be_undone_is_counted(tmp_path, capsys):
    for name in ("x", "y"):
        tags_written(tmp_path, "jazz", name)
        (tmp_path / f"{name}.flac").write_bytes(b"another")
    assert tagging.undo_tags(tmp_path / "undo.jsonl") == 2
    assert capsys.readouterr().err.count("It was changed since") == 2


def test_an_empty_undo_file_is_written(tmp_path):
    (tmp_path / "undo.jsonl").touch()
    before = tags_written(tmp_path, "jazz")
    assert tagging.undo_tags(tmp_path / "undo.jsonl") == 0
    assert (tmp_path / "x.flac").read_bytes() == before


def test_what_fails_is_counted_and_what_follows_a_stop_is_left(tmp_path, monkeypatch, capsys):
    rows, options = planned(tmp_path, at_least=0.0, dry_run=False)

    def refuse(*_):
        raise tagging.TagError("It is the last.")

    monkeypatch.setattr(tagging.tag_writing, "put_in_place", refuse)
    assert tagging.write_tags(rows, options, lambda: False) == 2
    said = capsys.readouterr()
    assert said.out == "failed           a.flac: It is the last.\nfailed           b.flac: It is the last.\n"
    assert said.err == "Genres written into 0 files, 0 left as they are, 2 failed.\n"
    monkeypatch.undo()
    assert tagging.write_tags(rows, options, lambda: True) == 0
    said = capsys.readouterr()
    assert said.out == "written          a.flac: no genre → Jazz (0.80)\n"
    counted, way_back = said.err.splitlines()
    assert counted == "Genres written into 1 file, 0 left as they are."
    assert way_back == f"To undo it: python -m crnn classify --undo {options.undo_file}"


def test_the_way_back_can_be_typed_where_its_path_has_spaces(tmp_path, capsys):
    """As that of the user's data has on a Mac."""
    undo_file = tmp_path / "Application Support" / "undo.jsonl"
    rows, options = planned(tmp_path, at_least=0.0, dry_run=False, undo_file=undo_file)
    assert tagging.write_tags(rows, options, lambda: True) == 0
    assert capsys.readouterr().err.splitlines()[1] == f'To undo it: python -m crnn classify --undo "{undo_file}"'


@pytest.mark.parametrize(
    "changes", [{"format": "json"}, {"format": "csv"}, {"format": "json", "out": "rows.jsonl"}, {}]
)
def test_lines_go_to_stdout_where_no_rows_do(tmp_path, capsys, changes):
    rows, options = planned(tmp_path, **changes)
    tagging.write_tags(rows, options, lambda: False)
    said = capsys.readouterr()
    assert ("a.flac" in said.out) is (changes.get("format", "table") == "table" or "out" in changes)
    assert ("a.flac" in said.err) is not ("a.flac" in said.out)


def test_rows_without_a_genre_or_a_file_are_left_out(tmp_path, capsys):
    rows, options = planned(tmp_path, at_least=0.0)
    (tmp_path / "b.flac").unlink()
    others = [rows[0] | {"genre": None}, {"file": rows[0]["file"], "error": {"type": "", "message": ""}}]
    tagging.write_tags([*others, rows[1]], options, lambda: False)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("text", "share"), [("0", 0.0), ("1", 1.0), ("0.5", 0.5), ("-0.1", None), ("1.1", None), ("nan", None), ("x", None)]
)
def test_a_confidence_is_from_0_to_1(text, share):
    if share is None:
        with pytest.raises(argparse.ArgumentTypeError, match=f"{text} is not a number from 0 to 1"):
            tagging._share(text)
    else:
        assert tagging._share(text) == share
