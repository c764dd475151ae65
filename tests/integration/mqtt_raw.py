"""An MQTT client that builds and takes apart every packet itself, byte by byte, for the tests of the server.

It shares nothing with the gateway's codec and takes nothing on trust: what comes from the server is parsed strictly,
and a reserved bit, a length with more bytes than it needs or a property that does not belong fails the test.

    c = Raw(port); c.connect("name"); c.subscribe(("a/#", 1)); c.take("PUBLISH")

sync() is the barrier that makes silence provable: the server answers packets in order, so what need not wait for its
disk and has not come before the PINGRESP does not come.
"""
import base64
import hashlib
import os
import socket
import struct

NAMES = ("RESERVED", "CONNECT", "CONNACK", "PUBLISH", "PUBACK", "PUBREC", "PUBREL", "PUBCOMP", "SUBSCRIBE", "SUBACK",
         "UNSUBSCRIBE", "UNSUBACK", "PINGREQ", "PINGRESP", "DISCONNECT", "AUTH")
TYPES = {name: number for number, name in enumerate(NAMES)}

# Property: its identifier, how it is encoded, and the packets of a server in which it may stand.
PROPERTIES = {
    "payload_format": (1, "byte", "PUBLISH"),
    "message_expiry": (2, "four", "PUBLISH"),
    "content_type": (3, "text", "PUBLISH"),
    "response_topic": (8, "text", "PUBLISH"),
    "correlation": (9, "binary", "PUBLISH"),
    "subscription_id": (11, "varint", "PUBLISH"),
    "session_expiry": (17, "four", "CONNACK"),
    "assigned_id": (18, "text", "CONNACK"),
    "server_keep_alive": (19, "two", "CONNACK"),
    "auth_method": (21, "text", "CONNACK AUTH"),
    "auth_data": (22, "binary", "CONNACK AUTH"),
    "request_problem": (23, "byte", ""),
    "will_delay": (24, "four", ""),
    "request_response": (25, "byte", ""),
    "response_info": (26, "text", "CONNACK"),
    "server_reference": (28, "text", "CONNACK DISCONNECT"),
    "reason": (31, "text", "CONNACK PUBACK PUBREC PUBREL PUBCOMP SUBACK UNSUBACK DISCONNECT AUTH"),
    "receive_maximum": (33, "two", "CONNACK"),
    "alias_maximum": (34, "two", "CONNACK"),
    "alias": (35, "two", "PUBLISH"),
    "maximum_qos": (36, "byte", "CONNACK"),
    "retain_available": (37, "byte", "CONNACK"),
    "user": (38, "pair", "CONNACK PUBLISH PUBACK PUBREC PUBREL PUBCOMP SUBACK UNSUBACK DISCONNECT AUTH"),
    "maximum_packet": (39, "four", "CONNACK"),
    "wildcard_available": (40, "byte", "CONNACK"),
    "subscription_id_available": (41, "byte", "CONNACK"),
    "shared_available": (42, "byte", "CONNACK"),
}
BY_ID = {row[0]: (name, row[1], row[2]) for name, row in PROPERTIES.items()}
MANY = ("user", "subscription_id")

# The reason codes that a server may send, by packet.
REASONS = {
    "CONNACK": {0, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x8c, 0x90, 0x95, 0x97, 0x99, 0x9a,
                0x9b, 0x9c, 0x9d, 0x9f},
    "PUBACK": {0, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99},
    "PUBREC": {0, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99},
    "PUBREL": {0, 0x92},
    "PUBCOMP": {0, 0x92},
    "SUBACK": {0, 1, 2, 0x80, 0x83, 0x87, 0x8f, 0x91, 0x97, 0x9e, 0xa1, 0xa2},
    "UNSUBACK": {0, 0x11, 0x80, 0x83, 0x87, 0x8f, 0x91},
    "DISCONNECT": {0, 0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8b, 0x8d, 0x8e, 0x8f, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97,
                   0x98, 0x99, 0x9a, 0x9b, 0x9c, 0x9d, 0x9e, 0x9f, 0xa0, 0xa1, 0xa2},
    "AUTH": {0, 0x18},
}
RETURN_CODES = {"CONNACK": set(range(6)), "SUBACK": {0, 1, 2, 0x80}}  # of 3.1.1


def varint(value):
    out = b""
    while True:
        value, low = value >> 7, value & 0x7f
        out += bytes([low | (0x80 if value else 0)])
        if not value:
            return out


def binary(value):
    raw = value.encode() if isinstance(value, str) else value
    return struct.pack(">H", len(raw)) + raw


def one_property(name, value):
    number, kind, _ = PROPERTIES[name]
    body = {"byte": lambda: bytes([value]), "two": lambda: struct.pack(">H", value),
            "four": lambda: struct.pack(">I", value), "varint": lambda: varint(value), "text": lambda: binary(value),
            "binary": lambda: binary(value), "pair": lambda: binary(value[0]) + binary(value[1])}[kind]()
    return bytes([number]) + body


