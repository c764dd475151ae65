"""The pipeline alone on one core: normalise, deadband, window, rule; samples per second and allocations."""
import json
import pathlib
import statistics
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent / "lib"))
import benchlib as b  # noqa: E402


MAIN = "normalise, deadband (passes), window mean, rule"


def main():
    program = b.program("pipeline_bench")
    runs = {}
    for run in range(b.RUNS):
        out = subprocess.run([program, "1"], check=True, stdout=subprocess.PIPE, text=True).stdout
        for line in out.splitlines():
            row = json.loads(line[line.index("{"):])
            if "million" not in row:
                continue
            runs.setdefault(row["case"], []).append(row)
        b.say(f"run {run + 1}: {runs[MAIN][-1]['million']:.1f} million/s with the rule")
    ok = True
    for case, rows in runs.items():
        speed = [r["million"] for r in rows]
        reached = case != MAIN or (statistics.median(speed) >= 5 and not any(r["allocations"] for r in rows))
        ok &= b.figure("pipeline", case, "million samples/s", speed,
                       ">= 5, no allocation" if case == MAIN else "none", reached)
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
