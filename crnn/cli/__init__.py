"""The commands of `python -m crnn`."""
