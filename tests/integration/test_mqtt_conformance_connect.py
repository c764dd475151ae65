"""Sections 3.1 and 3.2: CONNECT, CONNACK, who is let in, wills, keep alive."""
import socket
import time
import unittest

from gateway import Gateway
from mqtt_conformance import BOTH, BROKEN, MALFORMED, PROTOCOL_ERROR, Conformance, config
from mqtt_raw import Raw, binary, connect_body, packet, props

LETTERS = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


class Connect(Conformance):
    def refused(self, body, *codes, version=5, flags=None):
        """The server ends the connection, with a CONNACK that says one of these, or without."""
        client = self.raw(version)
        client.send(packet("CONNECT", body, flags))
        answers = client.end()
        self.assertLessEqual(len(answers), 1)
        for got in answers:
            self.assertEqual((got.kind, got.present), ("CONNACK", False))
            self.assertIn(got.code, codes)
        return answers

    def test_the_first_packet_has_to_be_connect(self):
        """5.0: 3.1.0-1, 3.14.0-1. 3.1.1: 3.1.0-1."""
        for data in (packet("PINGREQ"), packet("PUBLISH", binary("a") + b"\0x", 0), packet("DISCONNECT"),
                     packet("SUBSCRIBE", b"\0\1\0" + binary("a") + b"\0"), packet("AUTH")):
            client = self.raw()
            client.send(data + packet("CONNECT", connect_body("")))
            self.assertEqual(client.end(), [])

    def test_a_second_connect_ends_the_connection(self):
        """5.0: 3.1.0-2, 3.2.0-2. 3.1.1: 3.1.0-2."""
        for version in BOTH:
            self.ends(packet("CONNECT", connect_body("", version)), PROTOCOL_ERROR, version=version)

    def test_another_protocol_name_is_refused(self):
        """5.0: 3.1.2-1. 3.1.1: 3.1.2-1."""
        for version in BOTH:
            for name in ("mqtt", "MQTTX", "HTTP", "", "MQIsdp"):
                self.refused(connect_body("", version, name=name), 0x84, 1, version=4)

    def test_another_version_is_refused_and_told_so(self):
        """5.0: 3.1.2-2, 3.2.2-7. 3.1.1: 3.1.2-2, 3.2.2-5."""
        for level in (0, 1, 2, 6, 7, 0x84, 255):
            answers = self.refused(connect_body("", level), 0x84, 1, version=4)
            self.assertEqual([got.code for got in answers], [1])

    def test_flags_that_contradict_are_refused(self):
        """5.0: 3.1.2-3, 3.1.2-11, 3.1.2-12, 3.1.2-13, 3.1.4-1. 3.1.1: 3.1.2-3, 3.1.2-11, 3.1.2-13, 3.1.2-14, 3.1.2-15,
        3.1.2-22, 3.1.4-1."""
        for version in BOTH:
            will = connect_body("", version, will=("a", "b"))
            for flags, body in ((3, connect_body("", version)), (2 | 0x08, connect_body("", version)),
                                (2 | 0x20, connect_body("", version)), (2 | 0x10, connect_body("", version)),
                                (2 | 4 | 0x18, will)):
                self.refused(body[:7] + bytes([flags]) + body[8:], *BROKEN, version=version)
        self.refused(connect_body("", 4, password="p"), version=4)  # a password without a name

    def test_fields_are_present_as_the_flags_say(self):
        """5.0: 3.1.2-9, 3.1.2-16, 3.1.2-17, 3.1.2-18, 3.1.2-19, 3.1.3-3, 3.1.4-1. 3.1.1: 3.1.2-9, 3.1.2-18, 3.1.2-19,
        3.1.2-20, 3.1.2-21, 3.1.3-3, 3.1.4-1."""
        for version in BOTH:
            bare = connect_body("", version)
            for flags in (0x82, 0xc2, 0x06):  # user name, password, will: of which there are none
                self.refused(bare[:7] + bytes([flags]) + bare[8:], *BROKEN, version=version)
            for more in ({"will": ("a", "b")}, {"user": "u"}, {"user": "u", "password": "p"}):
                full = connect_body("", version, **more)  # and the other way round
                self.refused(full[:7] + b"\x02" + full[8:], *BROKEN, version=version)
            self.refused(bare[:-2], *BROKEN, version=version)  # no client id

    def test_the_fields_are_read_in_their_order(self):
        """5.0: 3.1.3-1. 3.1.1: 3.1.3-1."""
        for version in BOTH:
            hears = self.client(version=version)
            hears.subscribe((self.top, 2))
            client = self.raw(version)
            client.connect(f"order{version}", will=(self.top, "the will", 1, False, props(content_type="c")), user="",
                           password="")
            client.close()
            got = hears.take("PUBLISH")
            self.assertEqual((got.payload, got.props.get("content_type")), (b"the will", "c" if version == 5 else None))

    def test_a_client_id_names_the_session(self):
        """5.0: 3.1.3-2. 3.1.1: 3.1.3-2."""
        for version in BOTH:
            more = {"session_expiry": 100} if version == 5 else {}
            for name in ("one", "two"):
                client = self.client(f"{self.top}{version}{name}", version, clean=False, **more)
                client.subscribe((f"{self.top}/{name}", 1))
                client.disconnect()
            speaks = self.client(version=version)
            speaks.publish(f"{self.top}/one", "1")
            speaks.publish(f"{self.top}/two", "2")
            for name, text in (("one", "1"), ("two", "2")):
                client = self.client(f"{self.top}{version}{name}", version, clean=False)
                self.assertTrue(client.connack.present)
                self.assertEqual(client.messages(), [(f"{self.top}/{name}", text)])
                client.disconnect()

    def test_names_of_1_to_23_letters_and_digits_are_taken(self):
        """5.0: 3.1.3-5. 3.1.1: 3.1.3-5."""
        for version in BOTH:
            for name in ("a", LETTERS[:23], LETTERS[23:46], LETTERS[46:], "longer than 23 bytes, with blanks/and ü"):
                self.client(name, version).disconnect()

    def test_a_client_without_a_name_is_given_one_that_is_new(self):
        """5.0: 3.1.3-6, 3.1.3-7, 3.2.2-16. 3.1.1: 3.1.3-6."""
        names = set()
        for _ in range(20):
            client = self.client()
            name = client.connack.props["assigned_id"]
            self.assertTrue(name)
            names.add(name)
        self.assertEqual(len(names), 20)
        other = self.client(name)  # it counts as if the client had said it: it is taken over
        client.end(0x8e)
        self.assertNotIn("assigned_id", other.connack.props)
        self.client("", 4).disconnect()

    def test_an_old_client_without_a_name_has_to_begin_clean(self):
        """3.1.1: 3.1.3-8, 3.2.2-4, 3.2.2-5."""
        answers = self.refused(connect_body("", 4, clean=False), 2, version=4)
        self.assertEqual([got.code for got in answers], [2])

    def test_a_name_that_is_not_taken_is_refused_as_such(self):
        """5.0: 3.1.3-8, 3.2.2-6, 3.2.2-7, 4.13.2-1. 3.1.1: 3.1.3-9, 3.2.2-4, 3.2.2-5."""
        for version, code in ((4, 2), (5, 0x85)):
            answers = self.refused(connect_body("n" * 1000, version), code, version=version)
            self.assertEqual([got.code for got in answers], [code])

    def test_connack_is_the_first_that_comes_and_comes_once(self):
        """5.0: 3.1.4-5, 3.2.0-1, 3.2.0-2, 3.2.2-1, 3.2.2-8. 3.1.1: 3.1.4-4, 3.2.0-1, 3.1.4-1."""
        for version in BOTH:
            client = self.raw(version)
            filters = client.subscribe_bytes((self.top, 1))
            client.send(packet("CONNECT", connect_body("", version)) + filters + client.publish_bytes(self.top, "x", 1))
            kinds = [client.read().kind for _ in range(4)]
            self.assertEqual(kinds[0], "CONNACK")
            self.assertEqual(sorted(kinds[1:]), ["PUBACK", "PUBLISH", "SUBACK"])
            self.assertEqual(client.sync(), [])

    def test_what_a_refused_client_sent_behind_is_not_done(self):
        """5.0: 3.1.4-6. 3.1.1: 3.1.4-5."""
        for version in BOTH:
            hears = self.client(version=version)
            hears.subscribe((self.top, 0))
            client = self.raw(version)
            client.send(packet("CONNECT", connect_body("n" * 1000, version)) + client.publish_bytes(self.top, "x", 0))
            client.end()
            self.assertEqual(hears.sync(), [])

    def test_a_newer_connection_of_the_same_client_ends_the_older(self):
        """5.0: 3.1.4-3, 3.14.4-2. 3.1.1: 3.1.4-2."""
        for version in BOTH:
            first = self.client(f"{self.top}{version}", version)
            second = self.client(f"{self.top}{version}", version)
            self.assertEqual(len(first.end(0x8e)), 1 if version == 5 else 0)
            self.assertEqual(second.sync(), [])

    def test_session_present_says_whether_there_was_a_session(self):
        """5.0: 3.1.2-4, 3.1.2-5, 3.1.2-6, 3.1.4-4, 3.2.2-2, 3.2.2-3. 3.1.1: 3.1.2-4, 3.1.2-6, 3.1.4-3, 3.2.2-1,
        3.2.2-2, 3.2.2-3."""
        for version in BOTH:
            name, more = f"{self.top}{version}", {"session_expiry": 100} if version == 5 else {}
            for clean, present in ((False, False), (False, True), (True, False)):
                client = self.client(name, version, clean=clean, **more)
                self.assertEqual(client.connack.present, present)
                self.assertEqual(client.sync(), [])
                client.subscribe((self.top, 1))
                client.disconnect()
            speaks = self.client(version=version)
            speaks.publish(self.top, "while away")
            client = self.client(name, version, clean=False, **more)
            self.assertEqual(client.connack.present, version == 5)  # clean in 3.1.1: it ended with its connection
            self.assertEqual(client.messages(), [(self.top, "while away")] if version == 5 else [])
            client.disconnect()
            client = self.client(name, version, clean=True)  # what it was is forgotten
            speaks.publish(self.top, "again")
            self.assertEqual(client.messages(), [])

    def test_a_session_waits_when_it_has_an_expiry(self):
        """5.0: 3.1.2-23. 3.1.1: 3.1.2-5."""
        for version in BOTH:
            name, more = f"{self.top}{version}", {"session_expiry": 100} if version == 5 else {}
            client = self.client(name, version, clean=False, **more)
            client.subscribe((self.top, 2))
            client.close()
            speaks = self.client(version=version)
            for qos in (1, 2):
                speaks.publish(self.top, f"qos {qos}", qos)
            client = self.client(name, version, clean=False, **more)
            self.assertEqual(client.messages(2), [(self.top, "qos 1"), (self.top, "qos 2")])

    def test_a_server_that_can_all_does_not_say_what_it_can_not(self):
        """5.0: 3.2.2-9, 3.2.2-10, 3.1.2-28, 4.12.0-6."""
        client = self.client(request_response=0)
        self.assertEqual({"maximum_qos", "retain_available", "response_info", "auth_method", "auth_data"} &
                         set(client.connack.props), set())
        self.assertEqual(client.subscribe(("a", 0), ("b", 1), ("c", 2)).codes, [0, 1, 2])


