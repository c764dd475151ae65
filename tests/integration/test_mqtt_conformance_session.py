"""Chapters 4 and 6 but for what stands elsewhere: sessions, order, flow control, the end, WebSockets."""
import time
import unittest

from mqtt_conformance import BOTH, MALFORMED, PROTOCOL_ERROR, Conformance
from mqtt_raw import Raw, WebSocket, binary, connect_body, packet, props


class Sessions(Conformance):
    def test_a_session_ends_when_its_expiry_has_passed(self):
        """5.0: 4.1.0-2, 3.1.2-23."""
        client = self.client(self.top, session_expiry=1)
        client.subscribe((self.top, 1))
        client.close()
        time.sleep(2.2)  # longer than its expiry
        client = self.client(self.top, clean=False)
        self.assertFalse(client.connack.present)
        self.client().publish(self.top, "x")
        self.assertEqual(client.sync(), [])

    def test_a_session_without_expiry_ends_with_its_connection(self):
        """5.0: 4.1.0-2. 3.1.1: 3.1.2-6."""
        for version in BOTH:
            client = self.client(self.top, version, clean=True)
            client.subscribe((self.top, 1))
            client.close()
            client = self.client(self.top, version, clean=False)
            self.assertFalse(client.connack.present)
            client.disconnect()
            self.client(self.top, version).disconnect()

    def test_disconnect_may_change_the_expiry_but_not_wake_one(self):
        """5.0: 4.1.0-2, 4.13.1-1."""
        client = self.client(self.top, session_expiry=1000)
        client.disconnect(0, session_expiry=0)
        self.assertFalse(self.client(self.top, clean=False, session_expiry=0).connack.present)
        client = self.client(self.top, clean=False, session_expiry=1)
        client.disconnect(0, session_expiry=1000)
        time.sleep(2)  # longer than the first expiry
        client = self.client(self.top, clean=False)
        self.assertTrue(client.connack.present)
        client.send(packet("DISCONNECT", b"\0" + props(session_expiry=5)))
        client.end(PROTOCOL_ERROR)

    def test_messages_wait_for_who_is_away(self):
        """5.0: 4.5.0-1. 3.1.1: 4.5.0-1, 3.1.2-5, 4.1.0-1, 4.1.0-2."""
        for version in BOTH:
            more = {"session_expiry": 100} if version == 5 else {}
            names = [f"{self.top}{version}{i}" for i in range(3)]
            for name in names:
                client = self.client(name, version, clean=False, **more)
                client.subscribe((f"{self.top}/{version}", 1))
                client.disconnect()
            speaks = self.client(version=version)
            for i in range(10):
                speaks.publish(f"{self.top}/{version}", str(i))
            for name in names:
                client = self.client(name, version, clean=False)
                self.assertEqual([text for _, text in client.messages()], [str(i) for i in range(10)])

    def test_an_open_connection_keeps_its_session_whatever_the_expiry(self):
        """5.0: 4.1.0-1. 3.1.1: 4.1.0-2."""
        for version in BOTH:
            client = self.client(self.top, version, **({"session_expiry": 1} if version == 5 else {}))
            client.subscribe((self.top, 1))
            time.sleep(1.5)  # longer than its expiry
            self.client(version=version).publish(self.top, "x")
            self.assertEqual(client.messages(), [(self.top, "x")])
            client.disconnect()


