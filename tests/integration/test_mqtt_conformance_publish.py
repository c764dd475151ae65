"""Sections 3.3 to 3.7 and 4.3: PUBLISH, what is retained, what passes through, QoS 0, 1 and 2."""
import time
import unittest

from mqtt_conformance import BAD_ALIAS, BAD_TOPIC, BOTH, BROKEN, MALFORMED, PROTOCOL_ERROR, Conformance
from mqtt_raw import binary, packet, props


class Publish(Conformance):
    def test_a_message_can_not_have_both_qos_bits(self):
        """5.0: 3.3.1-4. 3.1.1: 3.3.1-4."""
        for version in BOTH:
            empty = b"\0" if version == 5 else b""
            for dup in (0, 8):
                self.ends(packet("PUBLISH", binary("a") + b"\0\1" + empty, 6 | dup), MALFORMED, version=version)

    def test_a_topic_name_has_no_wildcards_and_is_not_empty(self):
        """5.0: 3.3.2-2, 4.7.0-1, 4.7.3-1. 3.1.1: 3.3.2-2, 4.7.1-1, 4.7.3-1."""
        for version in BOTH:
            empty = b"\0" if version == 5 else b""
            for topic in ("a/+", "#", "a/#", "+", "a+b", "a#", ""):
                self.ends(packet("PUBLISH", binary(topic) + empty, 0), BAD_TOPIC, PROTOCOL_ERROR, version=version)

    def test_topics_differ_by_every_character(self):
        """5.0: 3.3.2-3, 4.7.3-4. 3.1.1: 4.7.3-4."""
        names = ["a", "A", "/a", "a/", "a//b", "a/b", "/", "//", "ä", "a\u0308", " a", "a ", "\u00c5", "\u212b", "a/./b"]
        for version in BOTH:
            hears, speaks = self.client(version=version), self.client(version=version)
            hears.subscribe(*((f"{self.top}{name}", 0) for name in names))
            for name in names:
                speaks.publish(self.top + name, name, 0)
            self.assertEqual(hears.messages(), [(self.top + name, name) for name in names])

    def test_the_longest_topic_is_taken(self):
        """5.0: 4.7.3-3. 3.1.1: 4.7.3-3."""
        for version in BOTH:
            hears, speaks = self.client(version=version), self.client(version=version)
            topic = self.top + "x" * (65000 - len(self.top))
            hears.subscribe((topic, 1))
            speaks.publish(topic, "far", 1)
            self.assertEqual(hears.messages(), [(topic, "far")])

    def test_dup_is_of_one_hop_only(self):
        """5.0: 3.3.1-3, 4.3.2-2, 4.3.3-2. 3.1.1: 3.3.1-3, 4.3.2-1, 4.3.3-1."""
        for version in BOTH:
            hears, speaks = self.client(version=version), self.client(version=version)
            hears.subscribe((self.top, 2))
            for qos in (1, 2):
                speaks.publish(self.top, "x", qos, dup=True)
                got = hears.take("PUBLISH")
                self.assertEqual((got.qos, got.dup), (qos, False))
                hears.answer(got)

    def test_a_message_is_answered_as_its_qos_says(self):
        """5.0: 3.3.4-1, 4.3.2-4, 4.3.3-8, 4.3.3-11, 3.4.2-1, 3.5.2-1, 3.6.2-1, 3.7.2-1. 3.1.1: 4.3.2-2, 4.3.3-2,
        3.3.4-1."""
        for version in BOTH:
            client = self.client(version=version)
            client.send(client.publish_bytes(self.top, "0", 0))
            self.assertEqual(client.sync(), [])
            for _ in range(3):
                self.assertIn(client.publish(self.top, "1", 1), (0, 0x10))
                self.assertIn(client.publish(self.top, "2", 2), (0, 0x10))
            self.assertEqual(client.sync(), [])

    def test_an_unknown_packet_id_is_answered(self):
        """5.0: 3.6.2-1, 3.7.2-1, 4.3.3-11. 3.1.1: 4.3.3-2."""
        for version in BOTH:
            client = self.client(version=version)
            client.ack("PUBREL", 99)
            self.assertEqual(client.take("PUBCOMP").code, 0x92 if version == 5 else 0)
            client.ack("PUBREC", 98)
            self.assertEqual(client.take("PUBREL").code, 0x92 if version == 5 else 0)
            client.ack("PUBACK", 97)
            client.ack("PUBCOMP", 96)
            self.assertEqual(client.sync(), [])


