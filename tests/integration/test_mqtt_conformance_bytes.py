"""Chapters 1 and 2 of the standard: strings, lengths, headers, packet ids, properties."""
import struct
import unittest

from mqtt_conformance import BOTH, BROKEN, MALFORMED, PROTOCOL_ERROR, Conformance
from mqtt_raw import binary, connect_body, packet, props, varint

# No UTF-8: an overlong form, a surrogate, a cut sequence, a lone continuation, beyond U+10FFFF.
ILL_FORMED = (b"a\xc0\xafb", b"a\xed\xa0\x80b", b"a\xe2\x82", b"a\x80b", b"a\xf4\x90\x80\x80")


def places(version, text):
    """Packets of a connected client, each with this text where a string has to stand."""
    empty = b"\0" if version == 5 else b""
    yield "topic name", packet("PUBLISH", binary(text) + empty + b"x", 0)
    yield "topic filter", packet("SUBSCRIBE", b"\0\1" + empty + binary(text) + b"\0")
    yield "filter of UNSUBSCRIBE", packet("UNSUBSCRIBE", b"\0\1" + empty + binary(text))
    if version == 5:
        for name, value in (("response_topic", text), ("content_type", text), ("user", (text, "v")),
                            ("user", ("n", text))):
            yield name, packet("PUBLISH", binary("a") + props(**{name: value}) + b"x", 0)
        yield "reason", packet("DISCONNECT", b"\0" + props(reason=text))


def connects(version, text):
    yield "client id", connect_body(text, version)
    yield "will topic", connect_body("", version, will=(text, b"x"))
    yield "user name", connect_body("", version, user=text, password="p")


class Data(Conformance):
    def refuse_everywhere(self, text):
        for version in BOTH:
            for where, data in places(version, text):
                with self.subTest(where=where):
                    self.ends(data, *BROKEN, version=version)
            for where, body in connects(version, text):
                with self.subTest(where=where):
                    client = self.raw(version)
                    client.send(packet("CONNECT", body))
                    answers = client.end()
                    self.assertTrue(all(got.kind == "CONNACK" and got.code for got in answers), answers)
                    self.assertLessEqual(len(answers), 1)

    def test_text_that_is_no_utf8_ends_the_connection(self):
        """5.0: 1.5.4-1, 1.5.7-1, 3.1.3-4, 3.1.3-11, 3.1.3-12, 3.3.2-1, 3.3.2-13, 3.3.2-19, 3.8.3-1, 3.10.3-1,
        4.13.1-1. 3.1.1: 1.5.3-1, 3.1.3-4, 3.1.3-10, 3.1.3-11, 3.3.2-1, 3.8.3-1, 3.10.3-1."""
        for text in ILL_FORMED:
            self.refuse_everywhere(text)

    def test_a_null_character_ends_the_connection(self):
        """5.0: 1.5.4-2, 4.7.3-2. 3.1.1: 1.5.3-2, 4.7.3-2."""
        self.refuse_everywhere(b"a\0b")

    def test_a_byte_order_mark_is_a_character_as_any_other(self):
        """5.0: 1.5.4-3. 3.1.1: 1.5.3-3."""
        for version in BOTH:
            hears, speaks = self.client(version=version), self.client(version=version)
            marked, plain = f"{self.top}/{version}/\ufeffa", f"{self.top}/{version}/a"
            hears.subscribe((marked, 0))
            speaks.publish(plain, "without")
            speaks.publish(marked, "with")
            self.assertEqual(hears.messages(), [(marked, "with")])

    def test_a_length_takes_as_few_bytes_as_it_can(self):
        """5.0: 1.5.5-1."""
        self.ends(b"\xc0\x80\0", MALFORMED)  # PINGREQ with a Remaining Length of two bytes
        self.ends(packet("PUBLISH", binary("a") + b"\x80\0" + b"x", 0), MALFORMED)
        long = packet("SUBSCRIBE", b"\0\1" + b"\x03\x0b\x81\0" + binary("a") + b"\0")
        self.ends(long, MALFORMED)
        hears, speaks = self.client(), self.client()
        hears.subscribe((self.top, 0))
        for size in (0, 100, 127 - 3 - len(self.top), 128 - 3 - len(self.top), 16383, 16384, 60000):
            speaks.publish(self.top, b"x" * size)  # what comes back is parsed strictly
            self.assertEqual([len(m.payload) for m in hears.sync()], [size])

    def test_a_length_of_five_bytes_ends_the_connection(self):
        """5.0: 1.5.5-1, 4.13.1-1. 3.1.1: 4.8.0-1."""
        for version in BOTH:
            self.ends(b"\x30\xff\xff\xff\xff\x01", MALFORMED, version=version)

    def test_packets_may_come_in_pieces_and_together(self):
        """5.0: 4.2.0-1, 3.12.4-1. 3.1.1: 7.1.1-1, 3.12.4-1."""
        for version in BOTH:
            client = self.raw(version)
            whole = packet("CONNECT", connect_body("", version)) + packet("PINGREQ") + client.publish_bytes("a", "b", 1)
            for byte in whole:
                client.send(bytes([byte]))
            client.take("CONNACK")
            client.take("PINGRESP")
            client.take("PUBACK")
            client.send(packet("PINGREQ") * 50)
            for _ in range(50):
                client.take("PINGRESP")


