"""One WebSocket for all live queries of a client."""
