"""The connections to one server, as several threads take them."""

import httpcore

from kalam_notebook.http.connections import Connections

ORIGIN = httpcore.Origin(b"http", b"h", 80)


class Kept:
    """A connection that is kept; what it says of itself in turn, as another thread uses it in the end."""

    def __init__(self, *usable):
        self.usable = list(usable)
        self.is_given_up = self.was_ended = False

    @property
    def is_usable(self):
        return self.usable.pop(0) if len(self.usable) > 1 else self.usable[0]

    def give_up(self):
        self.is_given_up = True


def test_what_another_thread_has_taken_meanwhile_is_left_alone():
    connections = Connections(lambda origin: None)
    # The first may be used by others as soon as the last has been found; the second has expired.
    used, expired, found = Kept(True, False), Kept(False), Kept(True)
    connections._idle = [used, expired, found]
    assert connections._take(ORIGIN) is found
    assert (used.is_given_up, expired.is_given_up, found.is_given_up) == (False, True, False)
    assert connections._idle == [used]


def test_what_the_server_has_ended_is_told_before_anything_is_sent():
    connections = Connections(lambda origin: None)
    told = []
    connections.on_end = lambda: told.append(None)
    aged, ended = Kept(False), Kept(False)
    connections._idle = [aged]
    connections.look()
    assert (told, connections._idle) == ([], [aged])  # Given up, it would tell of nothing that comes.
    ended.was_ended = True
    connections._idle = [ended, aged, used := Kept(True)]
    connections.look()
    assert (len(told), ended.is_given_up, aged.is_given_up) == (1, True, False)
    assert connections._take(ORIGIN) is used
    assert (len(told), aged.is_given_up) == (1, True)
