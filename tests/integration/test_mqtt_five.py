"""The MQTT server: SCRAM, proxies, wills and QoS 2 over kill -9, $SYS, limits, another server, acknowledged writes."""
import contextlib
import json
import os
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import threading
import time
import unittest

import paho.mqtt.client as paho

from gateway import Gateway, wait_until
from peers import Certificates, Client, HERE
from test_mqtt_features import Raw

MQTT = {"listen": "127.0.0.1:{mqtt_port}", "topics": {"{device}/{signal}": "plain"}}


def config(**more):
    return {"site": "test", "drivers": {"mqtt": {**MQTT, **more}}}


class Base(unittest.TestCase):
    def begin(self, **more):
        self.gateway = Gateway(config(**more))
        self.gateway.__enter__()
        self.addCleanup(self.gateway.__exit__)
        return self.gateway

    def client(self, *args, **more):
        client = Client(self.gateway.mqtt_port, *args, **more)
        self.addCleanup(client.leave)
        return client


@unittest.skipUnless(shutil.which("node"), "node is not there")
class Scram(Base):
    def log_in(self, user, password, topic="x/y/z"):
        done = subprocess.run(
            ["node", os.path.join(HERE, "mqtt_scram.js"), f"mqtt://127.0.0.1:{self.gateway.mqtt_port}", user, password,
             topic], timeout=30, capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def test_a_device_logs_in_and_again_and_strangers_look_alike(self):
        self.begin(anonymous="never")
        for body in ({"id": "press-2", "password": "pencil", "scram": True}, {"id": "plain", "password": "pencil"}):
            self.assertEqual(self.gateway.api("POST", "/api/v1/devices", body)[0], 201)
        registration = self.gateway.api("GET", "/api/v1/devices/press-2")[1]["registration"]
        self.assertEqual((registration["credential"], registration["scram"]), ("password", True))
        self.assertEqual(self.log_in("press-2", "pencil", "press-2/temp"), {"in": True, "again": True})
        wait_until(lambda: "press-2/temp" in self.gateway.api("GET", "/api/v1/signals")[1]["signals"][0]["name"])
        for user, password in (("press-2", "crayon"), ("nobody", "pencil"), ("plain", "pencil")):
            self.assertEqual(self.log_in(user, password), {"refused": 0x86}, user)
        # the password itself does as before, and after a restart the verifier is there still
        self.client("c", user="press-2", password="pencil")
        self.gateway.kill()
        self.gateway.start()
        self.assertEqual(self.log_in("press-2", "pencil", "press-2/temp"), {"in": True, "again": True})

    def test_a_change_of_the_password_ends_it(self):
        self.begin(anonymous="never")
        self.gateway.api("POST", "/api/v1/devices", {"id": "press-2", "password": "pencil", "scram": True})
        self.gateway.api("PUT", "/api/v1/devices/press-2", {"password": "crayon"})
        for password in ("pencil", "crayon"):
            self.assertEqual(self.log_in("press-2", password), {"refused": 0x86})
        status, problem = self.gateway.api("PUT", "/api/v1/devices/press-2", {"scram": True})
        self.assertEqual(status, 400, problem)


class Kill(Base):
    def test_wills_of_all_who_were_connected_come_after_the_start_and_once(self):
        self.begin()
        listener = self.client("l", clean=False, expiry_s=600)
        listener.listen("w/#", 1)
        for i, version in enumerate((paho.MQTTv311, paho.MQTTv5)):
            self.client(f"c{i}", version, will={"topic": f"w/i/{i}", "payload": "gone", "qos": 1, "retain": True})
        self.client("press-2", will={"topic": "press-2/alive", "payload": "0", "qos": 1})
        polite = self.client("polite", will={"topic": "w/i/polite", "payload": "gone"})
        polite.leave()
        self.client("s").say("x/y/z", "the journal has been synced when this is acknowledged")
        for _ in range(2):
            self.gateway.kill()
            self.gateway.start()
            seer = self.client("seer")
            seer.listen("w/#")
            seer.wait_for(2)  # the wills have been said; a kill in that moment may have them said again
            for _ in range(4):  # and what was said is on disk, and that it was, when these are acknowledged
                self.client("s").say("y/z/s", "1", qos=2)
        again = self.client("l", clean=False, expiry_s=600)
        again.say("w/i/end", "end")
        wait_until(lambda: again.texts()[-1:] == ["end"])
        self.assertEqual(sorted(m.topic for m in again.got), ["w/i/0", "w/i/1", "w/i/end"])
        wait_until(lambda: any(s["name"] == "press-2/alive" and s["last"]["value"] == 0
                               for s in self.gateway.api("GET", "/api/v1/signals")[1]["signals"]))
        late = self.client("late")
        late.listen("w/#")
        self.assertEqual(sorted(t for t, _, _ in late.wait_for(2)), ["w/i/0", "w/i/1"])

    def test_qos_2_comes_once_through_many_kills(self):
        """Both clients of paho go on with their sessions; the gateway dies again and again.

        They are let come back when it is there: after an attempt that failed paho forgets that it has sent PUBREL
        and sends the PUBLISH again, as a new one (2.1.0)."""
        self.begin(session_expiry="1h")
        got, lock = [], threading.Lock()

        def note(_client, _userdata, message):
            with lock:
                got.append(int(message.payload))

        def make(name):
            client = paho.Client(paho.CallbackAPIVersion.VERSION2, name, clean_session=False, protocol=paho.MQTTv311,
                                 reconnect_on_failure=False)
            client.connected = threading.Event()
            client.on_connect = lambda *_: client.connected.set()
            client.connect("127.0.0.1", self.gateway.mqtt_port)
            client.loop_start()
            self.addCleanup(client.loop_stop)
            self.assertTrue(client.connected.wait(10))
            return client

        listener = make("listener")
        listener.on_message = note
        subscribed = threading.Event()
        listener.on_subscribe = lambda *_: subscribed.set()
        listener.subscribe("x/#", 2)
        self.assertTrue(subscribed.wait(10))
        speaker = make("speaker")
        count = 0
        for _ in range(8):
            end = time.monotonic() + 0.25
            while time.monotonic() < end:  # the moment of death, not a wait for anything
                speaker.publish("x/y/z", str(count), 2)
                count += 1
                time.sleep(0.001)
            self.gateway.kill()
            self.gateway.start()
            for client in (listener, speaker):
                client.loop_stop()
                client.connected.clear()
                client.reconnect()
                client.loop_start()
                self.assertTrue(client.connected.wait(10))
        wait_until(lambda: len(set(got)) == count, 30, lambda: f"{count} messages, only {len(set(got))}")
        speaker.publish("x/y/z", str(count), 2).wait_for_publish(10)
        wait_until(lambda: got[-1] == count)
        self.assertEqual(len(got), count + 1, "twice: " + str([n for n in set(got) if got.count(n) > 1][:10]))
        print(f"        {count} messages of QoS 2 through 8 kills, each once")


class Proxy(Base):
    """What haproxy and its like send; version 2 as bytes, version 1 as text."""

    V1 = b"PROXY TCP4 192.0.2.33 198.51.100.1 56324 1883\r\n"
    V2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + socket.inet_aton("192.0.2.34") + socket.inet_aton("198.51.100.1") + \
        struct.pack(">HH", 56324, 1883)

    def speak(self, header, port, context=None):
        """Type and reason of the answer to CONNECT without a name; None: the connection ends."""
        with contextlib.closing(socket.create_connection(("127.0.0.1", port), 10)) as s:
            s.sendall(header)
            try:
                if context:
                    s = context.wrap_socket(s, server_hostname="localhost")
            except OSError:
                return None
            s.sendall(b"\x10\x0d\0\4MQTT\5\2\0\0\0\0\0")
            try:
                answer = s.recv(4)
            except ConnectionResetError:
                return None
            return (answer[0], answer[3]) if len(answer) == 4 else None

    def test_the_address_that_a_proxy_names_counts(self):
        self.gateway = gateway = Gateway(None)
        listen = [f"127.0.0.1:{gateway.mqtt_port}", f"tls://127.0.0.1:{gateway.tls_port}",
                  f"127.0.0.1:{gateway.other_port}", f"ws://127.0.0.1:{gateway.ws_port}/mqtt"]
        gateway.config = config(
            listen=listen, tls={"certificate": "{folder}/tls/localhost.crt", "key": "{folder}/tls/localhost.key"},
            proxy_protocol={listen[0]: "127.0.0.1", listen[1]: ["10.0.0.0/8", "127.0.0.0/8"],
                            listen[2]: "192.0.2.0/24", listen[3]: "127.0.0.1"})
        tls = Certificates(gateway.make_folder())
        tls.make("localhost")
        gateway.__enter__()
        self.addCleanup(gateway.__exit__)
        refused = (0x20, 0x87)  # it is not local, so nobody without a name may come
        self.assertEqual(self.speak(self.V1, gateway.mqtt_port), refused)
        gateway.wait_log("192.0.2.33:56324")
        self.assertEqual(self.speak(self.V2, gateway.tls_port, ssl.create_default_context(cafile=tls.ca)), refused)
        gateway.wait_log("192.0.2.34:56324")
        with contextlib.closing(socket.create_connection(("127.0.0.1", gateway.ws_port), 10)) as s:
            s.sendall(self.V1.replace(b"33", b"35") +
                      b"GET /mqtt HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                      b"Sec-WebSocket-Protocol: mqtt\r\nSec-WebSocket-Version: 13\r\n"
                      b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
            self.assertTrue(s.recv(12).startswith(b"HTTP/1.1 101"))
            s.sendall(b"\x82\x8f\0\0\0\0\x10\x0d\0\4MQTT\5\2\0\0\0\0\0")
            gateway.wait_log("192.0.2.35:56324")
        local = b"PROXY TCP4 127.0.0.1 127.0.0.1 56324 1883\r\n"
        self.assertEqual(self.speak(local, gateway.mqtt_port), (0x20, 0))
        self.assertIsNone(self.speak(b"", gateway.mqtt_port), "a proxy must say for whom it speaks")
        gateway.wait_log(f'{gateway.mqtt_port}: the proxy does not say for whom it speaks (PROXY protocol) peer="127.0.0.1:')
        gateway.wait_log("byte 0: expected a header of the PROXY protocol, got 10 0d 00 04")
        self.assertIsNone(self.speak(b"", gateway.tls_port, ssl.create_default_context(cafile=tls.ca)),
                          "nor below TLS")
        gateway.wait_log("byte 0: expected a header of the PROXY protocol, got 16 03 01")
        self.assertEqual(self.speak(b"", gateway.other_port), (0x20, 0))
        self.assertIsNone(self.speak(self.V1, gateway.other_port), "who is no proxy is not believed")


class Limits(Base):
    def test_a_client_that_sends_too_much_is_read_no_faster(self):
        self.begin(rate_bytes="20KB")
        client = self.client("c")
        began = time.monotonic()
        for _ in range(60):
            client.say("x/y/z", "y" * 1000)
        self.assertGreater(time.monotonic() - began, 1.5)
        self.assertGreater(self.gateway.metric("ganglion_mqtt_throttled_total", limit="rate_bytes"), 0)
        self.gateway.wait_log('limit="rate_bytes"')

    def test_an_address_has_so_many_connections(self):
        self.begin(max_per_address=3)
        clients = [self.client(f"c{i}") for i in range(3)]
        with contextlib.closing(socket.create_connection(("127.0.0.1", self.gateway.mqtt_port), 5)) as s:
            with contextlib.suppress(ConnectionError):
                self.assertEqual(s.recv(1), b"")
        self.gateway.wait_log('limit="max_per_address"')
        clients[0].leave()
        wait_until(lambda: self.gateway.metric("ganglion_mqtt_connections") == 2)
        self.client("c4")

    def test_a_limit_says_which_it_is(self):
        self.begin(max_levels=3, max_subscriptions=1)
        client = self.client("c")
        self.assertEqual(client.listen("a/b/c/d"), "Quota exceeded")
        self.assertEqual(client.listen("a/b/c"), "Granted QoS 0")
        self.assertEqual(client.listen("a/b/+"), "Quota exceeded")
        self.gateway.wait_log('client="c" filter="a/b/+" limit="max_subscriptions"')
        raw = Raw(self.gateway.mqtt_port)
        raw.send(3, b"\0\7a/b/c/d\0\1\0", flags=2)
        kind, body = raw.read()
        self.assertEqual((kind, body[2]), (4, 0x90))
        self.assertIn(b"limit", body)
        self.assertIn(b"max_levels", body)


class Other(Base):
    def test_clients_are_sent_to_another_server(self):
        self.begin(redirect="other.example:1883")
        for protocol in (paho.MQTTv5, paho.MQTTv311):
            client = Client(self.gateway.mqtt_port, "c", protocol, wait=False)
            self.addCleanup(client.leave)
            self.assertTrue(client.answered.wait(10))
            self.assertTrue(client.code.is_failure)
            if protocol == paho.MQTTv5:
                self.assertEqual(str(client.code), "Use another server")
                self.assertEqual(client.answer.ServerReference, "other.example:1883")

    def test_who_is_connected_is_sent_elsewhere_when_it_is_set(self):
        self.begin()
        client = self.client("c")
        self.gateway.config = config(redirect={"to": "other.example:1883", "kind": "moved"})
        self.gateway.write_config()
        self.gateway.process.send_signal(signal.SIGHUP)
        self.assertTrue(client.gone.wait(10))
        self.assertEqual(str(client.end_code), "Server moved")

    def test_topics_are_sent_by_alias_to_paho(self):
        self.begin()
        listener = self.client("l", TopicAliasMaximum=5)
        listener.listen("x/#", 1)
        speaker = self.client("s")
        for i in range(30):
            speaker.say(f"x/y/{i % 7}", str(i), qos=i % 2)
        listener.wait_for(30)
        # paho gives a message of an alias as it came: without the topic
        known = {}
        for m in listener.got:
            alias = m.properties.TopicAlias
            self.assertTrue(1 <= alias <= 5)
            if m.topic:
                known[alias] = m.topic
            self.assertEqual(known[alias], f"x/y/{int(m.payload) % 7}")

    @unittest.skipUnless(shutil.which("mosquitto_sub"), "mosquitto-clients is not installed")
    def test_the_numbers_that_dashboards_look_for_are_there(self):
        self.begin(sys_interval="200ms")
        names = ["version", "uptime", "clients/total", "clients/connected", "clients/disconnected", "clients/maximum",
                 "clients/expired", "messages/received", "messages/sent", "publish/messages/received",
                 "publish/messages/sent", "publish/messages/dropped", "publish/bytes/received", "publish/bytes/sent",
                 "bytes/received", "bytes/sent", "subscriptions/count", "retained messages/count"]
        done = subprocess.run(
            ["mosquitto_sub", "-p", str(self.gateway.mqtt_port), "-t", "$SYS/#", "-v", "-W", "1"], timeout=20,
            capture_output=True, text=True, check=False)
        seen = dict(line.rsplit(" ", 1) for line in done.stdout.splitlines() if "uptime" not in line)
        for name in names[2:]:
            self.assertTrue(seen[f"$SYS/broker/{name}"].isdigit(), name)
        self.assertEqual(seen["$SYS/broker/clients/connected"], "1")
        self.assertGreater(int(seen["$SYS/broker/bytes/received"]), 0)
        self.assertIn("seconds", done.stdout)

    def test_a_write_is_done_when_the_device_has_acknowledged(self):
        self.begin(write="{device}/{signal}/set", write_timeout="500ms")
        device = self.client("press-2")
        device.say("press-2/limit", "1")
        status, problem = self.write(7)
        self.assertEqual(status, 404, problem)
        device.listen("press-2/+/set", 1)
        status, problem = self.write(8)
        self.assertEqual(status, 204, problem)
        self.assertEqual(device.wait_for(1), [("press-2/limit/set", b"8", 1)])
        deaf = Raw(self.gateway.mqtt_port)
        device.leave()
        deaf.subscribe("press-2/+/set", 1)
        status, problem = self.write(9)
        self.assertEqual(status, 504, problem)

    def write(self, value):
        return self.gateway.api("PUT", "/api/v1/signals/press-2/limit", {"value": value})


if __name__ == "__main__":
    unittest.main()
