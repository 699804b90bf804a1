"""Training and scoring of the bundled face net."""
