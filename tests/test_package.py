"""What `pip install .` gives: built, unpacked outside the checkout, and asked."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from sounds import noise, wav_bytes

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package as `pip install .` lays it out."""
    folder = tmp_path_factory.mktemp("installed")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=240)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(folder / "site")
    return folder / "site"


def environment(installed: Path, home: Path) -> dict[str, str]:
    """Variables under which Python finds the package there, and nothing of the checkout."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("GENRESCOPE_")}
    plain["PATH"] = str(Path(sys.executable).parent) + os.pathsep + plain.get("PATH", "")
    return {**plain, "PYTHONPATH": str(installed), "HOME": str(home), "XDG_DATA_HOME": str(home / "data")}


def requirements(name: str) -> list[str]:
    """The requirements that a file names itself."""
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith(("#", "-"))]


def test_requirements_are_the_lists_of_the_package() -> None:
    extras = PROJECT["optional-dependencies"]
    assert requirements("requirements.txt") == [*PROJECT["dependencies"], *extras["app"], *extras["train"]]
    assert requirements("requirements-dev.txt") == [*extras["dask"], *extras["tags"], *extras["dev"]]


def test_every_requirement_has_its_exact_version() -> None:
    pinned = set(re.findall(r"^([\w.-]+)==", (ROOT / "constraints.txt").read_text(encoding="utf-8"), re.MULTILINE))
    for name in ("requirements.txt", "requirements-dev.txt"):
        wanted = {re.match(r"[\w.-]+", line)[0] for line in requirements(name)}  # type: ignore[index]
        assert wanted <= pinned, wanted - pinned
        assert {"-c constraints.txt", "-r requirements.txt"} & set((ROOT / name).read_text().splitlines())


@pytest.mark.slow
def test_the_installed_command_answers_outside_the_checkout(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "noise.wav").write_bytes(wav_bytes(noise(12.0)))
    script = (
        "import sys; sys.modules |= dict.fromkeys(('tensorflow', 'keras', 'librosa', 'sklearn', 'streamlit'));"
        "sys.argv = ['genrescope', 'classify', 'noise.wav', '--format', 'json'];"
        "from crnn.__main__ import run; run()"
    )
    command, where = [sys.executable, "-c", script], environment(installed, tmp_path)
    done = subprocess.run(command, cwd=tmp_path, env=where, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, done.stderr
    row = json.loads(done.stdout)
    assert (row["file"], row["verdict"]) == ("noise.wav", "not_music")


@pytest.mark.slow
def test_the_installed_package_keeps_its_things_with_the_user(installed: Path, tmp_path: Path) -> None:
    script = (
        "import json; from crnn import owner, paths; from crnn.bundles import bundle, library\n"
        "print(json.dumps([str(p) for p in (paths.home_dir(), paths.models_dir(), paths.app_dir())]))\n"
        "found = next(b for b in bundle.list_bundles(*paths.shelves())[0] if b.name == library.DEFAULT_MODEL)\n"
        "try: library.delete(found.path, owner=owner.MACHINE)\n"
        "except library.BundleError as err: print(err)\n"
    )
    command, where = [sys.executable, "-c", script], environment(installed, tmp_path)
    done = subprocess.run(command, cwd=tmp_path, env=where, capture_output=True, text=True, timeout=180, check=True)
    first, second = done.stdout.splitlines()
    home, models, app = map(Path, json.loads(first))
    assert home.is_relative_to(tmp_path)
    assert models == home / "models"
    assert app == installed / "crnn" / "app"
    assert (app / ".streamlit" / "config.toml").read_text() == (ROOT / ".streamlit" / "config.toml").read_text()
    assert {"app.py", "pages", "ui"} <= {path.name for path in app.iterdir()}
    assert second == "There is no model “ten-genres” of yours."


@pytest.mark.slow
def test_commands_that_need_an_extra_name_it(installed: Path, tmp_path: Path) -> None:
    script = (
        "import sys; sys.meta_path.insert(0, type('No', (), {'find_spec': staticmethod(no)}));"
        "sys.argv = ['genrescope', 'train', 'demo', '--preset', 'quick', '--out', 'mine'];"
        "from crnn.__main__ import run; run()"
    )
    no = "def no(name, *_):\n    if name == 'keras': raise ModuleNotFoundError(name=name)\n"
    command, where = [sys.executable, "-c", no + script], environment(installed, tmp_path)
    done = subprocess.run(command, cwd=tmp_path, env=where, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 1
    assert done.stderr.strip().endswith("pip install '.[train]'")
    # Said at once, not after the features of all tracks.
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="the documented lines are those of a shell")
def test_the_documented_dask_lines_run(installed: Path, tmp_path: Path) -> None:
    """Word for word, but for the first, which installs: here the package was installed by the fixture."""
    section = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8").split("## More than one machine")[1]
    install, scheduler, worker, classify = section.split("```sh\n")[1].split("```")[0].splitlines()
    assert install.startswith("pip install '.[dask]'")
    (tmp_path / "Music").mkdir()
    for number in range(3):
        (tmp_path / "Music" / f"{number}.wav").write_bytes(wav_bytes(noise(6.0, seed=number)))
    settings = {"cwd": tmp_path, "env": environment(installed, tmp_path)}
    running = [
        subprocess.Popen(f"exec {line}", shell=True, stderr=subprocess.DEVNULL, **settings)  # type: ignore[call-overload]
        for line in (scheduler, worker)
    ]
    try:
        done = subprocess.run(
            classify, shell=True, capture_output=True, text=True, timeout=400, check=False, **settings
        )
    finally:
        for process in reversed(running):
            process.terminate()
        for process in running:
            process.wait(120)
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in (tmp_path / "answers.jsonl").read_text().splitlines()]
    assert sorted(row["file"] for row in rows) == [f"Music/{number}.wav" for number in range(3)]
    assert not [row for row in rows if "error" in row]


def test_papers_are_as_short_as_they_should_be() -> None:
    for name, most in (("README.md", 120), ("ARCHITECTURE.md", 60)):
        assert len((ROOT / name).read_text(encoding="utf-8").splitlines()) <= most, name


def test_papers_name_what_is_there() -> None:
    """Every link, every test and every bench or recipe that a paper names, and every module of ARCHITECTURE.md."""
    for paper in (*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")):
        text = paper.read_text(encoding="utf-8")
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)\)", text):
            assert (paper.parent / target).exists(), f"{paper.name}: {target}"
        for target in re.findall(r"\b(?:tests|bench|recipes)/[\w/]+\.py\b", text):
            assert (ROOT / target).is_file(), f"{paper.name}: {target}"
        for folder, module in re.findall(r"python -m (bench|recipes)\.(\w+)", text):
            assert (ROOT / folder / f"{module}.py").is_file(), f"{paper.name}: {folder}.{module}"
    architecture = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    for module in re.findall(r"`([\w/]+\.py)`", architecture):
        assert (ROOT / "crnn" / module).is_file() or (ROOT / module).is_file(), module
    for wing, module in re.findall(r"`([a-z]\w*)\.((?!py`)\w+)`", architecture):
        assert (ROOT / "crnn" / wing / f"{module}.py").is_file(), f"{wing}.{module}"
