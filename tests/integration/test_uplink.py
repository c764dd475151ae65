"""Uplinks to a real broker (mosquitto): what arrives and how it is written, past broken links, a broker that dies or
no longer answers, and a gateway that dies."""
import base64
import json
import subprocess
import threading
import time
import unittest

import cbor2
import zstandard

from gateway import Gateway, wait_until
from peers import MOSQUITTO, Broker, Certificates, Client
from tap import Tap, parcels, values

ROWS = 3000


class Collector:
    """A subscriber with a session that outlives the broker; comes back until it is stopped. Remembers all messages,
    in a list or in what the caller gives for it."""

    def __init__(self, broker, topic="ganglion/#", messages=None):
        self.broker, self.topic = broker, topic
        self.messages, self.stopping = [] if messages is None else messages, threading.Event()
        self.client = None
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.ready = threading.Event()
        self.thread.start()
        assert self.ready.wait(20), "the collector does not connect"

    def run(self):
        while not self.stopping.is_set():
            try:
                # The list from the first moment: what waited for the session comes right behind CONNACK.
                client = Client(self.broker.port, "collector", clean=False, expiry_s=1000, got=self.messages,
                                **self.broker.tls)
                client.listen(self.topic, 1)
                self.ready.set()
                while not client.gone.wait(0.05) and not self.stopping.is_set():
                    pass
                self.ready.clear()
                client.loop_stop()
                client.disconnect()
            except (OSError, AssertionError):
                time.sleep(0.05)

    def stop(self):
        self.stopping.set()
        self.thread.join(15)

    def parcels(self, end):
        """The JSON of all whose topic ends so, each id once, in the order of arrival."""
        seen, out = set(), []
        for message in list(self.messages):
            if message.topic.endswith(end) and not message.topic.endswith("/status"):
                parcel = json.loads(message.payload)
                if parcel["id"] not in seen:
                    seen.add(parcel["id"])
                    out.append(parcel)
        return out

    def values(self, end, signal=None):
        return [s["value"] for p in self.parcels(end) for s in p["samples"] if signal in (None, s["signal"])]


@unittest.skipUnless(MOSQUITTO, "mosquitto is not installed")
class WithBroker(unittest.TestCase):
    def begin(self, config, tls=False, start=True):
        self.gateway = Gateway(dict({"site": "hall"}, **config))
        self.addCleanup(self.gateway.__exit__)
        folder = self.gateway.make_folder()
        self.tls = None
        if tls:
            self.tls = Certificates(folder)
            self.tls.make("broker")
        self.broker = Broker(folder, self.tls)
        self.broker.tls = {"ca": self.tls.ca} if tls else {}
        self.gateway.ports["broker_port"] = self.broker.port
        self.addCleanup(self.broker.kill)
        self.broker.start()
        self.collector = Collector(self.broker)
        self.addCleanup(self.collector.stop)
        if start:
            self.gateway.start()

    def recording(self, rows, step_s=0.01):
        with open(self.gateway.folder + "/press.csv", "w", encoding="ascii") as f:
            f.write("time,x\n" + "".join(f"{1700000000 + i * step_s:.3f},{i}\n" for i in range(rows)))

    def restart_broker(self):
        """After a kill; the collector is there again. (What a broker had of a session a moment before may be gone.)"""
        wait_until(lambda: not self.collector.ready.is_set(), 15, "the collector knows")
        self.broker.start()
        assert self.collector.ready.wait(20), "the collector does not come back"

    def speaker(self):
        client = Client(self.gateway.mqtt_port)
        self.addCleanup(client.leave)
        return client

    def wait_values(self, count, timeout_s=60, end="/press"):
        wait_until(lambda: len(self.collector.values(end)) >= count, timeout_s,
                   lambda: f"{count} values; only {len(self.collector.values(end))} came\n{self.gateway.log()}")
        return self.collector.values(end)


REPLAYED = {
    "drivers": {"recorded": {"driver": "replay", "file": "{folder}/press.csv", "device": "press", "speed": 3}},
    "uplinks": {"cloud": {"uplink": "mqtt", "connect": "mqtt://127.0.0.1:{broker_port}",
                          "send": ["press/*", "events"], "linger": "50ms"}},
}


