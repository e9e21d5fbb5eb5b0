"""`classify` where people keep their music: tags that are told, written, shown first and undone; playlists."""

from __future__ import annotations

import argparse
import csv
import io
import json
import os
import shutil
import subprocess
import sys

import mutagen
import pytest
import soundfile
from mutagen.flac import FLAC
from sounds import RATE, noise, sine

from crnn.__main__ import main
from crnn.cli import tagging
from crnn.errors import CrnnError


def tagged(path, samples, genre=None):
    soundfile.write(path, samples, RATE, format="FLAC")
    if genre:
        file = FLAC(path)
        file["genre"] = genre
        file.save()


@pytest.fixture
def music(tmp_path, monkeypatch):
    """Bass that is tagged treble, treble that is tagged so, an untagged bass, a wav and an mka without tags."""
    monkeypatch.setenv("GENRESCOPE_HOME", str(tmp_path / "home"))
    folder = tmp_path / "music"
    folder.mkdir()
    tagged(folder / "a.flac", sine(80, 6), "Treble")
    tagged(folder / "b.flac", sine(9000, 6), "Treble")
    tagged(folder / "c.flac", sine(80, 6))
    soundfile.write(folder / "d.au", sine(80, 6), RATE)
    tagged(folder / "e.flac", noise(6), "Audiobook")
    return folder


def classify(bundle, *arguments):
    return main(["classify", *map(str, arguments), "--model", str(bundle.path)])


def contents(folder):
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}


def test_the_row_says_what_the_file_is_tagged_with(capsys, bundle, music):
    assert classify(bundle, music, "--format", "json") == 0
    said = capsys.readouterr()
    rows = {os.path.basename(row["file"]): row["tagged"] for row in map(json.loads, said.out.splitlines())}
    assert rows["a.flac"] == {"words": ["Treble"], "genres": ["treble"], "agrees": False}
    assert rows["b.flac"] == {"words": ["Treble"], "genres": ["treble"], "agrees": True}
    assert rows["e.flac"] == {"words": ["Audiobook"], "genres": [], "agrees": None}
    assert rows["c.flac"] is rows["d.au"] is None
    assert said.err == (
        "1 of 2 tagged files sound as they are tagged. Tagged with genres that the model does not know: 1.\n"
    )


