"""Uplinks over bad links, in a network of the test's own: what arrives at the broker is whole, in order, and once per
message id, whatever happens to the packets between."""
import json
import time
import unittest

import netns
from gateway import wait_until
from test_uplink import WithBroker

setUpModule = netns.enter

CONFIG = {
    "drivers": {"mqtt": {"listen": "127.0.0.1:{mqtt_port}", "topics": {"{device}/{signal}": "plain"}}},
    "rules": {"hot": {"when": "press/x < 0", "severity": "critical"}},
    "uplinks": {"cloud": {"uplink": "mqtt", "connect": "mqtt://127.0.0.1:{broker_port}", "send": ["press/*", "events"],
                          "linger": "20ms", "keep_alive": "2s"}},
}


class Links(WithBroker):
    more = {}  # options of the uplink

    def setUp(self):
        self.said = 0
        config = json.loads(json.dumps(CONFIG))
        config["uplinks"]["cloud"].update(self.more)
        self.begin(config)
        self.device = self.speaker()
        self.say(50)
        self.wait_values(50)

    def say(self, count):
        """Readings 0, 1, 2, ... each acknowledged by the gateway: none of them may be missing."""
        for _ in range(count):
            self.device.say("press/x", str(self.said))
            self.said += 1

    def up(self, wanted):
        wait_until(lambda: self.gateway.metric("ganglion_uplink_up") == wanted, 40,
                   lambda: f"the link is {'up' if wanted else 'down'}\n{self.gateway.log()}")

    def check(self):
        """The collector listens on the same port, so it also suffers; its session keeps what it missed."""
        self.assertEqual(self.wait_values(self.said, 90), [float(i) for i in range(self.said)])
        payloads = {}
        for message in list(self.collector.messages):
            if message.topic.endswith("/press"):
                payloads.setdefault(json.loads(message.payload)["id"], set()).add(message.payload)
        self.assertTrue(all(len(one) == 1 for one in payloads.values()), "one id, two payloads")


class BadLinks(Links):
    def test_a_cut_link_is_noticed_and_caught_up(self):
        with netns.fault(self.broker.port, "cut"):
            self.up(0)
            self.say(300)
        self.check()

    def test_a_half_open_link_is_noticed_and_caught_up(self):
        with netns.fault(self.broker.port, "half-open"):
            self.say(100)
            self.up(0)
            self.say(100)
        self.check()

    def test_a_third_of_all_packets_lost_costs_time_only(self):
        with netns.fault(self.broker.port, "loss"):
            self.say(500)
        self.check()

    def test_a_flapping_link_loses_nothing(self):
        for _ in range(6):
            with netns.fault(self.broker.port, "refuse") as touched:
                self.say(40)
                wait_until(touched, 20, "a refused packet")
            self.say(40)
        self.check()

    def test_a_slow_link_holds_nothing_else_up(self):
        with netns.fault(self.broker.port, "slow", rate=2):
            began = time.monotonic()
            self.say(1000)
            took = time.monotonic() - began
            behind = self.gateway.metric("ganglion_uplink_backlog_bytes")
        # Devices were acknowledged while the link lagged: it was slower than they.
        self.assertGreater(behind, 0, f"the link kept up in {took:.1f} s: nothing was shown")
        self.check()


class Backlog(Links):
    # So that it takes a while, however late the event is seen on a busy machine.
    more = {"rate": "40000"}

    def test_an_event_of_now_overtakes_a_backlog(self):
        with netns.fault(self.broker.port, "cut"):
            self.up(0)
            self.say(2000)
            self.device.say("press/x", "-1")
            wait_until(lambda: self.gateway.events("rule"), 10, "the event")
            began = len(self.collector.messages)
        wait_until(lambda: -1.0 in self.collector.values("/press"), 60, "the backlog")
        order = ["event" if b'"kind":"rule"' in m.payload else m.topic.rsplit("/", 1)[1]
                 for m in self.collector.messages[began:]]
        order = [name for name in order if name in ("event", "press")]
        before = order.index("event") if "event" in order else len(order)
        self.assertGreater(len(order), 50, "no backlog to overtake")
        self.assertLess(before, 20, f"the event waited behind {before} of {len(order)} parcels of readings")
        self.assertEqual(self.collector.values("/press"), [float(i) for i in range(self.said)] + [-1.0])


if __name__ == "__main__":
    unittest.main()