class StoreAndForward(WithBroker):
    def begin_tapped(self, config):
        """The uplink's connection goes through a tap. The gateway is not started yet."""
        self.begin(config, start=False)
        self.tap = Tap(self.broker.port)
        self.addCleanup(self.tap.close)
        self.gateway.ports["broker_port"] = self.tap.port

    def kill_broker(self):
        """What the broker had acknowledged until then it may take with it."""
        self.broker.kill()
        self.tap.shut()
        return values(self.tap.acked, "press")

    def check_all_in_order(self, count=ROWS, died_with=()):
        """All was sent in order and acknowledged; and came, but for what a dead broker had acknowledged."""
        want = [float(i) for i in range(count)]
        wait_until(lambda: len(set(values(self.tap.acked, "press"))) >= count, 90,
                   lambda: f"{count} acknowledged; only {len(values(self.tap.acked, 'press'))}\n{self.gateway.log()}")
        self.assertEqual(values(self.tap.sent, "press"), want)
        self.check_came(count, died_with)
        ids = {}
        for payload in self.tap.sent:
            ids.setdefault(json.loads(payload).get("id"), set()).add(payload)
        del ids[None]  # the status
        self.assertTrue(all(len(payloads) == 1 for payloads in ids.values()), "one id, two payloads")

    def check_came(self, count=ROWS, died_with=()):
        want = {float(i) for i in range(count)}
        wait_until(lambda: want <= {*died_with, *self.collector.values("/press")}, 30,
                   lambda: f"these do not come: {sorted(want - {*died_with, *self.collector.values('/press')})}")
        came = self.collector.values("/press")
        self.assertEqual(came, sorted(came))

    def test_all_arrives_in_order_though_the_broker_dies(self):
        self.begin_tapped(REPLAYED)
        self.recording(ROWS)
        self.gateway.start()
        self.wait_values(100)
        died_with = self.kill_broker()
        self.assertLess(len(died_with), ROWS)
        time.sleep(2)  # the outage itself: readings go on and pile up in the journal
        self.restart_broker()
        self.tap.open()
        self.check_all_in_order(died_with=died_with)
        # What was under way when the broker died comes twice at most; nothing else does.
        count = sum(1 for payload in self.tap.sent if json.loads(payload).get("device") == "press")
        self.assertLessEqual(count - len(parcels(self.tap.sent, "press")), 64)

    def test_all_arrives_in_order_though_the_gateway_dies(self):
        self.begin_tapped({
            "drivers": {"mqtt": {"listen": "127.0.0.1:{mqtt_port}", "topics": {"{device}/{signal}": "plain"}}},
            "uplinks": REPLAYED["uplinks"]})
        self.gateway.start()
        speaker = self.speaker()
        for i in range(200):
            speaker.say("press/x", str(i))
        died_with = self.kill_broker()
        for i in range(200, 300):
            speaker.say("press/x", str(i))
        self.gateway.kill()
        self.restart_broker()
        self.tap.open()
        self.gateway.start()
        speaker = self.speaker()
        for i in range(300, 400):
            speaker.say("press/x", str(i))
        self.check_all_in_order(400, died_with)

    def test_a_broker_that_no_longer_answers_is_waited_for(self):
        self.begin_tapped(REPLAYED)
        self.recording(1500)
        self.gateway.start()
        self.wait_values(100)
        self.broker.pause()
        time.sleep(3)
        self.broker.go_on()
        self.check_all_in_order(1500)

    def test_events_go_first_when_the_link_is_back(self):
        self.begin({
            "drivers": {"mqtt": {"listen": "127.0.0.1:{mqtt_port}", "topics": {"{device}/{signal}": "plain"}}},
            "rules": {"hot": {"when": "press/x > 1000", "severity": "critical"}},
            "uplinks": {"cloud": dict(REPLAYED["uplinks"]["cloud"], rate="20000", linger="10ms")}})
        speaker = self.speaker()
        speaker.say("press/x", "0")
        self.wait_values(1)
        self.broker.end()
        wait_until(lambda: self.gateway.metric("ganglion_uplink_up") == 0, 20, "the link is down")
        for i in range(1, 400):
            speaker.say("press/x", str(i))
        speaker.say("press/x", "2000")
        wait_until(lambda: self.gateway.events("rule") or self.gateway.events("hot"), 10, "the event")
        began = len(self.collector.messages)
        self.broker.start()
        self.wait_values(401, 60)
        order = [m.topic.rsplit("/", 1)[1] for m in self.collector.messages[began:]]
        order = [name for name in order if name in ("events", "press")]
        self.assertIn("events", order[:20], "the event waited behind the readings")
        self.assertEqual(self.collector.values("/press"), [float(i) for i in range(400)] + [2000.0])

    def test_the_status_topic_tells_when_the_gateway_is_lost(self):
        self.begin({"uplinks": REPLAYED["uplinks"]})

        def status():
            last = [m for m in self.collector.messages if m.topic == "ganglion/hall/status"]
            return json.loads(last[-1].payload)["online"] if last else None
        wait_until(lambda: status() is True, what="online")
        self.gateway.kill()
        wait_until(lambda: status() is False, 10, "the will")
        self.gateway.start()
        wait_until(lambda: status() is True, what="online again")
        self.gateway.stop()
        wait_until(lambda: status() is False, 10, "offline after an orderly end")
        late = Client(self.broker.port)
        self.addCleanup(late.leave)
        late.listen("ganglion/hall/status")
        self.assertEqual(late.wait_for(1)[0][1], b'{"online":false}')
        self.assertTrue(late.got[0].retain)


