import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import fields
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
import websockets

import kalam_notebook as kalam
from kalam_sandbox import SandboxError, start
from kalam_sandbox.__main__ import _options, _parser
from kalam_sandbox.options import Options

DEADLINE = 10.0


def is_listening(url):
    parts = urlsplit(url)
    try:
        socket.create_connection((parts.hostname, parts.port), timeout=1).close()
    except OSError:
        return False
    return True


def wait_until_gone(url):
    end = time.monotonic() + DEADLINE
    while is_listening(url):
        assert time.monotonic() < end, f"{url} still listens"
        time.sleep(0.02)


def run_python(code, **options):
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False, **options
    )


@pytest.mark.slow
def test_a_context_manager_stops_the_server():
    with kalam.sandbox() as server:
        assert is_listening(server.url)
        assert server.pid != os.getpid()
    assert not is_listening(server.url)


@pytest.mark.slow
def test_ready_means_that_requests_are_answered():
    with start() as server:
        assert httpx.get(server.url + "/v1/api/healthcheck", timeout=5, trust_env=False).status_code == 200


@pytest.mark.skipif(sys.platform != "linux", reason="reads what Linux tells of a process")
@pytest.mark.slow
def test_a_server_is_told_no_logins_of_others(monkeypatch):
    monkeypatch.setenv("KALAMDB_ROOT_PASSWORD", "known-secret")
    with start() as server:
        told = Path(f"/proc/{server.pid}/environ").read_bytes()
        assert b"known-secret" not in told
        assert server.root_password.encode() not in told
        assert server.root_password.encode() not in Path(f"/proc/{server.pid}/cmdline").read_bytes()


@pytest.mark.slow
def test_stop_may_be_called_twice():
    server = start()
    server.stop()
    server.stop()
    assert not is_listening(server.url)
    assert "stopped" in repr(server)


@pytest.mark.slow
def test_the_password_is_random_and_never_shown():
    with start() as one, start() as other:
        assert one.root_password != other.root_password
        assert len(one.root_password) >= 12
        assert one.root_password not in repr(one)


@pytest.mark.slow
def test_options_reach_the_server():
    with start(options=("--root-password", "given-by-hand")) as server:
        assert server.root_password == "given-by-hand"


@pytest.mark.slow
def test_a_taken_port_is_reported_in_the_servers_words():
    with start() as server:
        port = urlsplit(server.url).port
        with pytest.raises(SandboxError, match=rf"cannot listen on 127\.0\.0\.1:{port}"):
            start(port=port)


@pytest.mark.parametrize("port", ["65536", "-1"])
def test_a_port_beyond_the_range_is_refused(port, capsys):
    with pytest.raises(SystemExit):
        parse("--port", port)
    assert f"argument --port: {port} is not between 0 and 65535" in capsys.readouterr().err


def test_an_unknown_option_shows_what_the_server_wrote():
    with pytest.raises(SandboxError, match="unrecognized arguments: --no-such-flag"):
        start(options=("--no-such-flag",))


def test_a_server_that_says_nothing_in_time_is_ended():
    with pytest.raises(SandboxError, match=r"not ready after 0\.001 s"):
        start(timeout=0.001)


