"""Models as folders: saved, loaded, checked, kept in a library."""
