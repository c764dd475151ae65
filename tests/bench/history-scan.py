#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How fast samples are read one by one: all of 100 signals of a plant, and all of one signal with 10 million samples.

One thread, from the file (in the page cache), with time, quality and value of each handed to a function.
"""
import pathlib
import statistics
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent / "lib"))
import benchlib as b  # noqa: E402
import historylib as h  # noqa: E402

REACH = 20.0


def measure(what, *args):
    with h.folder() as folder:
        h.bench(args[0], folder, *args[1:])
        runs = [h.bench("scan", folder) for _ in range(max(h.RUNS, 5))]
    speeds = [r["samples"] / r["seconds"] / 1e6 for r in runs]
    return b.figure("history-scan", what, "M samples/s", speeds, f">= {REACH:.0f}", statistics.median(speeds) >= REACH)


def main():
    ok = measure("100 signals of a plant, 3 million samples", "plant", 100, 30000)
    ok &= measure("one signal at 1 s, 10 million samples", "year", 10000000)
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
