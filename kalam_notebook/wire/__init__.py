"""What travels between client and server, as pure functions and values: no waiting, no sockets, no clock."""