class Header(Conformance):
    def test_reserved_flags_end_the_connection(self):
        """5.0: 2.1.3-1, 3.6.1-1, 3.8.1-1, 3.10.1-1, 3.14.1-1. 3.1.1: 2.2.2-1, 2.2.2-2, 3.6.1-1, 3.8.1-1, 3.10.1-1,
        3.14.1-1."""
        for version in BOTH:
            empty = b"\0" if version == 5 else b""
            bodies = {"PUBACK": b"\0\1", "PUBREC": b"\0\1", "PUBREL": b"\0\1", "PUBCOMP": b"\0\1",
                      "SUBSCRIBE": b"\0\1" + empty + binary("a") + b"\0", "UNSUBSCRIBE": b"\0\1" + empty + binary("a"),
                      "PINGREQ": b"", "DISCONNECT": b""}
            for kind, body in bodies.items():
                right = 2 if kind in ("PUBREL", "SUBSCRIBE", "UNSUBSCRIBE") else 0
                for flags in (right ^ 1, right ^ 2, right ^ 4, right ^ 8):
                    with self.subTest(kind=kind, flags=flags):
                        self.ends(packet(kind, body, flags), MALFORMED, version=version)
            client = self.raw(version)
            client.send(packet("CONNECT", connect_body("", version), 1))
            self.assertEqual([got for got in client.end() if got.code == 0], [])

    def test_reserved_flags_of_auth_end_the_connection(self):
        """5.0: 3.15.1-1."""
        for flags in (1, 2, 4, 8):
            self.ends(packet("AUTH", b"", flags), MALFORMED)

    def test_the_reserved_packet_types_end_the_connection(self):
        """5.0: 4.13.1-1. 3.1.1: 4.8.0-1."""
        for version in BOTH:
            self.ends(b"\0\0", MALFORMED, version=version)
        self.ends(b"\xf0\0", version=4)  # AUTH is of 5.0

    def test_what_only_a_server_sends_ends_the_connection(self):
        """5.0: 4.13.1-1. 3.1.1: 4.8.0-1."""
        for version in BOTH:
            empty = b"\0" if version == 5 else b""
            for kind, body in (("CONNACK", b"\0\0" + empty), ("SUBACK", b"\0\1" + empty + b"\0"),
                               ("UNSUBACK", b"\0\1" + empty + b"\0"[:len(empty)]), ("PINGRESP", b"")):
                with self.subTest(kind=kind):
                    self.ends(packet(kind, body), *BROKEN, version=version)

    def test_bytes_behind_the_end_of_a_packet_end_the_connection(self):
        """5.0: 4.13.1-1. 3.1.1: 4.8.0-1."""
        for version in BOTH:
            self.ends(packet("PINGREQ", b"x"), MALFORMED, version=version)
            body = connect_body("", version) + b"x"
            client = self.raw(version)
            client.send(packet("CONNECT", body))
            self.assertEqual([got for got in client.end() if got.code == 0], [])
        self.ends(packet("PUBACK", b"\0\1\0"), version=4)


