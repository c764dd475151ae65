"""Who may connect to the MQTT server and use which topics: passwords, tokens, certificates, over TLS and wss."""
import os
import shutil
import socket
import ssl
import subprocess
import unittest

import paho.mqtt.client as paho

from gateway import Gateway, wait_until
from peers import Certificates, Client, HERE

DEVICES = (
    {"id": "press-1", "password": "pass one"},
    {"id": "press-2", "password": "pass two"},
    {"id": "oven", "certificate": True},
    {"id": "panel", "password": "see all", "application": True},
    {"id": "sold", "password": "gone", "enabled": False},
    {"id": "meter", "token": "ggt_meter"},
    {"id": "crane", "password": "more"},
    {"id": "scrap", "password": "off"},
    {"id": "recorder", "password": "all"},
)


class WithSecuredGateway(unittest.TestCase):
    """One gateway for all tests of a class: nobody comes in without credentials."""

    @classmethod
    def setUpClass(cls):
        cls.gateway = Gateway({
            "site": "test",
            "drivers": {"mqtt": {
                "listen": ["127.0.0.1:{mqtt_port}", "tls://127.0.0.1:{tls_port}", "wss://127.0.0.1:{wss_port}/mqtt"],
                "tls": {"certificate": "{folder}/tls/gateway.crt", "key": "{folder}/tls/gateway.key",
                        "ca": "{folder}/tls/ca.crt", "verify": True, "optional": True},
                "anonymous": "never",
                "topics": {"{device}/{signal}": "plain", "sensors/{device}/data": "json"},
                "write": "commands/{device}/{signal}",
            }},
            "devices": {"crane": {"topics": ["hall/+/status", "notes/#"]}, "scrap": {"enabled": False},
                        "recorder": {"any_topic": True}},
        })
        cls.tls = Certificates(cls.gateway.make_folder())
        cls.tls.make("gateway")
        cls.addClassCleanup(cls.gateway.__exit__)
        cls.gateway.start_with(*DEVICES)

    def client(self, client_id="", protocol=paho.MQTTv5, where="tcp", **more):
        port = {"tcp": self.gateway.mqtt_port, "tls": self.gateway.tls_port, "wss": self.gateway.wss_port}[where]
        if where != "tcp":
            more.setdefault("ca", self.tls.ca)
        client = Client(port, client_id, protocol, "websockets" if where == "wss" else "tcp", **more)
        self.addCleanup(client.leave)
        return client

    def refusal(self, **more):
        client = self.client(wait=False, **more)
        self.assertTrue(client.answered.wait(10), "no CONNACK")
        return str(client.code)


class Refused(WithSecuredGateway):
    def test_what_does_not_fit_is_refused(self):
        wrong = [dict(user="press-1", password="pass two"), dict(user="press-3", password="pass one"),
                 dict(user="press-1", password=""), dict(user="", password=""), dict(user="", password="pass one"),
                 dict(user="sold", password="gone"), dict(user="press-1"), dict(user="oven", password="x")]
        for more in wrong:
            with self.subTest(**more):
                self.assertIn(self.refusal(**more), ("Bad user name or password", "Not authorized"))
        self.assertEqual(self.refusal(), "Not authorized")


