"""Section 4.12: authentication by AUTH, here SCRAM-SHA-256 (RFC 5802, 7677), as the raw client computes it."""
import base64
import hashlib
import hmac
import os
import unittest

from gateway import Gateway
from mqtt_conformance import config
from mqtt_raw import Raw, connect_body, packet, props

METHOD = "SCRAM-SHA-256"


class Auth(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.gateway = Gateway(config(anonymous="never"))
        cls.addClassCleanup(cls.gateway.__exit__)
        cls.gateway.__enter__()
        status, _ = cls.gateway.api("POST", "/api/v1/devices", {"id": "press", "password": "pencil", "scram": True})
        assert status == 201

    def first(self):
        self.bare = f"n=press,r={base64.b64encode(os.urandom(18)).decode()}"
        return f"n,,{self.bare}".encode()

    def final(self, challenge, password="pencil"):
        said = dict(part.split("=", 1) for part in challenge.decode().split(","))
        salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(said["s"]), int(said["i"]))
        sign = lambda key, text: hmac.new(key, text, "sha256").digest()
        key = sign(salted, b"Client Key")
        text = f"{self.bare},{challenge.decode()},c=biws,r={said['r']}".encode()
        proof = bytes(a ^ b for a, b in zip(key, sign(hashlib.sha256(key).digest(), text)))
        self.proved = b"v=" + base64.b64encode(sign(sign(salted, b"Server Key"), text))
        return f"c=biws,r={said['r']},p={base64.b64encode(proof).decode()}".encode()

    def say(self, client, code, data, method=METHOD):
        client.send(packet("AUTH", bytes([code]) + props(auth_method=method, auth_data=data)))

    def begin(self, password="pencil", **more):
        """Through the exchange; the client, and what the server said last."""
        client = Raw(self.gateway.mqtt_port)
        self.addCleanup(client.close)
        client.maximum_packet = more.get("maximum_packet")
        client.send(packet("CONNECT", connect_body("press", auth_method=METHOD, auth_data=self.first(), **more)))
        challenge = client.take("AUTH")
        self.assertEqual((challenge.code, challenge.props["auth_method"]), (0x18, METHOD))
        self.say(client, 0x18, self.final(challenge.props["auth_data"], password))
        return client, client.read()

    def test_the_exchange_ends_in_connack_and_can_be_gone_through_again(self):
        """5.0: 4.12.0-2, 4.12.0-5, 3.15.2-1, 3.2.0-1."""
        client, answer = self.begin()
        self.assertEqual((answer.kind, answer.code), ("CONNACK", 0))
        self.assertEqual((answer.props["auth_method"], answer.props["auth_data"]), (METHOD, self.proved))
        self.say(client, 0x19, self.first())
        challenge = client.take("AUTH")
        self.assertEqual((challenge.code, challenge.props["auth_method"]), (0x18, METHOD))
        self.say(client, 0x18, self.final(challenge.props["auth_data"]))
        done = client.take("AUTH")
        self.assertEqual((done.code, done.props["auth_method"], done.props["auth_data"]), (0, METHOD, self.proved))
        self.assertEqual(client.sync(), [])

    def test_a_wrong_proof_ends_the_connection(self):
        """5.0: 4.12.0-4, 4.13.2-1."""
        client, answer = self.begin("crayon")
        self.assertEqual(answer.kind, "CONNACK")
        self.assertGreaterEqual(answer.code, 0x80)
        self.assertEqual(client.end(), [])

    def test_a_wrong_proof_the_second_time_ends_the_connection_too(self):
        """5.0: 4.12.1-2, 4.12.0-5."""
        client, _ = self.begin()
        self.say(client, 0x19, self.first())
        challenge = client.take("AUTH")
        self.say(client, 0x18, self.final(challenge.props["auth_data"], "crayon"))
        seen = client.end()
        self.assertEqual([got.kind for got in seen], ["DISCONNECT"])
        self.assertGreaterEqual(seen[0].code, 0x80)
        client, _ = self.begin()
        self.say(client, 0x19, self.first(), "another method")
        self.assertEqual([got.kind for got in client.end()], ["DISCONNECT"])

    def test_auth_is_not_larger_than_the_client_takes(self):
        """5.0: 3.15.2-2, 3.15.2-3, 3.1.2-24."""
        client, answer = self.begin(maximum_packet=200)  # the client fails the test when something larger comes
        self.assertEqual((answer.kind, answer.code), ("CONNACK", 0))
        self.assertEqual(client.sync(), [])


if __name__ == "__main__":
    unittest.main()