def props(**values):
    """Encoded properties with their length; a list stands for several of one kind."""
    body = b"".join(one_property(name, one) for name, value in values.items()
                    for one in (value if isinstance(value, list) else [value]))
    return varint(len(body)) + body


def packet(kind, body=b"", flags=None):
    if flags is None:
        flags = 2 if kind in ("PUBREL", "SUBSCRIBE", "UNSUBSCRIBE") else 0
    return bytes([TYPES[kind] << 4 | flags]) + varint(len(body)) + body


def connect_body(client_id="", version=5, clean=True, keep_alive=0, will=None, user=None, password=None, flags=None,
                 name="MQTT", **properties):
    """will: (topic, payload, qos, retain, encoded properties). flags: others than follow from the rest."""
    bits = 2 if clean else 0
    payload = binary(client_id)
    if will:
        topic, text, qos, retain, more = (*will, *(b"", 0, False, b"\0")[len(will) - 1:])
        bits |= 4 | qos << 3 | (0x20 if retain else 0)
        payload += (more if version == 5 else b"") + binary(topic) + binary(text)
    if user is not None:
        bits |= 0x80
        payload += binary(user)
    if password is not None:
        bits |= 0x40
        payload += binary(password)
    head = binary(name) + bytes([version, bits if flags is None else flags]) + struct.pack(">H", keep_alive)
    return head + (props(**properties) if version == 5 else b"") + payload


class Packet:
    """What came: kind, flags, and what the body says: code, codes, packet_id, topic, payload, props (a dict)."""

    def __init__(self, kind, flags, body, version):
        self.kind, self.flags, self.raw, self.version = kind, flags, body, version
        self.at = 0
        self.code, self.codes, self.packet_id, self.topic, self.payload, self.props = 0, [], None, None, None, {}
        self.present = False
        self.size = 1 + len(varint(len(body))) + len(body)
        self.parse()
        assert self.at == len(body), f"{kind} has bytes nobody asked for: {body!r}"

    def __repr__(self):
        return f"{self.kind} {self.__dict__}"

    def cut(self, count):
        part = self.raw[self.at:self.at + count]
        assert len(part) == count, f"{self.kind} is too short: {self.raw!r}"
        self.at += count
        return part

    def number(self, size):
        return int.from_bytes(self.cut(size), "big")

    def text(self):
        return self.cut(self.number(2)).decode("utf-8", "strict")

    def varint(self):
        start, value = self.at, 0
        for shift in (0, 7, 14, 21):
            byte = self.number(1)
            value |= (byte & 0x7f) << shift
            if not byte & 0x80:
                assert self.raw[start:self.at] == varint(value), "a length in more bytes than it needs"
                return value
        raise AssertionError("a length of five bytes")

    def read_properties(self):
        if self.version != 5:
            return
        end = self.varint()
        end += self.at
        while self.at < end:
            number = self.varint()
            assert number in BY_ID, f"property {number:#x}"
            name, kind, where = BY_ID[number]
            assert self.kind in where.split(), f"{name} in {self.kind}"
            value = {"byte": lambda: self.number(1), "two": lambda: self.number(2), "four": lambda: self.number(4),
                     "varint": self.varint, "text": self.text, "binary": lambda: self.cut(self.number(2)),
                     "pair": lambda: (self.text(), self.text())}[kind]()
            if name in MANY:
                self.props.setdefault(name, []).append(value)
            else:
                assert name not in self.props, f"{name} twice in {self.kind}"
                self.props[name] = value
        assert self.at == end, "properties end where they should not"

    def parse(self):
        if self.kind != "PUBLISH":
            assert self.flags == (2 if self.kind == "PUBREL" else 0), f"flags {self.flags} of {self.kind}"
        getattr(self, "parse_" + self.kind.lower())()
        allowed = (REASONS if self.version == 5 else RETURN_CODES).get(self.kind)
        for code in self.codes or [self.code]:
            assert allowed is None or code in allowed, f"{self.kind} has the reason {code:#x}"

    def parse_connack(self):
        flags = self.number(1)
        assert flags < 2, f"CONNACK has the flags {flags}"
        self.present, self.code = bool(flags), self.number(1)
        self.read_properties()

    def parse_publish(self):
        self.dup, self.qos, self.retain = bool(self.flags & 8), self.flags >> 1 & 3, bool(self.flags & 1)
        assert self.qos < 3 and not (self.dup and not self.qos), f"flags {self.flags}"
        self.topic = self.text()
        self.packet_id = self.number(2) if self.qos else None
        assert self.packet_id != 0, "the packet id 0"
        self.read_properties()
        self.payload = self.cut(len(self.raw) - self.at)

    def parse_ack(self):
        self.packet_id = self.number(2)
        if self.version == 5 and self.at < len(self.raw):
            self.code = self.number(1)
            if self.at < len(self.raw):
                self.read_properties()

    parse_puback = parse_pubrec = parse_pubrel = parse_pubcomp = parse_ack

    def parse_codes(self):
        self.packet_id = self.number(2)
        self.read_properties()
        self.codes = list(self.cut(len(self.raw) - self.at))

    parse_suback = parse_unsuback = parse_codes

    def parse_pingresp(self):
        pass

    def parse_disconnect(self):
        assert self.version == 5, "3.1.1 has no DISCONNECT from a server"
        if self.raw:
            self.code = self.number(1)
            if self.at < len(self.raw):
                self.read_properties()

    def parse_auth(self):
        self.parse_disconnect()


