"""What Explore shows: views of a sound and their figures."""
