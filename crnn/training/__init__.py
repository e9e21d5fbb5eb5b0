"""From tracks to a bundle: optimising, folds, transfer, publishing."""
