"""Training runs as jobs: what was ordered, their state on disk, their estimates."""
