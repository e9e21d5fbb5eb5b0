"""The Keras file of a bundle, opened warily.

The digest of a bundle finds damage, not forgery, and a model's folder may come from
anywhere. Keras itself refuses code (`safe_mode`) and arrays that are larger than their
file; what it unpacks without asking, and what it says in its own words, is dealt with here.
"""

from __future__ import annotations

import zipfile
import zlib

import keras

from crnn.bundles.bundle import KERAS_NAME, Bundle
from crnn.errors import BundleError
from crnn.limits import MAX_BUNDLE_BYTES
from crnn.networks.crnn import LOGITS


def open_keras(bundle: Bundle) -> keras.Model:
    """The network of a bundle, not compiled.

    Raises:
        BundleError: The bundle has no Keras file, or it is damaged, hostile, or does not fit the bundle.
    """
    path = bundle.file(KERAS_NAME)
    refused = f"{KERAS_NAME} of “{bundle.name}” was refused"
    try:
        with zipfile.ZipFile(path) as zip_file:
            n_bytes = sum(info.file_size for info in zip_file.infolist())
        if n_bytes > MAX_BUNDLE_BYTES:
            raise BundleError(f"{refused}: it would unpack to more than {MAX_BUNDLE_BYTES >> 20} MB.")
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except (OSError, zipfile.BadZipFile, zlib.error) as err:
        raise BundleError(f"{KERAS_NAME} of “{bundle.name}” cannot be read: {err}.") from err
    except BundleError:
        raise
    except Exception as err:  # Broad: the file says which layers Keras builds, and a layer may raise anything.
        reason = " ".join(str(err).split())[:300] or type(err).__name__
        raise BundleError(f"{refused}: it is damaged, or holds what no model of ours does ({reason})") from err
    shapes = _shapes(model)
    if shapes != ((None, None, bundle.feature_config.n_mels), (None, len(bundle.genres))):
        raise BundleError(f"{refused}: its network does not fit the bundle's description ({shapes[0]} to {shapes[1]}).")
    return model


def _shapes(model: object) -> tuple[object, object]:
    """Shapes of the input and of the logits; None where it has none."""
    if not isinstance(model, keras.Model):
        return None, None
    # Of several outputs `output_shape` is a bare list in some versions of Keras.
    output = getattr(model, "output", None)
    if isinstance(output, list) and len(output) == 1:
        # A network of logits alone is saved with a list of that one.
        (output,) = output
    logits = output.get(LOGITS) if isinstance(output, dict) else output
    return getattr(model, "input_shape", None), getattr(logits, "shape", None)