class Qos2(Conformance):
    def test_a_message_sent_twice_is_delivered_once(self):
        """5.0: 4.3.3-10, 4.3.3-12. 3.1.1: 4.3.3-2."""
        for version in BOTH:
            hears, speaks = self.client(version=version), self.client(version=version)
            hears.subscribe((self.top, 0))
            for dup in (False, True, True):
                speaks.send(speaks.publish_bytes(self.top, "one", 2, dup=dup, packet_id=7))
                self.assertIn(speaks.take("PUBREC").code, (0, 0x10))
            speaks.ack("PUBREL", 7)
            self.assertEqual(speaks.take("PUBCOMP").packet_id, 7)
            speaks.publish(self.top, "two", 2, packet_id=7, dup=True)  # the id is free: a new message
            self.assertEqual(hears.messages(), [(self.top, "one"), (self.top, "two")])

    def test_a_message_sent_twice_is_delivered_once_over_a_reconnect(self):
        """5.0: 4.3.3-10, 4.1.0-1. 3.1.1: 4.3.3-2."""
        for version in BOTH:
            more = {"session_expiry": 100} if version == 5 else {}
            hears, speaks = self.client(version=version), self.client(self.top, version, clean=False, **more)
            hears.subscribe((self.top, 0))
            speaks.send(speaks.publish_bytes(self.top, "one", 2, packet_id=7))
            speaks.take("PUBREC")
            speaks.close()
            speaks = self.client(self.top, version, clean=False, **more)
            speaks.send(speaks.publish_bytes(self.top, "one", 2, dup=True, packet_id=7))
            speaks.take("PUBREC")
            speaks.ack("PUBREL", 7)
            self.assertEqual(speaks.take("PUBCOMP").code, 0)
            self.assertEqual(hears.messages(), [(self.top, "one")])
            self.client(self.top, version).disconnect()

    def test_a_refused_message_leaves_its_id_free(self):
        """5.0: 4.3.3-9, 4.4.0-2."""
        client = self.client()
        client.subscribe((self.top, 0))
        self.assertEqual(client.publish("$SYS/mine", "x", 2, packet_id=9), 0x87)
        client.send(client.publish_bytes(self.top, "y", 2, packet_id=9))
        self.assertEqual(sorted(client.read().kind for _ in range(2)), ["PUBLISH", "PUBREC"])

    def test_the_server_goes_through_all_steps(self):
        """5.0: 4.3.3-3, 4.3.3-4, 4.3.3-5, 4.3.3-6, 3.6.2-1. 3.1.1: 4.3.3-1."""
        for version in BOTH:
            hears, speaks = self.client(version=version), self.client(version=version)
            hears.subscribe((self.top, 2))
            speaks.publish(self.top, "x", 2)
            got = hears.take("PUBLISH")
            self.assertEqual(hears.sync(), [])  # nothing is sent again while the connection lives
            hears.ack("PUBREC", got.packet_id)
            self.assertEqual(hears.take("PUBREL").packet_id, got.packet_id)
            hears.ack("PUBREC", got.packet_id)  # again
            self.assertEqual([(m.kind, m.code) for m in hears.sync(1)], [("PUBREL", 0)])
            hears.ack("PUBCOMP", got.packet_id)
            self.assertEqual(hears.sync(), [])
            hears.ack("PUBREC", got.packet_id)
            self.assertEqual(hears.take("PUBREL").code, 0x92 if version == 5 else 0)

    def test_a_refusal_by_the_subscriber_ends_the_delivery(self):
        """5.0: 4.4.0-2, 4.8.2-6."""
        more = {"clean": False, "session_expiry": 100}
        hears, speaks = self.client(self.top, **more), self.client()
        hears.subscribe((self.top, 2))
        for qos in (1, 2):
            speaks.publish(self.top, "x", qos)
            got = hears.take("PUBLISH")
            hears.ack("PUBACK" if qos == 1 else "PUBREC", got.packet_id, 0x97)
            self.assertEqual(hears.sync(), [])
        hears.close()
        self.assertEqual(self.client(self.top, **more).sync(), [])


