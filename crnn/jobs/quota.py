"""What may be ordered of a server by whom: the data, the start and the amount, looked at where the order is given."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from crnn import paths
from crnn.data.scan import DEMO_NAME
from crnn.errors import BundleError, CrnnError, DatasetError
from crnn.jobs.order import TrainingOrder
from crnn.owner import Owner


def checked(order: TrainingOrder, owner: Owner) -> TrainingOrder:
    """The order as it may be carried out.

    Args:
        order: As it was asked for.
        owner: Who asks.

    Returns:
        The order with its start looked up among his models, in one process; on a machine of one's own, as it was.

    Raises:
        NotAllowedError: He may not train.
        DatasetError, BundleError: The data, or the model to start from, are not his.
        CrnnError: It asks for more than is granted.
    """
    owner.require("train")
    if owner.mode == "local":
        return order
    for source in order.datasets:
        if source != DEMO_NAME and not owner.owns(Path(source)):
            raise DatasetError(f"There is no data set “{Path(source).name}” of yours.")
    epochs, folds = order.settings.train.epochs, order.folds
    if epochs > owner.limits.epochs or folds > owner.limits.folds:
        raise CrnnError(
            f"{epochs} epochs and {folds} folds were asked for; at most {owner.limits.epochs} epochs and "
            f"{owner.limits.folds} folds are granted here."
        )
    owner.check_room(0)
    return dataclasses.replace(order, init=_own_start(order.init, owner), n_jobs=1)


def _own_start(init: str | None, owner: Owner) -> str | None:
    """The folder of the model to start from: the host's or his own, never one named by a path of another."""
    if init is None:
        return None
    shelves = (paths.models_dir(), owner.models_dir)
    folders = [shelf / Path(init).name for shelf in shelves]
    named = [folder for folder in folders if init in {folder.name, str(folder)} and folder.is_dir()]
    if not named:
        raise BundleError(f"There is no model “{Path(init).name}” to start from.")
    return str(named[0])
