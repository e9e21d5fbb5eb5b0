"""Answers: posterior, verdict, explanation, and how they are written."""