class Order(Conformance):
    def test_messages_keep_the_order_of_their_publisher(self):
        """5.0: 4.6.0-5, 4.6.0-6. 3.1.1: 4.6.0-5, 4.6.0-6."""
        for version in BOTH:
            hears, speaks = self.client(version=version), self.client(version=version)
            hears.subscribe((self.top, 2))
            for qos in (0, 1, 2):
                for start in range(0, 200, 10):
                    speaks.send(b"".join(speaks.publish_bytes(self.top, str(i), qos) for i in range(start, start + 10)))
                    self.finish(speaks, 10 if qos else 0)
                    self.assertEqual([text for _, text in hears.messages()],
                                     [str(i) for i in range(start, start + 10)])

    @staticmethod
    def finish(speaks, count):
        """Goes through with so many messages; with none, waits until the server has taken them."""
        if not count:
            speaks.sync()
        while count:
            got = speaks.read()
            if got.kind == "PUBREC":
                speaks.ack("PUBREL", got.packet_id)
            else:
                count -= 1

    def test_acknowledgements_keep_the_order_of_the_messages(self):
        """5.0: 4.3.2-4, 4.3.3-8. 3.1.1: 4.6.0-2, 4.6.0-3, 4.6.0-6, 4.3.2-2."""
        for version in BOTH:
            client = self.client(version=version)
            client.send(b"".join(client.publish_bytes(f"in/device/{i}", "1", 1 + i % 2) for i in range(16)))
            kept = {"PUBACK": [], "PUBREC": []}
            for m in client.sync(16):
                kept[m.kind].append(m.packet_id)
            self.assertEqual(kept, {"PUBACK": list(range(1, 17, 2)), "PUBREC": list(range(2, 17, 2))})

    def test_pubrel_keeps_the_order_of_pubrec(self):
        """5.0: 4.3.3-4. 3.1.1: 4.6.0-4."""
        for version in BOTH:
            hears, speaks = self.client(version=version), self.client(version=version)
            hears.subscribe((self.top, 2))
            for i in range(4):
                speaks.publish(self.top, str(i), 2)
            ids = [m.packet_id for m in hears.sync()]
            order = [ids[2], ids[0], ids[3], ids[1]]
            for number in order:
                hears.ack("PUBREC", number)
            self.assertEqual([(m.kind, m.packet_id) for m in hears.sync(4)], [("PUBREL", number) for number in order])


class Flow(Conformance):
    def test_no_more_is_under_way_than_the_client_takes(self):
        """5.0: 3.3.4-9, 4.9.0-1, 4.9.0-2."""
        for most in (1, 3):
            hears, speaks = self.client(receive_maximum=most), self.client()
            hears.subscribe((f"{self.top}/#", 2))
            for i in range(10):
                speaks.publish(f"{self.top}/{i}", str(i), 1 + i % 2)
            under_way, seen = hears.sync(), []
            while under_way:
                self.assertLessEqual(len(under_way), most)
                m = under_way.pop(0)
                seen.append(m.payload.decode())
                if m.qos == 2:
                    hears.ack("PUBREC", m.packet_id)
                    self.assertEqual([got.kind for got in hears.sync(1)], ["PUBREL"])  # it is not yet over
                    hears.ack("PUBCOMP", m.packet_id)
                else:
                    hears.ack("PUBACK", m.packet_id)
                under_way += hears.sync()
            self.assertEqual(seen, [str(i) for i in range(10)])

    def test_a_refusal_makes_room_too(self):
        """5.0: 4.9.0-2, 4.4.0-2."""
        hears, speaks = self.client(receive_maximum=1), self.client()
        hears.subscribe((self.top, 2))
        for i in range(4):
            speaks.publish(self.top, str(i), 1 + i % 2)
        for i in range(4):
            got = hears.take("PUBLISH")
            self.assertEqual(got.payload, b"%d" % i)
            hears.ack("PUBACK" if got.qos == 1 else "PUBREC", got.packet_id, 0x80)
        self.assertEqual(hears.sync(), [])

    def test_all_else_goes_on_while_the_window_is_full(self):
        """5.0: 3.3.4-10, 4.9.0-3."""
        hears, speaks = self.client(receive_maximum=1), self.client()
        hears.subscribe((f"{self.top}/#", 1))
        for i in range(3):
            speaks.publish(f"{self.top}/{i}", str(i))
        first = hears.take("PUBLISH")
        speaks.publish(f"{self.top}/plain", "QoS 0 is not counted", 0)
        self.assertEqual(hears.take("PUBLISH").qos, 0)
        self.assertEqual(hears.subscribe(("other", 1)).codes, [1])
        self.assertEqual(hears.unsubscribe("other").codes, [0])
        self.assertIn(hears.publish("elsewhere", "x", 1), (0, 0x10))
        self.assertIn(hears.publish("elsewhere", "x", 2), (0, 0x10))
        self.assertEqual(hears.sync(), [])
        hears.ack("PUBACK", first.packet_id)
        self.assertEqual(hears.take("PUBLISH").payload, b"1")

    def test_the_window_counts_also_for_what_is_sent_again(self):
        """5.0: 3.3.4-9, 4.9.0-1, 4.4.0-1."""
        more = {"clean": False, "session_expiry": 100}
        hears, speaks = self.client(self.top, **more), self.client()
        hears.subscribe((self.top, 1))
        for i in range(6):
            speaks.publish(self.top, str(i))
        ids = [m.packet_id for m in hears.sync()]
        hears.close()
        hears = self.client(self.top, receive_maximum=2, **more)
        speaks.publish(self.top, "6")
        got = hears.sync()
        self.assertEqual([(m.payload, m.packet_id, m.dup) for m in got], [(b"0", ids[0], True), (b"1", ids[1], True)])
        seen = []
        while got:
            m = got.pop(0)
            seen.append((m.payload, m.dup))
            hears.ack("PUBACK", m.packet_id)
            got += hears.sync()
        self.assertEqual(seen, [(b"%d" % i, i < 6) for i in range(7)])

    def test_who_sends_more_than_the_server_takes_is_ended(self):
        """5.0: 4.13.1-1, 4.13.2-1."""
        client = self.client()
        most = client.connack.props["receive_maximum"]
        client.send(b"".join(client.publish_bytes(self.top, "x", 2) for _ in range(most + 1)))
        client.end(0x93)

    def test_a_packet_larger_than_the_server_takes_ends_the_connection(self):
        """5.0: 4.13.1-1. 3.1.1: 4.8.0-1."""
        for version in BOTH:
            client = self.client(version=version)
            client.send(client.publish_bytes(self.top, b"x" * 70000, 0))
            client.end(0x95)


