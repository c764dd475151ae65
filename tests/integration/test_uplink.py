"""Store and forward over a real broker: mosquitto is killed and comes back; every reading arrives, in order,
once per id."""
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest

BUILD = os.environ.get("GANGLION_BUILD", "build/dev")
GANGLION = os.path.join(BUILD, "ganglion")
MOSQUITTO = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
SUBSCRIBER = shutil.which("mosquitto_sub")
ROWS = 3000


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(condition, seconds, what):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError(f"not within {seconds} s: {what}")


def is_open(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


class Broker:
    """Keeps its sessions on disk, so that what it acknowledged is not lost with it."""

    def __init__(self, folder):
        self.port = free_port()
        self.config = os.path.join(folder, "mosquitto.conf")
        with open(self.config, "w", encoding="ascii") as f:
            f.write(f"listener {self.port} 127.0.0.1\nallow_anonymous true\npersistence true\n"
                    f"persistence_location {folder}/\nautosave_on_changes true\nautosave_interval 1\n"
                    "max_queued_messages 0\n")
            if os.geteuid() == 0:
                f.write("user root\n")
        self.process = None

    def start(self):
        self.process = subprocess.Popen([MOSQUITTO, "-c", self.config], stderr=subprocess.DEVNULL)
        wait_for(lambda: is_open(self.port), 10, "the broker listens")

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


class Subscriber:
    """Reads to a file what comes; its session outlives the connection."""

    def __init__(self, port, folder):
        self.path = os.path.join(folder, "received")
        self.output = open(self.path, "ab")
        self.process = subprocess.Popen(
            [SUBSCRIBER, "-p", str(port), "-V", "5", "-q", "1", "-c", "-i", "cloud", "-x", "4294967295",
             "-t", "ganglion/#", "-F", "%t %p"], stdout=self.output, stderr=subprocess.DEVNULL)

    def messages(self):
        with open(self.path, "rb") as f:
            for line in f.read().decode().splitlines():
                topic, _, payload = line.partition(" ")
                try:
                    yield topic, json.loads(payload)
                except ValueError:
                    pass  # still being written

    def stop(self):
        self.process.terminate()
        self.process.wait()
        self.output.close()


def readings(subscriber):
    """Values in the order of arrival, and how often each id came."""
    values, ids = [], {}
    for topic, message in subscriber.messages():
        if not topic.endswith("/press"):
            continue
        ids[message["id"]] = ids.get(message["id"], 0) + 1
        if ids[message["id"]] == 1:
            values += [s["value"] for s in message["samples"]]
    return values, ids


@unittest.skipUnless(os.path.exists(GANGLION), "the gateway is not built")
@unittest.skipUnless(os.path.exists(MOSQUITTO) and SUBSCRIBER, "mosquitto is not installed")
class Uplink(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="gg-uplink-")
        self.broker = Broker(self.folder)
        self.broker.start()
        self.subscriber = Subscriber(self.broker.port, self.folder)
        recording = os.path.join(self.folder, "press.csv")
        with open(recording, "w", encoding="ascii") as f:
            f.write("time,x\n" + "".join(f"{1700000000 + i / 100},{i}\n" for i in range(ROWS)))
        self.config = os.path.join(self.folder, "ganglion.yaml")
        with open(self.config, "w", encoding="ascii") as f:
            f.write(f"""
site: hall
data_dir: {self.folder}/data
api: {{ enabled: false }}
drivers:
  recorded:
    driver: replay
    file: {recording}
    device: press
    speed: 3
uplinks:
  cloud:
    uplink: mqtt
    connect: mqtt://127.0.0.1:{self.broker.port}
    send: ["press/*", events]
    linger: 50ms
""")
        self.log = open(os.path.join(self.folder, "log"), "ab")
        self.gateway = None

    def start_gateway(self):
        self.gateway = subprocess.Popen([GANGLION, "run", "--config", self.config], stderr=self.log)

    def tearDown(self):
        for process in (self.gateway, self.broker.process):
            if process and process.poll() is None:
                process.kill()
                process.wait()
        self.subscriber.stop()
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def test_everything_arrives_in_order_once_per_id_though_the_broker_dies(self):
        self.start_gateway()
        wait_for(lambda: len(readings(self.subscriber)[0]) > 100, 30, "the first readings arrive")
        self.broker.kill()
        time.sleep(2)  # the outage itself: readings go on and pile up in the journal
        self.broker.start()
        wait_for(lambda: len(readings(self.subscriber)[0]) >= ROWS, 90, "all readings arrive")
        values, ids = readings(self.subscriber)
        self.assertEqual(values, [float(i) for i in range(ROWS)])
        # What was under way when the broker died comes twice at most, under its id; nothing else does.
        self.assertLessEqual(sum(1 for n in ids.values() if n > 1), 64)


if __name__ == "__main__":
    unittest.main()