class Stream:
    """A TCP connection."""

    def __init__(self, port, host="127.0.0.1", timeout_s=15):
        self.socket = socket.create_connection((host, port), timeout_s)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, data):
        self.socket.sendall(data)

    def receive(self):
        try:
            return self.socket.recv(65536)
        except ConnectionError:
            return b""

    def close(self):
        self.socket.close()


class WebSocket(Stream):
    """A WebSocket's client side; frames are masked. send() makes one binary frame of what it gets."""

    def __init__(self, port, path="/mqtt", protocol="mqtt", **more):
        super().__init__(port, **more)
        key = base64.b64encode(os.urandom(16))
        offer = f"Sec-WebSocket-Protocol: {protocol}\r\n" if protocol else ""
        self.socket.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                            f"Sec-WebSocket-Version: 13\r\n{offer}Sec-WebSocket-Key: {key.decode()}\r\n\r\n".encode())
        self.buffer = b""
        while b"\r\n\r\n" not in self.buffer:
            part = super().receive()
            if not part:
                break
            self.buffer += part
        head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        self.status = head.split(b"\r\n")[0].decode()
        self.headers = {line.split(b":")[0].strip().lower().decode(): line.split(b":", 1)[1].strip().decode()
                        for line in head.split(b"\r\n")[1:]}
        proof = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()).decode()
        self.accepted = " 101 " in self.status and self.headers.get("sec-websocket-accept") == proof
        self.opcodes = []

    def frame(self, opcode, data, final=True):
        mask = os.urandom(4)
        size = bytes([0x80 | len(data)]) if len(data) < 126 else b"\xfe" + struct.pack(">H", len(data))
        body = bytes(byte ^ mask[i & 3] for i, byte in enumerate(data))
        self.socket.sendall(bytes([opcode | (0x80 if final else 0)]) + size + mask + body)

    def send(self, data):
        for at in range(0, len(data), 60000):
            self.frame(2, data[at:at + 60000])

    def need(self, count):
        while len(self.buffer) < count:
            part = super().receive()
            if not part:
                return False
            self.buffer += part
        return True

    def receive(self):
        """The data of the next frame; b"" when there is no more or the server closes."""
        if not self.need(2):
            return b""
        size, head = self.buffer[1], 2
        assert not size & 0x80, "a server's frame is masked"
        if size > 125:
            head = 4 if size == 126 else 10
            if not self.need(head):
                return b""
            size = int.from_bytes(self.buffer[2:head], "big")
        if not self.need(head + size):
            return b""
        opcode, data = self.buffer[0] & 15, self.buffer[head:head + size]
        self.buffer = self.buffer[head + size:]
        self.opcodes.append(opcode)
        return b"" if opcode == 8 else data if opcode < 8 else self.receive()


