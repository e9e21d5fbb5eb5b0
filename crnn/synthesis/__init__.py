"""Sound made here: instruments, styles, examples, and what is no music."""