class End(Conformance):
    def test_after_its_disconnect_the_server_says_nothing_more_and_closes(self):
        """5.0: 3.14.4-1, 3.14.4-2, 4.13.2-1, 3.14.2-1, 3.14.2-2. 3.1.1: 4.8.0-1."""
        for version in BOTH:
            client = self.client(version=version)
            client.subscribe((self.top, 0))
            client.send(b"\0\0" + client.publish_bytes(self.top, "behind", 0) + packet("PINGREQ"))
            seen = client.end(MALFORMED)
            self.assertEqual([m.kind for m in seen], ["DISCONNECT"] if version == 5 else [])

    def test_after_a_clients_disconnect_nothing_it_sent_behind_is_done(self):
        """5.0: 3.14.4-2. 3.1.1: 3.14.4-3."""
        for version in BOTH:
            hears, client = self.client(version=version), self.client(version=version)
            hears.subscribe((self.top, 0))
            client.send(packet("DISCONNECT") + client.publish_bytes(self.top, "behind", 0))
            self.assertEqual(client.end(), [])
            self.assertEqual(hears.sync(), [])

    def test_the_servers_end_is_told(self):
        """5.0: 3.14.2-1, 3.14.4-2, 4.13.2-1."""
        client = self.client()
        self.gateway.stop()
        client.end(0x8b)
        self.gateway.start()


