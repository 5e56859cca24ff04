"""The servers that the sandbox plays, as parameters of tests; those between the oldest and the newest are slow ones."""

import pytest

ALL = ["0.4.3", pytest.param("0.5", marks=pytest.mark.slow), pytest.param("0.7", marks=pytest.mark.slow), "0.8"]
LATER = ALL[1:]
