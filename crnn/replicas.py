"""A training step on one device, or on several under `tf.distribute.MirroredStrategy`."""

from __future__ import annotations

import keras
import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]


def train_step(model: keras.Model, segments: FloatArray, targets: FloatArray) -> float:
    """Take one step on a batch; its loss, before the step.

    Under a strategy of several devices each gets its share of the batch, as even as can be.
    Batch normalisation and clipping then see a device's share, not the batch.

    Args:
        model: Compiled, made under the strategy's scope.
        segments: `(n, n_frames, n_mels)` in dB.
        targets: `(n, n_genres)`.
    """
    strategy = getattr(model, "distribute_strategy", None)  # TensorFlow's alone
    n_replicas = 1 if strategy is None else strategy.num_replicas_in_sync
    model.reset_metrics()
    if strategy is None or n_replicas == 1 or len(segments) < n_replicas:
        return float(np.asarray(model.train_on_batch(segments, targets)))

    def divided(whole: FloatArray) -> object:
        parts = np.array_split(whole, n_replicas)
        return strategy.experimental_distribute_values_from_function(
            lambda context: parts[context.replica_id_in_sync_group]
        )

    # `train_on_batch` would give the whole batch to every device.
    shares = (divided(segments), divided(targets))
    model.make_train_function()
    return float(np.asarray(model.train_function(iter([shares]))["loss"]))