class Limits(Conformance):
    def test_nothing_is_sent_that_is_larger_than_the_client_takes(self):
        """5.0: 3.1.2-24, 3.1.2-25, 3.2.2-19, 3.2.2-20, 3.4.2-2, 3.4.2-3, 3.5.2-2, 3.5.2-3, 3.6.2-2, 3.6.2-3, 3.7.2-2, 3.7.2-3, 3.9.2-1,
        3.9.2-2, 3.11.2-1, 3.11.2-2."""
        hears, speaks = self.client(maximum_packet=60), self.client()
        hears.subscribe((f"{self.top}/#", 2))  # the client fails the test when something larger comes
        for qos in (0, 1, 2):
            speaks.publish(f"{self.top}/a", "x" * 100, qos)
            speaks.publish(f"{self.top}/a", f"small {qos}", qos)
        self.assertEqual([text for _, text in hears.messages()], ["small 0", "small 1", "small 2"])
        speaks.publish(f"{self.top}/kept", "y" * 100, retain=True)
        hears.subscribe((f"{self.top}/#", 2))
        hears.publish("$SYS/no", "x", 1)  # answers that could carry a reason in words
        hears.publish("$SYS/no", "x", 2)
        hears.publish(f"{self.top}-none", "x", 2)
        hears.unsubscribe("none")
        hears.ack("PUBREL", 77)
        self.assertEqual(hears.take("PUBCOMP").code, 0x92)
        self.assertEqual(hears.messages(), [])

    def test_an_answer_that_the_client_can_not_take_is_not_sent(self):
        """5.0: 3.1.2-24, 3.14.2-3, 3.14.2-4."""
        client = self.client(maximum_packet=60)
        client.send(client.subscribe_bytes(*((f"f{i}", 0) for i in range(100))))
        client.end()  # the client fails the test when something larger comes
        tiny = self.raw()
        tiny.maximum_packet = 4
        tiny.send(packet("CONNECT", connect_body("", maximum_packet=4)))
        self.assertEqual(tiny.end(), [])

    def test_an_alias_is_sent_only_to_who_takes_some(self):
        """5.0: 3.1.2-26, 3.1.2-27, 3.3.2-11."""
        speaks = self.client()
        for most in (None, 0, 3):
            hears = self.client(**({} if most is None else {"alias_maximum": most}))
            hears.subscribe((f"{self.top}/#", 0))
            known = {}
            for i in range(30):
                speaks.publish(f"{self.top}/{i % 5}", "x", 0)
            got = [m for m in hears.sync() if m.kind == "PUBLISH"]
            for i, m in enumerate(got):
                alias = m.props.get("alias")
                if alias is not None:
                    self.assertTrue(0 < alias <= (most or 0), alias)
                    known[alias] = m.topic or known[alias]
                self.assertEqual(m.topic or known[alias], f"{self.top}/{i % 5}")
            self.assertEqual(len(got), 30)

    def test_reasons_in_words_only_for_who_wants_them(self):
        """5.0: 3.1.2-29."""
        client = self.client(request_problem=0)
        client.send(client.publish_bytes("$SYS/no", "x", 1))
        answers = [client.take("PUBACK")]
        client.send(client.publish_bytes("$SYS/no", "x", 2))
        answers.append(client.take("PUBREC"))
        client.ack("PUBREL", 77)
        answers += [client.take("PUBCOMP"), client.unsubscribe("none")]
        client.send(client.subscribe_bytes(("/".join("x" * 100), 0)))
        answers.append(client.take("SUBACK"))
        for got in answers:
            self.assertEqual({"reason", "user"} & set(got.props), set(), got)