def test_the_table_and_the_csv_say_it_too(capsys, bundle, music):
    classify(bundle, music)
    assert "Tagged treble. Sounds like bass." in capsys.readouterr().out.splitlines()[0]
    classify(bundle, music, "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [(row["tagged"], row["agrees"]) for row in rows[:3]] == [("Treble", "no"), ("Treble", "yes"), ("", "")]


def test_nothing_is_written_unasked_or_in_a_dry_run(capsys, bundle, music):
    before = contents(music)
    classify(bundle, music)
    assert classify(bundle, music, "--write-tags", "--dry-run") == 0
    said = capsys.readouterr()
    assert "would be written c.flac: no genre → Bass" in said.out
    assert "left             a.flac: It is tagged Treble." in said.out
    assert "left             d.au: Its format has no tag that can be written." in said.out
    assert "would be written into" in said.err
    assert contents(music) == before


def test_written_where_none_is_and_undone(capsys, bundle, music, tmp_path):
    before = contents(music)
    undo_file = tmp_path / "undo.jsonl"
    assert classify(bundle, music, "--write-tags", "--undo-file", undo_file) == 0
    assert mutagen.File(music / "c.flac")["genre"] == ["Bass"]
    assert mutagen.File(music / "a.flac")["genre"] == ["Treble"]
    changed = [name for name, content in contents(music).items() if content != before[name]]
    assert "c.flac" in changed
    assert set(changed) <= {"c.flac"}
    assert main(["classify", "--undo", str(undo_file)]) == 0
    assert contents(music) == before
    assert "As they were: 1 file." in capsys.readouterr().err
    # Twice does no harm.
    assert main(["classify", "--undo", str(undo_file)]) == 0
    assert contents(music) == before


def test_a_genre_in_another_tag_of_the_file_is_one(bundle, music, capsys):
    """INFO is not where a wav's genre is written, but it is where others wrote it."""
    soundfile.write(music / "f.wav", sine(80, 6), RATE)
    info = b"INFOIGNR" + (6).to_bytes(4, "little") + b"Polka\0"
    content = bytearray((music / "f.wav").read_bytes() + b"LIST" + len(info).to_bytes(4, "little") + info)
    content[4:8] = (len(content) - 8).to_bytes(4, "little")
    (music / "f.wav").write_bytes(content)
    before = contents(music)
    classify(bundle, music / "f.wav", "--write-tags")
    assert "left             f.wav: It is tagged Polka." in capsys.readouterr().out
    assert contents(music) == before


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_a_dry_run_foretells_what_will_be_left_and_names_each_file_once(bundle, music, capsys):
    (music / "link.flac").symlink_to(music / "c.flac")
    shutil.copyfile(music / "c.flac", music / "f.flac")
    (music / "f.flac").chmod(0o444)
    shutil.copyfile(music / "c.flac", music / "g.flac")
    os.link(music / "g.flac", music / "h.flac")
    said = []
    for option in (["--dry-run"], []):
        assert classify(bundle, music, "--write-tags", *option) == 0
        lines = capsys.readouterr().out.splitlines()
        said.append([line for line in lines if line.startswith(("written", "would be", "left"))])
    dry, wet = said
    assert [line.replace("would be written", "written         ") for line in dry] == wet
    assert sum("c.flac" in line for line in wet) == 1
    assert "left             f.flac: It is protected against changes." in wet
    assert "left             g.flac: It has several names (hard links), which would be parted." in wet


def test_overwritten_only_if_told(bundle, music, tmp_path, capsys):
    before = contents(music)
    classify(bundle, music, "--write-tags", "--overwrite-genre", "--undo-file", tmp_path / "undo.jsonl")
    assert "written          a.flac: Treble → Bass" in capsys.readouterr().out
    assert mutagen.File(music / "a.flac")["genre"] == ["Bass"]
    # It says so already: it is not touched.
    assert contents(music)["b.flac"] == before["b.flac"]
    main(["classify", "--undo", str(tmp_path / "undo.jsonl")])
    assert contents(music) == before


def test_two_changes_of_a_file_are_undone_from_the_last_on(bundle, music, tmp_path):
    before = contents(music)
    options = ["--write-tags", "--overwrite-genre", "--undo-file", tmp_path / "undo.jsonl"]
    classify(bundle, music / "c.flac", *options)
    file = FLAC(music / "c.flac")
    file["genre"] = "Rock"
    file.save()
    between = contents(music)
    classify(bundle, music / "c.flac", *options)
    # The first of them cannot be undone past what another program wrote; the last one is.
    assert main(["classify", "--undo", str(tmp_path / "undo.jsonl")]) == 1
    assert contents(music) == between
    assert between != before


def test_only_answers_that_are_sure_enough(bundle, music, capsys):
    before = contents(music)
    classify(bundle, music, "--write-tags", "--at-least", "1")
    assert "0 files, 0 left" in capsys.readouterr().err
    assert contents(music) == before


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_a_link_stays_a_link(bundle, music, tmp_path):
    (music / "link.flac").symlink_to(music / "c.flac")
    classify(bundle, music / "link.flac", "--write-tags")
    assert (music / "link.flac").is_symlink()
    assert mutagen.File(music / "c.flac")["genre"] == ["Bass"]


def test_a_file_changed_since_is_left_and_the_others_are_restored(bundle, music, tmp_path, capsys):
    shutil.copyfile(music / "c.flac", music / "f.flac")
    before = contents(music)
    classify(bundle, music, "--write-tags", "--undo-file", tmp_path / "undo.jsonl")
    file = FLAC(music / "c.flac")
    file["title"] = "Mine"
    file.save()
    assert main(["classify", "--undo", str(tmp_path / "undo.jsonl")]) == 1
    assert "c.flac: It was changed since" in capsys.readouterr().err
    assert FLAC(music / "c.flac")["title"] == ["Mine"]
    assert contents(music)["f.flac"] == before["f.flac"]


@pytest.mark.parametrize(
    "content",
    [
        "",
        "hello",
        "1\n",
        "[]\n",
        '{"file": 1}\n',
        "\xff\n",
        '{"path": "", "file": ""}\n',
        '{"path": "A", "file": ""}\n',
    ],
)
def test_what_is_no_undo_file_is_a_sentence(tmp_path, capsys, content):
    (tmp_path / "x").write_bytes(content.encode("latin-1"))
    assert main(["classify", "--undo", str(tmp_path / "x")]) == 1
    assert "is no undo file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        ([], 2),
        (["x.wav", "--undo", "y"], 2),
        (["x.wav", "--at-least", "1.5"], 2),
        (["x.wav", "--dry-run"], 2),
        (["--undo", "/no/such/file"], 1),
    ],
)
def test_wrong_use(arguments, status):
    done = subprocess.run([sys.executable, "-m", "crnn", "classify", *arguments], capture_output=True, check=False)
    assert done.returncode == status
    assert b"Traceback" not in done.stderr


def test_json_rows_alone_go_to_stdout(bundle, music, capsys):
    classify(bundle, music, "--write-tags", "--dry-run", "--format", "json")
    said = capsys.readouterr()
    assert len([json.loads(line) for line in said.out.splitlines()]) == 5
    assert "would be written c.flac" in said.err


def test_playlists_lead_to_the_files(bundle, music, tmp_path):
    out = tmp_path / "lists"
    tagged(music / "#new\nline.flac", sine(80, 6))
    tagged(music / "#hash.flac", sine(80, 6))
    assert classify(bundle, music, "--playlists", out) == 0
    lines = (out / "bass.m3u8").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "#EXTM3U"
    assert lines[lines.index("../music/a.flac") - 1] == "#EXTINF:6,a"
    assert f"file://{music}/%23new%0Aline.flac" in lines
    assert "../music/b.flac" in (out / "treble.m3u8").read_text(encoding="utf-8")
    # Every line that is no comment is a file.
    assert {line for line in lines if not line.startswith(("#", "file:"))} <= {
        f"../music/{path.name}" for path in music.iterdir()
    }
    # Again, with fewer files, over our own lists.
    assert classify(bundle, music / "a.flac", "--playlists", out) == 0
    assert "c.flac" not in (out / "bass.m3u8").read_text(encoding="utf-8")


def test_a_strangers_playlist_is_left(bundle, music, tmp_path, capsys):
    (tmp_path / "bass.m3u8").write_text("#EXTM3U\nmine.mp3\n")
    assert classify(bundle, music, "--playlists", tmp_path) == 1
    assert "playlist of another program" in capsys.readouterr().err
    assert (tmp_path / "bass.m3u8").read_text() == "#EXTM3U\nmine.mp3\n"


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
