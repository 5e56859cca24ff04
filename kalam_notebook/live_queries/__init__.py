"""Live tables and live events: what keeps them true, from the socket to the table that people hold."""
