"""Lines in files: what a rule tells, and what an uplink carries there."""
import json
import os
import unittest

from gateway import Gateway, wait_until
from peers import Client


def lines(path):
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as f:
        return f.read().splitlines()


class Files(unittest.TestCase):
    def begin(self, **config):
        self.gateway = Gateway({
            "site": "hall",
            "drivers": {"mqtt": {"listen": "127.0.0.1:{mqtt_port}", "topics": {"{device}/{signal}": "plain"}}}, **config})
        self.gateway.make_folder()
        self.folder = os.path.join(self.gateway.data, "files")

    def start(self):
        self.addCleanup(self.gateway.__exit__)
        self.gateway.__enter__()
        self.client = Client(self.gateway.mqtt_port)
        self.addCleanup(self.client.leave)

    def path(self, name):
        return os.path.join(self.folder, name)

    def send(self, topic, value):
        self.client.publish(topic, str(value), qos=1).wait_for_publish(10)

    def wait_lines(self, name, count):
        wait_until(lambda: len(lines(self.path(name))) >= count, 15,
                   lambda: f"{count} lines: {lines(self.path(name))}\n{self.gateway.log()}")
        return lines(self.path(name))

    def test_a_rule_appends_a_line_for_each_event(self):
        self.begin(rules={"hot": {"when": "oven/temperature > 100", "do": [{"file": "alarms.jsonl"}],
                                  "on_clear": [{"file": {"file": "plain.txt", "line": "{device} at {value}"}}]}})
        self.start()
        for value in (120, 20, 130):
            self.send("oven/temperature", value)
        told = [json.loads(line) for line in self.wait_lines("alarms.jsonl", 2)]
        self.assertEqual([t["rule"] for t in told], ["hot", "hot"])
        self.assertEqual([t["value"] for t in told], [120, 130])
        self.assertEqual(self.wait_lines("plain.txt", 1), ["oven at 20"])

    def test_a_line_that_cannot_be_written_is_an_event(self):
        self.begin(rules={"hot": {"when": "oven/temperature > 100", "do": [{"file": "alarms.jsonl"}]}})
        os.makedirs(self.path("alarms.jsonl"))  # a folder has its name
        self.start()
        self.send("oven/temperature", 120)
        wait_until(lambda: self.gateway.events("action-failed"), 15, "an event action-failed")
        self.assertIn("directory", json.dumps(self.gateway.events("action-failed")).lower())

    def test_a_name_that_leads_out_of_the_folder_is_refused(self):
        self.begin(rules={"hot": {"when": "oven/temperature > 100", "do": [{"file": "../../etc/passwd"}]}})
        with self.assertRaises(AssertionError) as refused:
            self.start()
        self.assertIn("is no plain name", str(refused.exception))

    def test_an_uplink_writes_what_a_filter_lets_through_and_nothing_is_lost_by_a_kill(self):
        self.begin(pipelines={"hot": {"select": ["*/temperature"], "stages": [{"range": {"low": 50.5}}]}},
                   uplinks={"hot-samples": {"uplink": "file", "file": "hot.jsonl", "format": "lines", "linger": "20ms",
                                            "size": "4KiB", "keep": 100, "send": ["*/temperature"]}})
        self.start()
        sent = 0
        for run in range(3):
            for value in range(100):
                self.send("oven/temperature", value)
                sent += value > 50
            if run == 1:
                self.gateway.kill()
                self.client.leave()
                self.gateway.start()
                self.client = Client(self.gateway.mqtt_port)
                self.addCleanup(self.client.leave)

        def values():
            names = [f"hot.jsonl.{i}" for i in range(100, 0, -1)] + ["hot.jsonl"]
            found = {}
            for name in names:
                for line in lines(self.path(name)):
                    sample = json.loads(line)
                    self.assertEqual((sample["device"], sample["signal"]), ("oven", "temperature"))
                    found[sample["time"]] = sample["value"]  # what comes again after the kill is the same sample
            return found
        wait_until(lambda: len(values()) >= sent, 20, lambda: f"{sent} samples: {len(values())}\n{self.gateway.log()}")
        self.assertEqual(len(values()), sent)
        self.assertTrue(all(value > 50 for value in values().values()))
        self.assertTrue(os.path.exists(self.path("hot.jsonl.1")))
        for name in os.listdir(self.folder):
            self.assertLessEqual(os.path.getsize(self.path(name)), 4096)


if __name__ == "__main__":
    unittest.main()
