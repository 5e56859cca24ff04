"""A script that is interrupted by SIGINT at random moments, by itself or in the cells of IPython.

Takes the URL of a server, a token, ``script`` or ``cell``, and how often. Ends well if the client works after each
interrupt, and closes within a second; prints how many interrupts came through.
"""

import gc
import os
import random
import signal
import sys
import tempfile
import threading
import time
import uuid

import pandas as pd

import kalam_notebook as kalam

url, token, place, times = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
client = kalam.Client(url, token=token, timeout=20)
namespace = f"t{uuid.uuid4().hex[:12]}"
table = f"{namespace}.t"
frame = pd.DataFrame({"id": range(300), "v": ["x" * 50] * 300})
client.execute_query(f"CREATE NAMESPACE {namespace}")
client.execute_query(f"CREATE TABLE {table} (id INT PRIMARY KEY, v TEXT)")
client.write(frame, table)
client.execute_query(f"CREATE TABLE {namespace}.docs (id INT PRIMARY KEY, body FILE)")
client.execute_with_files(f'INSERT INTO {namespace}.docs VALUES (1, FILE("f"))', {"f": b"y" * 100_000})
file = client.query(f"SELECT * FROM {namespace}.docs").loc[0, "body"]
folder = tempfile.TemporaryDirectory()
target = f"{folder.name}/file"

CELLS = [
    f"client.query('SELECT * FROM {table}')",
    f"client.write(frame, '{table}', mode='upsert')",
    f"client.live('SELECT * FROM {table}').close()",
    "client.download(file, to=target)",
    "client.execute_query('SELECT 1')",
]


def run_in_script(source):
    exec(compile(source, "<script>", "exec"), globals())


if place == "cell":
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell.instance(user_ns=globals())
    shell.InteractiveTB.set_mode("Minimal")

    def run(source):
        result = shell.run_cell(source, silent=True)
        error = result.error_before_exec or result.error_in_exec
        if error is not None:
            raise error

else:
    run = run_in_script


def interrupted(source, delay):
    """Run, and send SIGINT after so many seconds; tell whether it came while it ran."""
    sender = threading.Timer(delay, os.kill, (os.getpid(), signal.SIGINT))
    try:
        try:
            sender.start()
            run(source)
        finally:
            # Whatever comes later than the end comes here.
            sender.join()
            time.sleep(0.001)
    except KeyboardInterrupt:
        return True
    return False


for source in CELLS:
    run(source)
client.close()
gc.collect()
before = len(os.listdir("/proc/self/fd"))

client = kalam.Client(url, token=token, timeout=20)
chance = random.Random(7)
came = 0
for number in range(times):
    source = CELLS[number % len(CELLS)]
    started = time.monotonic()
    run(source)
    took = time.monotonic() - started
    try:
        came += interrupted(source, chance.random() * took)
    except KeyboardInterrupt:
        came += 1
    assert len(client.query_arrow(f"SELECT id FROM {table} LIMIT 3")) == 3

client.execute_query(f"DROP NAMESPACE {namespace} CASCADE")
started = time.monotonic()
client.close()
assert time.monotonic() - started < 1
sys.last_value = sys.last_traceback = sys.last_exc = None
until = time.monotonic() + 10
while True:
    gc.collect()
    threads = [thread.name for thread in threading.enumerate() if thread.name.startswith("kalam-")]
    now = len(os.listdir("/proc/self/fd"))
    if not threads and now <= before:
        break
    assert time.monotonic() < until, (threads, now, before)
    time.sleep(0.02)
assert [name for name in os.listdir(folder.name) if name != "file"] == [], os.listdir(folder.name)
folder.cleanup()
print(came)
