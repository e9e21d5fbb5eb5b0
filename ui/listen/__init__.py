"""The parts of the Listen page."""
