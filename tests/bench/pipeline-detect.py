"""The detector on one core: samples per second, and bytes for each signal."""
import json
import pathlib
import statistics
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent / "lib"))
import benchlib as b  # noqa: E402

CASE = "normalise, detect"


def main():
    program = b.program("pipeline_bench")
    speed, memory = [], {}
    for run in range(b.RUNS):
        with b.Stolen() as stolen:
            out = subprocess.run([program, "1", CASE], check=True, stdout=subprocess.PIPE, text=True).stdout
        for line in out.splitlines():
            row = json.loads(line[line.index("{"):])
            if "million" in row:
                speed.append(row["million"])
            else:
                memory.setdefault(row["case"], []).append(row["bytes"] / 1024)
        b.say(f"run {run + 1}: {speed[-1]:.2f} million samples/s; the host took {stolen.percent:.1f} %")
    ok = [b.figure("pipeline-detect", CASE + ", all outputs", "million samples/s", speed, ">= 1.5",
                   statistics.median(speed) >= 1.5)]
    for case, kib in memory.items():
        ok.append(b.figure("pipeline-detect", "memory for each signal: " + case, "KiB", kib, "<= 5",
                           statistics.median(kib) <= 5))
    return 0 if all(ok) else 1


if __name__ == "__main__":
    sys.exit(main())
