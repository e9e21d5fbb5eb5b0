"""A model on disk: one folder, checked file by file before anything is believed.

`bundle.json` names the features, genres, data, scores and thresholds, and the
SHA-256 of every other file; a digest over its canonical JSON guards the JSON
itself. That finds damage, not forgery. Serving reads JSON, ONNX and npz without
pickles; Keras files are opened by training alone, and only from this machine.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crnn import atomic
from crnn.bundles import bundle_json
from crnn.bundles.bundle_json import JSON_NAME
from crnn.bundles.companion import COMPANION_NAME, Companion, companion_from_dict
from crnn.bundles.swap import bring_back, swap_in
from crnn.bundles.tagging import Tagging, tagging_from_dict
from crnn.config import FeatureConfig
from crnn.errors import BundleError, PlaceTakenError
from crnn.limits import MAX_BUNDLE_BYTES
from crnn.locks import sole_writer

ONNX_NAME = "model.onnx"
KERAS_NAME = "model.keras"
EMBEDDINGS_NAME = "embeddings.npz"
CARD_NAME = "README.md"
FILE_NAMES = frozenset({ONNX_NAME, COMPANION_NAME, KERAS_NAME, EMBEDDINGS_NAME})


_MAX_INPUT_CELLS = 2**22
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_DEVICE = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)


@dataclass(frozen=True)
class Calibration:
    """What turns logits into words: fitted on validation tracks, never typed in.

    temperature: divides the logits (Guo et al. 2017).
    unsure_below: a confidence below it is answered "unsure".
    set_threshold: genres of at least this posterior form the prediction set
        (split conformal prediction at `set_coverage`).
    set_coverage: share of sounds whose set holds the true genre; 0 where nothing was fitted, and none is claimed.
    """

    temperature: float = 1.0
    unsure_below: float = 0.0
    set_threshold: float = 0.05
    set_coverage: float = 0.9

    @property
    def is_fitted(self) -> bool:
        """Whether tracks decided it: too few of them leave the network's own confidence as it is."""
        return self.set_coverage > 0


# For too few tracks: an answer needs a confidence of half at least.
UNFITTED = Calibration(unsure_below=0.5, set_coverage=0.0)


@dataclass(frozen=True)
class Rejection:
    """Logistic regression that tells music from other sound, on a segment's embedding.

    A clip whose mean probability of music is below `threshold` is `not_music`.
    """

    weights: tuple[float, ...]
    bias: float
    threshold: float = 0.5


@dataclass(frozen=True)
class Bundle:
    """All that a model knows of itself; the files lie in `path`.

    genres: names in logit order. data, split, scores, model, training: plain facts
    for the card and the pages (scores say their level, n and interval).
    """

    name: str
    feature_config: FeatureConfig
    genres: tuple[str, ...]
    embedding_size: int
    calibration: Calibration = Calibration()
    rejection: Rejection | None = None
    tagging: Tagging | None = None
    companion: Companion | None = None
    data: dict[str, Any] = field(default_factory=dict)
    split: dict[str, Any] = field(default_factory=dict)
    scores: dict[str, Any] = field(default_factory=dict)
    model: dict[str, Any] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    created: str = ""
    notes: str = ""
    files: dict[str, str] = field(default_factory=dict)
    path: Path | None = None

    @property
    def is_trainable(self) -> bool:
        """Whether training can start from it (an imported bundle only serves)."""
        return KERAS_NAME in self.files

    def file(self, name: str) -> Path:
        """Path of one of its files.

        Raises:
            BundleError: The bundle has no such file.
        """
        if self.path is None or name not in self.files:
            raise BundleError(f"The model “{self.name}” has no {name}.")
        return self.path / name


def check_name(name: str) -> str:
    """`name`, if a bundle may be called so on every file system.

    Raises:
        BundleError: It may not.
    """
    if not name.strip():
        raise BundleError("A model needs a name. Give it one of letters, digits, dot, dash and underscore, at most 64.")
    if not _NAME.fullmatch(name) or name.endswith("."):
        raise BundleError(
            f"“{name}” cannot be a model's name. Use letters, digits, dot, dash and underscore, at most 64."
        )
    if _DEVICE.fullmatch(name):
        raise BundleError(f"“{name}” cannot be a model's name: Windows keeps it for a device. Choose another.")
    return name


def load_bundle(folder: Path) -> Bundle:
    """The bundle in `folder`, every file but its README checked against its hash.

    Raises:
        BundleError: It is missing, damaged, of another format, or holds what it must not.
    """
    if not folder.exists():
        bring_back(folder.parent)
    values = bundle_json.read(folder)
    bundle = _from_json(values, folder)
    for name, expected in bundle.files.items():
        _check_file(bundle, folder / name, expected)
    return bundle


