"""The client of the soak, in a process of its own: follows a table until told to end, and tells what it cost.

``python soaking.py URL TABLE``, the password on the first line of standard input; it ends at the second line. Prints
one line when the table is there, and one with its findings as JSON in the end.
"""

from __future__ import annotations

import gc
import json
import sys
import threading
import time
from pathlib import Path

import kalam_notebook as kalam
from kalam_notebook.settings import Timeouts

#: Seconds between two looks at the memory.
INTERVAL = 0.5


def memory() -> int:
    """Bytes of this process in memory."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("VmRSS:")[1].split()[0]) * 1024


def sockets() -> int:
    """Sockets that this process holds open."""
    found = 0
    for entry in Path("/proc/self/fd").iterdir():
        try:
            found += str(entry.readlink()).startswith("socket:")
        except OSError:  # The one that the listing itself uses.
            continue
    return found


def main() -> None:
    url, table = sys.argv[1:]
    password = sys.stdin.readline().strip()
    ended = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.readline(), ended.set()), daemon=True).start()
    before = sockets()
    client = kalam.Client(url, user="root", password=password, timeouts=Timeouts(pong=2.0, keepalive=1.0))
    live = client.live(f"SELECT * FROM {table}")
    print("ready", flush=True)
    samples = []
    while not ended.wait(INTERVAL):
        live.arrow()
        gc.collect()
        samples.append(memory())
    proof = None
    while not proof:
        proof = live.verify(timeout=60)
    rows = live.arrow().sort_by("id").to_pylist()
    stats = live.stats
    live.close()
    client.close()
    deadline = time.monotonic() + 10
    while left() and time.monotonic() < deadline:
        time.sleep(0.05)
    found = {
        "samples": samples,
        "rows": [list(row.values()) for row in rows],
        "threads": left(),
        "sockets": sockets() - before,
        "events": stats.events,
        "healed": stats.healed,
        "reconnects": stats.reconnects,
        "rounds": stats.rounds,
    }
    print(json.dumps(found), flush=True)


def left() -> list[str]:
    """The live threads that are still there."""
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("kalam-live")]


if __name__ == "__main__":
    main()
