#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Benchmark of the anomaly detector on labelled series, by the rules of the Numenta Anomaly Benchmark.

usage: nab.py [--data DIR] [--rules SCORER] [--keep DIR] [--] COMMAND...

COMMAND is called as `COMMAND --out DIR FILE.csv...` and has to write DIR/FILE.csv with the columns timestamp, value and
anomaly_score (0 = nothing to tell). The default is `build/release/ganglion detect`. DIR (or the environment's NAB_DATA) holds
<category>/<series>.csv and windows.json; the default is ../shared/data/nab, seen from the repository.

The series are scored as they are, and in eight slightly disturbed copies: a detector that keeps a memory depends on the
order of what it saw, so a single score of a single data set is partly luck (standard deviation about 2 points). Five
copies start 0, 24, 48, 73 and 97 samples later; three start at once and have Gaussian noise of 1 % of the series'
standard deviation, from fixed seeds. Each copy is a benchmark of its own, with its own best threshold; windows keep
their times. The mean itself depends on the choice of copies by about a point: 24 other starts gave 76.5, 12 other noises
77.3, and eight starts with noise on three of them 75.7.

The scoring, per series: the first 15 % (at most 750 rows) do not count. In a window of anomaly only the earliest
detection counts, by how far to the left of the window's right edge it lies; none at all costs 1. A detection outside
costs up to 0.11, the more the further the last window lies behind. One threshold serves all series, the best one.
0 is a detector that says nothing, 100 a perfect one.

Output: a table on standard error, and one line of JSON per figure on standard output. The exit status tells whether
all figures reached their mark.
"""
import argparse
import csv
import json
import math
import os
import random
import statistics
import subprocess
import sys
import tempfile

REPOSITORY = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
COPIES = [(start, False) for start in (0, 24, 48, 73, 97)] + [(0, True)] * 3  # first row, with noise
FALSE_ALARM = 0.11
REACH_PLAIN, REACH_DISTURBED = 78.0, 76.0
PEER, PEER_NAME = 78.4, "ARTime"  # the best published detector, on the same 32 series


def weight(x):
    """Worth of a detection at x, from -1 (left edge of a window) over 0 (right edge) to 3 (long after)."""
    return -1.0 if x > 3.0 else 2.0 / (1.0 + math.exp(5.0 * x)) - 1.0


def instant(text):
    return text.replace("T", " ").split(".")[0]


def read_series(path):
    with open(path, newline="", encoding="utf-8") as file:
        return [(row["timestamp"], row["value"]) for row in csv.DictReader(file)]


def read_scores(path):
    with open(path, newline="", encoding="utf-8") as file:
        return [(instant(row["timestamp"]), float(row["anomaly_score"])) for row in csv.DictReader(file)]


def disturb(rows, name, copy):
    """Copy number `copy` of a series."""
    start, noisy = COPIES[copy]
    rows = rows[start:]
    if not noisy:
        return rows
    values = [float(value) for _, value in rows]
    sigma = 0.01 * statistics.pstdev(values)
    chance = random.Random(f"{name} {copy}")
    return [(time, repr(value + chance.gauss(0.0, sigma))) for (time, _), value in zip(rows, values)]


def write_series(path, rows):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write("timestamp,value\n")
        file.writelines(f"{time},{value}\n" for time, value in rows)


def places(rows, windows):
    """First and last row of each window that the rows touch."""
    found = []
    for first, last in windows:
        first, last = instant(first), instant(last)
        inside = [i for i, (time, _) in enumerate(rows) if first <= time <= last]
        if inside:
            found.append((inside[0], inside[-1]))
    return found


def detections(rows, windows):
    """(score, worth, window or None) of each row that says something and counts. Also the number of windows."""
    spans = places(rows, windows)
    begin = min(math.floor(0.15 * len(rows)), 750)
    found, behind, at = [], None, 0
    for i, (_, score) in enumerate(rows):
        while at < len(spans) and i > spans[at][1]:
            behind = spans[at]
            at += 1
        if i < begin or score <= 0.0:
            continue
        if at < len(spans) and i >= spans[at][0]:
            left, right = spans[at]
            found.append((score, weight((i - right - 1) / (right - left + 1)) / weight(-1.0), at))
        elif behind is None or behind[0] == behind[1]:
            found.append((score, -FALSE_ALARM, None))
        else:
            found.append((score, FALSE_ALARM * weight((i - behind[1]) / (behind[1] - behind[0])), None))
    return found, len(spans)


def benchmark(results):
    """Score of {series: (rows, windows)} at the best threshold; also windows hit, of how many, and false alarms."""
    every, total = [], 0
    for name, (rows, windows) in results.items():
        found, count = detections(rows, windows)
        every += [(score, worth, None if at is None else (name, at)) for score, worth, at in found]
        total += count
    every.sort(key=lambda item: -item[0])
    best, raw, hit, false = (float(-total), 0, 0), float(-total), {}, 0
    for k, (score, worth, window) in enumerate(every):
        if window is None:
            raw += worth
            false += 1
        elif worth > hit.get(window, -1.0):
            raw += worth - hit.get(window, -1.0)
            hit[window] = worth
        if (k + 1 == len(every) or every[k + 1][0] != score) and raw > best[0]:
            best = (raw, len(hit), false)
    return 100.0 * (best[0] + total) / (2.0 * total), best[1], total, best[2]


def run(command, folder, series, windows):
    """Writes the series of {name: rows}, lets the detector read them, and scores what it says."""
    results = {}
    for category in sorted({name.split("/")[0] for name in series}):
        names = [name for name in sorted(series) if name.startswith(category + "/")]
        for name in names:
            write_series(os.path.join(folder, "in", name), series[name])
        out = os.path.join(folder, "out", category)
        os.makedirs(out, exist_ok=True)
        subprocess.run(command + ["--out", out] + [os.path.join(folder, "in", name) for name in names],
                       check=True, stdout=subprocess.DEVNULL)
        for name in names:
            rows = read_scores(os.path.join(folder, "out", name))
            if len(rows) != len(series[name]):
                sys.exit(f"nab: {name}: {len(series[name])} rows in, {len(rows)} rows out")
            results[name] = (rows, windows[name])
    return benchmark(results)


def foreign_score(scorer, folder, windows_path):
    """The plain score as another scorer sees it, to compare."""
    done = subprocess.run([sys.executable, scorer, os.path.join(folder, "out"), windows_path, "standard"],
                          check=True, capture_output=True, text=True)
    return float(done.stdout.split()[1])


def report(what, scores, reach, peer):
    mean = statistics.fmean(scores)  # said to be the median for the sake of one form for all benchmarks
    ok = mean >= reach
    print(json.dumps({"name": "nab", "what": what, "unit": "points", "median": round(mean, 2),
                      "min": round(min(scores), 2), "max": round(max(scores), 2), "peer": peer,
                      "ratio": round(mean / peer, 3) if peer else None, "runs": len(scores), "reach": reach,
                      "ok": ok}))
    return ok


def arguments():
    parser = argparse.ArgumentParser(description="score the anomaly detector on labelled series")
    parser.add_argument("--data", default=os.environ.get("NAB_DATA", os.path.join(
        REPOSITORY, "..", "shared", "data", "nab")), help="folder of the series and windows.json")
    parser.add_argument("--rules", help="another scorer (RESULTS WINDOWS PROFILE) that must give the same plain score")
    parser.add_argument("--keep", help="folder for the copies and results, kept afterwards")
    parser.add_argument("command", nargs="*", help="default: build/release/ganglion detect")
    args = parser.parse_args()
    build = os.environ.get("GANGLION_BUILD", os.path.join(REPOSITORY, "build", "release"))
    args.command = args.command or [os.path.join(build, "ganglion"), "detect"]
    return args


def main():
    args = arguments()
    windows_path = os.path.join(args.data, "windows.json")
    with open(windows_path, encoding="utf-8") as file:
        windows = json.load(file)
    series = {name: read_series(os.path.join(args.data, name)) for name in windows}
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.keep or temporary
        scores = []
        for copy in range(-1, len(COPIES)):
            here = os.path.join(folder, "plain" if copy < 0 else f"copy{copy}")
            rows = series if copy < 0 else {name: disturb(series[name], name, copy) for name in series}
            score, hit, total, false = run(args.command, here, rows, windows)
            scores.append(score)
            print(f"{os.path.basename(here):6} {score:6.2f}  windows {hit}/{total}  false alarms {false}",
                  file=sys.stderr)
        if args.rules:
            other = foreign_score(args.rules, os.path.join(folder, "plain"), windows_path)
            print(f"other scorer {other:.2f}", file=sys.stderr)
            if abs(other - scores[0]) > 0.006:
                sys.exit("nab: the scorers disagree")
    good = report(f"anomaly detector, plain {len(series)} series, standard profile (peer: {PEER_NAME})", scores[:1],
                  REACH_PLAIN, PEER)
    good &= report(f"anomaly detector, mean over {len(COPIES)} disturbed copies", scores[1:], REACH_DISTURBED, None)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
