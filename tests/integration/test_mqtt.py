"""The MQTT server as clients of other houses see it: paho, mosquitto's tools, mqtt.js."""
import os
import shutil
import subprocess
import unittest

import paho.mqtt.client as paho

from gateway import Gateway, wait_until
from peers import Client

HERE = os.path.dirname(os.path.abspath(__file__))
CONFIG = {
    "site": "test",
    "drivers": {
        "mqtt": {
            "listen": ["127.0.0.1:{mqtt_port}", "ws://127.0.0.1:{ws_port}/mqtt"],
            "topics": {"{device}/{signal}": "plain", "sensors/{device}": "json"},
        }
    },
}


class WithGateway(unittest.TestCase):
    def setUp(self):
        self.gateway = Gateway(CONFIG)
        self.gateway.__enter__()
        self.addCleanup(self.gateway.__exit__)

    def client(self, client_id="", protocol=paho.MQTTv5, transport="tcp", **more):
        port = self.gateway.ws_port if transport == "websockets" else self.gateway.mqtt_port
        client = Client(port, client_id, protocol, transport, **more)
        self.addCleanup(client.leave)
        return client


class Paho(WithGateway):
    def test_every_qos_arrives_in_both_versions_over_tcp_and_websocket(self):
        for protocol in (paho.MQTTv311, paho.MQTTv5):
            for transport in ("tcp", "websockets"):
                with self.subTest(protocol=protocol, transport=transport):
                    listener = self.client("l", protocol, transport)
                    speaker = self.client("s", protocol, transport)
                    listener.listen("x/#", 2)
                    for qos in (0, 1, 2):
                        speaker.say("x/y/z", f"m{qos}", qos)
                    self.assertEqual(listener.wait_for(3), [("x/y/z", b"m%d" % q, q) for q in (0, 1, 2)])

    def test_properties_pass_through(self):
        listener, speaker = self.client("l"), self.client("s")
        listener.listen("x/#", 1)
        user = [("k", "v"), ("k", "w")]
        speaker.say("x/y/z", "p", UserProperty=user, ResponseTopic="r/t", CorrelationData=b"\1\2", ContentType="text/x")
        listener.wait_for(1)
        seen = listener.got[0].properties
        self.assertEqual((seen.UserProperty, seen.ContentType), (user, "text/x"))
        self.assertEqual((seen.ResponseTopic, seen.CorrelationData), ("r/t", b"\1\2"))

    def test_a_queue_and_a_retained_message_survive_kill_9(self):
        sleeper = self.client("sleeper", clean=True, expiry_s=1000)
        sleeper.listen("x/#", 1)
        sleeper.leave()
        speaker = self.client("s")
        for i in range(20):
            speaker.say("x/y/z", str(i))
        speaker.say("r/e/t", "kept", retain=True)
        self.gateway.kill()
        self.gateway.start()
        again = self.client("sleeper", clean=False, expiry_s=1000)
        self.assertTrue(again.present)
        self.assertEqual([p for _, p, _ in again.wait_for(20)], [b"%d" % i for i in range(20)])
        again.listen("r/#", 0)
        self.assertEqual(again.wait_for(21)[20], ("r/e/t", b"kept", 0))

    def test_a_will_comes_when_the_client_dies(self):
        listener = self.client("l")
        listener.listen("w/#", 0)
        listener.say("r/e/ady", "?", retain=True)
        dying = subprocess.Popen(
            ["mosquitto_sub", "-p", str(self.gateway.mqtt_port), "-t", "r/e/ady", "--will-topic", "w/i/l",
             "--will-payload", "gone"], stdout=subprocess.PIPE)
        self.assertEqual(dying.stdout.readline(), b"?\n")  # it is connected, and its will is known
        dying.kill()
        dying.wait()
        dying.stdout.close()
        self.assertEqual(listener.wait_for(1)[0][:2], ("w/i/l", b"gone"))


@unittest.skipUnless(shutil.which("mosquitto_pub"), "mosquitto-clients is not installed")
class Mosquitto(WithGateway):
    def run_tool(self, *args, **more):
        return subprocess.run([args[0], "-p", str(self.gateway.mqtt_port), *args[1:]], timeout=20,
                              capture_output=True, text=True, check=False, **more)

    def test_publishes_and_finds_what_is_retained(self):
        for version in ("311", "5"):
            sent = self.run_tool("mosquitto_pub", "-V", version, "-q", "2", "-r", "-t", "a/b/c", "-m", version)
            self.assertEqual(sent.returncode, 0, sent.stderr)
            seen = self.run_tool("mosquitto_sub", "-V", version, "-t", "a/#", "-v", "-C", "1", "-W", "5")
            self.assertEqual(seen.stdout, f"a/b/c {version}\n")

    def test_a_wrong_password_is_refused(self):
        sent = self.run_tool("mosquitto_pub", "-u", "press-2", "-P", "wrong", "-t", "a", "-m", "b")
        self.assertNotEqual(sent.returncode, 0)


@unittest.skipUnless(shutil.which("node") and os.environ.get("NODE_PATH"), "node is not there")
class MqttJs(WithGateway):
    def test_speaks_over_websocket(self):
        done = subprocess.run(
            ["node", os.path.join(HERE, "mqtt_peer.js"), f"ws://127.0.0.1:{self.gateway.ws_port}/mqtt"], timeout=30,
            capture_output=True, text=True, check=False)
        self.assertEqual(done.stdout.strip(), "x/y/z hello 1", done.stderr)


if __name__ == "__main__":
    unittest.main()
