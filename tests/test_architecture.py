"""The rules of the house, held by reading the source: who may import whom, and how long things may be."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
MAX_MODULE_LINES, MAX_FUNCTION_LINES, MAX_PAGE_LINES = 400, 50, 120

# The wings, each importing only from those before it and from the modules of `crnn/` itself.
WINGS = "audio features synthesis data bundles inference analysis evaluation networks jobs training cli".split()
KERAS_WINGS = {"networks", "training"}
# What Listen and `classify` are made of; all that they import, at whatever moment, counts.
SERVING = (
    "audio.clip",
    "bundles.bundle",
    "features.log_mel",
    "analysis.figures",
    "inference.classifier",
    "inference.output",
    "paths",
)
DEAR = {"tensorflow", "keras", "librosa", "sklearn", "numba", "pandas", "streamlit", "matplotlib", "tf2onnx"}

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


def found_in(paths: Iterable[Path], find: Callable[[Path], object]) -> list[str]:
    """A line for each file in which something is found, so that a test tells all of it at once."""
    found = {path.relative_to(ROOT).as_posix(): find(path) for path in paths}
    return [f"{name}: {what}" for name, what in found.items() if what]


def test_the_library_knows_nothing_of_the_screen() -> None:
    assert not found_in(CRNN, lambda path: packages(path) & {"streamlit", "ui", "pages", "app", "tests", "bench"})


def wing_of(name: str) -> str:
    """The wing of a module of crnn; "" for those of `crnn/` itself."""
    first = name.removeprefix("crnn.").split(".")[0]
    return first if first in WINGS else ""


def test_every_folder_is_a_wing() -> None:
    folders = {path.parent.name for path in CRNN if path.parent != ROOT / "crnn"}
    assert folders == set(WINGS)


def test_arrows_point_to_wings_before() -> None:
    """`crnn/` itself is the ground and imports from no wing; its `__main__` alone is the door, to `cli`."""
    rank = {"": -1} | {wing: number for number, wing in enumerate(WINGS)}
    wrong = [
        f"{name} imports {target}"
        for name in NAMES
        if name != "crnn.__main__"
        for target in sorted(crnn_imports(name))
        if rank[wing_of(target)] > rank[wing_of(name)]
    ]
    assert not wrong, "\n".join(wrong)


def test_plotly_is_for_figures_and_keras_for_networks_and_training() -> None:
    for name, path in NAMES.items():
        found = packages(path)
        assert "plotly" not in found or name == "crnn.analysis.figures", name
        assert not found & {"keras", "tensorflow", "tf2onnx"} or wing_of(name) in KERAS_WINGS, name


def test_serving_pulls_in_nothing_dear() -> None:
    waiting, seen = [f"crnn.{name}" for name in SERVING], set[str]()
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            assert not packages(NAMES[name]) & DEAR, name
            waiting.extend(crnn_imports(name))
    assert not {wing_of(name) for name in seen} & KERAS_WINGS


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


def test_one_draft_and_one_hash_of_a_file() -> None:
    """What is made beside its place and renamed, and what is hashed whole, goes through `crnn.atomic`."""
    for name, path in NAMES.items():
        found = re.findall(r"mkstemp|mkdtemp|NamedTemporaryFile|file_digest", path.read_text(encoding="utf-8"))
        assert not found or name == "crnn.atomic", f"{name}: {found}"


def test_there_is_one_log_mel() -> None:
    for name, path in NAMES.items():
        assert "melspectrogram" not in path.read_text(encoding="utf-8"), name
        is_front_end = name in {"crnn.features.log_mel", "crnn.features.tagger_mel"}
        assert is_front_end or "mel_filters" not in path.read_text(encoding="utf-8"), name


def test_only_the_features_ask_which_front_end_it_is() -> None:
    """`FeatureConfig` says it, `crnn.features` acts on it: everybody else gets frames."""
    for name, path in NAMES.items():
        if name != "crnn.config" and wing_of(name) != "features":
            assert "TAGGER_MEL" not in path.read_text(encoding="utf-8"), name
            assert "crnn.features.tagger_mel" not in imported(tree_of(path)), name


def imports_of_librosa(path: Path) -> list[str]:
    """Those that do not wait for their turn."""
    late = [node for node in ast.walk(tree_of(path)) if isinstance(node, ast.With)]
    waiting = {part for node in late if ast.unparse(node.items[0]) == "compiling()" for part in ast.walk(node)}
    nodes = [node for node in ast.walk(tree_of(path)) if isinstance(node, ast.Import | ast.ImportFrom)]
    found = [node for node in nodes if re.search(r"(from|import) librosa", ast.unparse(node)) and node not in waiting]
    return [f"line {node.lineno}: {ast.unparse(node)}" for node in found if "compiled" not in ast.unparse(node)]


def test_librosa_is_loaded_by_one_process_at_a_time() -> None:
    """Two at once would leave what numba compiles of it broken, for good."""
    assert not found_in(sources("crnn", "ui", "pages"), imports_of_librosa)


def calls_at_the_top(path: Path) -> list[str]:
    calls = [node for node in tree_of(path).body if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)]
    return [f"line {call.lineno}: {ast.unparse(call)}" for call in calls]


def test_importing_does_nothing() -> None:
    """No statement at the top of a module calls for the sake of the call: no mkdir, no download, no filter."""
    assert not found_in(sources("crnn", "ui"), calls_at_the_top)


def forbidden_calls(path: Path) -> list[str]:
    calls = [node for node in ast.walk(tree_of(path)) if isinstance(node, ast.Call)]
    return [f"line {call.lineno}" for call in calls if ast.unparse(call.func) in FORBIDDEN_CALLS]


def test_the_library_does_not_print_or_change_warnings() -> None:
    library = [path for name, path in NAMES.items() if wing_of(name) != "cli" and "__main__" not in name]
    assert not found_in(library, forbidden_calls)


def test_the_glue_imports_no_page() -> None:
    assert not found_in(sources("ui"), lambda path: packages(path) & {"pages", "app"})


def test_pages_only_read_call_and_show() -> None:
    assert not found_in(pages(), lambda path: n_lines(path) if n_lines(path) > MAX_PAGE_LINES else 0)
    assert not found_in(pages(), lambda path: packages(path) & {"numpy", "pages", "app"})
    for path in pages():
        assert not [node.name for node in ast.walk(tree_of(path)) if isinstance(node, ast.ClassDef)], path


def n_lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def test_modules_are_short() -> None:
    all_modules = sources("crnn", "ui", "bench", "recipes", "tests")
    assert not found_in(all_modules, lambda path: n_lines(path) if n_lines(path) > MAX_MODULE_LINES else 0)


def length_without_docstring(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    lines = (function.end_lineno or function.lineno) - function.lineno + 1
    if ast.get_docstring(function) is not None:
        docstring = function.body[0]
        lines -= (docstring.end_lineno or docstring.lineno) - docstring.lineno + 1
    return lines


def long_functions(path: Path) -> dict[str, int]:
    functions = [node for node in ast.walk(tree_of(path)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return {f.name: length_without_docstring(f) for f in functions if length_without_docstring(f) > MAX_FUNCTION_LINES}


def test_functions_are_short() -> None:
    assert not found_in([*sources("crnn", "ui", "bench"), *pages()], long_functions)


def public_makers(path: Path) -> list[tuple[str, ast.FunctionDef, str]]:
    """Public functions, and classes that have an `__init__`, each with the docstring that tells of its parameters."""
    body = tree_of(path).body
    made = [
        (node.name, function, ast.get_docstring(node) or "")
        for node in body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
        for function in node.body
        if isinstance(function, ast.FunctionDef) and function.name == "__init__"
    ]
    return made + [(name, function, ast.get_docstring(function) or "") for name, function in public_functions(body)]


def public_functions(body: list[ast.stmt], prefix: str = "") -> Iterator[tuple[str, ast.FunctionDef]]:
    for node in body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            yield prefix + node.name, node
        elif isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from public_functions(node.body, f"{node.name}.")


def parameters(function: ast.FunctionDef) -> list[str]:
    arguments = function.args
    positional = (*arguments.posonlyargs, *arguments.args)
    found = (*positional, arguments.vararg, *arguments.kwonlyargs, arguments.kwarg)
    names = [argument.arg for argument in found if argument is not None]
    return [name for name in names if name not in {"self", "cls"}]


def without_args_section(path: Path) -> list[str]:
    """Public functions and classes of two or more parameters whose docstring does not tell of each, in their order."""
    found = []
    for name, function, docstring in public_makers(path):
        wanted = parameters(function)
        _, _, section = docstring.partition("Args:\n")
        told = re.findall(r"^    \*{0,2}(\w+):", section.partition("\n\n")[0], flags=re.MULTILINE)
        if len(wanted) >= 2 and told != wanted:
            found.append(f"{name}{tuple(wanted)}: {told}")
    return found


def test_docstrings_tell_of_every_parameter() -> None:
    assert not found_in([*CRNN, *sources("ui", "bench", "recipes"), *pages()], without_args_section)


def boxes_without_a_key(path: Path) -> list[str]:
    """Boxes and tabs of a name that stays, which the browser knows by their place alone: they close when that moves."""
    return [
        f"line {node.lineno}"
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in {"expander", "tabs", "popover"}
        and not any(keyword.arg == "key" for keyword in node.keywords)
        and all(isinstance(name, ast.Constant) for argument in node.args[:1] for name in _names_in(argument))
    ]


def _names_in(argument: ast.expr) -> list[ast.expr]:
    return argument.elts if isinstance(argument, ast.List) else [argument]


def test_boxes_are_known_wherever_they_move() -> None:
    assert not found_in([*sources("ui"), *pages()], boxes_without_a_key)


def test_serving_modules_exist() -> None:
    for name in SERVING:
        importlib.import_module(f"crnn.{name}")


DRAWN_AS_MARKDOWN = set(
    "markdown caption info warning success error subheader header title write toast button expander popover checkbox "
    "toggle download_button form_submit_button text_input spinner".split()
)


def strangers_words(node: ast.AST) -> Iterator[str]:
    """What an expression takes of names that strangers chose, but for what is made plain."""
    called = node.func if isinstance(node, ast.Call) else None
    name = getattr(called, "attr", getattr(called, "id", ""))
    if name in {"plain", "table", "len", "number_of"}:
        return
    is_named = getattr(node, "attr", getattr(node, "id", "")) in {"genre", "refusal", "track_id"}
    if is_named or re.fullmatch("(verdict|candidates|changes|heard)_sentence", name):
        yield ast.unparse(node)
    for child in ast.iter_child_nodes(node):
        yield from strangers_words(child)


def test_names_that_strangers_chose_are_drawn_plain() -> None:
    """Streamlit takes Markdown in labels and tooltips too."""
    found = []
    for path in (*pages(), *sources("ui")):
        for call in ast.walk(tree_of(path)):
            if isinstance(call, ast.Call) and getattr(call.func, "attr", "") in DRAWN_AS_MARKDOWN:
                drawn = [*call.args[:1], *(each.value for each in call.keywords if each.arg == "help")]
                found += [f"{path.name}:{call.lineno} {word}" for each in drawn for word in strangers_words(each)]
    assert found == []