class Qos1(Conformance):
    def test_an_id_used_again_is_a_new_message(self):
        """5.0: 4.3.2-5. 3.1.1: 4.3.2-2."""
        for version in BOTH:
            hears, speaks = self.client(version=version), self.client(version=version)
            hears.subscribe((self.top, 0))
            for text in ("one", "two"):
                speaks.publish(self.top, text, 1, packet_id=5, dup=True)
            self.assertEqual(hears.messages(), [(self.top, "one"), (self.top, "two")])

    def test_a_message_is_under_way_until_it_is_acknowledged(self):
        """5.0: 4.3.2-3, 3.3.1-1, 4.4.0-1, 4.3.3-3, 4.3.3-5, 4.3.3-6. 3.1.1: 4.3.2-1, 3.3.1-1, 4.4.0-1, 4.3.3-1, 4.6.0-1,
        2.3.1-4."""
        for version in BOTH:
            more = {"session_expiry": 100} if version == 5 else {}
            speaks = self.client(version=version)
            hears = self.client(self.top, version, clean=False, **more)
            hears.subscribe((f"{self.top}/#", 2))
            for i in range(6):
                speaks.publish(f"{self.top}/{i}", str(i), 1 + i % 2)
            under_way = {m.payload: m for m in hears.sync(6)}
            hears.ack("PUBACK", under_way[b"0"].packet_id)
            hears.ack("PUBREC", under_way[b"1"].packet_id)
            hears.take("PUBREL")
            hears.close()
            for _ in range(2):  # every time it comes back
                hears = self.client(self.top, version, clean=False, **more)
                again = hears.sync(5)
                self.assertEqual([(m.kind, m.packet_id) for m in again if m.kind == "PUBREL"],
                                 [("PUBREL", under_way[b"1"].packet_id)])
                sent = [m for m in again if m.kind == "PUBLISH"]
                self.assertEqual([m.payload for m in sent], [b"2", b"3", b"4", b"5"])
                self.assertTrue(all(m.dup and m.packet_id == under_way[m.payload].packet_id for m in sent))
                hears.close()
            self.client(self.top, version).disconnect()

    def test_what_is_under_way_survives_the_servers_end(self):
        """5.0: 4.1.0-1, 4.4.0-1, 3.1.2-23. 3.1.1: 4.1.0-1, 4.4.0-1."""
        for version in BOTH:
            more = {"session_expiry": 100} if version == 5 else {}
            name = f"{self.top}{version}"
            speaks = self.client(version=version)
            hears = self.client(name, version, clean=False, **more)
            extra = {"subscription_id": 5} if version == 5 else {}
            hears.subscribe((f"{name}/#", 2), **extra)
            hears.subscribe((f"{name}/+", 1), **({"subscription_id": 6} if version == 5 else {}))
            for i in range(4):
                speaks.publish(f"{name}/{i}", str(i), 1 + i % 2)
            first = {m.payload: m for m in hears.sync(4)}
            self.gateway.kill()
            self.gateway.start()
            hears = self.client(name, version, clean=False, **more)
            self.assertTrue(hears.connack.present)
            sent = hears.sync(4)
            self.assertEqual([m.payload for m in sent], [b"0", b"1", b"2", b"3"])
            self.assertTrue(all(m.packet_id == first[m.payload].packet_id for m in sent if m.qos == 2))
            if version == 5:
                self.assertTrue(all(sorted(m.props["subscription_id"]) == [5, 6] for m in sent))
            for m in sent:
                hears.answer(m)
            self.client(name, version).disconnect()

    def test_what_was_acknowledged_is_not_sent_again_after_the_servers_end(self):
        """5.0: 4.3.2-3, 4.4.0-1. 3.1.1: 4.4.0-1."""
        for version in BOTH:
            more, name = {"session_expiry": 100} if version == 5 else {}, f"{self.top}{version}"
            speaks, hears = self.client(version=version), self.client(name, version, clean=False, **more)
            hears.subscribe((name, 2))
            for i in range(6):
                speaks.publish(name, str(i), 1 + i % 2)
            for m in hears.sync(6)[2:4]:
                hears.answer(m)
            speaks.publish("in/device/x", "1")  # acknowledged: the records before it are safe
            self.gateway.kill()
            self.gateway.start()
            hears = self.client(name, version, clean=False, **more)
            self.assertEqual([m.payload for m in hears.sync(4)], [b"0", b"1", b"4", b"5"])
            self.client(name, version).disconnect()


