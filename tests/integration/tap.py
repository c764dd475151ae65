"""Between a gateway's uplink and its broker: passes on what both say and remembers what was sent and acknowledged.

A broker that is killed may lose what it has acknowledged; that is not the gateway's loss. Here one sees what is.
"""
import contextlib
import json
import socket
import threading

from gateway import wait_until

PUBLISH, PUBACK = 3, 4


def varint(data, at):
    """A variable byte integer and where it ends; None while it is not all there."""
    value = 0
    for i in range(4):
        if at + i >= len(data):
            return None
        value |= (data[at + i] & 127) << (7 * i)
        if data[at + i] < 128:
            return value, at + i + 1
    raise ValueError("a length of more than four bytes")


class Packets:
    """Takes bytes of one direction as they come; gives first byte and rest of each whole packet."""

    def __init__(self):
        self.held = b""

    def feed(self, data):
        self.held += data
        while len(self.held) > 1:
            found = varint(self.held, 1)
            if not found or len(self.held) < found[0] + found[1]:
                return
            end = found[0] + found[1]
            first, body, self.held = self.held[0], self.held[found[1]:end], self.held[end:]
            yield first, body


class Tap:
    """For MQTT 5 over TCP. sent: payloads in the order of sending; acked: those that the broker took on."""

    def __init__(self, broker_port):
        self.broker_port = broker_port
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.sent, self.acked = [], []
        self.is_open, self.links = True, 0
        self.lock = threading.Lock()  # links
        threading.Thread(target=self.accept, daemon=True).start()

    def close(self):
        self.is_open = False
        self.listener.close()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                gateway = self.listener.accept()[0]
                try:
                    if not self.is_open:
                        raise OSError("shut")
                    broker = socket.create_connection(("127.0.0.1", self.broker_port), 5)
                except OSError:
                    gateway.close()
                    continue
                broker.settimeout(None)
                waiting = {}  # packet identifier -> payload
                with self.lock:
                    self.links += 1
                threading.Thread(target=self.serve, args=(gateway, broker, waiting), daemon=True).start()

    def serve(self, gateway, broker, waiting):
        up = threading.Thread(target=self.carry, args=(gateway, broker, waiting), daemon=True)
        up.start()
        self.carry(broker, gateway, waiting)
        up.join()
        gateway.close()
        broker.close()
        with self.lock:
            self.links -= 1

    def carry(self, source, target, waiting):
        packets = Packets()
        try:
            while data := source.recv(65536):
                for first, body in packets.feed(data):
                    self.note(first, body, waiting)
                with contextlib.suppress(OSError):  # what the other end still says counts, though nobody hears it
                    target.sendall(data)
        except OSError:
            pass
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def note(self, first, body, waiting):
        if first >> 4 == PUBLISH and first & 6:
            at = 2 + int.from_bytes(body[:2], "big")
            length, begin = varint(body, at + 2)
            payload = body[begin + length:]
            self.sent.append(payload)
            waiting[body[at:at + 2]] = payload
        elif first >> 4 == PUBACK and (len(body) < 3 or body[2] < 0x80):
            payload = waiting.pop(body[:2], None)  # None: a publish of the broker's
            if payload is not None:
                self.acked.append(payload)

    def shut(self):
        """Nobody gets through any more; returns when the links there were have ended (so who ends one does it before)."""
        self.is_open = False
        wait_until(lambda: self.links == 0, 20, "the links end")

    def open(self):
        self.is_open = True


def parcels(payloads, device):
    """The parcels of a device, each id once, in order."""
    out = {}
    for payload in list(payloads):
        parcel = json.loads(payload)
        if parcel.get("device") == device:
            out.setdefault(parcel["id"], parcel)
    return list(out.values())


def values(payloads, device):
    return [s["value"] for parcel in parcels(payloads, device) for s in parcel.get("samples", [])]
