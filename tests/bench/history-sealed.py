#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What sealing costs a history: loading 10 million samples of a signal, reading them all, a chart, sealed against plain.

By turns, one after the other, so that both meet the same machine; each run of the program opens the file anew.
"""
import pathlib
import statistics
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent / "lib"))
import benchlib as b  # noqa: E402
import historylib as h  # noqa: E402

REACH = 0.9
SAMPLES = 10000000


def both(*args, folders):
    return [h.bench(args[0], folder, *args[1:], sealed=sealed) for sealed, folder in enumerate(folders)]


def speeds(runs, amount, seconds):
    return [[amount / run[i][seconds] for run in runs] for i in range(2)]


def figure(what, unit, plain, sealed):
    ratio = statistics.median(s / p for s, p in zip(sealed, plain))
    return b.figure("history-sealed", what, unit, sealed, f">= {REACH:.0%} of plain", ratio >= REACH, plain, ratio)


def main():
    loads, runs, charts = [], [], []
    for _ in range(h.RUNS):
        with h.folder() as plain, h.folder() as sealed:
            folders = (plain, sealed)
            loads.append(both("year", SAMPLES, folders=folders))
            runs += [both("scan", folders=folders) for _ in range(3)]
            charts += [both("chart", 500, folders=folders) for _ in range(3)]
    size = [statistics.median(run[i]["file_bytes"] for run in loads) for i in range(2)]
    b.say(f"bytes of the file: {size[0]:.0f} plain, {size[1]:.0f} sealed ({size[1] / size[0]:.3f})")
    ok = figure("loading one signal at 1 s", "M samples/s", *speeds(loads, SAMPLES / 1e6, "seconds"))
    ok &= figure("reading all of it", "M samples/s", *speeds(runs, SAMPLES / 1e6, "seconds"))
    ok &= figure("a chart of all in 500 buckets, the file just opened", "a second", *speeds(charts, 1, "first_seconds"))
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
