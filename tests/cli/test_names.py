"""`classify` on files whose names are hostile: rows that every reader takes and that still say which file it was."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import subprocess
import sys

import pytest
import soundfile
from sounds import RATE, sine

from crnn.__main__ import main
from crnn.jobs.runs import Account, Run
from crnn.untrusted import path_of

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows takes none of these names")

NAMES = ["u\u2028ine.wav", "n\x85el.wav", "new\nline.wav", "esc\x1b[31m.wav", "caf\udce9.wav", "back\\slash.wav"]


@pytest.fixture
def strange(tmp_path):
    """Files of strange names."""
    folder = tmp_path / "strange"
    folder.mkdir()
    soundfile.write(folder / NAMES[0], sine(80, 6), RATE)
    for name in NAMES[1:]:
        shutil.copyfile(folder / NAMES[0], folder / name)
    return folder


def _classify(bundle, *arguments):
    return main(["classify", *map(str, arguments), "--model", str(bundle.path)])


def test_json_is_utf8_a_line_a_file_and_names_each(bundle, strange, tmp_path):
    out = tmp_path / "rows.jsonl"
    assert _classify(bundle, strange, "--format", "json", "--out", out) == 0
    rows = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert sorted(path_of(row["file"]) for row in rows) == sorted(strange.iterdir())
    for row in rows:
        row["file"].encode("utf-8")  # a reader stricter than Python's refuses half a surrogate pair


def test_resume_takes_its_own_output(bundle, strange, tmp_path):
    out = tmp_path / "rows.jsonl"
    arguments = [strange, "--format", "json", "--out", out]
    assert _classify(bundle, *arguments) == 0
    whole = out.read_bytes()
    out.write_bytes(whole[: whole.rindex(b"\n", 0, -1) + 1])
    assert _classify(bundle, *arguments, "--resume") == 0
    assert out.read_bytes() == whole


def test_resume_takes_output_written_with_raw_line_separators_and_bytes(bundle, strange, tmp_path):
    out = tmp_path / "rows.jsonl"
    rows = [json.dumps({"file": str(strange / name)}, ensure_ascii=False) + "\n" for name in NAMES]
    out.write_bytes("".join(rows).encode("utf-8", "surrogateescape"))
    before = out.read_bytes()
    assert _classify(bundle, strange, "--format", "json", "--out", out, "--resume") == 0
    assert out.read_bytes() == before


def test_csv_is_utf8_and_names_each_file(bundle, strange, tmp_path):
    out = tmp_path / "rows.csv"
    assert _classify(bundle, strange, "--format", "csv", "--out", out) == 0
    text = out.read_text(encoding="utf-8")
    assert "\x1b" not in text
    rows = list(csv.DictReader(io.StringIO(text)))
    assert sorted(path_of(row["file"]) for row in rows) == sorted(strange.iterdir())


def test_csv_cells_are_no_formulas(capsys, bundle, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    soundfile.write("=1+1.wav", sine(80, 6), RATE)
    (tmp_path / "@sum.wav").write_text("This is no sound.")
    _classify(bundle, "=1+1.wav", "@sum.wav", "--format", "csv")
    rows = list(csv.reader(io.StringIO(capsys.readouterr().out)))
    assert [row[0] for row in rows[1:]] == ["'=1+1.wav", "'@sum.wav"]


def test_no_code_of_a_name_reaches_the_terminal(bundle, strange):
    (strange / "no\x1b]0;sound\x07.wav").write_text("This is no sound.")
    command = [sys.executable, "-m", "crnn", "--verbose", "classify", strange, strange / "missing\x1b[2J.wav"]
    done = subprocess.run([*command, "--model", bundle.path, "--jobs", "2"], capture_output=True, check=False)
    assert done.returncode == 1
    assert done.stdout.count(b"\n") == len(NAMES) + 2
    said = done.stdout + done.stderr
    assert [byte for byte in set(said) if byte < 32 and byte != 10] == []
    assert b"\xc2\x9b" not in said


def test_wrong_use_is_said_without_codes(capsys):
    with pytest.raises(SystemExit):
        main(["classify", "x.wav", "--format", "a\x1b[31m"])
    assert "\x1b" not in capsys.readouterr().err


def test_events_of_a_run_survive_any_name(tmp_path):
    run = Run(tmp_path)
    for name in NAMES:
        Account(run).record({"event": "note", "text": name})
    assert [event["text"] for event in run.events()] == NAMES


def test_events_with_raw_line_separators_are_read(tmp_path):
    line = json.dumps({"event": "note", "at": 1.0, "text": "a\u2028b\x85c"}, ensure_ascii=False)
    (tmp_path / "events.jsonl").write_text(line + "\n", encoding="utf-8")
    assert [event["text"] for event in Run(tmp_path).events()] == ["a\u2028b\x85c"]


def test_an_address_is_taken_as_a_path(capsys, bundle, strange):
    address = "file://" + os.fsencode(strange).decode() + "/caf%E9.wav"
    assert _classify(bundle, address, "--format", "json") == 0
    assert json.loads(capsys.readouterr().out)["file"] == address
