"""Sections 3.8 to 3.11, 4.7 and 4.8: SUBSCRIBE, UNSUBSCRIBE, filters, shared subscriptions."""
import unittest

from mqtt_conformance import BAD_FILTER, BOTH, MALFORMED, PROTOCOL_ERROR, Conformance
from mqtt_raw import binary, packet


class Subscribe(Conformance):
    def test_a_packet_without_filters_ends_the_connection(self):
        """5.0: 3.8.3-2, 3.10.3-2. 3.1.1: 3.8.3-3, 3.10.3-2."""
        for version in BOTH:
            empty = b"\0" if version == 5 else b""
            for kind in ("SUBSCRIBE", "UNSUBSCRIBE"):
                self.ends(packet(kind, b"\0\1" + empty), PROTOCOL_ERROR, MALFORMED, version=version)

    def test_reserved_bits_of_the_options_end_the_connection(self):
        """5.0: 3.8.3-5. 3.1.1: 3.8.3-4."""
        for version, wrong in ((4, (3, 4, 8, 16, 32, 64, 128)), (5, (3, 0x30, 0x40, 0x80, 0xc1))):
            empty = b"\0" if version == 5 else b""
            for options in wrong:
                data = packet("SUBSCRIBE", b"\0\1" + empty + binary("a") + bytes([options]))
                self.ends(data, MALFORMED, PROTOCOL_ERROR, version=version)

    def test_suback_has_a_code_for_each_filter_in_order(self):
        """5.0: 3.8.4-5, 3.8.4-6, 3.8.4-7, 3.9.3-1, 3.9.3-2. 3.1.1: 3.8.4-4, 3.8.4-5, 3.9.3-1, 3.9.3-2."""
        for version in BOTH:
            client = self.client(version=version)
            deep = "/".join("x" * 100)  # deeper than this server keeps
            client.send(client.subscribe_bytes(("a", 2), (deep, 1), ("b", 0), ("c/+", 1), ("#", 2), ("a", 1)))
            codes = client.take("SUBACK").codes
            self.assertEqual(codes, [2, codes[1], 0, 1, 2, 1])
            self.assertGreaterEqual(codes[1], 0x80)

    def test_the_qos_is_the_lower_of_the_two(self):
        """5.0: 3.8.4-8. 3.1.1: 3.8.4-6."""
        for version in BOTH:
            speaks = self.client(version=version)
            for granted in (0, 1, 2):
                hears = self.client(version=version)
                hears.subscribe((self.top, granted))
                for qos in (0, 1, 2):
                    speaks.publish(self.top, "x", qos)
                    got = hears.take("PUBLISH")
                    self.assertEqual(got.qos, min(qos, granted))
                    hears.answer(got)

    def test_a_filter_again_takes_the_place_of_the_first(self):
        """5.0: 3.8.4-3, 3.8.4-4. 3.1.1: 3.8.4-3."""
        for version in BOTH:
            hears, speaks, top = self.client(version=version), self.client(version=version), f"{self.top}/{version}"
            speaks.publish(f"{top}/kept", "kept", 1, retain=True)
            for qos in (2, 0, 1):
                hears.subscribe((f"{top}/#", qos))
                got = hears.take("PUBLISH")  # what is retained comes again
                self.assertEqual((got.payload, got.retain, got.qos), (b"kept", True, min(qos, 1)))
                hears.answer(got)
                speaks.publish(f"{top}/x", "x", 2)
                got = hears.take("PUBLISH")
                self.assertEqual(got.qos, qos)
                hears.answer(got)
                self.assertEqual(hears.sync(), [])  # and it is one subscription, not several

    def test_no_message_is_lost_while_a_subscription_is_replaced(self):
        """5.0: 3.8.4-4. 3.1.1: 3.8.4-3."""
        for version in BOTH:
            client = self.client(version=version)
            client.subscribe((self.top, 1))
            whole = b""
            for i in range(20):
                whole += client.publish_bytes(self.top, str(i), 0) + client.subscribe_bytes((self.top, i % 3))
            client.send(whole)
            seen = client.sync()
            self.assertEqual([m.payload.decode() for m in seen if m.kind == "PUBLISH"], [str(i) for i in range(20)])

    def test_overlapping_subscriptions_give_the_highest_qos(self):
        """5.0: 3.3.4-2. 3.1.1: 3.3.5-1."""
        for version in BOTH:
            hears, speaks = self.client(version=version), self.client(version=version)
            hears.subscribe((f"{self.top}/#", 0), (f"{self.top}/a", 2), (f"{self.top}/+", 1))
            speaks.publish(f"{self.top}/a", "x", 2)
            got = [m for m in hears.sync() if m.kind == "PUBLISH"]
            self.assertEqual([m.qos for m in got], [2])

    def test_the_identifiers_of_all_matching_subscriptions_are_told(self):
        """5.0: 3.3.4-3, 3.3.4-4, 3.3.4-5."""
        hears, speaks = self.client(), self.client()
        filters = [f"{self.top}/#", f"{self.top}/+", f"{self.top}/a", "+/a", "+/+", f"{self.top}/a/#", "+/#", "#", "+/a/#",
                   "+/+/#"]
        for number, text in enumerate(filters, 1):
            hears.subscribe((text, 0x21), subscription_id=number if number < 10 else 268435455)
        hears.subscribe((f"{self.top}/none", 1), subscription_id=77)
        for qos in (0, 1):
            speaks.publish(f"{self.top}/a", "x", qos)
            got = [m for m in hears.sync() if m.kind == "PUBLISH"]
            told = [number for m in got for number in m.props["subscription_id"]]
            self.assertEqual(sorted(told), [*range(1, 10), 268435455])
            for m in got:
                hears.answer(m)
        hears.subscribe((f"{self.top}/none", 1))  # again, without: it has none
        speaks.publish(f"{self.top}/none", "x")
        self.assertNotIn(77, [number for m in hears.sync() for number in m.props.get("subscription_id", [])])

    def test_no_local_keeps_ones_own_messages_away(self):
        """5.0: 3.8.3-3."""
        client, other = self.client(), self.client()
        client.subscribe((self.top, 4 | 1))
        for qos in (0, 1, 2):
            client.publish(self.top, "own", qos)
            other.publish(self.top, "other", qos)
            self.assertEqual(client.messages(), [(self.top, "other")])

    def test_no_local_with_a_shared_subscription_ends_the_connection(self):
        """5.0: 3.8.3-4."""
        self.ends(packet("SUBSCRIBE", b"\0\1\0" + binary("$share/g/a") + b"\x05"), PROTOCOL_ERROR)


