"""8,000 rules over 800 devices and 800 messages a second; the floor is the same stream without rules."""
import pathlib
import statistics
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent / "lib"))
import benchlib as b  # noqa: E402
import rulebench  # noqa: E402

# Ten rules for each of 800 devices, whose temperature goes from 20 to 70 and back in 1,000 s with a message a second;
# each rule opens and clears once in that time, 16 events a second in all.
COUNT = 8000
CONDITIONS = [f"load{i // 10}/temperature > {20.05 + i * 7919 % COUNT / COUNT * 50:.3f}" for i in range(COUNT)]
LOAD = ["rate=800", "clients=800", "qos=0", "size=100", "cycle=1000"]


def main():
    each, percent, floor = [], [], []
    for run in range(b.RUNS):
        with b.Stolen() as stolen:
            a = rulebench.run(CONDITIONS, *LOAD)
            m = rulebench.run([], *LOAD)
        each.append((a["mib"] - m["mib"]) * 1024 / COUNT)
        percent.append(a["percent"])
        floor.append(m["percent"])
        b.say(f"run {run + 1}: {each[-1]:.2f} KiB for each of {COUNT} rules, {a['percent']:.1f} % of a core at "
              f"{a['rate']:.0f} messages/s, {m['percent']:.1f} % without rules; the host took {stolen.percent:.1f} %")
    ok = b.figure("rules-8000", "memory (PSS) of a rule", "KiB", each, "<= 2", statistics.median(each) <= 2)
    b.figure("rules-8000", "processor, 800 messages/s (peer: the same without rules)", "% of a core", percent, "none", True,
             floor, statistics.median(percent) / statistics.median(floor))
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
