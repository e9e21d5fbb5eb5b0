"""The rules of the house, held by reading the source: who may import whom, and how long things may be."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MAX_MODULE_LINES, MAX_FUNCTION_LINES, MAX_PAGE_LINES = 400, 50, 120

# What Listen and `classify` are made of; all that they import, at whatever moment, counts.
SERVING = (
    "audio",
    "bundle",
    "containers",
    "decoding",
    "errors",
    "features",
    "figures",
    "inference",
    "paths",
    "reporting",
)
DEAR = {"tensorflow", "keras", "librosa", "sklearn", "numba", "pandas", "streamlit", "matplotlib", "tf2onnx"}
# The only modules that may touch the training framework, by their first names below crnn.
KERAS_MODULES = set(
    (
        "export folding keras_file linear_head model parity publishing replicas teachers tflite training transfer "
        "workshop"
    ).split()
)


FORBIDDEN_CALLS = {"print", "warnings.filterwarnings", "warnings.simplefilter", "logging.basicConfig"}


def sources(*folders: str) -> list[Path]:
    """Python files of the folders, below the root."""
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def pages() -> list[Path]:
    return [path for path in (ROOT / "app.py", *sources("pages")) if path.is_file()]


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


CRNN = sources("crnn")
NAMES = {module_name(path): path for path in CRNN}


def is_for_types_only(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def imported(node: ast.AST) -> Iterator[str]:
    """Full names of all that a module imports, at its top or late, but for types."""
    for child in ast.iter_child_nodes(node):
        if is_for_types_only(child):
            continue
        if isinstance(child, ast.Import):
            yield from (alias.name for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            assert child.level == 0, f"relative import in line {child.lineno}"
            yield from (f"{child.module}.{alias.name}" for alias in child.names)
        yield from imported(child)


def crnn_imports(name: str) -> set[str]:
    """Modules of crnn that a module of crnn imports."""
    found = set()
    for target in imported(tree_of(NAMES[name])):
        # The last part may be a function: the module is the longest known beginning.
        parts = target.split(".")
        beginnings = (".".join(parts[:n]) for n in range(len(parts), 0, -1))
        found.add(next((beginning for beginning in beginnings if beginning in NAMES), "crnn"))
    return found - {name, "crnn"}


def packages(path: Path) -> set[str]:
    return {target.split(".")[0] for target in imported(tree_of(path))}


@pytest.mark.parametrize("name", NAMES)
def test_the_library_knows_nothing_of_the_screen(name: str) -> None:
    assert not packages(NAMES[name]) & {"streamlit", "ui", "pages", "app", "tests", "bench"}


@pytest.mark.parametrize("name", NAMES)
def test_plotly_is_for_figures_and_keras_for_training(name: str) -> None:
    found, first_name = packages(NAMES[name]), name.removeprefix("crnn.").split(".")[0]
    assert "plotly" not in found or first_name == "figures"
    assert not found & {"keras", "tensorflow", "tf2onnx"} or first_name in KERAS_MODULES


def test_serving_pulls_in_nothing_dear() -> None:
    waiting, seen = [f"crnn.{name}" for name in SERVING], set[str]()
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            assert not packages(NAMES[name]) & DEAR, name
            waiting.extend(crnn_imports(name))
    assert not {name.removeprefix("crnn.").split(".")[0] for name in seen} & KERAS_MODULES


def test_imports_have_no_cycle() -> None:
    graph = {name: crnn_imports(name) for name in NAMES}
    while leaves := [name for name, targets in graph.items() if not targets & set(graph)]:
        for name in leaves:
            del graph[name]
    assert not graph, f"these import each other: {sorted(graph)}"


def test_the_package_itself_imports_nothing() -> None:
    assert list(imported(tree_of(ROOT / "crnn" / "__init__.py"))) == []
    script = "import sys; before = set(sys.modules); import crnn; print(sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.strip() == "['crnn']"


def test_there_is_one_log_mel() -> None:
    for name, path in NAMES.items():
        is_view_or_teacher = name.removeprefix("crnn.").split(".")[0] in {"views", "teachers"}
        assert is_view_or_teacher or "melspectrogram" not in path.read_text(encoding="utf-8"), name
        assert name == "crnn.features" or "mel_filters" not in path.read_text(encoding="utf-8"), name


@pytest.mark.parametrize("path", sources("crnn", "ui"), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_importing_does_nothing(path: Path) -> None:
    """No statement at the top of a module calls for the sake of the call: no mkdir, no download, no filter."""
    for node in tree_of(path).body:
        is_call = isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
        assert not is_call, f"line {node.lineno}: {ast.unparse(node)}"


@pytest.mark.parametrize("name", [name for name in NAMES if "commands" not in name and "__main__" not in name])
def test_the_library_does_not_print_or_change_warnings(name: str) -> None:
    for node in ast.walk(tree_of(NAMES[name])):
        called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
        assert called not in {"print", "warnings.filterwarnings", "warnings.simplefilter", "logging.basicConfig"}, (
            called
        )


@pytest.mark.parametrize("path", sources("ui"), ids=lambda path: path.name)
def test_the_glue_imports_no_page(path: Path) -> None:
    assert not packages(path) & {"pages", "app"}


@pytest.mark.parametrize("path", pages(), ids=lambda path: path.name)
def test_pages_only_read_call_and_show(path: Path) -> None:
    tree = tree_of(path)
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_PAGE_LINES
    assert not [node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    assert "numpy" not in packages(path)
    assert not packages(path) & {"pages", "app"}


@pytest.mark.parametrize("path", sources("crnn", "ui"), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_modules_are_short(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_MODULE_LINES


def length_without_docstring(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    lines = (function.end_lineno or function.lineno) - function.lineno + 1
    if ast.get_docstring(function) is not None:
        docstring = function.body[0]
        lines -= (docstring.end_lineno or docstring.lineno) - docstring.lineno + 1
    return lines


@pytest.mark.parametrize(
    "path", [*sources("crnn", "ui", "bench"), *pages()], ids=lambda path: path.relative_to(ROOT).as_posix()
)
def test_functions_are_short(path: Path) -> None:
    functions = [node for node in ast.walk(tree_of(path)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    long = {f.name: length_without_docstring(f) for f in functions if length_without_docstring(f) > MAX_FUNCTION_LINES}
    assert not long


@pytest.mark.parametrize("name", SERVING)
def test_serving_modules_exist(name: str) -> None:
    importlib.import_module(f"crnn.{name}")
