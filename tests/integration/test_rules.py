"""What a configuration says of pipelines, rules and devices, at a real gateway: selection by label, the text of an event,
devices that are disabled or may less than before, and a device that names too many signals."""
import json
import os
import socket
import struct
import subprocess
import threading
import unittest

from gateway import BINARY, Gateway, wait_until
from peers import MOSQUITTO, Client
from test_uplink import WithBroker

MQTT = {"listen": "127.0.0.1:{mqtt_port}", "topics": {"{device}/{signal}": "plain"}}


class Plant:
    """The least of a Modbus TCP server: every register is 7. Counts what it is asked."""

    def __init__(self):
        self.requests = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                peer = self.listener.accept()[0]
            except OSError:
                return
            threading.Thread(target=self.serve, args=(peer,), daemon=True).start()

    def serve(self, peer):
        with peer:
            while head := peer.recv(12, socket.MSG_WAITALL):
                transaction, _, _, unit, function, _, count = struct.unpack(">HHHBBHH", head)
                self.requests += 1
                words = struct.pack(">H", 7) * count
                peer.sendall(struct.pack(">HHHBBB", transaction, 0, 3 + len(words), unit, function, len(words)) + words)

    def stop(self):
        self.listener.close()


class WithGateway(unittest.TestCase):
    def begin(self, **config):
        self.gateway = Gateway({"site": "hall", "drivers": {"mqtt": MQTT}, **config})
        self.addCleanup(self.gateway.__exit__)
        self.gateway.__enter__()
        self.client = self.connect()

    def connect(self, **more):
        client = Client(self.gateway.mqtt_port, **more)
        self.addCleanup(client.leave)
        return client

    def change(self, **config):
        """Lays it over the configuration; what is None goes."""
        status, answer = self.gateway.api("PATCH", "/api/v1/config", config)
        self.assertEqual(status, 200, answer)

    def count_of(self, signal):
        status, answer = self.gateway.api("GET", f"/api/v1/signals/{signal.replace('/', '%2F')}")
        return answer["last"]["count"] if status == 200 and "last" in answer else 0

    def signals(self, pattern):
        return {s["name"] for s in self.gateway.api("GET", f"/api/v1/signals?pattern={pattern}")[1]["signals"]}


class Labels(WithGateway):
    def test_a_pipeline_takes_the_devices_that_have_all_its_labels(self):
        self.begin(
            devices={"press-1": {"labels": {"hall": "3", "kind": "press"}}, "press-2": {"labels": {"hall": "4", "kind": "press"}},
                     "oven": {"labels": {"hall": "3"}}},
            pipelines={"warm": {"select": ["*/temperature"], "exclude": ["*/spare/*"],
                                "labels": {"hall": 3, "kind": "press"}, "stages": [{"normalise": {"scale": 10}}]}})
        for device in ("press-1", "press-2", "oven", "stranger"):
            self.client.say(f"{device}/temperature", "5")
            self.client.say(f"{device}/other", "5")
        wait_until(lambda: self.count_of("warm/press-1/temperature"), what=lambda: self.signals("warm/*"))
        self.assertEqual(self.signals("warm/*"), {"warm/press-1/temperature"})
        self.change(devices={"press-2": {"labels": {"hall": "3"}}, "press-1": {"labels": {"hall": "5"}}})
        for value in ("6", "7"):
            for device in ("press-1", "press-2", "oven"):
                self.client.say(f"{device}/temperature", value)
        wait_until(lambda: self.count_of("warm/press-2/temperature") == 2, what=lambda: self.signals("warm/*"))
        self.assertEqual(self.count_of("warm/press-1/temperature"), 1, "it has lost its label")
        self.assertEqual(self.signals("warm/*"), {"warm/press-1/temperature", "warm/press-2/temperature"})
        self.gateway.config["devices"].update({"press-1": {}, "press-2": {"labels": {"hall": 3, "kind": "press"}}})
        self.gateway.restart()
        again = self.connect()
        for device in ("press-1", "oven", "press-2"):
            again.say(f"{device}/temperature", "8")
        wait_until(lambda: self.count_of("warm/press-2/temperature"))
        self.assertEqual((self.count_of("warm/press-1/temperature"), self.count_of("warm/oven/temperature")), (0, 0))


