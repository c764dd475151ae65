#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How large samples are at rest, and how fast they get there.

Three sets of data: made-up signals of a plant (set points, switches, counters, decimals, 32-bit floats, computed doubles;
100 signals at 1 s), and two real ones, if they are there: the series of the Numenta Anomaly Benchmark (nab/), and turbofan
engines (cmapss/, 100 engines with 24 columns, one reading an hour). Peers in the same run, over the same samples: `zstd -19` over each
signal's column of times and column of values (8 bytes each), and a plain SQLite table (signal, time, value) with a primary
key over signal and time, 100,000 rows a transaction. The history is loaded as always: through the journal.

usage: history-size.py [DATA]     DATA (or the environment's HISTORY_DATA): the folder with nab/ and cmapss/
"""
import csv
import datetime
import os
import pathlib
import statistics
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent / "lib"))
import benchlib as b  # noqa: E402
import historylib as h  # noqa: E402

DATA = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("HISTORY_DATA", b.TOP / ".." / "shared" / "data"))


def write_rows(path, rows):
    rows.sort()
    with open(path, "w", encoding="utf-8") as file:
        file.writelines(f"{name} {time} {value}\n" for time, name, value in rows)


def nab():
    rows = []
    for path in sorted((DATA / "nab").glob("*/*.csv")):
        with open(path, newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                time = datetime.datetime.fromisoformat(row["timestamp"].split(".")[0]).replace(
                    tzinfo=datetime.timezone.utc)
                rows.append((int(time.timestamp()) * 10**9, path.stem, row["value"]))
    return rows


def cmapss():
    rows = []
    with open(DATA / "cmapss" / "train_FD001.txt", encoding="utf-8") as file:
        for line in file:
            engine, cycle, *values = line.split()
            time = (1700000000 + 3600 * int(cycle)) * 10**9
            rows += [(time, f"engine{engine}.{i}", value) for i, value in enumerate(values)]
    return rows


def measure(what, args_of):
    runs = []
    for _ in range(h.RUNS):
        with h.folder() as folder:
            runs.append(h.bench(*args_of(folder)))
    n = runs[0]["samples"]
    size = [r["file_bytes"] / n for r in runs]
    zstd = [r["zstd_bytes"] / n for r in runs]
    plain = [r["sqlite_bytes"] / n for r in runs]
    speed = [n / r["seconds"] / 1e6 for r in runs]
    plain_speed = [n / r["sqlite_seconds"] / 1e6 for r in runs]
    b.say(f"{what}: {n} samples of {runs[0]['signals']} signals, blocks alone {runs[0]['block_bytes'] / n:.3f} bytes a sample")
    small = statistics.median(size) / statistics.median(zstd)
    times = statistics.median(plain) / statistics.median(size)
    fast = statistics.median(speed) / statistics.median(plain_speed)
    ok = b.figure("history-size", f"{what}: file, to zstd -19 over the columns", "bytes/sample", size, "<= 1.3 x", small <= 1.3,
                  zstd, small)
    ok &= b.figure("history-size", f"{what}: file, a plain SQLite table to it", "bytes/sample", size, ">= 3 x smaller",
                   times >= 3, plain, times)
    ok &= b.figure("history-size", f"{what}: load, to a plain SQLite table", "M samples/s", speed, ">= 5 x", fast >= 5,
                   plain_speed, fast)
    return ok


def main():
    ok = measure("plant", lambda folder: ("plant", folder, 100, 10000))
    for name, rows in (("nab", nab), ("cmapss", cmapss)):
        if not (DATA / name).is_dir():
            b.say(f"{name}: not there, left out")
            continue
        with h.folder() as inputs:
            path = f"{inputs}/rows"
            write_rows(path, rows())
            ok &= measure(name, lambda folder, path=path: ("load", folder, path))
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
