"""The live engine without clocks, sockets and threads: queries, connection rules, keyed rows, delays."""
