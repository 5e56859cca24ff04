"""The package's version, in one place: the build, the client's user agent and the tests read it here."""

__version__ = "0.1.0"