class Payloads(WithBroker):
    """Four uplinks at once over TLS, each with its own selection and way of writing."""

    def setUp(self):
        def uplink(name, **more):
            return dict({"uplink": "mqtt", "connect": "mqtts://127.0.0.1:{broker_port}",
                         "tls": {"ca": "{folder}/tls/ca.crt"}, "linger": "10ms",
                         "topic": f"ganglion/{name}/{{name}}", "events_topic": f"ganglion/{name}/events",
                         "status_topic": f"ganglion/{name}/status"}, **more)
        self.begin({
            "drivers": {"mqtt": {"listen": "127.0.0.1:{mqtt_port}", "topics": {"sensors/{device}": "json"}}},
            "pipelines": {"units": {"select": ["oven/temperature"], "stages": [{"normalise": {"unit": "degC"}}]}},
            "rules": {"hot": {"when": "oven/temperature > 300", "title": "it burns"}},
            "uplinks": {
                "json": uplink("json", send=["oven/*", "events"], exclude=["oven/secret"]),
                "senml": uplink("senml", send=["oven/*"], format="senml"),
                "cbor": uplink("cbor", send=["press/*", "events"], format="cbor", version="3.1.1"),
                "packed": uplink("packed", send=["*"], format="json", compress="zstd"),
            }}, tls=True)
        wait_until(lambda: sum(1 for m in self.collector.messages if m.payload == b'{"online":true}') >= 4,
                   what="four uplinks")
        self.speaker().say("sensors/oven", json.dumps(
            {"temperature": 21.5, "on": True, "name": "Ofen «1»", "secret": 5}))
        self.speaker().say("sensors/press", json.dumps({"force": -7.25}))
        self.speaker().say("sensors/oven", json.dumps({"temperature": 400}))

    def of(self, name, count, end=""):
        """Payloads (and messages) on the topics of an uplink."""
        def found():
            return [m for m in self.collector.messages
                    if m.topic.startswith(f"ganglion/{name}/{end}") and not m.topic.endswith("/status")]
        wait_until(lambda: len(found()) >= count, 15,
                   lambda: f"{count} of {name}: {[m.topic for m in found()]}\n{self.gateway.log()}")
        return found()

    def test_each_uplink_sends_its_selection_in_its_own_way(self):
        self.check_json()
        self.check_senml()
        self.check_cbor()
        self.check_zstd()

    def check_json(self):
        wait_until(lambda: 400.0 in self.collector.values("json/oven", "temperature"), what="both readings")
        samples = [s for p in self.collector.parcels("json/oven") for s in p["samples"]]
        self.assertEqual([s["value"] for s in samples if s["signal"] == "temperature"], [21.5, 400.0])
        self.assertEqual([s["value"] for s in samples if s["signal"] in ("on", "name")], [True, "Ofen «1»"])
        self.assertNotIn("secret", [s["signal"] for s in samples])
        self.assertRegex(samples[0]["time"], r"^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$")
        self.assertFalse([m for m in self.collector.messages if m.topic == "ganglion/json/press"])
        event = json.loads(self.of("json", 1, "events")[0].payload)["event"]
        self.assertEqual((event["title"], event["state"]), ("it burns", "open"))
        first = self.of("json", 1, "oven")[0].properties
        self.assertEqual(first.ContentType, "application/json")
        self.assertIn("id", dict(first.UserProperty))

    def check_senml(self):
        wait_until(lambda: b"400" in b"".join(m.payload for m in self.of("senml", 1, "oven")), what="the last reading")
        records, base = {}, {}
        for message in self.of("senml", 1, "oven"):
            for record in json.loads(message.payload):
                base.update({key: value for key, value in record.items() if key.startswith("b") and key != "bver"})
                name = base.get("bn", "") + record.get("n", "")
                value = record.get("v", record.get("vb", record.get("vs")))
                records.setdefault(name, []).append(value)
                self.assertGreater(base.get("bt", 0) + record.get("t", 0), 1.6e9, "time")
        by_end = {name.rsplit("/", 1)[-1].rsplit(":", 1)[-1]: values for name, values in records.items()}
        self.assertEqual(by_end["temperature"], [21.5, 400])
        self.assertEqual((by_end["on"], by_end["name"]), ([True], ["Ofen «1»"]))

    def check_cbor(self):
        parcel = cbor2.loads(self.of("cbor", 1, "press")[0].payload)
        self.assertEqual(parcel["device"], "press")
        self.assertEqual([(s["signal"], s["value"]) for s in parcel["samples"]], [("force", -7.25)])
        event = cbor2.loads(self.of("cbor", 1, "events")[0].payload)
        self.assertEqual(event["event"]["title"], "it burns")
        self.assertFalse([m for m in self.collector.messages if m.topic == "ganglion/cbor/oven"])

    def check_zstd(self):
        message = self.of("packed", 1, "oven")[0]
        parcel = json.loads(zstandard.ZstdDecompressor().decompress(message.payload, max_output_size=1 << 20))
        self.assertEqual(parcel["device"], "oven")
        self.assertEqual(dict(message.properties.UserProperty)["content-encoding"], "zstd")
        self.of("packed", 1, "press")
        self.of("packed", 1, "units")