class Retained(Conformance):
    def kept(self, version=5, qos=2, top=None):
        client = self.client(version=version)
        client.subscribe((f"{top or self.top}/#", qos))
        got = [m for m in client.sync() if m.kind == "PUBLISH"]
        self.assertTrue(all(m.retain for m in got))
        client.close()
        return [(m.topic, m.payload.decode(), m.qos) for m in got]

    def test_the_last_one_of_each_topic_is_kept(self):
        """5.0: 3.3.1-5, 3.3.1-8, 3.3.1-9. 3.1.1: 3.3.1-5, 3.3.1-6, 3.3.1-7, 3.3.1-8, 3.3.1-12."""
        for version in BOTH:
            speaks, top = self.client(version=version), f"{self.top}/{version}"
            for qos in (0, 1, 2):
                speaks.publish(f"{top}/{qos}", "first", qos, retain=True)
                speaks.publish(f"{top}/{qos}", "second", qos, retain=True)
                speaks.publish(f"{top}/{qos}", "not kept", qos, retain=False)
            self.assertEqual(sorted(self.kept(version, top=top)), [(f"{top}/{q}", "second", q) for q in (0, 1, 2)])
            speaks.publish(f"{top}/2", "third", 0, retain=True)  # QoS 0 takes the place of QoS 2
            self.assertIn((f"{top}/2", "third", 0), self.kept(version, top=top))

    def test_an_empty_one_removes_it_and_is_not_kept(self):
        """5.0: 3.3.1-6, 3.3.1-7. 3.1.1: 3.3.1-10, 3.3.1-11."""
        for version in BOTH:
            for qos in (0, 1, 2):
                hears, speaks = self.client(version=version), self.client(version=version)
                speaks.publish(f"{self.top}/a", "x", 1, retain=True)
                hears.subscribe((f"{self.top}/#", 0))
                hears.take("PUBLISH")
                speaks.publish(f"{self.top}/a", b"", qos, retain=True)
                got = hears.take("PUBLISH")  # as any other message
                self.assertEqual((got.payload, got.retain), (b"", False))
                self.assertEqual(self.kept(version), [])

    def test_retained_messages_are_no_part_of_a_session(self):
        """5.0: 4.1.0-2. 3.1.1: 3.1.2-7."""
        for version in BOTH:
            self.client(self.top, version).publish(f"{self.top}/{version}", "kept", 1, retain=True)
            self.client(self.top, version).disconnect()
            self.assertIn((f"{self.top}/{version}", "kept", 1), self.kept(version))

    def test_retain_handling_says_when_they_are_sent(self):
        """5.0: 3.3.1-9, 3.3.1-10, 3.3.1-11, 3.8.4-4."""
        self.client().publish(self.top, "kept", retain=True)
        client = self.client()
        for handling, is_new, count in ((2, True, 0), (1, False, 0), (0, False, 1), (0, False, 1), (2, False, 0)):
            client.subscribe((self.top, handling << 4))
            self.assertEqual(len(client.messages()), count, (handling, is_new))
        client.unsubscribe(self.top)
        for count in (1, 0):
            client.subscribe((self.top, 1 << 4))
            self.assertEqual(len(client.messages()), count)

    def test_retain_as_published_says_whether_the_flag_is_kept(self):
        """5.0: 3.3.1-12, 3.3.1-13. 3.1.1: 3.3.1-9."""
        for qos in (0, 1, 2):
            for option in (0, 8):
                hears, speaks = self.client(), self.client()
                hears.subscribe((self.top, option | qos | 2 << 4))
                for retain in (True, False):
                    speaks.publish(self.top, "x", qos, retain=retain)
                    got = hears.take("PUBLISH")
                    hears.answer(got)
                    self.assertEqual(got.retain, retain and option == 8)
        hears, speaks = self.client(version=4), self.client(version=4)
        hears.subscribe((self.top + "/old", 1))
        speaks.publish(self.top + "/old", "x", retain=True)
        self.assertFalse(hears.take("PUBLISH").retain)


