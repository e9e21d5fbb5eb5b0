"""The CRNN in Keras, and its exports."""