class Unsubscribe(Conformance):
    def test_a_filter_is_compared_character_by_character(self):
        """5.0: 3.10.4-1, 3.10.4-2, 3.11.3-1, 3.11.3-2. 3.1.1: 3.10.4-1, 3.10.4-2."""
        for version in BOTH:
            hears, speaks = self.client(version=version), self.client(version=version)
            hears.subscribe((f"{self.top}/#", 0), (f"{self.top}-/A", 0), (f"{self.top}-/+", 0))
            answer = hears.unsubscribe(f"{self.top}/a", f"{self.top}-/a", f"{self.top}/+", f"{self.top}-/A")
            self.assertEqual(answer.codes, [0x11, 0x11, 0x11, 0] if version == 5 else [])
            speaks.publish(f"{self.top}/a", "1", 0)
            speaks.publish(f"{self.top}-/A", "2", 0)
            self.assertEqual([text for _, text in hears.messages()], ["1", "2"])
            hears.unsubscribe(f"{self.top}/#", f"{self.top}-/+")
            speaks.publish(f"{self.top}/a", "3", 1)
            speaks.publish(f"{self.top}-/A", "4", 1)
            self.assertEqual(hears.messages(), [])

    def test_it_is_answered_also_when_there_is_nothing_to_end(self):
        """5.0: 3.10.4-4, 3.10.4-5, 3.10.4-6. 3.1.1: 3.10.4-4, 3.10.4-5, 3.10.4-6."""
        for version in BOTH:
            client = self.client(version=version)
            answer = client.unsubscribe("a", "b", "c/#", packet_id=321)
            self.assertEqual((answer.packet_id, answer.codes), (321, [0x11] * 3 if version == 5 else []))
            self.assertEqual(client.sync(), [])

    def test_what_is_under_way_is_brought_to_its_end(self):
        """5.0: 3.10.4-3. 3.1.1: 3.10.4-3."""
        for version in BOTH:
            hears, speaks = self.client(version=version), self.client(version=version)
            hears.subscribe((self.top, 2))
            speaks.publish(self.top, "x", 2)
            got = hears.take("PUBLISH")
            hears.unsubscribe(self.top)
            hears.answer(got)  # PUBREL comes
            self.assertEqual(hears.sync(), [])


