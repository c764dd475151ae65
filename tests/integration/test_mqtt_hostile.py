"""MQTT clients that mean no good, while another client goes on with its work.

In each test a good client sends a message to itself again and again; its round trips have to be answered all the
while, the gateway's memory has to stay bounded and the log has to say who it was.
"""
import os
import random
import resource
import socket
import ssl
import struct
import threading
import time
import unittest

from gateway import BUILD, Gateway, wait_until
from mqtt_raw import Raw, binary, connect_body, packet
from peers import Certificates

CHECKER = BUILD.endswith(("asan", "tsan"))
# Above what it has when it begins. A sanitizer's memory is its own, and more.
MEMORY_MIB = 1000 if CHECKER else 150
ROUND_TRIP_S = 10 if CHECKER else 3


class GoodClient(threading.Thread):
    """Sends to itself with QoS 1 and notes how long the slowest round trip took."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.client = Raw(port)
        self.client.connect("good")
        self.client.subscribe(("good/echo", 1))
        self.trips, self.slowest, self.failure, self.stopped = 0, 0.0, None, threading.Event()

    def run(self):
        try:
            while not self.stopped.wait(0.02):
                began = time.monotonic()
                self.client.send(self.client.publish_bytes("good/echo", "x", 1, packet_id=1 + self.trips % 60000))
                heard = acknowledged = False
                while not (heard and acknowledged):
                    got = self.client.read()
                    assert got, "the connection was ended"
                    if got.kind == "PUBLISH":
                        heard = True
                        self.client.answer(got)
                    acknowledged |= got.kind == "PUBACK"
                self.trips, self.slowest = self.trips + 1, max(self.slowest, time.monotonic() - began)
        except (AssertionError, OSError) as failure:
            self.failure = failure


class Hostile(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)

    def setUp(self):
        self.gateway = Gateway({
            "site": "test", "limits": {"signals": 500, "devices": 50},
            "drivers": {
                "mqtt": {"listen": ["127.0.0.1:{mqtt_port}", "ws://127.0.0.1:{ws_port}/mqtt"],
                         "topics": {"in/{device}/{signal}": "plain", "j/{device}": "json"}, "max_clients": 3000,
                         "max_packet": "256KiB", "memory": "8MiB", "max_subscriptions": 1024},
                "tls": {"driver": "mqtt", "listen": "tls://127.0.0.1:{tls_port}", "tls": {
                    "certificate": "{folder}/tls/server.crt", "key": "{folder}/tls/server.key",
                    "ca": "{folder}/tls/ca.crt", "verify": True}}}})
        self.addCleanup(self.gateway.__exit__)
        self.certificates = Certificates(self.gateway.make_folder())
        self.certificates.make("server")
        self.gateway.__enter__()
        self.good = GoodClient(self.gateway.mqtt_port)
        self.good.start()
        wait_until(lambda: self.good.trips > 5, 10, "the good client works")
        self.before_mib = self.gateway.rss_mib()
        self.good.slowest = 0.0

    def check(self):
        """The good client was served all the while, and is."""
        count = self.good.trips
        wait_until(lambda: self.good.trips > count + 5 or self.good.failure, 15, "the good client goes on")
        self.good.stopped.set()
        self.good.join()
        self.good.client.close()
        self.assertIsNone(self.good.failure)
        self.assertLess(self.good.slowest, ROUND_TRIP_S)
        self.assertTrue(self.gateway.is_alive())
        self.assertLess(self.gateway.rss_mib() - self.before_mib, MEMORY_MIB)

    def evil(self, name="evil", **more):
        client = Raw(self.gateway.mqtt_port, timeout_s=30)
        self.addCleanup(client.close)
        client.connect(name, **more)
        return client

    def test_packets_cut_off_and_too_large(self):
        for cut in range(1, 40):
            evil = self.evil()
            evil.send(evil.publish_bytes("a/b", "payload" * 5, 1)[:cut])
            evil.close()
        for size in (1 << 20, 100 << 20, 268435455):
            evil = self.evil()
            head = b"\x30" + bytes([size & 127 | 128, size >> 7 & 127 | 128, size >> 14 & 127 | 128, size >> 21])
            evil.send(head + b"x" * 5000)
            evil.end(0x95)
        self.gateway.wait_log('client="evil" why="packet too large"')
        self.check()

    def test_text_that_is_none(self):
        for text in (b"\xff\xfe", b"\xed\xa0\x80", b"a\0b", b"\xf8\x88\x80\x80\x80") * 20:
            evil = self.evil()
            evil.send(packet("PUBLISH", binary(text) + b"\0x", 0))
            evil.end(0x81)
        self.gateway.wait_log('client="evil" packet="PUBLISH" reason="malformed packet"')
        self.check()

    def test_payloads_of_endless_depth(self):
        evil = self.evil()
        for payload in (b"[" * 200000, b'{"a":' * 40000, b"[" * 100000 + b"]" * 100000, b'{"a":[' * 20000 + b"1",
                        b'"' + b"\\" * 200000, b'{"' + b"a" * 200000 + b'":1}', b"{" + b'"k":1,' * 30000 + b'"k":1}'):
            for qos in (0, 1, 2):
                evil.publish("j/press", payload, qos)
        self.gateway.wait_log('message dropped, its payload can\'t be read as its topic says client="evil"')
        self.check()

    def test_a_hundred_thousand_topics(self):
        evil = self.evil()
        for start in range(0, 100000, 1000):
            evil.send(b"".join(evil.publish_bytes(f"in/d{i % 7}/s{i}", "1") + evil.publish_bytes(f"kept/{i}", "x" * 50,
                                                                                                retain=True)
                               for i in range(start, start + 1000)))
            evil.sync()
        self.gateway.wait_log('the limit of devices or signals is reached client="evil"')
        self.assertLessEqual(self.gateway.metric("ganglion_mqtt_retained"), 10000)
        self.check()

    def test_wildcards_that_explode(self):
        for client in range(8):
            evil = self.evil(f"evil{client}")
            for start in range(0, 1024, 128):  # every way to write ten levels as a name or a wildcard
                filters = ["/".join("+" if i >> bit & 1 else "a" for bit in range(10)) for i in range(start, start + 128)]
                evil.subscribe(*((text, 0) for text in filters))
            evil.send(evil.subscribe_bytes(("+/" * 63 + "#", 0), ("/".join("+" * 64), 0), ("#", 0)))
            self.assertEqual(evil.take("SUBACK").codes[-1], 0x97)
        speaks = self.evil("evil")
        for _ in range(200):
            speaks.send(speaks.publish_bytes("/".join("a" * 10), "x") + speaks.publish_bytes("/" * 5000, "x") +
                        speaks.publish_bytes("/".join("a" * 64), "x"))
        speaks.sync()
        self.check()

    def test_a_storm_of_subscriptions(self):
        evil = self.evil(session_expiry=1000)
        refused = 0
        for _ in range(30):
            evil.send(b"".join(evil.subscribe_bytes(*((f"s/{number}/{i}/+", 1) for i in range(100)))
                               for number in range(20)))
            for got in evil.sync(20):
                refused += sum(code == 0x97 for code in got.codes)
            for number in range(20):
                evil.unsubscribe(*(f"s/{number}/{i}/+" for i in range(100)))
        self.assertEqual(refused, 30 * (2000 - 1024))
        self.check()

    def test_readers_that_do_not_read(self):
        slow = []
        for i in range(50):
            client = self.evil(f"slow{i}")
            client.stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.subscribe(("flood", i % 2))
            slow.append(client)
        speaks, payload = self.evil("speaks"), os.urandom(20000)
        for i in range(500):  # 10 MB for each of them
            speaks.publish("flood", payload, i % 2)
        self.assertGreater(self.gateway.metric("ganglion_mqtt_dropped_total"), 0)
        self.gateway.wait_log('messages for a client are dropped client="slow')
        self.check()

    def test_writers_that_hardly_write(self):
        whole = packet("CONNECT", connect_body("slow"))
        slow = [socket.create_connection(("127.0.0.1", self.gateway.mqtt_port), 5) for _ in range(300)]
        for byte in whole[:10]:
            for s in slow:
                s.sendall(bytes([byte]))
            time.sleep(0.1)  # slowness is the test
        self.assertLessEqual(self.gateway.rss_mib() - self.before_mib, MEMORY_MIB)
        for s in slow:
            s.settimeout(15)
            self.assertEqual(s.recv(1), b"", "CONNECT has to come within 10 s")
            s.close()
        self.gateway.wait_log("no CONNECT in time")
        self.check()

    def test_two_thousand_connections_in_a_burst(self):
        burst = []
        for i in range(2000):
            s = socket.create_connection(("127.0.0.1", self.gateway.mqtt_port), 10)
            s.sendall(packet("CONNECT", connect_body(f"burst{i}")))
            burst.append(s)
        for s in burst:
            s.settimeout(20)
            self.assertEqual(s.recv(1), b"\x20")
        self.assertGreaterEqual(self.gateway.metric("ganglion_mqtt_connections"), 2001)
        for s in burst:
            s.close()
        wait_until(lambda: self.gateway.metric("ganglion_mqtt_connections") <= 1, 15, "they are gone")
        self.check()

    def test_handshakes_of_rubbish(self):
        dice = random.Random(4)
        hello = ssl.MemoryBIO()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        out = ssl.MemoryBIO()
        tls = context.wrap_bio(hello, out, server_hostname="localhost")
        try:
            tls.do_handshake()
        except ssl.SSLWantReadError:
            pass
        first = out.read()
        held = []
        for i in range(300):
            twisted = bytearray(first)
            for _ in range(dice.randint(1, 5)):
                twisted[dice.randrange(len(twisted))] = dice.randrange(256)
            data = (bytes(twisted), first[:dice.randrange(len(first))], dice.randbytes(3000),
                    b"\x16\x03\x01\x40\x00" + dice.randbytes(16384), first + b"\x16\x03\x03\x10\x00\x0b" +
                    struct.pack(">I", 0xffffff)[1:] + dice.randbytes(4000), packet("CONNECT", connect_body("plain")))[i % 6]
            s = socket.create_connection(("127.0.0.1", self.gateway.tls_port), 5)
            try:
                s.sendall(data)
            except OSError:
                pass
            if i % 3:
                s.close()
            else:
                held.append(s)
        self.rotten_certificates()
        self.gateway.wait_log(': TLS handshake failed peer="127.0.0.1:')
        for s in held:
            s.close()
        self.check()

    def rotten_certificates(self):
        """Of clients: one of another authority, which the server has to refuse."""
        folder = os.path.join(self.gateway.folder, "strangers")
        os.makedirs(folder)
        crt, key = Certificates(folder).make("stranger")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(self.certificates.ca)
        context.load_cert_chain(crt, key)
        for _ in range(20):
            with self.assertRaises(OSError), socket.create_connection(("127.0.0.1", self.gateway.tls_port), 5) as plain:
                with context.wrap_socket(plain, server_hostname="localhost") as s:
                    s.settimeout(5)
                    s.sendall(packet("CONNECT", connect_body("stranger")))
                    self.assertEqual(s.recv(1), b"")
                    raise OSError("ended")


if __name__ == "__main__":
    unittest.main()
