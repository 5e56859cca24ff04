"""Programs of other people's code that sandbox and client are compared with: ``make peers`` builds and runs them."""

import json
import os
import subprocess
from pathlib import Path

import pytest

BUILT = os.environ.get("KALAM_PEERS")


class Peer:
    """A program that answers each line of JSON with one."""

    def __init__(self, name):
        # The proxies that tests name lead nowhere, and other programs ask them for this machine, too.
        environment = {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")}
        self.process = subprocess.Popen(
            [Path(BUILT) / name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1, env=environment
        )

    def tell(self, **message):
        self.process.stdin.write(json.dumps(message) + "\n")

    def ask(self, **message):
        """Send a line and return what is answered, be it an error."""
        self.tell(**message)
        line = self.process.stdout.readline()
        assert line, f"the program has ended: {self.process.wait(5)}"
        return json.loads(line)

    def do(self, what, **more):
        """Have something done that must succeed."""
        answer = self.ask(do=what, **more)
        assert not (isinstance(answer, dict) and answer.keys() == {"error"}), answer
        return answer

    def end(self):
        self.process.stdin.close()
        assert self.process.wait(10) == 0
        self.process.stdout.close()


@pytest.fixture
def start_peer():
    """Start a program; its first line may be an address."""
    if BUILT is None:
        pytest.skip("needs programs that `make peers` builds, with a Rust compiler and some minutes")
    started = []

    def start(name, **first):
        peer = Peer(name)
        started.append(peer)
        if first:
            peer.tell(**first)
        return peer

    yield start
    for peer in started:
        peer.end()