class Raw:
    def __init__(self, port, version=5, stream=Stream, **more):
        self.version = version
        self.stream = stream(port, **more)
        self.buffer = b""
        self.next_id = 0
        self.maximum_packet = None  # what the server was told

    def send(self, data):
        self.stream.send(data)

    def close(self):
        self.stream.close()

    # ---- reading ----

    def cut(self):
        """The next packet of the buffer as kind, flags and body; None when it is not all there."""
        value, at = 0, 1
        while True:
            if at >= len(self.buffer):
                return None
            assert at < 5, "a length of five bytes"
            byte = self.buffer[at]
            value |= (byte & 0x7f) << 7 * (at - 1)
            at += 1
            if not byte & 0x80:
                break
        if len(self.buffer) < at + value:
            return None
        assert self.buffer[1:at] == varint(value), "a length in more bytes than it needs"
        first, body = self.buffer[0], self.buffer[at:at + value]
        assert self.maximum_packet is None or at + value <= self.maximum_packet, "larger than the client takes"
        self.buffer = self.buffer[at + value:]
        return NAMES[first >> 4], first & 15, body

    def read(self):
        """The next packet; None at the end of the connection. Nothing within the time limit is a failure."""
        while True:
            found = self.cut()
            if found:
                return Packet(*found, self.version)
            try:
                part = self.stream.receive()
            except TimeoutError:
                raise AssertionError("nothing came, and the connection is still open") from None
            if not part:
                assert not self.buffer, f"a part of a packet at the end: {self.buffer!r}"
                return None
            self.buffer += part

    def take(self, kind):
        got = self.read()
        assert got and got.kind == kind, f"{kind} expected, not {got}"
        return got

    def end(self, *codes):
        """Reads to the end of the connection: what came before it. With codes: a DISCONNECT with one of them has to
        be the last thing."""
        seen = []
        while got := self.read():
            seen.append(got)
        if codes and self.version == 5:
            assert seen and seen[-1].kind == "DISCONNECT" and seen[-1].code in codes, f"{codes}: {seen}"
        return seen

    def sync(self, least=0):
        """All that came until the server has answered a PINGREQ, and at least so many: what has to wait for the
        server's disk (acknowledgements, PUBREL, QoS 2 to a session that is kept) may come behind the answer."""
        self.send(packet("PINGREQ"))
        seen, answered = [], False
        while not answered or len(seen) < least:
            got = self.read()
            assert got, f"the connection ended: {seen}"
            if got.kind == "PINGRESP":
                answered = True
            else:
                seen.append(got)
        return seen

    # ---- whole exchanges ----

    def connect(self, client_id="", **more):
        """Sends CONNECT; the CONNACK, which has to say yes."""
        answer = self.try_connect(client_id, **more)
        assert answer and answer.kind == "CONNACK" and answer.code == 0, f"refused: {answer}"
        return answer

    def try_connect(self, client_id="", **more):
        self.maximum_packet = more.get("maximum_packet")
        self.send(packet("CONNECT", connect_body(client_id, self.version, **more)))
        return self.read()

    def new_id(self):
        self.next_id += 1
        return self.next_id

    def properties(self, values):
        return props(**values) if self.version == 5 else b""

    def subscribe_bytes(self, *filters, packet_id=None, **properties):
        """filters: (filter, options byte)."""
        return packet("SUBSCRIBE", struct.pack(">H", packet_id or self.new_id()) + self.properties(properties) +
                      b"".join(binary(text) + bytes([options]) for text, options in filters))

    def subscribe(self, *filters, **more):
        """The SUBACK; every code has to be a QoS."""
        self.send(self.subscribe_bytes(*filters, **more))
        answer = self.take("SUBACK")
        assert all(code < 3 for code in answer.codes), answer
        return answer

    def unsubscribe(self, *filters, packet_id=None, **properties):
        self.send(packet("UNSUBSCRIBE", struct.pack(">H", packet_id or self.new_id()) + self.properties(properties) +
                         b"".join(binary(text) for text in filters)))
        return self.take("UNSUBACK")

    def publish_bytes(self, topic, payload=b"", qos=0, retain=False, dup=False, packet_id=None, **properties):
        body = binary(topic) + (struct.pack(">H", packet_id or self.new_id()) if qos else b"")
        raw = payload.encode() if isinstance(payload, str) else payload
        return packet("PUBLISH", body + self.properties(properties) + raw,
                      (8 if dup else 0) | qos << 1 | (1 if retain else 0))

    def publish(self, topic, payload=b"", qos=1, **more):
        """Sends, and goes through with the acknowledgements; the reason code of the first."""
        self.send(self.publish_bytes(topic, payload, qos, **more))
        if qos == 0:
            assert not self.sync()
            return 0
        answer = self.take("PUBACK" if qos == 1 else "PUBREC")
        if qos == 2 and answer.code < 0x80:
            self.ack("PUBREL", answer.packet_id)
            self.take("PUBCOMP")
        return answer.code

    def ack(self, kind, packet_id, code=None):
        self.send(packet(kind, struct.pack(">H", packet_id) + (b"" if code is None else bytes([code]))))

    def answer(self, message):
        """Acknowledges a PUBLISH from the server to its end."""
        if message.qos == 1:
            self.ack("PUBACK", message.packet_id)
        elif message.qos == 2:
            self.ack("PUBREC", message.packet_id)
            self.take("PUBREL")
            self.ack("PUBCOMP", message.packet_id)

    def messages(self, least=0):
        """The topics and payloads that have come by now, acknowledged."""
        got = [m for m in self.sync(least) if m.kind == "PUBLISH"]
        for m in got:
            self.answer(m)
        return [(m.topic, m.payload.decode()) for m in got]

    def disconnect(self, code=None, **properties):
        self.send(packet("DISCONNECT", b"" if code is None and not properties else
                         bytes([code or 0]) + self.properties(properties)))
        assert self.end() == []
