"""`classify` where people keep their music: tags that are told, written, shown first and undone; playlists."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import signal
import subprocess
import sys

import mutagen
import pytest
import soundfile
from mutagen.flac import FLAC
from sounds import RATE, noise, sine

from crnn.__main__ import main


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


def test_what_is_no_row_goes_to_stderr_and_playlists_hold_what_is_sure_enough(capsys, bundle, music, tmp_path):
    (music / "cover.jpg").touch()
    handler = signal.getsignal(signal.SIGINT)
    for at_least, n_lists in ((), 2), (("--at-least", "1"), 0):
        folder = tmp_path / f"lists{n_lists}"
        assert classify(bundle, music, "--format", "json", "--playlists", folder, *at_least) == 0
        said = capsys.readouterr()
        assert len([json.loads(line) for line in said.out.splitlines()]) == 5
        assert said.err.splitlines()[0].endswith("1 file was left out because its ending is not audio: “cover.jpg”.")
        assert said.err.splitlines()[-1] == f"Playlists in {folder}: {n_lists}."
        assert len(list(folder.glob("*"))) == n_lists
    assert signal.getsignal(signal.SIGINT) is handler


def test_that_tags_cannot_be_written_here_is_said_before_anything_is_listened_to(capsys, bundle, music, monkeypatch):
    monkeypatch.setitem(sys.modules, "mutagen", None)
    assert classify(bundle, music, "--write-tags") == 1
    assert capsys.readouterr() == ("", "error: Writing tags needs mutagen. Add it with: pip install mutagen\n")


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