def test_a_killed_parent_leaves_no_server():
    code = (
        "import os, signal, kalam_sandbox as sandbox\n"
        "print(sandbox.start().url, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    run = run_python(code)
    assert run.returncode == -signal.SIGKILL
    wait_until_gone(run.stdout.strip())


def test_a_server_started_by_hand_ends_with_its_parent():
    code = (
        "import json, os, signal, subprocess, sys\n"
        "server = subprocess.Popen([sys.executable, '-m', 'kalam_sandbox', '--port', '0'],\n"
        "    stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, start_new_session=True)\n"
        "print(json.loads(server.stdout.readline())['url'], flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    run = run_python(code)
    wait_until_gone(run.stdout.strip())


@pytest.mark.slow
def test_the_end_of_the_interpreter_stops_the_server():
    run = run_python("import kalam_sandbox as sandbox\nprint(sandbox.start().url)")
    assert (run.returncode, run.stderr) == (0, "")
    assert not is_listening(run.stdout.strip())


@pytest.mark.slow
def test_a_forked_child_does_not_stop_the_server_of_its_parent():
    code = (
        "import os, sys, kalam_sandbox as sandbox\n"
        "server = sandbox.start()\n"
        "child = os.fork()\n"
        "if child == 0: sys.exit(0)\n"
        "os.waitpid(child, 0)\n"
        "print('running' in repr(server))\n"
    )
    assert run_python(code).stdout.strip() == "True"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.slow
def test_signals_end_the_server_cleanly_within_a_second(number):
    server = start()
    began = time.monotonic()
    os.kill(server.pid, number)
    wait_until_gone(server.url)
    assert server._process.wait(DEADLINE) == 0
    assert time.monotonic() - began < 1.0
    server.stop()


@pytest.mark.slow
def test_a_stopping_server_says_good_bye_to_its_sockets():
    async def hear(server):
        url = server.url.replace("http", "ws", 1) + "/v1/ws"
        async with websockets.connect(url, proxy=None) as socket:
            os.kill(server.pid, signal.SIGTERM)
            await asyncio.wait_for(socket.wait_closed(), DEADLINE)
            return socket.close_code, socket.close_reason

    with start() as server:
        assert asyncio.run(hear(server)) == (1001, "Server shutting down")


@pytest.mark.slow
def test_an_interrupt_of_the_callers_process_group_does_not_reach_the_server():
    with start() as server:
        assert os.getpgid(server.pid) != os.getpgid(0)


def test_a_missing_package_is_named_with_the_way_to_install_it():
    code = (
        "import sys\nsys.modules['datafusion'] = None\nfrom kalam_sandbox.__main__ import main\nmain(['--port', '0'])\n"
    )
    run = run_python(code)
    assert run.returncode == 1
    assert run.stderr.count("\n") == 1
    assert "'datafusion'" in run.stderr
    assert "pip install 'kalam-notebook[sandbox]'" in run.stderr


def test_importing_the_launcher_loads_neither_engine_nor_web_server():
    code = (
        "import sys, kalam_sandbox\n"
        "print([name for name in ('aiohttp', 'datafusion', 'pyarrow', 'httpx') if name in sys.modules])"
    )
    assert run_python(code).stdout.strip() == "[]"


def test_every_setting_is_a_flag_with_its_meaning():
    run = subprocess.run(
        [sys.executable, "-m", "kalam_sandbox", "--help"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    for field in fields(Options):
        assert f"--{field.name.replace('_', '-')} " in run.stdout


def parse(*flags):
    arguments = vars(_parser().parse_args(flags))
    del arguments["until_stdin_closes"]
    return _options(arguments)


def test_a_plain_start_raises_the_rates_of_http_and_keeps_every_silent_limit():
    plain, default = parse(), Options()
    changed = {f.name for f in fields(Options) if getattr(plain, f.name) != getattr(default, f.name)}
    assert changed == {"root_password", "queries_per_second", "auth_per_second", "requests_per_second"}
    assert plain.queries_per_second > 10_000


def test_real_rates_are_those_of_the_server():
    assert parse("--real-rates").queries_per_second == Options().queries_per_second


def test_a_rate_given_by_its_flag_wins():
    assert parse("--queries-per-second", "7").queries_per_second == 7


def test_a_server_is_a_choice_of_habits_that_other_flags_change():
    assert parse("--server", "0.8").text_cursors
    assert not parse("--server", "0.8", "--no-text-cursors").text_cursors
    assert parse("--server", "0.4.3").scan_window == Options().scan_window


def test_a_server_that_is_not_known_is_refused_with_those_that_are():
    with pytest.raises(SandboxError, match=r"invalid choice: '0\.9'.*0\.8"):
        start(server="0.9")