class KeepAlive(Conformance):
    def test_silence_of_one_and_a_half_times_the_keep_alive_ends_the_connection(self):
        """5.0: 3.1.2-22, 3.2.2-22. 3.1.1: 3.1.2-24."""
        for version in BOTH:
            hears = self.client(version=version)
            hears.subscribe((self.top, 0))
            client = self.client(version=version, keep_alive=1, will=(self.top, "silent"))
            self.assertNotIn("server_keep_alive", client.connack.props)
            began = time.monotonic()
            client.end(0x8d)
            self.assertGreater(time.monotonic() - began, 1.4)
            self.assertLess(time.monotonic() - began, 4)
            self.assertEqual(hears.take("PUBLISH").payload, b"silent")  # as if the network had failed

    def test_who_keeps_sending_or_asks_for_none_stays(self):
        """5.0: 3.1.2-22. 3.1.1: 3.1.2-24."""
        busy, calm = self.client(keep_alive=1), self.client(keep_alive=0)
        end = time.monotonic() + 3
        while time.monotonic() < end:
            self.assertEqual(busy.sync(), [])
            time.sleep(0.5)  # a silence of the length under test
        self.assertEqual(calm.sync(), [])

    def test_the_servers_own_keep_alive_is_told_and_counts(self):
        """5.0: 3.2.2-22, 3.1.2-22."""
        with Gateway(config(keep_alive="1s")) as gateway:
            client = Raw(gateway.mqtt_port)
            self.addCleanup(client.close)
            self.assertEqual(client.connect(keep_alive=60).props["server_keep_alive"], 1)
            client.end(0x8d)


