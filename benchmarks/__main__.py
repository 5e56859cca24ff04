"""Print the table of figures; exit status 1 when a bound is missed."""

from __future__ import annotations

import argparse
import os
import platform

from benchmarks import decoding


def main() -> int:
    parser = argparse.ArgumentParser("benchmarks", description=__doc__)
    parser.add_argument("--small", action="store_true", help="smaller sizes, for CI")
    parser.add_argument("--only", default="", help="figures whose number begins so, for example D9")
    chosen = parser.parse_args()
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores\n")
    print("L: orjson.loads(body) in the same process; Lp: the same with garbage collection paused;")
    print("naive: json.loads and a DataFrame of dicts.\n")
    print("| # | measure | must | measured | |\n|---|---|---|---|---|")
    missed = 0
    for figure in decoding.figures(small=chosen.small):
        if figure.name.startswith(chosen.only):
            print(figure, flush=True)
            missed += not figure.holds
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