@unittest.skipUnless(MOSQUITTO, "mosquitto is not installed")
class Message(WithBroker):
    def test_a_rules_message_is_the_events_text_in_api_command_line_and_cloud(self):
        said = "press-1 is at 96.5, look at its burner"
        self.begin({
            "drivers": {"mqtt": MQTT},
            "rules": {"hot": {"when": "*/temperature > 90", "title": "{device} is hot",
                              "message": "{device} is at {value}, look at its burner",
                              "do": [{"publish": {"topic": "alarms/hot"}}]}},
            "uplinks": {"cloud": {"uplink": "mqtt", "connect": "mqtt://127.0.0.1:{broker_port}", "send": ["events"]}}})
        client = Client(self.gateway.mqtt_port)
        self.addCleanup(client.leave)
        client.listen("alarms/#", 1)
        client.say("press-1/temperature", "96.5")
        self.assertEqual(json.loads(client.wait_for(1)[0][1])["message"], said)

        def told():
            return [e for e in self.gateway.api("GET", "/api/v1/events?kind=rule")[1]["events"] if e["state"] == "open"]
        wait_until(told)
        event = told()[0]
        self.assertEqual((event["title"], event["message"]), ("press-1 is hot", said))
        shown = subprocess.run([BINARY, "event", "show", str(event["id"]), "--data", self.gateway.data], timeout=20,
                               capture_output=True, text=True, check=False)
        self.assertIn(f"press-1 is hot\n{said}\n", shown.stdout, shown.stderr)

        def cloud():
            parcels = [json.loads(m.payload) for m in list(self.collector.messages) if "event" in m.topic]
            return [p["event"].get("message") for p in parcels if p["event"]["kind"] == "rule"]
        wait_until(lambda: said in cloud(), what=lambda: list(self.collector.messages))
        self.gateway.restart()
        self.assertEqual(told()[0]["message"], said)


class Disabled(WithGateway):
    def test_nothing_is_taken_from_a_disabled_device_and_what_came_before_stays(self):
        self.begin(devices={"oven": {"enabled": False}})
        self.client.say("oven/a", "1")
        self.client.say("press/a", "1")
        wait_until(lambda: self.count_of("press/a") == 1)
        self.assertEqual(self.count_of("oven/a"), 0)
        self.assertEqual(self.gateway.metric("ganglion_driver_disabled_total", driver="mqtt"), 1)
        self.change(devices={"oven": None, "press": {"enabled": False}})
        self.client.say("oven/a", "2")
        self.client.say("press/a", "2")
        wait_until(lambda: self.count_of("oven/a") == 1)
        self.assertEqual(self.count_of("press/a"), 1)

    def test_a_disabled_modbus_device_is_neither_polled_nor_written(self):
        plant = Plant()
        self.addCleanup(plant.stop)
        signals = {"level": {"address": "holding 1", "type": "uint16", "writable": True}}
        self.begin(drivers={"mqtt": MQTT, "line": {
            "driver": "modbus", "connect": f"tcp://127.0.0.1:{plant.port}", "poll": "20ms", "backoff": "50ms",
            "backoff_max": "100ms",
            "devices": {"pump": {"unit": 1, "signals": signals}, "fan": {"unit": 2, "signals": signals}}}},
            devices={"pump": {"enabled": False}, "fan": {"title": "Fan"}})
        wait_until(lambda: self.count_of("fan/level") > 5)
        self.assertEqual(self.count_of("pump/level"), 0)
        status, answer = self.gateway.api("PUT", "/api/v1/signals/pump%2Flevel", {"value": 3})
        self.assertGreaterEqual(status, 400)
        self.assertIn("disabled", json.dumps(answer))
        self.change(devices={"pump": {"enabled": True}, "fan": {"enabled": False}})
        before = self.count_of("fan/level")
        wait_until(lambda: self.count_of("pump/level") > 5)
        self.assertLessEqual(self.count_of("fan/level"), before + 1, "one answer may have been under way")
        self.change(devices={"pump": {"enabled": False}})
        asked = plant.requests
        self.client.say("press/a", "1")
        for value in range(20):  # each is through the gateway before the next: time for many polls
            self.client.say("press/a", str(value))
        wait_until(lambda: self.count_of("press/a") == 21)
        self.assertLessEqual(plant.requests, asked + 1)
        self.assertEqual(self.gateway.events("device-lost"), [])