class Filters(Conformance):
    def test_wildcards_stand_for_whole_levels(self):
        """5.0: 4.7.1-1, 4.7.1-2, 4.7.3-1. 3.1.1: 4.7.1-2, 4.7.1-3, 4.7.3-1."""
        for version in BOTH:
            empty = b"\0" if version == 5 else b""
            for text in ("a#", "a/#/b", "#/a", "a/b#", "+a", "a+", "a/+b/c", "a/b+/c", "##", "++", "+#", ""):
                self.ends(packet("SUBSCRIBE", b"\0\1" + empty + binary(text) + b"\0"), BAD_FILTER, PROTOCOL_ERROR,
                          version=version)

    def test_wildcards_match_as_the_standard_says(self):
        """5.0: 4.7.1-1, 4.7.1-2, 3.3.2-3. 3.1.1: 4.7.1-2, 4.7.1-3, 3.3.2-3."""
        match = {"sport/tennis/#": {"sport/tennis": 1, "sport/tennis/a": 1, "sport/tennis/a/b": 1, "sport": 0},
                 "sport/+": {"sport": 0, "sport/": 1, "sport/a": 1, "sport/a/b": 0},
                 "+/+": {"/finance": 1, "finance": 0, "a/b": 1}, "/+": {"/finance": 1, "a/finance": 0},
                 "+": {"/finance": 0, "finance": 1}, "+/tennis/#": {"a/tennis": 1, "/tennis/b": 1, "tennis": 0},
                 "a/+/c": {"a/b/c": 1, "a//c": 1, "a/c": 0, "a/b/b/c": 0}, "#": {"/": 1, "a": 1}}
        for version in BOTH:
            speaks = self.client(version=version)
            for text, topics in match.items():
                hears = self.client(version=version)
                hears.subscribe((text, 0))
                for topic, fits in topics.items():
                    speaks.publish(topic, "x", 0)
                    self.assertEqual(len(hears.messages()), fits, (text, topic))
                hears.disconnect()

    def test_wildcards_at_the_front_do_not_match_dollar_topics(self):
        """5.0: 4.7.2-1. 3.1.1: 4.7.2-1."""
        for version in BOTH:
            client = self.client(version=version)
            client.subscribe(("#", 0), ("+/broker/#", 0), ("+/+", 0))
            self.assertEqual([m for m in client.sync() if m.topic.startswith("$")], [])
            client.subscribe(("$SYS/#", 0))
            self.assertTrue([m for m in client.sync() if m.topic.startswith("$SYS/")])


class Shared(Conformance):
    def test_a_shared_filter_has_a_name_and_a_filter(self):
        """5.0: 4.8.2-1, 4.8.2-2."""
        for text in ("$share/", "$share//a", "$share/g", "$share/g/", "$share/g+/a", "$share/#/a", "$share/g/a#"):
            self.ends(packet("SUBSCRIBE", b"\0\1\0" + binary(text) + b"\0"), BAD_FILTER, PROTOCOL_ERROR)

    def test_each_message_goes_to_one_member_with_its_qos(self):
        """5.0: 4.8.2-3, 4.6.0-5."""
        members, speaks = [self.client() for _ in range(3)], self.client()
        for qos, member in enumerate(members):
            member.subscribe((f"$share/g/{self.top}", qos))
        for i in range(30):
            speaks.publish(self.top, str(i), 2)
        seen = []
        for qos, member in enumerate(members):
            got = [m for m in member.sync() if m.kind == "PUBLISH"]
            self.assertEqual({m.qos for m in got}, {qos})
            seen += [m.payload for m in got]
        self.assertEqual(sorted(seen, key=int), [b"%d" % i for i in range(30)])

    def test_a_shared_and_an_ordinary_subscription_are_two(self):
        """5.0: 3.8.4-3, 3.10.4-1."""
        client, speaks = self.client(), self.client()
        client.subscribe((f"$share/g/{self.top}", 1), (self.top, 1))
        speaks.publish(self.top, "x")
        self.assertEqual(len(client.messages()), 2)
        self.assertEqual(client.unsubscribe(f"$share/h/{self.top}", f"$share/g/{self.top}").codes, [0x11, 0])
        speaks.publish(self.top, "x")
        self.assertEqual(len(client.messages()), 1)

    def test_what_is_retained_is_not_sent_to_a_share(self):
        """5.0: 3.3.1-9."""
        client = self.client()
        client.publish(self.top, "kept", retain=True)
        client.subscribe((f"$share/g/{self.top}", 1))
        self.assertEqual(client.sync(), [])

    def test_a_message_of_qos_2_under_way_stays_with_its_member(self):
        """5.0: 4.8.2-4, 4.8.2-5, 4.8.2-6."""
        more = {"clean": False, "session_expiry": 100}
        first, speaks = self.client(self.top, **more), self.client()
        first.subscribe((f"$share/g/{self.top}", 2))
        speaks.publish(self.top, "x", 2)
        sent = first.take("PUBLISH")
        first.close()
        second = self.client()
        second.subscribe((f"$share/g/{self.top}", 2))
        self.assertEqual(second.sync(), [])
        first = self.client(self.top, **more)
        again = first.take("PUBLISH")
        self.assertEqual((again.packet_id, again.dup), (sent.packet_id, True))
        self.client(self.top, clean=True).disconnect()  # its session ends: nobody else gets it
        self.assertEqual(second.sync(), [])
        speaks.publish(self.top, "y", 2)
        got = second.take("PUBLISH")
        second.ack("PUBREC", got.packet_id, 0x83)
        self.assertEqual(second.sync(), [])


if __name__ == "__main__":
    unittest.main()
