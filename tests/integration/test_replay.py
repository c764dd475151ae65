"""Recordings played as fast as they go through windows and the detector of the real gateway: what comes out is what
Python computes, and the same every time."""
import datetime
import math
import random
import statistics
import unittest

from gateway import wait_until
from peers import MOSQUITTO
from test_uplink import WithBroker

START_S, STEP_S, ROWS = 1700000000, 0.02, 6000  # 50 a second for two minutes
GIVE = ["count", "sum", "mean", "min", "max", "range", "first", "last", "stddev", "median", "p90", "p99"]


def series():
    random.seed(7)
    values = [20 + 3 * math.sin(i / 200) + random.gauss(0, 0.2) for i in range(ROWS)]
    for i in range(4000, 4003):
        values[i] = 55.0  # what nobody can overlook
    return [round(v, 4) for v in values]


def quantile(ordered, at):
    place = at * (len(ordered) - 1)
    low = int(place)
    if low + 1 >= len(ordered):
        return ordered[-1]
    return ordered[low] + (ordered[low + 1] - ordered[low]) * (place - low)


def expected(window_s):
    """Results by the second of the window's end."""
    windows = {}
    for i, value in enumerate(series()):
        windows.setdefault(math.floor(round(START_S + i * STEP_S, 6) / window_s), []).append(value)
    out = {}
    for number, values in windows.items():
        ordered = sorted(values)
        out[(number + 1) * window_s] = {
            "count": len(values), "sum": math.fsum(values), "mean": math.fsum(values) / len(values),
            "min": ordered[0], "max": ordered[-1], "range": ordered[-1] - ordered[0], "first": values[0],
            "last": values[-1], "stddev": statistics.stdev(values), "median": quantile(ordered, 0.5),
            "p90": quantile(ordered, 0.9), "p99": quantile(ordered, 0.99)}
    return out


@unittest.skipUnless(MOSQUITTO, "mosquitto is not installed")
class Replay(WithBroker):
    def play(self, window="2s", shards=1, speed="max"):
        self.begin({
            "shards": shards,
            "drivers": {"recorded": {"driver": "replay", "file": "{folder}/press.csv", "device": "press",
                                     "speed": speed}},
            "pipelines": {"w": {"select": ["press/x"], "stages": [{"window": {"every": window, "give": GIVE}}]},
                          "d": {"select": ["press/x"], "stages": [{"detect": {"missing": False}}]}},
            "uplinks": {"cloud": {"uplink": "mqtt", "connect": "mqtt://127.0.0.1:{broker_port}",
                                  "send": ["w/*", "d/*"], "linger": "20ms"}}}, start=False)
        with open(self.gateway.folder + "/press.csv", "w", encoding="ascii") as f:
            f.write("time,x\n" + "".join(f"{START_S + i * STEP_S:.3f},{v}\n" for i, v in enumerate(series())))
        self.gateway.start()

    def windows(self):
        """Values by the window's end and what is given."""
        out = {}
        for parcel in self.collector.parcels("/w"):
            for s in parcel["samples"]:
                end = datetime.datetime.fromisoformat(s["time"]).timestamp()
                out.setdefault(round(end), {})[s["signal"].rsplit(".", 1)[1]] = s["value"]
        return out

    def check_windows(self, window_s):
        want = expected(window_s)
        wait_until(lambda: len(self.windows()) >= len(want) and
                   all(len(v) == len(GIVE) for v in self.windows().values()), 20,
                   lambda: f"{len(want)} windows, only {len(self.windows())}\n{self.gateway.log()}")
        got = self.windows()
        self.assertEqual(sorted(got), sorted(want))
        for end, values in want.items():
            for name, value in values.items():
                exact = name not in ("median", "p90", "p99") or values["count"] <= 256  # beyond: a digest
                delta = 1e-9 * max(1, abs(value)) if exact else 0.02
                self.assertAlmostEqual(got[end][name], value, delta=delta, msg=f"{name} at {end}")
        return got

    def test_windows_give_what_python_computes(self):
        self.play()
        self.check_windows(2)

    def test_the_detector_finds_what_was_put_in_and_says_so_as_an_event(self):
        self.play()
        peak_s = START_S + 4000 * STEP_S

        def near():
            return [e for e in self.gateway.events("anomaly") if abs(e["opened_ns"] / 1e9 - peak_s) < 0.5]
        wait_until(near, 20, lambda: [(e["title"], e["opened_ns"], e["cleared_ns"], e["trace"]) for e in
                                      self.gateway.events("anomaly")])
        self.assertIn("55", near()[0]["title"])
        self.assertLessEqual(len(self.gateway.events("anomaly")), 4)

    def test_the_same_recording_gives_the_same_numbers_on_one_shard_and_on_three(self):
        self.play(window="10s", shards=1)
        first = self.check_windows(10)
        self.gateway.stop()
        self.doCleanups()
        self.play(window="10s", shards=3)
        self.assertEqual(self.check_windows(10), first)


if __name__ == "__main__":
    unittest.main()
