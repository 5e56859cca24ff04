"""Random numbers for delays, from a generator of our own. Standard library only.

Threads of this package wait while cells run: with the generator of the module ``random`` they would take numbers out of
the row that a reader's ``random.seed`` begins.
"""

from __future__ import annotations

import random

__all__ = ["chance"]

#: Gives a number in [0, 1).
chance = random.Random().random
