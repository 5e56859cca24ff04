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

    With ``spread`` each is about a second, or a tenth of the time that the connection has been away: connecting costs a
    server next to nothing. What costs it scans is spread by who asks (``following.schedule``).

    Args:
        random: Gives numbers in [0, 1), for example ``chance``.
        first: Nominal first delay in seconds.
        factor: Growth from one delay to the next.
        most: Bound of the nominal delay in seconds.
        spread: For a connection that stood, which others may have lost at the same moment.
    """
    nominal = first
    if spread:
        yield nominal * (0.5 + 0.5 * random())
        away = 0.0
        while True:
            delay = min(max(1.0, away / 10), most) * (0.5 + random())
            away += delay
            yield delay
    while True:
        yield nominal * (0.5 + 0.5 * random())
        nominal = min(nominal * factor, most)
