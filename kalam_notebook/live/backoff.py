"""How long to wait before each attempt to connect again. The waiting itself is the socket's work."""

from __future__ import annotations

from collections.abc import Callable, Iterator

__all__ = ["backoff"]


def backoff(
    random: Callable[[], float], *, first: float = 0.5, factor: float = 2.0, most: float = 30.0, spread: bool = False
) -> Iterator[float]:
    """Yield delays in seconds that grow to a bound, without end.

    Each is drawn between half of its nominal value and the whole, so that many notebooks that lost the same server do
    not come back at the same moment.

    They do so within seconds all the same, because nobody waits long at first. With ``spread`` only the first delay is
    short, and the second may be anything up to half of the bound: whenever the server comes back, in no second more
    than a tenth of those who lost it do.

    Args:
        random: Gives numbers in [0, 1), for example ``random.random``.
        first: Nominal first delay in seconds.
        factor: Growth from one delay to the next.
        most: Bound of the nominal delay in seconds.
        spread: For a connection that stood, which others may have lost at the same moment.
    """
    nominal = first
    if spread:
        yield nominal * (0.5 + 0.5 * random())
        yield first + 0.5 * most * random()
        nominal = most
    while True:
        yield nominal * (0.5 + 0.5 * random())
        nominal = min(nominal * factor, most)