class Passing(Conformance):
    """What the publisher said of its message reaches each subscriber."""

    def through(self, qos=1, retain=False, **more):
        hears, speaks = self.client(), self.client()
        if not retain:
            hears.subscribe((self.top, 2))
        speaks.publish(self.top, "text", qos, retain=retain, **more)
        if retain:
            hears.subscribe((self.top, 2))
        return hears.take("PUBLISH").props

    def test_properties_pass_unaltered(self):
        """5.0: 3.3.2-4, 3.3.2-15, 3.3.2-16, 3.3.2-20."""
        said = {"payload_format": 1, "content_type": "text/ü", "response_topic": "r/é", "correlation": b"\0\xff\1"}
        for qos in (0, 1, 2):
            for retain in (False, True):
                self.assertEqual(self.through(qos, retain, **said), said)
        self.top += "/new"
        self.assertEqual(self.through(payload_format=0).get("payload_format", 0), 0)
        self.assertEqual(self.through(content_type="", correlation=b""), {"content_type": "", "correlation": b""})

    def test_user_properties_pass_in_their_order(self):
        """5.0: 3.3.2-17, 3.3.2-18."""
        pairs = [("b", "1"), ("a", ""), ("", "x"), ("b", "1"), ("ü", "é" * 100)] + [(str(i), str(i)) for i in range(50)]
        for qos in (0, 1, 2):
            self.assertEqual(self.through(qos, user=pairs, content_type="between")["user"], pairs)
        self.assertEqual(self.through(1, True, user=pairs)["user"], pairs)

    def test_a_lifetime_is_told_less_what_it_waited(self):
        """5.0: 3.3.2-5, 3.3.2-6."""
        more = {"clean": False, "session_expiry": 100}
        client = self.client(self.top, **more)
        client.subscribe((self.top, 1))
        client.close()
        speaks = self.client()
        for life in (1, 100):
            speaks.publish(self.top, str(life), message_expiry=life)
        speaks.publish(self.top + "/kept", "kept", retain=True, message_expiry=1)
        time.sleep(2.1)  # the lifetime under test
        client = self.client(self.top, **more)
        got = client.take("PUBLISH")
        self.assertEqual(got.payload, b"100")
        self.assertIn(got.props["message_expiry"], (97, 98))
        client.subscribe((self.top + "/kept", 1))
        self.assertEqual(client.sync(), [])

    def test_what_was_sent_once_does_not_expire(self):
        """5.0: 4.3.3-7, 4.3.3-13."""
        more = {"clean": False, "session_expiry": 100}
        client, speaks = self.client(self.top, **more), self.client()
        client.subscribe((self.top, 2))
        speaks.publish(self.top, "x", 2, message_expiry=1)
        first = client.take("PUBLISH")
        client.close()
        time.sleep(1.5)  # longer than its lifetime
        client = self.client(self.top, **more)
        again = client.take("PUBLISH")
        self.assertEqual((again.packet_id, again.dup), (first.packet_id, True))
        self.assertLessEqual(again.props["message_expiry"], 1)
        client.answer(again)
        self.assertEqual(client.sync(), [])

    def test_a_wildcard_in_a_response_topic_ends_the_connection(self):
        """5.0: 3.3.2-14."""
        for topic in ("a/+", "#", ""):
            self.ends(packet("PUBLISH", binary("a") + props(response_topic=topic), 0), *BROKEN)

    def test_a_client_may_not_send_subscription_identifiers(self):
        """5.0: 3.3.4-6."""
        self.ends(packet("PUBLISH", binary("a") + props(subscription_id=5), 0), PROTOCOL_ERROR)


class Alias(Conformance):
    def test_every_alias_up_to_the_maximum_is_taken(self):
        """5.0: 3.3.2-12."""
        hears, speaks = self.client(), self.client()
        hears.subscribe((f"{self.top}/#", 0))
        most = speaks.connack.props["alias_maximum"]
        for alias in range(1, most + 1):
            speaks.publish(f"{self.top}/{alias}", "named", 0, alias=alias)
        for alias in range(most, 0, -1):
            speaks.publish("", "by alias", 0, alias=alias)
        speaks.publish(f"{self.top}/new", "named", 0, alias=1)  # it may be given to another topic
        speaks.publish("", "by alias", 1, alias=1)
        got = hears.messages()
        self.assertEqual(got[:most], [(f"{self.top}/{i}", "named") for i in range(1, most + 1)])
        self.assertEqual(got[most:2 * most], [(f"{self.top}/{i}", "by alias") for i in range(most, 0, -1)])
        self.assertEqual(got[-1], (f"{self.top}/new", "by alias"))

    def test_an_alias_of_zero_or_beyond_the_maximum_ends_the_connection(self):
        """5.0: 3.3.2-8, 3.3.2-12, 4.13.1-1."""
        most = self.client().connack.props["alias_maximum"]
        for alias in (0, most + 1, 65535):
            self.ends(packet("PUBLISH", binary("a") + props(alias=alias), 0), BAD_ALIAS)

    def test_an_alias_is_of_its_connection_only(self):
        """5.0: 3.3.2-7."""
        more = {"clean": False, "session_expiry": 100}
        client = self.client(self.top, **more)
        client.publish(self.top, "x", 1, alias=1)
        client.close()
        client = self.client(self.top, **more)
        self.assertTrue(client.connack.present)
        client.send(client.publish_bytes("", "x", 0, alias=1))
        client.end(PROTOCOL_ERROR, BAD_ALIAS)


if __name__ == "__main__":
    unittest.main()