class Will(Conformance):
    def will(self, version, close, **more):
        """What is heard of the will of a client that leaves like this; the server has ended the connection then."""
        hears = self.client(version=version)
        hears.subscribe((self.top, 2))
        client = self.client(version=version, **({"will": (self.top, "gone", 1)} | more))
        close(client)
        got = [(m.payload.decode(), m.qos, m.retain) for m in hears.sync() if m.kind == "PUBLISH"]
        hears.disconnect()
        return got

    @staticmethod
    def broken(client):
        client.stream.socket.shutdown(socket.SHUT_WR)
        client.end()

    @staticmethod
    def wrong(client):
        client.send(b"\0\0")
        client.end()

    def test_a_will_comes_however_the_connection_ends_but_for_disconnect(self):
        """5.0: 3.1.2-7, 3.1.2-8, 3.1.2-10, 3.14.4-3. 3.1.1: 3.1.2-8, 3.1.2-10, 3.1.2-12, 3.14.4-3."""
        for version in BOTH:
            self.assertEqual(self.will(version, self.broken), [("gone", 1, False)])
            self.assertEqual(self.will(version, self.wrong), [("gone", 1, False)])
            self.assertEqual(self.will(version, lambda client: client.disconnect()), [])
            self.assertEqual(self.will(version, self.broken, will=None), [])
        for code in (0x04, 0x80, 0x82, 0x98):
            self.assertEqual(self.will(5, lambda client, code=code: client.disconnect(code)), [("gone", 1, False)])
        self.assertEqual(self.will(5, lambda client: client.disconnect(0)), [])

    def test_a_will_has_the_qos_and_the_retain_that_were_asked(self):
        """5.0: 3.1.2-12, 3.1.2-14, 3.1.2-15. 3.1.1: 3.1.2-14, 3.1.2-16, 3.1.2-17."""
        for version in BOTH:
            for qos in (0, 1, 2):
                self.assertEqual(self.will(version, self.broken, will=(self.top, "w", qos)), [("w", qos, False)])
            self.assertEqual(self.kept(version), [])
            self.will(version, self.broken, will=(self.top, "w", 1, True))
            self.assertEqual(self.kept(version), [("w", True)])
            self.client(version=version).publish(self.top, b"", retain=True)

    def kept(self, version):
        client = self.client(version=version)
        client.subscribe((self.top, 0))
        return [(m.payload.decode(), m.retain) for m in client.sync()]

    def test_a_will_is_sent_once(self):
        """5.0: 3.1.2-10. 3.1.1: 3.1.2-10."""
        for version in BOTH:
            more = {"session_expiry": 100} if version == 5 else {}
            hears = self.client(version=version)
            hears.subscribe((self.top, 0))
            client = self.client(self.top, version, clean=False, will=(self.top, "gone"), **more)
            client.close()
            self.assertEqual(hears.take("PUBLISH").payload, b"gone")
            client = self.client(self.top, version, clean=False, **more)  # without a will
            client.close()
            again = self.client(self.top, version, clean=True)
            again.disconnect()
            self.assertEqual(hears.sync(), [])
            hears.disconnect()

    def test_a_delayed_will_is_not_sent_when_the_client_is_back(self):
        """5.0: 3.1.2-8, 3.1.3-9."""
        hears = self.client()
        hears.subscribe((self.top, 0))
        will = (self.top, "gone", 0, False, props(will_delay=1))
        self.client(self.top, session_expiry=100, will=will).close()
        client = self.client(self.top, clean=False, session_expiry=100)
        time.sleep(1.5)  # longer than the delay
        self.assertEqual(hears.sync(), [])
        client.disconnect()
        began = time.monotonic()
        self.client(self.top, clean=False, session_expiry=100, will=will).close()
        self.assertEqual(hears.take("PUBLISH").payload, b"gone")
        self.assertGreater(time.monotonic() - began, 0.9)

    def test_a_delayed_will_comes_when_the_session_ends(self):
        """5.0: 3.1.2-8."""
        hears = self.client()
        hears.subscribe((self.top, 0))
        will = (self.top, "gone", 0, False, props(will_delay=3600))
        self.client(self.top, session_expiry=1, will=will).close()
        self.assertEqual(hears.take("PUBLISH").payload, b"gone")
        self.client(self.top, session_expiry=100, will=will).close()
        self.client(self.top, clean=True)
        self.assertEqual(hears.take("PUBLISH").payload, b"gone")

    def test_a_wills_properties_come_with_it_in_their_order(self):
        """5.0: 3.1.3-10, 3.1.2-9."""
        hears = self.client()
        hears.subscribe((self.top, 1))
        user = [("b", "1"), ("a", "2"), ("b", "1")]
        more = props(payload_format=1, message_expiry=1000, content_type="c", response_topic="r", correlation=b"\0\1",
                     user=user)
        self.client(self.top, will=(self.top, "gone", 1, False, more)).close()
        got = hears.take("PUBLISH").props
        self.assertEqual((got["user"], got["content_type"], got["response_topic"]), (user, "c", "r"))
        self.assertEqual((got["payload_format"], got["correlation"]), (1, b"\0\1"))
        self.assertIn(got["message_expiry"], (999, 1000))


