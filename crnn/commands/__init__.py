"""The command line, a module per family of commands; each imports what it needs late."""
