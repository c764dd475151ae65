"""The machine's clock is set back a day and forward a year while the real gateway runs, with all that goes by time:
journal, history, windows, `for`, events, an uplink, sessions and messages that expire, tokens."""
import json
import time
import unittest

from gateway import wait_until
from peers import MOSQUITTO, Broker, Client
from setclock import SetClock
from test_kill import dump
from test_uplink import Collector

DAY, YEAR = 86400, 365 * 86400
CONFIG = {
    "site": "clock",
    "drivers": {"mqtt": {"listen": "127.0.0.1:{mqtt_port}", "topics": {"{device}/{signal}": "plain"}}},
    "pipelines": {"mean": {"select": ["d/n"], "stages": [{"window": {"every": "200ms", "give": ["count"]}}]}},
    "rules": {"hot": {"when": "d/t > 50", "for": "2s", "do": [{"publish": {"topic": "out/hot", "payload": "on"}}]}},
    "uplinks": {"cloud": {"uplink": "mqtt", "connect": "mqtt://127.0.0.1:{broker_port}", "send": ["d/*", "events"],
                          "linger": "20ms"}},
}


@unittest.skipUnless(MOSQUITTO, "mosquitto is not installed")
class SetClocks(unittest.TestCase):
    def setUp(self):
        self.gateway = gateway = SetClock(CONFIG)
        self.addCleanup(gateway.__exit__)
        folder = gateway.make_folder()
        broker = Broker(folder)
        broker.tls = {}
        gateway.ports["broker_port"] = broker.port
        self.addCleanup(broker.kill)
        broker.start()
        self.collector = Collector(broker)
        self.addCleanup(self.collector.stop)
        gateway.start()
        self.number = 0

    def client(self, name="", **more):
        client = Client(self.gateway.mqtt_port, name, **more)
        self.addCleanup(client.leave)
        return client

    def say_some(self, count=50):
        speaker = self.client()
        for _ in range(count):
            speaker.say("d/n", self.number)
            self.number += 1

    def query(self, sql):
        status, answer = self.gateway.api("POST", "/api/v1/query", {"sql": sql}, 30)
        self.assertEqual(status, 200, answer)
        return answer["rows"]

    def wait_windows(self, count, what):
        def counted():
            rows = self.query("SELECT sum(value) FROM samples WHERE signal = 'mean/d/n.count'")
            return rows[0][0] or 0
        wait_until(lambda: counted() >= count, 15, lambda: f"{count} readings in windows {what}; {counted()}")

    def holds_for_two_seconds(self, what, meanwhile=lambda: None, least_s=1.9):
        """The rule acts two seconds after its condition begins to hold, whatever happens meanwhile."""
        listener, speaker = self.client(), self.client()
        listener.listen("out/#")
        began = time.monotonic()
        speaker.say("d/t", 60)
        meanwhile()
        wait_until(lambda: listener.got, 10, f"the rule, the clock being set {what}")
        self.assertGreater(time.monotonic() - began, least_s, what)
        self.assertLess(time.monotonic() - began, 6, what)
        speaker.say("d/t", 0)
        wait_until(lambda: all(e["state"] == 2 for e in self.gateway.events("rule")), 10, "its end")

    def check(self, ahead_s, what):
        gateway = self.gateway
        self.say_some()
        sleeper = self.client("sleeper", clean=False, expiry_s=3600)
        sleeper.listen("news/#", 1)
        sleeper.leave()
        self.client().say("news/1", "kept", qos=1, MessageExpiryInterval=600)
        # Set forward, the time counts as having passed: what was under way is over. What begins then is as long as ever.
        self.holds_for_two_seconds(what, lambda: gateway.set_clock(ahead_s), 0 if "forward" in what else 1.9)
        self.say_some()
        self.holds_for_two_seconds(what)
        self.wait_windows(self.number - 30, what)  # the last is open; sixteen are late before they show
        # in the order in which they came, wherever somebody looks
        kept = [int(float(v)) for _, _, s in dump(gateway.data) for v in s.get("d/n", [])]
        self.assertEqual(kept, list(range(self.number)))
        wait_until(lambda: len(self.numbers()) >= self.number, 20, f"the uplink, the clock being set {what}")
        self.assertEqual(self.numbers(), list(range(self.number)))
        self.assertEqual(sorted(int(r[0]) for r in self.query("SELECT value FROM samples WHERE signal = 'd/n'")),
                         list(range(self.number)))
        # who was away is still known, and what was kept for it
        sleeper = self.client("sleeper", clean=False, expiry_s=3600)
        self.assertTrue(sleeper.present, f"the session is gone, the clock being set {what}")
        wait_until(lambda: [m.payload for m in sleeper.got] == [b"kept"], 5, f"the message, {what}")
        self.assertLessEqual(sleeper.got[0].properties.MessageExpiryInterval, 600)
        sleeper.unsubscribe("news/#")
        self.assertTrue(json.loads(gateway.get("/api/v1/status")))  # with the first token

    def numbers(self):
        return [int(v) for v in self.collector.values("/d", "n")]

    def test_set_back_a_day(self):
        self.check(-DAY, "back a day")
        self.assert_events_are_between(-DAY - 60, 60)

    def test_set_forward_a_year(self):
        self.check(YEAR, "forward a year")
        self.assert_events_are_between(-60, YEAR + 60)

    def test_set_to_and_fro_and_over_a_kill(self):
        for ahead_s, what in ((YEAR, "forward a year"), (-DAY, "back a year and a day"), (0, "right again")):
            with self.subTest(what):
                self.check(ahead_s, what)
                self.gateway.kill()
                self.gateway.start()

    def assert_events_are_between(self, from_s, to_s):
        events = self.gateway.events("rule")
        self.assertTrue(events)
        for event in events:
            self.assertGreater(event["opened_ns"] / 1e9, time.time() + from_s, event)
            self.assertLess(event["opened_ns"] / 1e9, time.time() + to_s, event)


if __name__ == "__main__":
    unittest.main()
