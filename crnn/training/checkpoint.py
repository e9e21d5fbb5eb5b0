"""A training's state on disk, and the order that it belongs to.

A checkpoint goes on only under the settings, split, seed, start and data that it was begun with: under
others its tracks to check with are partly learnt, and every score after that too good.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from crnn import atomic
from crnn.bundles.bundle import Bundle
from crnn.data.collection import Collection
from crnn.errors import CrnnError
from crnn.jobs.order import CHECKPOINT_NAME, TrainingOrder

FOLD_PREFIX = "fold-"
_IDENTITY_NAME = "identity.json"
_MOST_NAMED = 4

Identity = dict[str, str]


def identity_of(order: TrainingOrder, collection: Collection, initial: Bundle | None) -> Identity:
    """All that decides what a run learns and what it is checked on, by names that a sentence may use.

    Args:
        order: Settings, split and folds.
        collection: The data, by their fingerprint.
        initial: The start, by its name and files.
    """
    settings = {
        name.replace("_", " "): str(value) for part in order.settings.to_dict().values() for name, value in part.items()
    }
    return settings | {
        "data": collection.fingerprint,
        "genres": ", ".join(collection.genres),
        "split": order.split or "chosen by the data",
        "folds": str(order.folds),
        "start": "scratch" if initial is None else f"{initial.name} {_digest_of(initial)}",
    }


def _digest_of(bundle: Bundle) -> str:
    return hashlib.sha256(json.dumps(bundle.files, sort_keys=True).encode()).hexdigest()[:12]


def take_up(run_dir: Path, identity: Identity, *, resume: bool) -> str:
    """Make a folder ready for a run, and refuse to go on with another one; the digest for its checkpoints.

    Args:
        run_dir: Where checkpoints lie. What an older run left there is cleared unless it is resumed.
        identity: From `identity_of`.
        resume: Whether to go on from what lies there.

    Raises:
        CrnnError: What lies there was begun otherwise; the sentence names the difference.
    """
    path = run_dir / _IDENTITY_NAME
    if resume and has_state(run_dir):
        _check_same(path, identity)
    else:
        clear(run_dir)
        with atomic.replacing(path) as file:
            file.write(json.dumps(identity, ensure_ascii=False).encode("utf-8", "surrogateescape"))
    return digest_of(identity)


def digest_of(identity: Identity) -> str:
    """What a checkpoint carries of it."""
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()


def has_state(run_dir: Path) -> bool:
    """Whether there is anything in a run's folder that it could go on from."""
    return (run_dir / CHECKPOINT_NAME).exists() or any(run_dir.glob(f"{FOLD_PREFIX}*"))


def _check_same(path: Path, identity: Identity) -> None:
    try:
        stored = json.loads(path.read_text(encoding="utf-8", errors="surrogateescape"))
        begun = {str(name): str(value) for name, value in stored.items()}
    except (OSError, ValueError, AttributeError) as err:
        raise CrnnError(
            "What was kept of this training does not say what it was begun with, so it cannot go on. Start it anew."
        ) from err
    changed = [name for name in {**begun, **identity} if begun.get(name) != identity.get(name)]
    if not changed:
        return
    said = [_difference(name, begun.get(name, "not set"), identity.get(name, "not set")) for name in changed]
    more = f"; and {len(said) - _MOST_NAMED} more" if len(said) > _MOST_NAMED else ""
    raise CrnnError(
        f"This training cannot go on: {'; '.join(said[:_MOST_NAMED])}{more}. "
        "Resume it as it was begun, or start a new training."
    )


def _difference(name: str, begun: str, now: str) -> str:
    if name == "data":
        return "the tracks changed since this training began"
    if name == "start" and begun.split(maxsplit=1)[0] == now.split(maxsplit=1)[0]:
        return f"the model {now.split(maxsplit=1)[0]} that it starts from changed since it began"
    words = [value.rpartition(" ")[0] if name == "start" and " " in value else value for value in (begun, now)]
    return f"it was begun with {name} {words[0]}, and now it is {words[1]}"


def clear(run_dir: Path) -> None:
    """Take away what a run left in its folder, and the folder if nothing else lies there."""
    for name in (CHECKPOINT_NAME, _IDENTITY_NAME):
        (run_dir / name).unlink(missing_ok=True)
    for folder in run_dir.glob(f"{FOLD_PREFIX}*"):
        shutil.rmtree(folder, ignore_errors=True)


def write_checkpoint(path: Path, facts: dict[str, Any], groups: dict[str, list[Any]]) -> None:
    """Write facts and arrays, in one step.

    Args:
        path: The file.
        facts: JSON-ready.
        groups: Arrays by the name of their group, each group in its order.

    Raises:
        OSError: The disk refuses.
    """
    arrays: dict[str, Any] = {"facts": np.frombuffer(json.dumps(facts).encode(), dtype=np.uint8)}
    for name, values in groups.items():
        arrays |= {f"{name}_{i}": np.asarray(value) for i, value in enumerate(values)}
    with atomic.replacing(path) as file:
        np.savez(file, **arrays)


def read_checkpoint(path: Path, names: tuple[str, ...], identity: str) -> tuple[dict[str, Any], dict[str, list[Any]]]:
    """What `write_checkpoint` wrote.

    Args:
        path: The file.
        names: Groups of arrays that it must hold, each of none or more.
        identity: Digest of what the run shall be; the file must say the same.

    Raises:
        CrnnError: It is damaged, or of another run.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            facts = json.loads(stored["facts"].tobytes())
            groups = {}
            for name in names:
                n_arrays = sum(key.rsplit("_", 1)[0] == name for key in stored.files)
                groups[name] = [stored[f"{name}_{i}"] for i in range(n_arrays)]
    except (OSError, ValueError, KeyError, zipfile.BadZipFile, EOFError) as err:
        raise unusable(path, str(err)) from err
    if facts.get("identity", "") != identity:
        raise unusable(path, "it is of a training with other settings or data")
    return facts, groups


def unusable(path: Path, reason: str) -> CrnnError:
    """What to raise for a checkpoint that does not serve.

    Args:
        path: The checkpoint.
        reason: Half a sentence.
    """
    return CrnnError(f"The checkpoint {path.name} cannot be used: {reason}. Start the training anew.")