class OverWebSocket(Conformance):
    def upgraded(self, **more):
        web = WebSocket(self.gateway.ws_port, **more)
        self.addCleanup(web.close)
        return web

    def test_the_subprotocol_is_mqtt(self):
        """5.0: 6.0.0-4. 3.1.1: 6.0.0-4."""
        for offer in ("mqtt", "chat, mqtt", "mqtt, mqttv3.1"):
            web = self.upgraded(protocol=offer)
            self.assertTrue(web.accepted, web.status)
            self.assertEqual(web.headers["sec-websocket-protocol"], "mqtt")
        for offer in ("chat", "mqttv3.1", None):
            web = self.upgraded(protocol=offer)
            self.assertNotEqual(web.headers.get("sec-websocket-protocol"), offer or "")

    def test_a_frame_that_is_not_binary_ends_the_connection(self):
        """5.0: 6.0.0-1. 3.1.1: 6.0.0-1."""
        for version in BOTH:
            for connected in (False, True):
                client = self.raw(version, ws=True)
                if connected:
                    client.connect()
                    client.stream.frame(1, packet("PINGREQ"))
                else:
                    client.stream.frame(1, packet("CONNECT", connect_body("", version)))
                self.assertEqual([m for m in client.end() if m.kind != "DISCONNECT"], [])

    def test_packets_need_not_end_where_frames_do(self):
        """5.0: 6.0.0-2. 3.1.1: 6.0.0-2."""
        for version in BOTH:
            client = self.raw(version, ws=True)
            whole = packet("CONNECT", connect_body("", version)) + client.subscribe_bytes((self.top, 1))
            whole += client.publish_bytes(self.top, "x" * 300, 1) + packet("PINGREQ")
            for at in range(0, len(whole), 7):
                client.stream.frame(2, whole[at:at + 7])
            kinds = [client.read().kind for _ in range(5)]
            self.assertEqual(sorted(kinds), ["CONNACK", "PINGRESP", "PUBACK", "PUBLISH", "SUBACK"])
            client.stream.frame(2, packet("PINGREQ") * 20)  # many in one frame, and one in many
            first = packet("PINGREQ")
            client.stream.frame(2, first[:1], final=False)
            client.stream.frame(9, b"are you there")
            client.stream.frame(0, first[1:])
            for _ in range(21):
                client.take("PINGRESP")
            self.assertEqual(set(client.stream.opcodes), {2, 10})  # binary frames, and a pong

    def test_every_qos_works_as_over_tcp(self):
        """5.0: 4.2.0-1, 6.0.0-1. 3.1.1: 7.1.1-1, 6.0.0-1."""
        for version in BOTH:
            hears, speaks = self.client(version=version, ws=True), self.client(version=version)
            hears.subscribe((self.top, 2))
            for qos in (0, 1, 2):
                for size in (1, 125, 126, 60000):
                    speaks.publish(self.top, b"x" * size, qos)
                    got = hears.take("PUBLISH")
                    hears.answer(got)
                    self.assertEqual((got.qos, len(got.payload)), (qos, size))
                    hears.publish(f"{self.top}/back", b"x" * size, qos)

    def test_a_malformed_packet_ends_it_too(self):
        """5.0: 4.13.1-1. 3.1.1: 4.8.0-1."""
        for version in BOTH:
            client = self.client(version=version, ws=True)
            client.send(packet("PUBLISH", binary("a/#") + (b"\0" if version == 5 else b""), 0))
            client.end(0x90)

    def test_another_path_is_no_broker(self):
        """5.0: 6.0.0-4."""
        web = self.upgraded(path="/elsewhere")
        self.assertIn(" 404 ", web.status + " ")

    def test_versions_and_transports_meet(self):
        """5.0: 3.3.2-3. 3.1.1: 7.0.0-2."""
        old, new = self.client(version=4, ws=True), self.client()
        old.subscribe((f"{self.top}/#", 2))
        new.subscribe((f"{self.top}/#", 2))
        new.send(new.publish_bytes(f"{self.top}/n", "from 5.0", content_type="c"))
        old.send(old.publish_bytes(f"{self.top}/o", "from 3.1.1"))
        for client in (old, new):
            self.assertEqual({client.take("PUBLISH").payload for _ in range(2)}, {b"from 5.0", b"from 3.1.1"})


class Plain(unittest.TestCase):
    """What the client itself is good for: it would see a wrong byte."""

    def test_the_raw_client_refuses_what_no_server_may_send(self):
        for version, kind, flags, body in ((5, "CONNACK", 0, b"\2\0\0"), (5, "CONNACK", 0, b"\0\7\0"),
                                           (5, "PUBACK", 0, b"\0\1\x55"), (5, "PUBREL", 0, b"\0\1"),
                                           (5, "PUBLISH", 6, b"\0\1a\0\1\0"), (5, "PUBLISH", 8, b"\0\1a\0"),
                                           (5, "PUBLISH", 2, b"\0\1a\0\0\0"), (5, "SUBACK", 0, b"\0\1\0\3"),
                                           (4, "SUBACK", 0, b"\0\1\x87"), (4, "DISCONNECT", 0, b""),
                                           (5, "DISCONNECT", 0, b"\x81\5\x11\0\0\0\1"), (5, "PINGRESP", 0, b"\0")):
            client = Raw.__new__(Raw)
            client.version, client.maximum_packet, client.buffer = version, None, packet(kind, body, flags)
            with self.assertRaises(AssertionError, msg=(kind, body)):
                client.read()


if __name__ == "__main__":
    unittest.main()