class Link(WithBroker):
    def test_a_broker_with_another_authority_is_refused_with_the_reason(self):
        self.begin({"uplinks": {"cloud": {"uplink": "mqtt", "connect": "mqtts://127.0.0.1:{broker_port}",
                                          "tls": {"ca": "{folder}/other/tls/ca.crt"}}}}, tls=True, start=False)
        Certificates(self.gateway.folder + "/other")
        self.gateway.start()
        self.gateway.wait_log("not signed by an authority we know")
        self.assertEqual(self.gateway.metric("ganglion_uplink_up"), 0)

    def test_a_password_is_sent_and_never_logged(self):
        self.begin({"uplinks": {"cloud": {
            "uplink": "mqtt", "connect": "mqtt://127.0.0.1:{secure_port}", "user": "hall",
            "password": "${CLOUD_PASSWORD}"}}}, start=False)
        folder = self.gateway.folder
        subprocess.run(["mosquitto_passwd", "-b", "-c", folder + "/passwords", "hall", "quite secret"], check=True,
                       timeout=20)
        secure = Broker(folder, more=f"password_file {folder}/passwords\nallow_anonymous false\n")
        self.addCleanup(secure.kill)
        secure.start()
        self.gateway.ports["secure_port"] = secure.port
        self.gateway.env = {"CLOUD_PASSWORD": "wrong one"}
        self.gateway.start()
        wait_until(lambda: "wrong one" not in self.gateway.log() and
                   ("not authori" in self.gateway.log().lower() or "password" in self.gateway.log().lower()), 15,
                   lambda: self.gateway.log())
        self.gateway.stop()
        self.gateway.env = {"CLOUD_PASSWORD": "quite secret"}
        self.gateway.start()
        wait_until(lambda: self.gateway.metric("ganglion_uplink_up") == 1, 15, "the link")
        for secret in ("quite secret", "wrong one", base64.b64encode(b"quite secret").decode()):
            self.assertNotIn(secret, self.gateway.log(1 << 20))


if __name__ == "__main__":
    unittest.main()