def _check_file(bundle: Bundle, path: Path, expected: str) -> None:
    called = f"{path.name} of the model “{bundle.name}”"
    try:
        if path.is_symlink() or not path.is_file():
            raise BundleError(f"The model “{bundle.name}” lacks {path.name}. Copy or import it again.")
        if path.stat().st_size > MAX_BUNDLE_BYTES:
            raise BundleError(f"{called} is larger than {MAX_BUNDLE_BYTES >> 20} MB.")
        if atomic.sha256_of(path) != expected:
            raise BundleError(f"{called} was changed or damaged. Copy or import it again.")
    except OSError as err:
        raise BundleError(f"{called} cannot be read: {err.strerror or err}.") from err


def list_bundles(*shelves: Path) -> tuple[list[Bundle], dict[str, str]]:
    """Every bundle on the shelves, by name, and what is wrong with those that don't load.

    Raises:
        BundleError: A shelf is there and cannot be read.
    """
    bundles, faults = [], {}
    for folder in bundle_folders(*shelves):
        try:
            bundles.append(load_bundle(folder))
        except BundleError as err:
            faults[folder.name] = str(err)
    return bundles, faults


def bundle_folders(*shelves: Path) -> list[Path]:
    """Folders on the shelves that may be bundles, by name; of one name the first shelf's; none where there is no shelf.

    Raises:
        BundleError: A shelf is there and cannot be read.
    """
    found: dict[str, Path] = {}
    for shelf in shelves:
        bring_back(shelf)
        try:
            for path in shelf.iterdir():
                if not path.name.startswith(".") and path.is_dir():
                    found.setdefault(path.name, path)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as err:
            raise BundleError(f"The models in {shelf} cannot be read: {err.strerror or err}.") from err
    return [found[name] for name in sorted(found, key=lambda name: (name.casefold(), name))]


def save_bundle(bundle: Bundle, folder: Path, write_files: Callable[[Path], None], *, replace: bool = False) -> Bundle:
    """Write a bundle beside its place, then rename it there: never half of one.

    Args:
        bundle: Its facts; `files` and `path` are filled in here.
        folder: Where it shall lie; its last part is the bundle's name.
        write_files: Writes model.keras, model.onnx, … and README.md into the folder it is given.
        replace: Whether an existing bundle there may be replaced.

    Returns:
        The bundle as loaded again from `folder`.

    Raises:
        BundleError: The name will not do, the place is taken (`check_place`), or the disk refuses.
    """
    check_name(folder.name)
    check_place(folder, replace=replace)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with atomic.draft_folder(folder) as draft:
            write_files(draft)
            files = {name: atomic.sha256_of(draft / name) for name in sorted(FILE_NAMES) if (draft / name).is_file()}
            complete = dataclasses.replace(bundle, name=folder.name, files=files)
            (draft / JSON_NAME).write_text(_to_json(complete), encoding="utf-8")
            load_bundle(draft)
            with sole_writer(folder.parent):
                # Another may have been saved there since the check before.
                check_place(folder, replace=replace)
                swap_in(draft, folder)
    except OSError as err:
        raise BundleError(
            f"The model could not be saved in {folder.parent}: {err.strerror or err}. Nothing there was changed."
        ) from err
    return load_bundle(folder)


def check_place(folder: Path, *, replace: bool, otherwise: str = "delete it first") -> None:
    """Check that a model may be written to a folder, before the work that makes one.

    Args:
        folder: Where it shall lie.
        replace: Whether a model there may be replaced. What is no model, a folder of music say, never is.
        otherwise: What would do where it may not.

    Raises:
        PlaceTakenError: Something is there, and stays.
        BundleError: It cannot be looked at.
    """
    try:
        if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
            return
        is_model = (folder / JSON_NAME).is_file()
    except OSError as err:
        raise BundleError(f"{folder} cannot be looked at: {err.strerror or err}.") from err
    if not is_model:
        raise PlaceTakenError(f"“{folder.name}” is no model, so none takes its place. Choose another name.")
    if not replace:
        raise PlaceTakenError(f"A model “{folder.name}” is there already. Choose another name, or {otherwise}.")


def rewrite_json(bundle: Bundle) -> Bundle:
    """Replace only `bundle.json` of a bundle on disk, in one step (its notes, name or calibration).

    Raises:
        BundleError: The disk refuses.
    """
    if bundle.path is None:
        raise BundleError(f"The model “{bundle.name}” is not on disk.")
    try:
        with atomic.replacing(bundle.path / JSON_NAME) as file:
            file.write(_to_json(bundle).encode())
    except OSError as err:
        raise BundleError(f"The model “{bundle.name}” could not be saved: {err.strerror or err}.") from err
    return load_bundle(bundle.path)


