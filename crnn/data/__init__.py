"""Data sets: what folders, lists, zips and archives hold, how they are split, and their features."""
