"""The other side, in the tests: MQTT clients (paho), a broker (mosquitto), certificates (openssl)."""
import os
import shutil
import signal
import socket
import ssl
import subprocess
import threading

import paho.mqtt.client as paho
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from gateway import free_port, wait_until

HERE = os.path.dirname(os.path.abspath(__file__))
MOSQUITTO = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")


def properties(packet, **values):
    """Properties of a packet ("CONNECT", "PUBLISH", ...); None when there are none."""
    made = Properties(getattr(PacketTypes, packet))
    for name, value in values.items():
        setattr(made, name, value)
    return made if values else None


class Client(paho.Client):
    """Remembers its messages in got, a list of its own or the one given. Connects when made, unless the server refuses:
    see code, or wait=False."""

    def __init__(self, port, client_id="", protocol=paho.MQTTv5, transport="tcp", clean=True, expiry_s=0, wait=True,
                 user=None, password=None, ca=None, cert=None, will=None, host="127.0.0.1", keepalive=30, got=None,
                 **connect):
        v5 = protocol == paho.MQTTv5
        super().__init__(paho.CallbackAPIVersion.VERSION2, client_id, protocol=protocol, transport=transport,
                         clean_session=None if v5 else clean, reconnect_on_failure=False)
        self.got, self.answered, self.gone = [] if got is None else got, threading.Event(), threading.Event()
        self.acks, self.heard = {}, threading.Condition()
        self.present = self.code = self.end_code = self.answer = None
        self.on_message = lambda _c, _u, message: self.got.append(message)
        self.on_connect = self.note_answer
        self.on_disconnect = self.note_end
        self.on_subscribe = self.on_unsubscribe = self.note_ack
        self.on_publish = self.note_ack
        options = {}
        if v5:
            options["clean_start"] = clean
            options["properties"] = properties("CONNECT", SessionExpiryInterval=expiry_s, **connect)
        if transport == "websockets":
            self.ws_set_options(path="/mqtt")
        if user is not None or password is not None:
            self.username_pw_set(user, password)
        if ca:
            self.tls_set(ca, *(cert or (None, None)), tls_version=ssl.PROTOCOL_TLS_CLIENT)
        if will:
            self.will_set(**will)
        self.connect(host, port, keepalive=keepalive, **options)
        self.loop_start()
        if wait:
            assert self.answered.wait(10), "no CONNACK"
            assert not self.code.is_failure, f"refused: {self.code}"

    def note_answer(self, _client, _userdata, flags, code, props):
        self.present, self.code, self.answer = flags.session_present, code, props
        self.answered.set()

    def note_end(self, _client, _userdata, _flags, code, _properties):
        self.end_code = code
        self.gone.set()

    def note_ack(self, _client, _userdata, packet_id, codes, _properties):
        with self.heard:
            self.acks[packet_id] = codes if isinstance(codes, list) else [codes]
            self.heard.notify_all()

    def ack_of(self, packet_id):
        """The names of an acknowledgement's reason codes."""
        with self.heard:
            assert self.heard.wait_for(lambda: packet_id in self.acks, 10), "no acknowledgement"
            return [str(code) for code in self.acks.pop(packet_id)]

    def listen(self, topic, qos=0, no_local=False, as_published=False, handling=0, identifier=None):
        """Subscribes; the name of the reason code."""
        if self.protocol == paho.MQTTv5:
            options = SubscribeOptions(qos, no_local, as_published, handling)
            more = properties("SUBSCRIBE", **({"SubscriptionIdentifier": identifier} if identifier else {}))
            _, packet_id = self.subscribe(topic, options=options, properties=more)
        else:
            _, packet_id = self.subscribe(topic, qos)
        return self.ack_of(packet_id)[0]

    def say(self, topic, payload, qos=1, retain=False, **props):
        """Publishes and waits for the acknowledgement; the name of its reason code."""
        v5 = self.protocol == paho.MQTTv5
        info = self.publish(topic, payload, qos, retain, properties("PUBLISH", **props) if v5 else None)
        info.wait_for_publish(20)
        assert info.is_published(), "not acknowledged"
        return self.ack_of(info.mid)[0] if qos else "Success"

    def wait_for(self, count, timeout_s=10):
        wait_until(lambda: len(self.got) >= count, timeout_s, lambda: f"{count} messages, only {len(self.got)}")
        return [(m.topic, m.payload, m.qos) for m in self.got]

    def texts(self):
        return [m.payload.decode() for m in self.got]

    def leave(self):
        self.disconnect()
        self.loop_stop()

    def vanish(self):
        """The connection breaks without DISCONNECT."""
        self.loop_stop()
        raw = self.socket()
        if raw:
            raw.close()


class Certificates:
    """A small authority in a folder: ca.crt, and NAME.crt with NAME.key for whom it vouches."""

    def __init__(self, folder):
        self.folder = os.path.join(folder, "tls")
        os.makedirs(self.folder)
        self.ca = self.path("ca.crt")
        self.run("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                 "-subj", "/CN=test authority", "-keyout", self.path("ca.key"), "-out", self.ca)

    def path(self, name):
        return os.path.join(self.folder, name)

    def run(self, *args):
        done = subprocess.run(["openssl", *args], capture_output=True, text=True, check=False, timeout=30)
        assert done.returncode == 0, done.stderr

    def make(self, name):
        """Certificate and key; also good as a server's on the loopback."""
        request, crt, key, extra = (self.path(name + end) for end in (".csr", ".crt", ".key", ".ext"))
        with open(extra, "w", encoding="ascii") as f:
            f.write("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
        self.run("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
                 "-keyout", key, "-out", request)
        self.run("x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", self.path("ca.key"), "-CAcreateserial",
                 "-days", "2", "-extfile", extra, "-out", crt)
        return crt, key


class Broker:
    """mosquitto. It keeps its sessions on disk, so that what it acknowledged is not lost with it."""

    def __init__(self, folder, tls=None, more=""):
        self.port = free_port()
        self.folder = os.path.join(folder, f"broker-{self.port}")
        os.makedirs(self.folder)
        self.config = os.path.join(self.folder, "mosquitto.conf")
        self.process = None
        with open(self.config, "w", encoding="ascii") as f:
            f.write(f"listener {self.port} 127.0.0.1\nallow_anonymous true\npersistence true\n"
                    f"persistence_location {self.folder}/\nautosave_on_changes true\nautosave_interval 1\n"
                    f"max_queued_messages 0\nmax_inflight_messages 1000\n{more}")
            if tls:
                f.write(f"cafile {tls.ca}\ncertfile {tls.path('broker.crt')}\nkeyfile {tls.path('broker.key')}\n")
            if os.geteuid() == 0:
                f.write("user root\n")

    def is_open(self):
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", self.port)) == 0

    def start(self):
        self.process = subprocess.Popen([MOSQUITTO, "-c", self.config], stderr=subprocess.DEVNULL)
        wait_until(self.is_open, 10, "the broker listens")
        return self

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self):
        self.process.send_signal(signal.SIGCONT)

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def end(self):
        """In order: whatever sessions it has are on disk then, also those of the last moment."""
        self.process.terminate()
        self.process.wait(20)
