"""Recordings of live tables: the form of the file, writing, reading, and the rows that a replay shows. Pure."""