class PacketIds(Conformance):
    def test_a_packet_id_is_not_zero(self):
        """5.0: 4.13.1-1. 3.1.1: 2.3.1-1."""
        for version in BOTH:
            empty = b"\0" if version == 5 else b""
            for data in (packet("SUBSCRIBE", b"\0\0" + empty + binary("a") + b"\0"),
                         packet("UNSUBSCRIBE", b"\0\0" + empty + binary("a")),
                         packet("PUBLISH", binary("a") + b"\0\0" + empty, 2),
                         packet("PUBLISH", binary("a") + b"\0\0" + empty, 4)):
                self.ends(data, *BROKEN, version=version)

    def test_a_message_with_qos_0_has_no_packet_id(self):
        """5.0: 2.2.1-2, 4.3.1-1, 3.3.1-2. 3.1.1: 2.3.1-5, 4.3.1-1, 3.3.1-2."""
        for version in BOTH:
            hears, speaks = self.client(version=version), self.client(version=version)
            hears.subscribe((self.top, 0))
            speaks.publish(self.top, "abc", 0)
            speaks.publish(self.top, "def", 2)
            for text in (b"abc", b"def"):
                got = hears.take("PUBLISH")  # a packet id would stand before the payload
                self.assertEqual((got.qos, got.dup, got.payload), (0, False, text))
            self.ends(packet("PUBLISH", binary("a") + (b"\0" if version == 5 else b""), 8), MALFORMED, version=version)

    def test_the_server_numbers_messages_with_ids_that_are_not_in_use(self):
        """5.0: 2.2.1-4, 4.3.2-1, 4.3.3-1. 3.1.1: 2.3.1-4, 4.3.2-1, 4.3.3-1."""
        for version in BOTH:
            hears, speaks = self.client(version=version), self.client(version=version)
            hears.subscribe((f"{self.top}/#", 2))
            for i in range(18):  # the window is 20
                speaks.publish(f"{self.top}/{i}", str(i), 1 + i % 2)
            under_way = [m for m in hears.sync() if m.kind == "PUBLISH"]
            ids = [m.packet_id for m in under_way]
            self.assertEqual(len(set(ids)), 18)
            for m in under_way[3:]:
                hears.answer(m)
            for i in range(40):
                speaks.publish(self.top + "/more", str(i), 1 + i % 2)
                fresh = [m for m in hears.sync() if m.kind == "PUBLISH"]
                for m in fresh:
                    self.assertNotIn(m.packet_id, ids[:3])
                    hears.answer(m)

    def test_acknowledgements_carry_the_packet_id_of_what_they_answer(self):
        """5.0: 2.2.1-5, 2.2.1-6, 3.8.4-1, 3.8.4-2, 3.10.4-4, 3.10.4-5. 3.1.1: 2.3.1-6, 2.3.1-7, 3.8.4-1, 3.8.4-2,
        3.10.4-4."""
        for version in BOTH:
            client = self.client(version=version)
            for number in (1, 255, 256, 65535):
                client.send(client.publish_bytes(self.top, "x", 1, packet_id=number))
                self.assertEqual(client.take("PUBACK").packet_id, number)
                client.send(client.publish_bytes(self.top, "x", 2, packet_id=number))
                self.assertEqual(client.take("PUBREC").packet_id, number)
                client.ack("PUBREL", number)
                self.assertEqual(client.take("PUBCOMP").packet_id, number)
                self.assertEqual(client.subscribe(("b", 1), packet_id=number).packet_id, number)
                self.assertEqual(client.unsubscribe("b", packet_id=number).packet_id, number)


class Properties(Conformance):
    def test_no_properties_are_said_by_a_length_of_zero(self):
        """5.0: 2.2.2-1."""
        hears, speaks = self.client(), self.client()
        hears.subscribe((self.top, 0))
        speaks.publish(self.top, "x", 0)
        self.assertEqual(hears.take("PUBLISH").raw, binary(self.top) + b"\0x")
        self.assertEqual(hears.unsubscribe(self.top).raw[2:], b"\0\0")

    def test_a_property_out_of_place_ends_the_connection(self):
        """5.0: 4.13.1-1."""
        for text in (b"\x02\x24\x01", b"\x03\x21\0\1", b"\x05\x11\0\0\0\1", b"\x01\x7f", b"\x02\x00\x01", b"\x05\x02\0"):
            self.ends(packet("PUBLISH", binary("a") + text, 0), MALFORMED, PROTOCOL_ERROR)
        self.ends(packet("SUBSCRIBE", b"\0\1" + props(message_expiry=1) + binary("a") + b"\0"), MALFORMED, PROTOCOL_ERROR)

    def test_a_property_that_comes_twice_ends_the_connection(self):
        """5.0: 4.13.1-1."""
        for twice in (props(message_expiry=[1, 1]), props(payload_format=[0, 0]), props(content_type=["a", "a"]),
                      props(alias=[1, 1]), props(response_topic=["a", "a"]), props(correlation=[b"a", b"a"])):
            self.ends(packet("PUBLISH", binary("a") + twice, 0), PROTOCOL_ERROR)

    def test_a_value_that_a_property_can_not_have_ends_the_connection(self):
        """5.0: 4.13.1-1."""
        self.ends(packet("PUBLISH", binary("a") + props(payload_format=2), 0), PROTOCOL_ERROR)
        self.ends(packet("SUBSCRIBE", b"\0\1" + props(subscription_id=0) + binary("a") + b"\0"), PROTOCOL_ERROR)
        for wrong in ({"receive_maximum": 0}, {"maximum_packet": 0}, {"request_problem": 2}, {"request_response": 2}):
            client = self.raw()
            answer = client.try_connect(**wrong)
            self.assertTrue(answer is None or answer.code in (MALFORMED, PROTOCOL_ERROR), answer)
            client.end()

    def test_lengths_that_lie_end_the_connection(self):
        """5.0: 4.13.1-1."""
        for body in (struct.pack(">H", 50) + b"abc", binary("a") + varint(100) + b"x", binary("a") + b"\x05\x03\0\x09ab"):
            self.ends(packet("PUBLISH", body, 0), MALFORMED)


if __name__ == "__main__":
    unittest.main()
