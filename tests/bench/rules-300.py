"""300 rules on one stream of 500 messages a second; the floor is mosquitto that only receives it."""
import pathlib
import statistics
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent / "lib"))
import benchlib as b  # noqa: E402
import rulebench  # noqa: E402

# The temperature goes from 20 to 70 and back within a minute, so each rule opens and clears once a minute: ten events
# a second in all, and 150,000 conditions.
CONDITIONS = [f"load0/temperature > {20 + (i + 0.5) / 6:.3f}" for i in range(300)]
LOAD = ["rate=500", "clients=1", "qos=0", "size=100", "cycle=30000"]


def main():
    percent, bare, mib, floor, floor_mib = [], [], [], [], []
    for run in range(b.RUNS):
        with b.Stolen() as stolen:
            a = rulebench.run(CONDITIONS, *LOAD)
            m = rulebench.run([], *LOAD)
            floor.append(rulebench.floor(*LOAD))
        percent.append(a["percent"])
        bare.append(m["percent"])
        mib.append(a["mib"] - m["mib"])
        floor_mib.append(m["mib"])
        b.say(f"run {run + 1}: {a['percent']:.2f} % of a core and {a['mib']:.1f} MiB with 300 rules at {a['rate']:.0f}/s, "
              f"{m['percent']:.2f} % and {m['mib']:.1f} MiB without; mosquitto {floor[-1]:.2f} %; the host took {stolen.percent:.1f} %")
    ok = [b.figure("rules-300", "processor, 300 rules on 500 messages/s (peer: mosquitto receives them)",
                   "% of a core", percent, "<= 2", statistics.median(percent) <= 2, floor,
                   statistics.median(percent) / statistics.median(floor)),
          b.figure("rules-300", "processor, the same without rules", "% of a core", bare, "none", True, floor,
                   statistics.median(bare) / statistics.median(floor)),
          b.figure("rules-300", "memory (PSS) of the 300 rules (peer: the whole process without them)", "MiB", mib,
                   "<= 5", statistics.median(mib) <= 5, floor_mib)]
    return 0 if all(ok) else 1


if __name__ == "__main__":
    sys.exit(main())