class Secured(WithSecuredGateway):
    def test_the_right_password_opens_on_every_listener_and_in_both_versions(self):
        for protocol in (paho.MQTTv311, paho.MQTTv5):
            for where in ("tcp", "tls", "wss"):
                with self.subTest(protocol=protocol, where=where):
                    client = self.client("a", protocol, where, user="press-1", password="pass one")
                    client.say("press-1/temperature", "21.5")

    def test_a_token_serves_as_a_password(self):
        self.client(user="meter", password="ggt_meter").say("meter/power", "3")
        self.assertEqual(self.refusal(user="press-1", password="ggt_meter"), "Bad user name or password")

    def test_a_certificate_says_who_it_is(self):
        client = self.client(where="tls", cert=self.tls.make("oven"))
        self.assertEqual(client.say("oven/temperature", "200"), "Success")
        self.assertEqual(client.say("press-1/temperature", "1"), "Not authorized")
        over_ws = self.client(where="wss", cert=(self.tls.path("oven.crt"), self.tls.path("oven.key")))
        self.assertEqual(over_ws.say("oven/temperature", "201"), "Success")

    def test_a_certificate_of_a_stranger_is_none(self):
        self.assertIn(self.refusal(where="tls", cert=self.tls.make("stranger")),
                      ("Bad user name or password", "Not authorized"))
        other = Certificates(os.path.join(self.gateway.folder, "other"))
        context = ssl.create_default_context(cafile=self.tls.ca)
        context.load_cert_chain(*other.make("oven"))
        with socket.create_connection(("127.0.0.1", self.gateway.tls_port), 5) as raw:
            with self.assertRaises(OSError):  # with TLS 1.3 the alert comes after the client's last word
                context.wrap_socket(raw, server_hostname="localhost").recv(1)

    def test_an_old_tls_version_is_refused(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
        with socket.create_connection(("127.0.0.1", self.gateway.tls_port), 5) as raw:
            with self.assertRaises(OSError):
                context.wrap_socket(raw)

    def test_a_device_publishes_only_to_its_own_topics(self):
        client = self.client(user="press-1", password="pass one")
        for topic, answer in (("press-1/x", "Success"), ("press-1/x/y", "Success"),
                              ("sensors/press-1/data", "Payload format invalid"),
                              ("press-2/x", "Not authorized"), ("sensors/press-2/data", "Not authorized"),
                              ("press-10/x", "Not authorized"), ("other", "Not authorized")):
            with self.subTest(topic=topic):
                self.assertEqual(client.say(topic, "x1" if "sensors" in topic else "1"), answer)

    def test_a_device_hears_only_its_own_topics(self):
        client = self.client(user="press-1", password="pass one")
        own = ("press-1/#", "press-1/+", "commands/press-1/#", "$share/g/press-1/#")
        for topic in own:
            self.assertEqual(client.listen(topic, 1), "Granted QoS 1", topic)
        for topic in ("#", "+/x", "press-2/#", "commands/#", "commands/+/x", "$SYS/#", "$share/g/#",
                      "$share/g/press-2/x", "+/+"):
            self.assertEqual(client.listen(topic, 1), "Not authorized", topic)

    def test_the_configuration_gives_a_device_more_topics_or_none(self):
        crane = self.client(user="crane", password="more")
        for topic in ("crane/#", "hall/+/status", "hall/3/status", "notes/#", "notes/a/+/b", "notes"):
            self.assertEqual(crane.listen(topic, 1), "Granted QoS 1", topic)
        for topic in ("#", "+/#", "hall/#", "hall/+/+", "hall/+", "hall/3/status/x", "+/3/status", "note/#", "+"):
            self.assertEqual(crane.listen(topic, 1), "Not authorized", topic)
        self.assertEqual(crane.say("notes/today/x", "x"), "Success")
        self.assertEqual(crane.say("hall/3/other", "x"), "Not authorized")
        self.assertEqual(self.client(user="recorder", password="all").listen("#"), "Granted QoS 0")
        self.assertEqual(self.refusal(user="scrap", password="off"), "Bad user name or password")

    def test_an_old_client_is_told_of_a_forbidden_topic(self):
        client = self.client(protocol=paho.MQTTv311, user="press-1", password="pass one")
        self.assertEqual(client.listen("press-2/#"), "Unspecified error")  # 0x80
        client.say("press-2/x", "1")  # acknowledged, dropped and counted: 3.1.1 has no other answer
        self.assertEqual(client.listen("press-1/#"), "Granted QoS 0")

    def test_an_application_uses_all_topics(self):
        panel, press = self.client(user="panel", password="see all"), self.client(user="press-2", password="pass two")
        panel.listen("#", 1)
        press.say("press-2/x", "7", 1)
        wait_until(lambda: ("press-2/x", b"7", 1) in [(m.topic, m.payload, m.qos) for m in panel.got])

    def test_a_will_may_not_go_to_a_topic_of_others(self):
        will = {"topic": "press-2/x", "payload": "666"}
        self.assertEqual(self.refusal(user="press-1", password="pass one", will=will), "Not authorized")

    def test_another_device_cannot_take_a_session(self):
        first = self.client("shared-id", user="press-1", password="pass one", expiry_s=100)
        self.assertEqual(self.refusal(client_id="shared-id", user="press-2", password="pass two"),
                         "Client identifier not valid")
        self.assertEqual(first.say("press-1/x", "1"), "Success")

    def test_the_log_names_who_was_refused_but_no_secret(self):
        self.refusal(user="press-1", password="a secret guess")
        self.gateway.wait_log('user="press-1"')
        log = self.gateway.log(1 << 20)
        self.assertIn("127.0.0.1:", log)
        for secret in ("a secret guess", "pass one", "ggt_meter", "$scrypt"):
            self.assertNotIn(secret, log)

    def test_mosquitto_tools_over_tls(self):
        args = ["-h", "127.0.0.1", "-p", str(self.gateway.tls_port), "--cafile", self.tls.ca, "-u", "panel",
                "-P", "see all", "-V", "5"]
        sent = subprocess.run(["mosquitto_pub", *args, "-q", "1", "-r", "-t", "m/t", "-m", "tls"], timeout=20,
                              capture_output=True, text=True, check=False)
        self.assertEqual(sent.returncode, 0, sent.stderr)
        seen = subprocess.run(["mosquitto_sub", *args, "-t", "m/#", "-C", "1", "-W", "5"], timeout=20,
                              capture_output=True, text=True, check=False)
        self.assertEqual(seen.stdout, "tls\n", seen.stderr)

    @unittest.skipUnless(shutil.which("node"), "node is not there")
    def test_mqtt_js_over_wss_and_tls(self):
        for url in (f"wss://127.0.0.1:{self.gateway.wss_port}/mqtt", f"mqtts://127.0.0.1:{self.gateway.tls_port}"):
            env = dict(os.environ, MQTT_CA=self.tls.ca, MQTT_USER="panel", MQTT_PASSWORD="see all")
            done = subprocess.run(["node", os.path.join(HERE, "mqtt_peer.js"), url], timeout=30, env=env,
                                  capture_output=True, text=True, check=False)
            self.assertEqual(done.stdout.strip(), "x/y/z hello 1", done.stderr)


class Revocation(unittest.TestCase):
    def test_a_device_whose_registration_is_removed_or_changed_is_ended(self):
        with Gateway({"site": "test", "drivers": {"mqtt": {
                "listen": "127.0.0.1:{mqtt_port}", "anonymous": "never",
                "topics": {"{device}/{signal}": "plain"}}}}) as gateway:
            clients = {}
            for name in ("pump", "valve", "panel"):
                status, made = gateway.api("POST", "/api/v1/devices",
                                           {"id": name, "token": True, "application": name == "panel"})
                self.assertEqual(status, 201, made)
                clients[name] = Client(gateway.mqtt_port, user=name, password=made["token"])
                self.addCleanup(clients[name].leave)
            self.assertEqual(gateway.api("DELETE", "/api/v1/devices/pump")[0], 204)
            self.assertEqual(gateway.api("PUT", "/api/v1/devices/panel", {"enabled": False})[0], 200)
            self.assertTrue(clients["pump"].gone.wait(5))
            self.assertTrue(clients["panel"].gone.wait(5))
            self.assertEqual(clients["valve"].say("valve/x", "1"), "Success")


class Guessing(unittest.TestCase):
    def test_who_guesses_passwords_is_slowed_down_and_others_are_not_locked_out_for_ever(self):
        gateway = Gateway({"site": "test", "drivers": {"mqtt": {
            "listen": "127.0.0.1:{mqtt_port}", "topics": {"{device}/{signal}": "plain"}}}})
        self.addCleanup(gateway.__exit__)
        gateway.start_with({"id": "press-1", "password": "right"})
        answers = []
        for _ in range(40):
            client = Client(gateway.mqtt_port, user="press-1", password="wrong", wait=False)
            self.assertTrue(client.answered.wait(10), "no CONNACK")
            answers.append(str(client.code))
            client.loop_stop()
        self.assertEqual(answers[0], "Bad user name or password")
        self.assertIn("Connection rate exceeded", answers)
        self.assertTrue(gateway.is_alive())


if __name__ == "__main__":
    unittest.main()