class Rights(unittest.TestCase):
    def test_a_configuration_that_takes_rights_away_ends_connections(self):
        with Gateway({"site": "hall", "drivers": {"mqtt": dict(MQTT, anonymous="never")},
                      "devices": {"crane": {"topics": ["hall/#", "notes/#"]}, "panel": {"any_topic": True},
                                  "press": {"title": "Press"}, "oven": {"topics": ["hall/#"]}}}) as gateway:
            clients = {}
            for name in ("crane", "panel", "press", "oven", "meter"):
                status, made = gateway.api("POST", "/api/v1/devices", {"id": name, "token": True})
                self.assertEqual(status, 201, made)
                clients[name] = (Client(gateway.mqtt_port, user=name, password=made["token"]), made["token"])
                self.addCleanup(clients[name][0].leave)
            self.assertEqual(clients["crane"][0].say("notes/today/x", "1"), "Success")
            status, answer = gateway.api("PATCH", "/api/v1/config", {"devices": {
                "crane": {"topics": ["hall/#"]}, "panel": {"any_topic": False}, "press": {"enabled": False},
                "oven": {"topics": ["hall/#", "more/#"]}}})
            self.assertEqual(status, 200, answer)
            for name in ("crane", "panel", "press"):
                self.assertTrue(clients[name][0].gone.wait(5), name)
            for name in ("oven", "meter"):
                self.assertEqual(clients[name][0].say(f"{name}/x", "1"), "Success")
            crane = Client(gateway.mqtt_port, user="crane", password=clients["crane"][1])
            self.addCleanup(crane.leave)
            self.assertEqual(crane.say("notes/today/x", "1"), "Not authorized")
            press = Client(gateway.mqtt_port, user="press", password=clients["press"][1], wait=False)
            self.assertTrue(press.answered.wait(10))
            self.assertIn(str(press.code), ("Bad user name or password", "Not authorized"))
            status, answer = gateway.api("PATCH", "/api/v1/config", {"devices": {"oven": None}})
            self.assertEqual(status, 200, answer)
            self.assertTrue(clients["oven"][0].gone.wait(5), "its entry went, and its topics with it")


class Limit(WithGateway):
    def test_a_device_that_names_too_many_signals_is_told_and_others_go_on(self):
        self.begin(limits={"signals_per_device": 16})
        for i in range(40):
            self.client.say(f"chatty/s{i}", "1")
        self.client.say("press/a", "1")
        wait_until(lambda: self.count_of("press/a") == 1)
        self.assertEqual(len(self.signals("chatty/*")), 16)
        self.client.say("chatty/s3", "2")
        wait_until(lambda: self.count_of("chatty/s3") == 2)
        wait_until(lambda: self.gateway.events("signals-limit"))
        event, = self.gateway.events("signals-limit")
        self.assertEqual((event["key"], event["device"], event["state"]), ("chatty", "chatty", 0))
        self.assertIn("chatty has 16 signals", event["title"])
        self.assertEqual(self.gateway.metric("ganglion_driver_refused_signals_total", driver="mqtt"), 24)
        self.change(limits={"signals_per_device": 20})
        wait_until(lambda: self.gateway.events("signals-limit")[0]["state"] == 2)
        self.client.say("chatty/s30", "1")
        wait_until(lambda: self.count_of("chatty/s30") == 1)

    def test_signals_that_were_there_stay_when_the_limit_is_lowered(self):
        self.begin()
        for i in range(30):
            self.client.say(f"press/s{i}", "1")
        wait_until(lambda: len(self.signals("press/*")) == 30)
        self.gateway.config = dict(self.gateway.config, limits={"signals_per_device": 16})
        self.gateway.restart()
        again = self.connect()
        for i in range(30):
            again.say(f"press/s{i}", "2")
        again.say("press/new", "2")
        wait_until(lambda: all(self.count_of(f"press/s{i}") for i in range(30)))
        self.assertEqual(len(self.signals("press/*")), 30)
        wait_until(lambda: self.gateway.events("signals-limit"))


class Check(unittest.TestCase):
    def test_check_finds_what_only_a_start_found_before(self):
        folder = Gateway({}).make_folder()
        path = os.path.join(folder, "ganglion.yaml")
        with open(path, "w", encoding="utf-8") as f:
            f.write("drivers:\n  record:\n    driver: replay\n    file: /tmp/x.csv\n"
                    "  line:\n    driver: modbus\n    connect: tcp://127.0.0.1:1\n    devices:\n"
                    "      boiler:\n        signals: { t: { address: holding 1, type: float32 } }\n"
                    "pipelines:\n  boiler:\n    stages: [detect]\n")
        self.assert_says(path, f'{path}:2:3: missing "device"',
                         f'{path}:12:3: "boiler" is a device of driver line already ({path}:9)')

    def test_check_knows_the_signals_of_modbus_devices(self):
        folder = Gateway({}).make_folder()
        path = os.path.join(folder, "ganglion.yaml")
        with open(path, "w", encoding="utf-8") as f:
            f.write("drivers:\n  line:\n    driver: modbus\n    connect: tcp://127.0.0.1:1\n    devices:\n"
                    "      boiler:\n        signals: { temperature: { address: holding 1, unit: degC } }\n"
                    "rules:\n  hot:\n    when: boiler/temprature > 90\n  wet:\n    when: boiler/temperature > 3 bar\n")
        self.assert_says(path, f"{path}:10:", "boiler/temprature", "boiler/temperature", f"{path}:12:", "bar")

    def assert_says(self, path, *texts):
        done = subprocess.run([BINARY, "check", path], timeout=20, capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 1)
        for text in texts:
            self.assertIn(text, done.stdout + done.stderr)


if __name__ == "__main__":
    unittest.main()
