#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A chart of a year of one signal at 1 s (31.5 million samples), in 500 and in 1000 buckets that begin anywhere.

Each run is a process of its own that opens the file; measured is its first chart. Loading the year is not part of it.
"""
import pathlib
import statistics
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent / "lib"))
import benchlib as b  # noqa: E402
import historylib as h  # noqa: E402

REACH_MS = 50.0
YEAR = 31536000


def main():
    ok = True
    with h.folder() as folder:
        made = h.bench("year", folder, YEAR)
        b.say(f"loaded at {YEAR / made['seconds'] / 1e6:.1f} M samples/s, rolled up {made['rolled_seconds']:.1f} s after "
              f"the start, {made['file_bytes'] / YEAR:.2f} bytes a sample")
        for buckets in (500, 1000):
            runs = [h.bench("chart", folder, buckets) for _ in range(max(h.RUNS, 5))]
            first = [1000 * r["first_seconds"] for r in runs]
            b.say(f"again in the same process: {1000 * statistics.median(r['seconds'] for r in runs):.1f} ms")
            ok &= b.figure("history-chart", f"a year at 1 s in {buckets} buckets", "ms", first, f"<= {REACH_MS:.0f}",
                           statistics.median(first) <= REACH_MS)
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
