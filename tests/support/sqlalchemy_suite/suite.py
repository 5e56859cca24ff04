"""The tests that SQLAlchemy has for dialects; which of them run is said in ``rules``."""

from sqlalchemy.testing.suite import *  # noqa: F403