class Access(unittest.TestCase):
    """Who is asked for a name and a password."""

    @classmethod
    def setUpClass(cls):
        cls.gateway = Gateway(config(anonymous="never"))
        cls.addClassCleanup(cls.gateway.__exit__)
        cls.gateway.start_with({"id": "press", "password": "right"}, {"id": "other", "password": "right"})

    def client(self, version, **more):
        client = Raw(self.gateway.mqtt_port, version)
        self.addCleanup(client.close)
        return client, client.try_connect("c", **more)

    def test_who_is_not_known_is_refused_and_told_why(self):
        """5.0: 3.1.4-2, 3.2.2-6, 3.2.2-7, 4.13.2-1. 3.1.1: 3.2.2-4, 3.2.2-5."""
        for version, wrong, nobody in ((4, 4, 5), (5, 0x86, 0x87)):
            client, answer = self.client(version, user="press", password="wrong")
            self.assertEqual((answer.kind, answer.code, answer.present), ("CONNACK", wrong, False))
            self.assertEqual(client.end(), [])
            client, answer = self.client(version)
            self.assertEqual((answer.kind, answer.code, answer.present), ("CONNACK", nobody, False))
            self.assertEqual(client.end(), [])
            client, answer = self.client(version, user="press", password="right")
            self.assertEqual(answer.code, 0)
            client.disconnect()

    def test_a_forbidden_message_is_refused_by_its_reason_or_dropped(self):
        """5.0: 3.4.2-1, 3.5.2-1. 3.1.1: 3.3.5-2."""
        for version in BOTH:
            client, _ = self.client(version, user="press", password="right")
            for qos in (1, 2):
                self.assertEqual(client.publish("other/x", "1", qos), 0x87 if version == 5 else 0)
            client.send(client.subscribe_bytes(("other/x", 1), ("press/x", 1)))
            self.assertEqual(client.take("SUBACK").codes, [0x87 if version == 5 else 0x80, 1])
            client.disconnect()


class Auth(Conformance):
    def test_an_unknown_method_is_refused(self):
        """5.0: 4.12.0-1, 4.13.2-1."""
        client = self.raw()
        answer = client.try_connect(auth_method="no such method", auth_data=b"x")
        self.assertIn(answer.code, (0x8c, 0x87))
        self.assertEqual(client.end(), [])

    def test_auth_without_a_method_ends_the_connection(self):
        """5.0: 4.12.0-6, 4.13.1-1."""
        for body in (b"", b"\x18" + props(auth_method="x"), b"\x19" + props(auth_method="x")):
            self.ends(packet("AUTH", body), PROTOCOL_ERROR)
        client = self.raw()
        answer = client.try_connect(auth_data=b"data without a method")
        self.assertTrue(answer is None or answer.code in (MALFORMED, PROTOCOL_ERROR), answer)


if __name__ == "__main__":
    unittest.main()
