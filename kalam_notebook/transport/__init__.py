"""What waits: HTTP, login, downloads and the WebSocket. Deciding is done in ``wire`` and ``live``."""
