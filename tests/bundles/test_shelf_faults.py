"""Clocks that jump, and several servers on one shelf."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_bundle import tiny_bundle
from unprivileged import ROOT

from crnn.bundles import library
from crnn.bundles.bundle import Bundle, list_bundles, load_bundle
from crnn.jobs import runs
from crnn.owner import MACHINE


def test_a_run_is_the_newest_though_the_clock_was_set_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENRESCOPE_HOME", str(tmp_path))
    assert runs._new_folder(MACHINE).name.startswith("20")
    before = runs.runs_dir(MACHINE) / "29990101-120000"
    before.mkdir(parents=True)
    (before / "order.json").write_text("{}")
    for _ in range(11):
        started = runs.Run(runs._new_folder(MACHINE))
        (started.folder / "order.json").write_text("{}")
        assert runs.current_run(MACHINE) == started
    assert len(runs.list_runs(MACHINE)) == 12


def test_models_are_packed_before_1980_by_the_clock(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    copy_files = library._copy_files

    def copy_long_ago(bundle: Bundle, draft: Path) -> None:
        copy_files(bundle, draft)
        for path in draft.iterdir():
            os.utime(path, (3600.0, 3600.0))

    monkeypatch.setattr(library, "_copy_files", copy_long_ago)
    assert library.pack(bundle).startswith(b"PK")


def test_a_model_deleted_in_the_future_can_be_put_back(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    assert bundle.path is not None
    monkeypatch.setenv("GENRESCOPE_MODELS", str(bundle.path.parent))
    for now in (4 * 10**18, 10**18):
        monkeypatch.setattr(library.time, "time_ns", lambda now=now: now)
        library.delete(bundle.path, owner=MACHINE)
        (gone,) = library.deleted(MACHINE)
        library.put_back(gone, owner=MACHINE)
        assert load_bundle(bundle.path) == bundle


# Two servers

JUGGLE = """
import json, random, sys, time
from crnn import paths
from crnn.bundles import library
from crnn.bundles.bundle import list_bundles, save_bundle
from crnn.errors import BundleError
from crnn.owner import MACHINE
rng, counts = random.Random(sys.argv[1]), {}
until = time.monotonic() + float(sys.argv[2])
def replace(bundle):
    return save_bundle(bundle, bundle.path, lambda draft: library._copy_files(bundle, draft), replace=True)
def new_name():
    return rng.choice("abcd")
while time.monotonic() < until:
    bundles, faults = list_bundles(paths.models_dir())
    if not bundles:
        continue  # the only one is being replaced at this moment
    bundle = rng.choice(bundles)
    action = rng.choice(["copy", "rename", "delete", "back", "replace"])
    try:
        if action == "copy": library.save_copy(bundle, new_name(), owner=MACHINE)
        elif action == "rename" and bundle.name != "keep": library.rename(bundle, new_name(), owner=MACHINE)
        elif action == "delete" and bundle.name != "keep":
            library.throw_away(library.delete(bundle.path, owner=MACHINE), owner=MACHINE)
        elif action == "replace": replace(bundle)
        elif action == "back":
            for gone in library.deleted(MACHINE)[:1]: library.put_back(gone, owner=MACHINE)
        counts[action] = counts.get(action, 0) + 1
    except BundleError:
        counts["refused"] = counts.get("refused", 0) + 1
print(json.dumps(counts))
"""


@pytest.mark.slow
def test_servers_on_one_shelf_do_not_damage_it(tmp_path: Path) -> None:
    models = tmp_path / "models"
    tiny_bundle(models / "keep")
    environment = {**os.environ, "GENRESCOPE_MODELS": str(models), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", JUGGLE]
    servers = [
        subprocess.Popen([*command, str(seed), "8"], cwd=ROOT, env=environment, stdout=subprocess.PIPE)
        for seed in range(3)
    ]
    outputs = [server.communicate(timeout=300)[0] for server in servers]
    assert [server.returncode for server in servers] == [0, 0, 0]
    counts = [json.loads(out) for out in outputs]
    print(*counts, sep="\n")
    assert sum(sum(n for action, n in each.items() if action != "refused") for each in counts) > 50
    bundles, faults = list_bundles(models)
    assert faults == {}
    assert {"keep"} <= {bundle.name for bundle in bundles} <= set("abcd") | {"keep"}
    hidden = [path.name for path in models.iterdir() if path.name.startswith(".")]
    assert set(hidden) <= {".deleted"}
