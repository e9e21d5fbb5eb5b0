"""Networks that others trained on music tags, ported to Keras to teach ours.

Tools for training only: nothing that the app serves imports them, and their weights stay outside the project.
None of them was trained on GTZAN. Axis order is `(n_frames, n_mels)` as everywhere in `crnn`.
"""
