"""How the bundled models were made, as commands that make them again."""
