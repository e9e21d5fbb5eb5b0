"""A trained model as the start of another: its body, under a head fitted to the new genres.

The head is a logistic regression on the body's embeddings, so that training begins where
the old knowledge ends, and what follows only has to refine it, gently.
"""

from __future__ import annotations

import keras

from crnn.bundles.bundle import Bundle
from crnn.networks.crnn import LOGITS, with_new_head
from crnn.networks.keras_file import open_keras
from crnn.training.instant import Head


def start_from(bundle: Bundle, genres: tuple[str, ...], head: Head | None) -> keras.Model:
    """The network of `bundle`, ready to learn `genres`; its own head stays where the genres are its own.

    Args:
        bundle: A model of this machine.
        genres: What will be learnt, in logit order.
        head: Fitted to the tracks to learn from; None where a checkpoint will bring all weights.

    Raises:
        BundleError: It has no Keras file, or a bad one.
    """
    model = open_keras(bundle)
    if bundle.genres == genres:
        return model
    renewed = with_new_head(model, len(genres))
    if head is not None:
        renewed.get_layer(LOGITS).set_weights([head.weights, head.bias])
    return renewed