def _to_json(bundle: Bundle) -> str:
    values = {f.name: getattr(bundle, f.name) for f in dataclasses.fields(bundle) if f.name != "path"}
    values["feature_config"] = bundle.feature_config.to_dict()
    values["calibration"] = dataclasses.asdict(bundle.calibration)
    values["rejection"] = dataclasses.asdict(bundle.rejection) if bundle.rejection else None
    values["tagging"] = dataclasses.asdict(bundle.tagging) if bundle.tagging else None
    if bundle.companion is not None:
        config = bundle.companion.feature_config.to_dict()
        values["companion"] = dataclasses.asdict(bundle.companion) | {"feature_config": config}
    return bundle_json.written(values)


def _from_json(values: dict[str, Any], folder: Path) -> Bundle:
    try:
        values["feature_config"] = FeatureConfig.from_dict(values["feature_config"])
        values["calibration"] = _build(Calibration, values["calibration"])
        rejection = values["rejection"]
        if rejection is not None:
            values["rejection"] = _build(Rejection, {**rejection, "weights": tuple(rejection["weights"])})
        if values["tagging"] is not None:
            values["tagging"] = tagging_from_dict(values["tagging"], _build)
        if values["companion"] is not None:
            values["companion"] = companion_from_dict(values["companion"], _build)
        values["genres"] = tuple(values["genres"])
        bundle = _build(Bundle, {**values, "path": folder})
        _check_types(bundle)
        _check_facts(bundle)
    except (KeyError, TypeError, ValueError, AttributeError) as err:
        raise BundleError(f"{JSON_NAME} of “{folder.name}” lacks something or holds a wrong value: {err}.") from err
    return bundle


def _build(cls: type[Any], values: dict[str, Any]) -> Any:
    # A field left out would quietly take its default: a threshold of 0, scores of nothing.
    names = {field_.name for field_ in dataclasses.fields(cls)}
    if set(values) != names:
        raise ValueError(f"fields {sorted(names ^ set(values))} are missing or unknown")
    return cls(**values)


def _check_types(bundle: Bundle) -> None:
    # The digest finds damage, not forgery: an imported file may hold anything, and every value is used later on.
    defaults = Bundle("", FeatureConfig(), (), 0)
    for name in (
        "name",
        "created",
        "notes",
        "embedding_size",
        "data",
        "split",
        "scores",
        "model",
        "training",
        "versions",
        "files",
    ):
        _check_type(name, getattr(bundle, name), getattr(defaults, name))
    parts: list[tuple[Any, Any]] = [(bundle.feature_config, FeatureConfig()), (bundle.calibration, Calibration())]
    if bundle.rejection is not None:
        parts.append((bundle.rejection, Rejection((), 0.0)))
    for part, default in parts:
        for field_ in dataclasses.fields(default):
            _check_type(field_.name, getattr(part, field_.name), getattr(default, field_.name))
    numbers = bundle.rejection.weights if bundle.rejection else ()
    for value in numbers:
        _check_type("weights", value, 0.0)


def _check_type(name: str, value: object, example: object) -> None:
    accepted = (int, float) if isinstance(example, float) else type(example)
    if (isinstance(value, bool) and not isinstance(example, bool)) or not isinstance(value, accepted):
        raise ValueError(f"{name} is a {type(value).__name__}, not a {type(example).__name__}")


def _check_facts(bundle: Bundle) -> None:
    check_name(bundle.name)
    if not 2 <= len(bundle.genres) == len(set(bundle.genres)) <= 1000:
        raise ValueError("genres must be 2 to 1000 different names")
    for genre in bundle.genres:
        if not isinstance(genre, str) or not genre.isprintable() or not 1 <= len(genre.strip()) <= 100:
            raise ValueError(f"{str(genre)[:100]!r} cannot be a genre's name")
    if ONNX_NAME not in bundle.files or not set(bundle.files) <= FILE_NAMES:
        raise ValueError(f"files must hold {ONNX_NAME} and at most {sorted(FILE_NAMES)}")
    if (bundle.companion is not None) != (COMPANION_NAME in bundle.files):
        raise ValueError(f"{COMPANION_NAME} and its description come together")
    config, calibration = bundle.feature_config, bundle.calibration
    configs = [config, *([bundle.companion.feature_config] if bundle.companion else [])]
    for each in configs:
        if each.n_frames * each.n_mels > _MAX_INPUT_CELLS:
            raise ValueError(f"segments of {each.n_frames} frames with {each.n_mels} bands are too large")
    if len({each.sample_rate for each in configs}) > 1:
        raise ValueError("both networks must hear at one sample rate")
    if not 0.01 <= calibration.temperature <= 100:
        raise ValueError("temperature must be 0.01 to 100")
    if not all(0 <= share <= 1 for share in (calibration.unsure_below, calibration.set_threshold)):
        raise ValueError("unsure_below and set_threshold must be 0 to 1")
    if bundle.rejection is not None and len(bundle.rejection.weights) != bundle.embedding_size:
        raise ValueError("rejection weights must be as many as the embedding")
    other = bundle.tagging.other if bundle.tagging else None
    if other is not None and len(other.weights) != other.width(bundle.embedding_size):
        raise ValueError("weights of other must be as many as it reads")
