"""The server: its entry, its script, its routes, and the command that starts it."""
