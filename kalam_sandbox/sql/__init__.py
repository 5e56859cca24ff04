"""How SQL text is cut, classified and read before any engine sees it."""
