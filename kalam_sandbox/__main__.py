"""The server process: flags, one JSON line when ready, and an end that never leaves an orphan.

``python -m kalam_sandbox --port 0`` prints ``{"url": …, "root_password": …}`` and serves with the
real server's silent limits; the rates of HTTP requests are raised unless ``--real-rates`` is given. What
the server does is in `app`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import secrets
import signal
import sys
import threading
from collections.abc import Sequence
from dataclasses import fields

from kalam_sandbox.options import Options
from kalam_sandbox.profiles import PROFILES

# Rates that a notebook's cells hit when they are run all at once; the socket's 50 messages a second stay.
_RATES = ("queries_per_second", "auth_per_second", "requests_per_second")
_RAISED = 1_000_000
# Virtual memory, of which only what is touched is used.
_ENGINE_STACK_BYTES = 64 * 1024 * 1024
# Seconds between two looks whether the parent process is still the same.
_PARENT_INTERVAL = 0.5
# Seconds that open requests and sockets get when the server stops.
_GRACE = 0.4
# What the extra kalam-notebook[sandbox] brings, and what it needs of the main installation.
_EXTRA = ("aiohttp", "datafusion", "pyarrow")


def main(argv: Sequence[str] | None = None) -> None:
    """Run the server until it is told to stop."""
    arguments = vars(_parser().parse_args(argv))
    until_stdin_closes = arguments.pop("until_stdin_closes")
    # The engine's own threads evaluate expressions as deep as those that it has planned; read before the first starts.
    os.environ["RUST_MIN_STACK"] = str(_ENGINE_STACK_BYTES)
    try:
        asyncio.run(_serve(_options(arguments), until_stdin_closes=until_stdin_closes))
    except ModuleNotFoundError as error:
        if error.name not in _EXTRA:
            raise
        sys.exit(
            f"The sandbox server needs {error.name!r}, which is not installed. "
            "Install it with: pip install 'kalam-notebook[sandbox]'"
        )


def _parser() -> argparse.ArgumentParser:
    """Build the flags from the fields of `Options`, so that there is one list of settings."""
    parser = argparse.ArgumentParser(
        prog="python -m kalam_sandbox", description="A local stand-in for a KalamDB server."
    )
    texts = dict(re.findall(r"^ {4,8}(\w+): ([^\n]*)", Options.__doc__ or "", re.MULTILINE))
    for field in fields(Options):
        flag = "--" + field.name.replace("_", "-")
        if isinstance(field.default, bool):
            action = argparse.BooleanOptionalAction
            parser.add_argument(flag, action=action, default=argparse.SUPPRESS, help=texts[field.name])
            continue
        default = "random" if field.name == "root_password" else field.default
        parser.add_argument(
            flag,
            type=_port if field.name == "port" else type(field.default),
            default=argparse.SUPPRESS,
            help=f"{texts[field.name]} Default: {default}.",
        )
    parser.add_argument(
        "--server", choices=PROFILES, default="0.4.3", help="KalamDB whose habits are played; other flags change them."
    )
    parser.add_argument("--real-rates", action="store_true", help="Limit HTTP requests as KalamDB does.")
    parser.add_argument("--until-stdin-closes", action="store_true", help="End when standard input ends.")
    return parser


def _port(text: str) -> int:
    """Read a TCP port; the socket would overflow beyond its range."""
    number = int(text)
    if not 0 <= number <= 65_535:
        raise argparse.ArgumentTypeError(f"{number} is not between 0 and 65535")
    return number


def _options(arguments: dict[str, object]) -> Options:
    """Turn parsed flags into settings; what its own flag says wins over the raised rates and the server's habits."""
    chosen: dict[str, object] = {"root_password": secrets.token_urlsafe(12)}
    chosen |= PROFILES[str(arguments.pop("server"))]
    if not arguments.pop("real_rates"):
        chosen |= dict.fromkeys(_RATES, _RAISED)
    return Options(**(chosen | arguments))  # type: ignore[arg-type]  # argparse has checked the types.


async def _serve(options: Options, *, until_stdin_closes: bool) -> None:
    from aiohttp import web

    from kalam_sandbox.app import create_app

    stop = _stop_event(until_stdin_closes)
    runner = web.AppRunner(create_app(options), access_log=None, handle_signals=False, shutdown_timeout=_GRACE)
    await runner.setup()
    try:
        await web.TCPSite(runner, options.host, options.port).start()
    except OSError as error:
        sys.exit(f"The sandbox server cannot listen on {options.host}:{options.port}: {error.strerror}")
    url = f"http://{options.host}:{runner.addresses[0][1]}"
    print(json.dumps({"url": url, "root_password": options.root_password}), flush=True)  # noqa: T201
    await stop.wait()
    await runner.cleanup()
    # A thread that still runs a query would keep the process alive, and asyncio.run() waits for it.
    os._exit(0)


def _stop_event(until_stdin_closes: bool) -> asyncio.Event:
    """Return an event that is set by a signal, by the parent's end, or by the end of standard input."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    if sys.platform == "win32":
        signal.signal(signal.SIGINT, lambda *_: loop.call_soon_threadsafe(stop.set))
    else:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
    parent = os.getppid()

    def look() -> None:
        # A process whose parent has died is handed to another one. A death signal (PR_SET_PDEATHSIG)
        # would also come when only the thread that started the server ends.
        if os.getppid() != parent:
            stop.set()
        else:
            loop.call_later(_PARENT_INTERVAL, look)

    look()
    if until_stdin_closes:
        threading.Thread(target=_wait_for_end_of_input, args=(loop, stop), daemon=True).start()
    return stop


def _wait_for_end_of_input(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    # os.read(), because a thread blocked in sys.stdin holds a lock that the interpreter's end needs.
    while os.read(0, 1024):
        pass
    loop.call_soon_threadsafe(stop.set)


if __name__ == "__main__":
    main()
