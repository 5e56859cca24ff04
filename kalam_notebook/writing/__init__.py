"""Writing whole frames into tables (truth R8).

``writer`` decides, ``frame`` makes Arrow of what the caller has, ``target`` knows the table, ``names`` and ``values``
refuse what the server would damage, ``problems`` collects it, ``rows`` and ``literals`` spell the rest in SQL,
``requests`` and ``inserts`` cut it into requests, ``pace`` finds their sizes, ``sending`` sends them and says what was
kept. Called by the client; sends through an ``Endpoint``.
"""
