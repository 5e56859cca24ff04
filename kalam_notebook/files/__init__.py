"""Many files at once: up, down, a few at a time."""
