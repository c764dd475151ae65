"""A day without the uplink: five machines go on talking, each minute ten readings each, on a machine whose clock runs
through the day. Then the broker is there again, and the backlog goes north under the cap that `rate` sets: all of it,
in order, once per message id, while what happens now is known at the other end within a second.

GANGLION_BACKLOG_EVERY says how many seconds lie between readings (60; 1 is a day of 4.3 million readings) and
GANGLION_BACKLOG_RATE the cap in bytes a second.
"""
import json
import os
import threading
import time
import unittest

from gateway import wait_until
from peers import MOSQUITTO, Broker, Client
from setclock import SetClock
from test_uplink import Collector

DAY = 86400
EVERY = int(os.environ.get("GANGLION_BACKLOG_EVERY", "60"))
RATE = int(os.environ.get("GANGLION_BACKLOG_RATE", str(256 << 10)))
MACHINES, SIGNALS, ROWS = 5, 10, DAY // EVERY
PARCEL = min(64 << 10, RATE // 4)
PATIENCE_S = 60 + 600 * MACHINES * SIGNALS * ROWS // RATE

CONFIG = {
    "site": "plant",
    "drivers": {"mqtt": {"listen": "127.0.0.1:{mqtt_port}",
                         "topics": {"{device}/{signal}": "plain",
                                    "site/machines/{device}": {"format": "json", "time": "/time"}}}},
    "rules": {"alarm": {"when": "door-*/open > 0", "severity": "critical", "title": "{value}"}},
    "uplinks": {"cloud": {"uplink": "mqtt", "connect": "mqtt://127.0.0.1:{broker_port}", "send": ["m*/*", "events"],
                          "rate": str(RATE)}},
}


class Ledger:
    """Takes the place of the collector's list of messages: looks at each as it comes and keeps only what is needed."""

    def __init__(self):
        self.next = {}       # (device, signal) -> the row that is due
        self.wrong = []      # what was not due
        self.ids = set()
        self.again = 0       # ids that came more than once
        self.arrivals = []   # when, and how many bytes: of samples
        self.events = {}     # title -> when
        self.heard = threading.Condition()

    def append(self, message):
        now = time.monotonic()
        name = message.topic.rsplit("/", 1)[1]
        if name == "status":
            return
        parcel = json.loads(message.payload)
        with self.heard:
            self.again += parcel["id"] in self.ids
            self.ids.add(parcel["id"])
            if name == "events":
                self.events.setdefault((parcel["event"]["title"], parcel["event"]["state"]), now)
                self.heard.notify_all()
                return
            self.arrivals.append((now, len(message.payload)))
            for sample in parcel["samples"]:
                key = parcel["device"], sample["signal"]
                due = self.next.get(key, 0)
                if sample["value"] != due and len(self.wrong) < 20:
                    self.wrong.append((key, due, sample))
                self.next[key] = due + 1

    def count(self):
        return sum(self.next.values())

    def worst_excess(self, rate, window_s):
        """How many bytes more than the cap allows came in the worst window that is at least so long."""
        worst, first, held = -rate, 0, 0
        for last, (when, size) in enumerate(self.arrivals):
            held += size
            while first < last and when - self.arrivals[first + 1][0] >= window_s:
                held -= self.arrivals[first][1]
                first += 1
            worst = max(worst, held - rate * max(when - self.arrivals[first][0], window_s))
        return worst


@unittest.skipUnless(MOSQUITTO, "mosquitto is not installed")
class ADayWithoutTheUplink(unittest.TestCase):
    def setUp(self):
        self.gateway = gateway = SetClock(CONFIG)
        self.addCleanup(gateway.__exit__)
        # It keeps its session on disk when it ends in order; with each message it would be the slowest of all.
        self.broker = Broker(gateway.make_folder(), more="autosave_on_changes false\nautosave_interval 1800\n")
        self.broker.tls = {}
        gateway.ports["broker_port"] = self.broker.port
        self.addCleanup(self.broker.kill)
        self.broker.start()
        self.ledger = Ledger()
        self.collector = Collector(self.broker, messages=self.ledger)
        self.addCleanup(self.collector.stop)
        gateway.set_clock(-DAY)
        gateway.start()

    def up(self, wanted):
        wait_until(lambda: self.gateway.metric("ganglion_uplink_up") == wanted, 40,
                   lambda: f"the link is {'up' if wanted else 'down'}\n{self.gateway.log()}")

    def lose_the_broker(self):
        self.up(1)
        self.broker.end()
        self.up(0)

    def live_a_day(self):
        """All machines say all rows, each acknowledged; the gateway's clock goes from yesterday to now."""
        machines = [Client(self.gateway.mqtt_port, f"m{i}") for i in range(MACHINES)]
        for machine in machines:
            machine.on_publish = None  # it would remember all acknowledgements
        began = int(time.time()) - DAY
        for row in range(ROWS):
            self.gateway.set_clock(began + row * EVERY - time.time())
            text = ",".join(f'"s{i}":{row}' for i in range(SIGNALS))
            said = [machine.publish(f"site/machines/m{i}", f'{{"time":{began + row * EVERY},{text}}}', 1)
                    for i, machine in enumerate(machines)]
            # One at a time, or many would be taken in as one; for a day of seconds there is not the time.
            if EVERY >= 60 or row % 20 == 19 or row == ROWS - 1:
                for one in said:
                    one.wait_for_publish(20)
                    self.assertTrue(one.is_published(), self.gateway.log())
        for machine in machines:
            machine.leave()
        self.gateway.set_clock(0)

    def open_the_door(self, count):
        """Until the backlog is gone: something happens; how long until it is known at the other end."""
        took, door = [], Client(self.gateway.mqtt_port)
        self.addCleanup(door.leave)
        while self.ledger.count() < count:
            number = len(took) + 1
            began = time.monotonic()
            door.say(f"door-{number}/open", number)
            with self.ledger.heard:
                came = self.ledger.heard.wait_for(lambda n=number: self.ledger.events.get((str(n), "open")), 30)
            self.assertTrue(came, f"event {number} does not come\n{self.gateway.log()}")
            took.append(came - began)
            self.assertLess(time.monotonic() - self.back, PATIENCE_S, "the backlog does not end")
            time.sleep(0.15)  # the pace at which things happen
        return took

    def test_a_day_drains_at_its_cap_and_what_happens_now_is_known_within_a_second(self):
        self.lose_the_broker()
        began = time.monotonic()
        self.live_a_day()
        fed_s = time.monotonic() - began
        behind = self.gateway.metric("ganglion_uplink_backlog_bytes")
        self.back = time.monotonic()
        self.broker.start()
        wait_until(lambda: self.ledger.arrivals, 60, "the link is back")
        count = MACHINES * SIGNALS * ROWS
        took = self.open_the_door(count)
        self.check(count, took)
        arrived = sum(size for _, size in self.ledger.arrivals)
        drained_s = self.ledger.arrivals[-1][0] - self.ledger.arrivals[0][0]
        print(f"{count} readings of a day taken in {fed_s:.1f} s ({behind / 1e6:.1f} MB of journal), sent as {arrived / 1e6:.1f} MB in "
              f"{len(self.ledger.arrivals)} messages in {drained_s:.1f} s: {arrived / drained_s / RATE:.3f} of the cap, "
              f"worst second {(self.ledger.worst_excess(RATE, 1) + RATE) / RATE:.3f}, worst ten "
              f"{(self.ledger.worst_excess(RATE, 10) + 10 * RATE) / RATE / 10:.3f}; {len(took)} events, median "
              f"{sorted(took)[len(took) // 2] * 1e3:.0f} ms, slowest {max(took) * 1e3:.0f} ms; "
              f"memory {self.gateway.rss_mib():.0f} MiB")

    def check(self, count, took):
        ledger = self.ledger
        self.assertEqual(ledger.wrong, [], "out of order, or missing")
        self.assertEqual(ledger.count(), count)
        self.assertEqual(set(ledger.next.values()), {ROWS})
        self.assertEqual(ledger.again, 0, "message ids that came twice")
        self.assertGreater(len(took), 20, "the backlog was gone too soon to show anything")
        self.assertLess(max(took), 1.0, took)
        # The cap: never more than it allows for the time, but for what may be saved up and the last parcel; and for
        # half a second in which nobody here was listening.
        slack = RATE // 10 + PARCEL + RATE // 2
        for window_s in (1, 5, 10):
            self.assertLess(ledger.worst_excess(RATE, window_s), slack, f"more than the cap in {window_s} s")
        arrived = sum(size for _, size in ledger.arrivals)
        drained_s = ledger.arrivals[-1][0] - ledger.arrivals[0][0]
        self.assertGreater(arrived / drained_s, 0.8 * RATE, "the cap is not used")
        wait_until(lambda: self.gateway.metric("ganglion_uplink_backlog_bytes") == 0, 20, "nothing is left to send")


if __name__ == "__main__":
    unittest.main()
