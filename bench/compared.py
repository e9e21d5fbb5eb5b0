"""Figures of a bench beside those of an older state of the project: one table with both columns and their ratio.

Before is a file of figures that the same command wrote (`--out`), or a commit: that one is checked out into a temporary
worktree, and today's bench runs there, with the same options, right before it runs here.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench import ROOT

# What is no figure but what one is judged by, or what was asked for.
_ASIDE = ("aim_", "is_", "sound_seconds", "changes", "from_", "to_")


@dataclass(frozen=True)
class Run:
    """What a bench found, and where.

    command: Name and options of the bench, without those of this module.
    load: Of the machine when it began; figures of a busy one are no times to be quoted.
    """

    command: str
    commit: str
    machine: str
    load: float
    figures: dict[str, Any]


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options that `before` and `finish` read.

    Args:
        parser: A bench's.
    """
    parser.add_argument("--out", type=Path, help="write the figures to a JSON file, for a later --against")
    parser.add_argument("--against", metavar="FILE|COMMIT", help="print a table beside these figures, or that commit's")


def before(options: argparse.Namespace, module: str) -> Run | None:
    """What to compare with; None if nothing was asked for. A commit's is measured now.

    Args:
        options: With those of `add_options`.
        module: The bench's, as `python -m` takes it.

    Raises:
        SystemExit: There is no such file or commit, or its run failed.
    """
    if not options.against:
        return None
    path = Path(options.against)
    if path.is_file():
        return _read(path)
    return _of_commit(options.against, module)


def finish(figures: dict[str, Any], options: argparse.Namespace, module: str, earlier: Run | None) -> None:
    """Print the figures, or the table where there is something to compare with; write them where that is asked for.

    Args:
        figures: Numbers by name, as deep as need be.
        options: With those of `add_options`.
        module: The bench's.
        earlier: From `before`.
    """
    now = Run(_command(module), _commit(), _machine(), _load(), figures)
    if options.out is not None:
        options.out.write_text(json.dumps(asdict(now), indent=1) + "\n", encoding="utf-8")
    print(json.dumps(figures, indent=1) if earlier is None else table(earlier, now))


def table(earlier: Run, now: Run) -> str:
    """Both runs in Markdown: a line for each figure, and what after is of before; what one alone has is told, too.

    Args:
        earlier: The column on the left.
        now: The column on the right.
    """
    columns = [dict(_flat(run.figures)) for run in (earlier, now)]
    names = list(dict.fromkeys([*columns[0], *columns[1]]))
    lines = [
        *(f"{word}: {run.commit}, {run.machine}, load {run.load:.1f}, `{run.command}`" for word, run in
          (("Before", earlier), ("After", now))),
        *([] if earlier.machine == now.machine else ["The machines differ: the ratios tell of both."]),
        *([] if earlier.command == now.command else ["The commands differ: not every figure is of the same work."]),
        "", "| | before | after | after / before |", "|---|---|---|---|",
    ]  # fmt: skip
    for name in names:
        old, new = (column.get(name) for column in columns)
        ratio = f"{new / old:.2f}" if old and new is not None else "–"
        lines.append(f"| {name} | {_number(old)} | {_number(new)} | {ratio} |")
    return "\n".join(lines)


def _flat(figures: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, float]]:
    for name, value in figures.items():
        if name.startswith(_ASIDE):
            continue
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{name} ")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield f"{above}{name}", float(value)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}" if abs(value) < 10_000 else f"{value:.0f}"


def _read(path: Path) -> Run:
    try:
        return Run(**json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as err:
        raise SystemExit(f"{path} was not written by --out: {err}") from err


def _of_commit(commit: str, module: str) -> Run:
    with tempfile.TemporaryDirectory() as folder:
        tree, out = Path(folder) / "tree", Path(folder) / "before.json"
        _git("worktree", "add", "--detach", str(tree), commit)
        try:
            # Today's bench: the same work, whatever the older one did.
            for source in (ROOT / "bench").glob("*.py"):
                (tree / "bench" / source.name).write_bytes(source.read_bytes())
            command = [sys.executable, "-m", module, *_own_options(sys.argv[1:]), "--out", str(out)]
            done = subprocess.run(command, cwd=tree, stdout=sys.stderr, check=False)
            if not out.is_file():
                raise SystemExit(f"The bench ended with {done.returncode} at {commit}: it lacks what is measured.")
            return _read(out)
        finally:
            _git("worktree", "remove", "--force", str(tree))


def _own_options(arguments: list[str]) -> list[str]:
    """Without `--out` and `--against` and what they are given."""
    kept: list[str] = []
    is_value = False
    for argument in arguments:
        if argument in {"--out", "--against"}:
            is_value = True
        elif is_value or argument.startswith(("--out=", "--against=")):
            is_value = False
        else:
            kept.append(argument)
    return kept


def _command(module: str) -> str:
    return " ".join(["python -m", module, *_own_options(sys.argv[1:])])


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr.strip())
    return done.stdout.strip()


def _commit() -> str:
    # The bench itself is today's in a worktree of an older commit.
    is_changed = bool(_git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!bench"))
    return _git("rev-parse", "--short=12", "HEAD") + (" and changes" if is_changed else "")


def _machine() -> str:
    kind = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        names = [
            line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")
        ]
        kind = names[0] if names else kind
    return f"{kind}, {os.cpu_count()} cores"


def _load() -> float:
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
