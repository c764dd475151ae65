"""What MQTT 5.0 and 3.1.1 promise, feature by feature, with paho as the client (numbers: sections of MQTT 5.0)."""
import json
import os
import shutil
import socket
import struct
import subprocess
import time
import unittest

import paho.mqtt.client as paho

from gateway import Gateway, wait_until
from peers import Client, HERE


class Features(unittest.TestCase):
    """One gateway for all; each test uses topics under its own name."""

    @classmethod
    def setUpClass(cls):
        cls.gateway = Gateway({
            "site": "test",
            "drivers": {"mqtt": {"listen": ["127.0.0.1:{mqtt_port}", "ws://127.0.0.1:{ws_port}/mqtt"],
                                 "max_inflight": 20, "max_packet": "64KiB", "max_queued": 50,
                                 "session_expiry": "1h"}},
        })
        cls.addClassCleanup(cls.gateway.__exit__)
        cls.gateway.__enter__()

    def setUp(self):
        self.top = self.id().rsplit(".", 1)[1]

    def client(self, name="", *args, **more):
        client = Client(self.gateway.mqtt_port, f"{self.top}-{name}" if name else "", *args, **more)
        self.addCleanup(client.leave)
        return client

    def topic(self, *levels):
        return "/".join((self.top, *levels))

    # -- wills (3.1.2.5, 3.1.3.2)

    def test_will_comes_when_the_connection_breaks_and_not_after_disconnect(self):
        listener = self.client("l")
        listener.listen(self.topic("#"), 1)
        polite = self.client("polite", will={"topic": self.topic("polite"), "payload": "gone", "qos": 1})
        polite.leave()
        rude = self.client("rude", will={"topic": self.topic("rude"), "payload": "gone", "qos": 1, "retain": True})
        rude.vanish()
        self.assertEqual(listener.wait_for(1), [(self.topic("rude"), b"gone", 1)])
        late = self.client("late")
        late.listen(self.topic("#"))
        self.assertEqual(late.wait_for(1), [(self.topic("rude"), b"gone", 0)])

    def will(self, name, delay_s):
        from peers import properties
        return {"topic": self.topic(name), "payload": "gone", "qos": 1,
                "properties": properties("WILLMESSAGE", WillDelayInterval=delay_s)}

    def test_a_will_waits_for_its_delay(self):
        listener = self.client("l")
        listener.listen(self.topic("#"), 1)
        client = self.client("c", expiry_s=100, will=self.will("w", 1))
        client.vanish()
        began = time.monotonic()
        listener.wait_for(1)
        self.assertGreater(time.monotonic() - began, 0.8)

    def test_a_will_is_not_sent_when_the_client_is_back_in_time(self):
        listener = self.client("l")
        listener.listen(self.topic("#"), 1)
        self.client("c", expiry_s=100, will=self.will("w", 1)).vanish()
        back = self.client("c", clean=False, expiry_s=100)
        self.assertTrue(back.present)
        time.sleep(1.3)  # past the delay: nothing may come
        self.assertEqual(listener.got, [])

    def test_a_delayed_will_comes_at_once_when_the_session_ends(self):
        listener = self.client("l")
        listener.listen(self.topic("#"), 1)
        self.client("c", expiry_s=0, will=self.will("w", 60)).vanish()
        listener.wait_for(1, timeout_s=5)

    # -- sessions (3.1.2.4, 4.1)

    def test_a_session_is_taken_over_and_the_first_connection_told(self):
        first = self.client("same", expiry_s=100)
        first.listen(self.topic("#"), 1)
        second = self.client("same", clean=False, expiry_s=100)
        self.assertTrue(second.present)
        self.assertTrue(first.gone.wait(5))  # with which reason mqtt.js tells below: paho reads none without properties
        self.client("s").say(self.topic("x"), "1")
        self.assertEqual(second.wait_for(1), [(self.topic("x"), b"1", 1)])

    def test_a_session_waits_only_as_long_as_asked(self):
        self.client("c", expiry_s=1).leave()
        time.sleep(1.5)
        self.assertFalse(self.client("c", clean=False, expiry_s=1).present)

    def test_a_clean_start_forgets_the_session(self):
        self.client("c", expiry_s=100).leave()
        self.assertFalse(self.client("c", clean=True, expiry_s=100).present)

    def test_a_queue_is_bounded_and_keeps_the_oldest(self):
        self.client("c", expiry_s=100).listen(self.topic("#"), 1)
        self.client("c", clean=False, expiry_s=100).leave()
        speaker = self.client("s")
        for i in range(80):
            speaker.say(self.topic("x"), str(i))
        back = self.client("c", clean=False, expiry_s=100)
        back.wait_for(50)
        speaker.say(self.topic("x"), "end")
        wait_until(lambda: back.texts()[-1] == "end")
        self.assertEqual(back.texts()[:-1], [str(i) for i in range(50)])

    def test_an_old_client_keeps_its_session_without_clean_session(self):
        first = self.client("c", paho.MQTTv311, clean=False)
        self.assertFalse(first.present)
        first.listen(self.topic("#"), 2)
        first.leave()
        self.client("s").say(self.topic("x"), "1", 2)
        again = self.client("c", paho.MQTTv311, clean=False)
        self.assertTrue(again.present)
        self.assertEqual(again.wait_for(1), [(self.topic("x"), b"1", 2)])

    # -- messages

    def test_a_message_expires_in_the_queue_and_its_time_left_is_told(self):
        self.client("c", expiry_s=100).listen(self.topic("#"), 1)
        self.client("c", clean=False, expiry_s=100).leave()
        speaker = self.client("s")
        speaker.say(self.topic("short"), "1", MessageExpiryInterval=1)
        speaker.say(self.topic("long"), "2", MessageExpiryInterval=100)
        time.sleep(2.1)
        back = self.client("c", clean=False, expiry_s=100)
        speaker.say(self.topic("now"), "3")
        self.assertEqual([t for t, _, _ in back.wait_for(2)], [self.topic("long"), self.topic("now")])
        self.assertLessEqual(back.got[0].properties.MessageExpiryInterval, 98)

    def test_a_retained_message_expires(self):
        speaker = self.client("s")
        speaker.say(self.topic("r"), "1", retain=True, MessageExpiryInterval=1)
        time.sleep(1.5)
        listener = self.client("l")
        listener.listen(self.topic("#"), 1)
        speaker.say(self.topic("now"), "2")
        self.assertEqual(listener.wait_for(1), [(self.topic("now"), b"2", 1)])

    def test_an_empty_payload_removes_what_is_retained(self):
        speaker, listener = self.client("s"), self.client("l")
        speaker.say(self.topic("r"), "1", retain=True)
        speaker.say(self.topic("r"), "", retain=True)
        listener.listen(self.topic("#"), 1)
        speaker.say(self.topic("now"), "2")
        self.assertEqual(listener.wait_for(1), [(self.topic("now"), b"2", 1)])

    def test_retain_handling_and_retain_as_published(self):
        speaker, listener = self.client("s"), self.client("l")
        speaker.say(self.topic("r"), "kept", retain=True)
        listener.listen(self.topic("r"), 1, handling=2)
        listener.listen(self.topic("r"), 1, handling=1)  # it is there already: nothing
        speaker.say(self.topic("r"), "kept 2", retain=True)
        self.assertEqual([(m.payload, m.retain) for m in listener.got or listener.wait_for(1) and listener.got],
                         [(b"kept 2", False)])
        listener.listen(self.topic("r"), 1, handling=0, as_published=True)
        listener.wait_for(2)
        speaker.say(self.topic("r"), "kept 3", retain=True)
        listener.wait_for(3)
        self.assertEqual([(m.payload, m.retain) for m in listener.got[1:]], [(b"kept 2", True), (b"kept 3", True)])

    def test_no_local(self):
        client = self.client("c")
        client.listen(self.topic("#"), 1, no_local=True)
        client.say(self.topic("x"), "mine")
        self.client("s").say(self.topic("x"), "other")
        self.assertEqual(client.wait_for(1), [(self.topic("x"), b"other", 1)])

    def test_subscription_identifiers_name_each_subscription_that_fits(self):
        client = self.client("c")
        client.listen(self.topic("a", "#"), 1, identifier=7)
        client.listen(self.topic("+", "b"), 2, identifier=300000)
        self.client("s").say(self.topic("a", "b"), "x", 2)
        client.wait_for(1)
        time.sleep(0.2)
        found = sorted(i for m in client.got for i in m.properties.SubscriptionIdentifier)
        self.assertEqual(found, [7, 300000])

    def test_overlapping_subscriptions_give_the_highest_qos(self):
        client = self.client("c", paho.MQTTv311)
        client.listen(self.topic("#"), 0)
        client.listen(self.topic("x"), 2)
        self.client("s").say(self.topic("x"), "m", 2)
        self.assertEqual(max(q for _, _, q in client.wait_for(1)), 2)

    def test_a_shared_subscription_gives_each_message_to_one(self):
        members = [self.client(f"m{i}") for i in range(3)]
        for member in members:
            self.assertEqual(member.listen(f"$share/team/{self.topic('#')}", 1), "Granted QoS 1")
        whole = self.client("whole")
        whole.listen(self.topic("#"), 1)
        speaker = self.client("s")
        for i in range(30):
            speaker.say(self.topic("x"), str(i))
        wait_until(lambda: sum(len(m.got) for m in members) >= 30 and len(whole.got) == 30)
        self.assertEqual(sorted(int(t) for m in members for t in m.texts()), list(range(30)))
        self.assertTrue(all(m.got for m in members))

    def test_a_member_that_leaves_a_shared_subscription_is_passed_over(self):
        stays, leaves = self.client("a"), self.client("b")
        for member in (stays, leaves):
            member.listen(f"$share/team/{self.topic('#')}", 1)
        leaves.leave()
        speaker = self.client("s")
        for i in range(10):
            speaker.say(self.topic("x"), str(i))
        self.assertEqual(sorted(t for _, t, _ in stays.wait_for(10)), sorted(b"%d" % i for i in range(10)))

    def test_a_topic_alias_stands_for_the_topic(self):
        listener, speaker = self.client("l"), self.client("s")
        self.assertGreaterEqual(speaker.answer.TopicAliasMaximum, 1)
        listener.listen(self.topic("#"), 1)
        speaker.say(self.topic("x"), "1", TopicAlias=3)
        speaker.say("", "2", TopicAlias=3)
        self.assertEqual([t for t, _, _ in listener.wait_for(2)], [self.topic("x")] * 2)

    def test_a_client_without_a_name_is_given_one(self):
        one, two = self.client(), self.client()
        self.assertNotEqual(one.answer.AssignedClientIdentifier, two.answer.AssignedClientIdentifier)

    def test_a_packet_too_large_ends_the_connection(self):
        client = self.client("c")
        self.assertEqual(client.answer.MaximumPacketSize, 65536)
        raw = Raw(self.gateway.mqtt_port)
        raw.send(3, b"\0\1a\0" + b"x" * 70000)
        self.assertEqual(raw.read(), (14, b"\x95"))

    def test_a_client_gets_no_packet_larger_than_it_takes(self):
        small = self.client("small", MaximumPacketSize=200)
        small.listen(self.topic("#"), 1)
        speaker = self.client("s")
        speaker.say(self.topic("x"), "y" * 1000)
        speaker.say(self.topic("x"), "fits")
        self.assertEqual(small.wait_for(1), [(self.topic("x"), b"fits", 1)])

    def test_unsubscribe_says_whether_there_was_one(self):
        client = self.client("c")
        client.listen(self.topic("#"))
        _, packet_id = client.unsubscribe(self.topic("#"))
        self.assertEqual(client.ack_of(packet_id), ["Success"])
        _, packet_id = client.unsubscribe(self.topic("#"))
        self.assertEqual(client.ack_of(packet_id), ["No subscription found"])

    def test_a_publish_nobody_hears_says_so(self):
        self.assertIn(self.client("c").say(self.topic("x"), "1"), ("No matching subscribers", "Success"))

    def test_system_topics_are_not_matched_by_wildcards(self):
        client = self.client("c")
        client.listen("#", 0)
        client.listen("$SYS/#", 0)
        wait_until(lambda: any(m.topic.startswith("$SYS/") for m in client.got))

    def test_keep_alive_is_watched(self):
        raw = Raw(self.gateway.mqtt_port, keep_alive=1)
        began = time.monotonic()
        self.assertEqual(raw.read(), (14, b"\x8d"), "DISCONNECT, keep alive timeout")
        self.assertLess(time.monotonic() - began, 4)

    # -- flow control (4.9)

    def test_no_more_is_in_flight_than_the_client_takes(self):
        raw = Raw(self.gateway.mqtt_port, props=b"\x21\x00\x03")  # receive maximum 3
        raw.subscribe(self.topic("#"), 1)
        speaker = self.client("s")
        for i in range(10):
            speaker.say(self.topic("x"), str(i))
        ids = [raw.publish_id() for _ in range(3)]
        self.assertTrue(raw.is_silent(0.3), "a fourth message before the first was acknowledged")
        raw.send(4, struct.pack(">H", ids[0]))
        ids.append(raw.publish_id())
        self.assertTrue(raw.is_silent(0.2))
        for i in range(6):
            raw.send(4, struct.pack(">H", ids[i + 1]))
            ids.append(raw.publish_id())

    def test_a_client_that_sends_more_than_the_receive_maximum_is_ended(self):
        raw = Raw(self.gateway.mqtt_port)
        topic = self.topic("x").encode()
        body = struct.pack(">H", len(topic)) + topic
        for i in range(30):  # QoS 2, never released: they stay in flight
            raw.send(3, body + struct.pack(">H", i + 1) + b"\0" + b"1", flags=4)
        kinds = []
        while (packet := raw.read()) is not None:
            kinds.append(packet)
        self.assertEqual(kinds[-1], (14, b"\x93"), "receive maximum exceeded")
        self.assertEqual(len([k for k, _ in kinds if k == 5]) <= 20, True)

    def test_qos_2_arrives_once_though_sent_twice(self):
        listener = self.client("l")
        listener.listen(self.topic("#"), 2)
        raw = Raw(self.gateway.mqtt_port)
        topic = self.topic("x").encode()
        body = struct.pack(">H", len(topic)) + topic + struct.pack(">H", 5) + b"\0" + b"once"
        raw.send(3, body, flags=4)
        self.assertEqual(raw.read()[0], 5)
        raw.send(3, body, flags=4 | 8)
        self.assertEqual(raw.read()[0], 5)
        raw.send(6, b"\0\5", flags=2)
        self.assertEqual(raw.read()[0], 7)
        self.client("s").say(self.topic("x"), "end", 2)
        self.assertEqual([p for _, p, _ in listener.wait_for(2)], [b"once", b"end"])

    def test_pubrel_of_an_unknown_message_is_answered(self):
        raw = Raw(self.gateway.mqtt_port)
        raw.send(6, b"\0\x63", flags=2)
        kind, body = raw.read()
        self.assertEqual((kind, body[:2], body[2]), (7, b"\0\x63", 0x92))  # packet identifier not found

    # -- what is against the protocol ends the connection with the reason

    def test_wrong_packets_end_the_connection_with_a_reason(self):
        cases = {
            "SUBSCRIBE without a filter": (8, 2, b"\0\1\0", (0x82, 0x81)),
            "SUBSCRIBE with wrong flags": (8, 0, b"\0\1\0\0\1a\0", (0x81,)),
            "PUBLISH with QoS 3": (3, 6, b"\0\1a\0\1\0", (0x81,)),
            "PUBLISH to a wildcard": (3, 0, b"\0\1#\0x", (0x90, 0x81, 0x82)),
            "packet type 0": (0, 0, b"", (0x81, 0x82)),
            "a second CONNECT": (1, 0, b"\0\4MQTT\5\2\0\0\0\0\0", (0x82,)),
            "a filter with # within": (8, 2, b"\0\1\0\0\3a/#b\0", (0x81, 0x8f)),
            "no UTF-8 in a topic": (3, 0, b"\0\2\xc3\x28\0x", (0x81, 0x99, 0x90)),
            "packet id 0": (3, 2, b"\0\1a\0\0\0x", (0x81, 0x82)),
            "no local on a shared subscription": (8, 2, b"\0\1\0\0\x0a$share/a/b\5", (0x82,)),
            "an alias never given": (3, 0, b"\0\0\3\x23\0\x09x", (0x82, 0x94)),
            "an alias above the maximum": (3, 0, b"\0\1a\3\x23\xff\0x", (0x94,)),
            "the alias 0": (3, 0, b"\0\1a\3\x23\0\0x", (0x94,)),
            "a property that is none": (3, 0, b"\0\1a\2\x7f\0x", (0x81, 0x82)),
        }
        for name, (kind, flags, body, reasons) in cases.items():
            with self.subTest(name):
                raw = Raw(self.gateway.mqtt_port)
                raw.send(kind, body, flags)
                packet = raw.read()
                self.assertIsNotNone(packet, "no DISCONNECT")
                self.assertEqual(packet[0], 14)
                self.assertIn(packet[1][0], reasons)
                self.assertIsNone(raw.read())

    def test_a_filter_with_a_wrong_wildcard_is_refused(self):
        client = self.client("c")
        for wrong in ("a/#/b", "a+/b", "#a"):
            raw = Raw(self.gateway.mqtt_port)
            text = wrong.encode()
            raw.send(8, b"\0\1\0" + struct.pack(">H", len(text)) + text + b"\0", 2)
            kind, body = raw.read()
            self.assertIn((kind, body[0] if kind == 14 else body[-1]), ((14, 0x81), (14, 0x8f), (9, 0x8f)), wrong)
        client.say(self.topic("x"), "1")

    # -- other clients

    @unittest.skipUnless(shutil.which("node"), "node is not there")
    def test_mqtt_js_sees_the_same(self):
        done = subprocess.run(["node", os.path.join(HERE, "mqtt_features.js"), f"mqtt://127.0.0.1:"
                               f"{self.gateway.mqtt_port}", self.top], timeout=40, capture_output=True, text=True,
                              check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(json.loads(done.stdout), {
            "noLocal": ["other"], "shared": 10, "identifier": 5, "will": "gone", "retained": "kept",
            "taken over": 142, "alias": ["a/1", "a/2"], "qos 2": 20})

    def test_mosquitto_tools_see_the_same(self):
        port = ["-p", str(self.gateway.mqtt_port), "-V", "5"]
        sub = subprocess.Popen(
            ["mosquitto_sub", *port, "-q", "2", "-t", f"$share/g/{self.topic('#')}", "-C", "2", "-W", "10", "-F",
             "%t %p %q"], stdout=subprocess.PIPE, text=True)
        speaker = self.client("s")
        wait_until(lambda: speaker.say(self.topic("a"), "1", 2) == "Success" and sub.poll() is not None or
                   sub.poll() is not None, 10, "two messages")
        self.assertEqual(sub.communicate()[0], f"{self.topic('a')} 1 2\n" * 2)


class Raw:
    """A client byte by byte, for what the libraries would not do."""

    def __init__(self, port, keep_alive=0, props=b""):
        self.socket = socket.create_connection(("127.0.0.1", port), 10)
        self.send(1, b"\0\4MQTT\5\2" + struct.pack(">H", keep_alive) + bytes([len(props)]) + props + b"\0\0")
        kind, body = self.read()
        assert (kind, body[1]) == (2, 0), "no CONNACK"

    def __del__(self):
        self.socket.close()

    def send(self, kind, body, flags=0):
        length, n = b"", len(body)
        while True:
            n, low = divmod(n, 128)
            length += bytes([low | (128 if n else 0)])
            if not n:
                break
        try:
            self.socket.sendall(bytes([kind << 4 | flags]) + length + body)
        except OSError:
            pass  # it was ended: what it said is still to be read

    def receive(self, count):
        got = b""
        while len(got) < count:
            try:
                part = self.socket.recv(count - len(got))
            except ConnectionError:
                part = b""
            if not part:
                return None
            got += part
        return got

    def read(self):
        """Type and body of the next packet (a DISCONNECT's body is its reason); None at the end."""
        head = self.receive(1)
        if head is None:
            return None
        shift = size = 0
        while True:
            byte = self.receive(1)[0]
            size |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                break
        body = self.receive(size) if size else b""
        return (head[0] >> 4, body[:1] if head[0] >> 4 == 14 else body)

    def subscribe(self, topic, qos):
        text = topic.encode()
        self.send(8, b"\0\1\0" + struct.pack(">H", len(text)) + text + bytes([qos]), 2)
        assert self.read()[0] == 9, "no SUBACK"

    def publish_id(self):
        kind, body = self.read()
        assert kind == 3, f"packet {kind}"
        return struct.unpack_from(">H", body, 2 + struct.unpack_from(">H", body)[0])[0]

    def is_silent(self, seconds):
        self.socket.settimeout(seconds)
        try:
            return not self.socket.recv(1, socket.MSG_PEEK)
        except TimeoutError:
            return True
        finally:
            self.socket.settimeout(10)


if __name__ == "__main__":
    unittest.main()
