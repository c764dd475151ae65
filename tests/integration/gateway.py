"""Runs the real gateway on a folder of its own, with free ports, for one test.

    with Gateway(config) as gateway:      # config: a dict, as the YAML file would say it
        gateway.mqtt_port, gateway.http_port

In a configuration's strings {NAME_port} becomes a free port (the same for each NAME, also as gateway.NAME_port) and
{folder} the test's folder. kill() is kill -9; start() goes on with the same folder. Processes are ended by their id;
what the gateway said is shown when a test fails to start it. GANGLION_WRAP, when set, stands before the program's
name: a checker, for example.
"""
import base64
import contextlib
import hashlib
import http.client
import json
import os
import random
import re
import shlex
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.path.abspath(os.environ.get("GANGLION_BUILD", os.path.join(HERE, "..", "..", "build", "dev")))
BINARY = os.environ.get("GANGLION", os.path.join(BUILD, "ganglion"))
START_TIMEOUT_S = 30
PLACE = re.compile(r"\{(\w+_port|folder)\}")


given = set()


def free_port():
    """Not of the range from which the kernel takes ports for connections, or one may be taken meanwhile."""
    while True:
        port = random.randrange(10000, 32000)
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in given:
            given.add(port)
            return port


def wait_until(condition, timeout_s=10, what="condition"):
    """Waits for a condition with a bound; returns its value."""
    end = time.monotonic() + timeout_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {timeout_s} s: {what() if callable(what) else what}")
        time.sleep(0.01)


def password_hash(password):
    """As the gateway keeps it: scrypt, salt and hash in base64 without padding."""
    salt = os.urandom(16)
    digest = hashlib.scrypt(password.encode(), salt=salt, n=2**14, r=8, p=5, maxmem=1 << 26, dklen=32)
    text = [base64.b64encode(part).decode().rstrip("=") for part in (salt, digest)]
    return "$scrypt$ln=14,r=8,p=5$" + "$".join(text)


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Gateway:
    def __init__(self, config, env=None):
        self.ports = {}
        self.config = config
        self.env = env
        self.process = None
        self.folder = None

    def __getattr__(self, name):
        if name.endswith("_port"):
            if name not in self.ports:  # not setdefault(): each port that is taken is gone for the whole run
                self.ports[name] = free_port()
            return self.ports[name]
        raise AttributeError(name)

    def __enter__(self):
        self.make_folder()
        try:
            self.start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, *_):
        try:
            if self.process and self.process.poll() is None:
                self.stop()
            self.check_sanitizers()
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

    def check_sanitizers(self):
        """What they found also counts when the test had killed the program, or did not look."""
        if self.process and os.path.exists(self.log_path):
            log = self.log(1 << 24)
            found = re.search(r"(Address|Leak|Thread|UndefinedBehavior)Sanitizer: |: runtime error: ", log)
            if found:
                raise AssertionError(log[max(0, found.start() - 200):found.start() + 8000])

    def make_folder(self):
        """Before the start, where a test has files to put there."""
        if not self.folder:
            self.folder = tempfile.mkdtemp(prefix="ganglion-test-")
            self.data = os.path.join(self.folder, "data")
            self.log_path = os.path.join(self.folder, "log")
        return self.folder

    def fill(self, value):
        """The configuration with ports and folder put in."""
        if isinstance(value, dict):
            return {key: self.fill(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.fill(item) for item in value]
        if isinstance(value, str):
            return PLACE.sub(lambda found: str(getattr(self, found[1])), value)
        return value

    def write_config(self):
        config = self.fill(self.config)
        config.setdefault("api", {"listen": f"127.0.0.1:{self.http_port}"})
        self.config_path = os.path.join(self.folder, "ganglion.yaml")
        with open(self.config_path, "w", encoding="utf-8") as f:
            json.dump(config, f, indent=1)  # JSON is YAML

    def start(self):
        self.write_config()
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [*shlex.split(os.environ.get("GANGLION_WRAP", "")), BINARY, "run", "--config", self.config_path,
                 "--data", self.data], stdout=log, stderr=log, env=dict(os.environ, **(self.env or {})))
        wait_until(self.is_ready, START_TIMEOUT_S, lambda: f"readiness; it said:\n{self.log()}")

    def is_alive(self):
        return self.process.poll() is None

    def is_ready(self):
        if not self.is_alive():
            raise AssertionError(f"the gateway ended with {self.process.returncode}:\n{self.log()}")
        try:
            return self.get("/readyz", timeout_s=1) is not None
        except (OSError, urllib.error.URLError):
            return False

    def stop(self, timeout_s=20):
        """Ends it in order; an exit status other than 0 is a failure."""
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"the gateway did not end within {timeout_s} s:\n{self.log()}") from None
        if status:
            raise AssertionError(f"the gateway ended with {status}:\n{self.log()}")
        return status

    def kill(self):
        self.process.kill()
        self.process.wait()

    def restart(self):
        self.stop()
        self.start()

    def log(self, most=8000):
        with open(self.log_path, encoding="utf-8", errors="replace") as f:
            return f.read()[-most:]

    def wait_log(self, text, timeout_s=15):
        wait_until(lambda: text in self.log(1 << 20), timeout_s, lambda: f'"{text}" in the log:\n{self.log()}')

    def token(self):
        """The administrator's token of the first start."""
        with open(os.path.join(self.data, "first-token"), encoding="ascii") as f:
            return f.read().strip()

    def get(self, path, timeout_s=5):
        request = urllib.request.Request(f"http://127.0.0.1:{self.http_port}{path}")
        try:
            request.add_header("Authorization", f"Bearer {self.token()}")
        except OSError:
            pass  # it is starting, or has another token by now
        with urllib.request.urlopen(request, timeout=timeout_s) as answer:
            return answer.read().decode()

    def api(self, method, path, body=None, timeout_s=10):
        """Asks as the local administrator, through the socket in the data folder. Status, and the JSON or text."""
        with contextlib.closing(UnixConnection(os.path.join(self.data, "api.sock"), timeout_s)) as c:
            headers = {"Content-Type": "application/json"} if body is not None else {}
            c.request(method, path, None if body is None else json.dumps(body), headers)
            answer = c.getresponse()
            text = answer.read().decode()
            is_json = "json" in answer.getheader("Content-Type", "")
            return answer.status, json.loads(text) if is_json and text else text

    def metric(self, name, **labels):
        """The sum of a metric's series that have these labels; 0 when there is none."""
        total = 0.0
        for line in self.api("GET", "/metrics")[1].splitlines():
            series, _, value = line.rpartition(" ")
            same = series == name or series.startswith(name + "{")
            if same and all(f'{key}="{text}"' in series for key, text in labels.items()):
                total += float(value)
        return total

    def rss_mib(self):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as f:
            for line in f:
                if line.startswith("VmRSS:"):
                    return int(line.split()[1]) / 1024
        raise AssertionError("the process has no memory")

    def catalog(self, write=False):
        mode = "rw" if write else "ro"
        return contextlib.closing(sqlite3.connect(f"file:{self.data}/catalog.db?mode={mode}", uri=True, timeout=10))

    def events(self, kind):
        """Of this kind, oldest first: dicts of the catalog's columns."""
        with self.catalog() as db:
            db.row_factory = sqlite3.Row
            return [dict(row) for row in db.execute("SELECT * FROM events WHERE kind = ? ORDER BY id", (kind,))]

    def register(self, *entries):
        """Entries of the device registry, while the gateway is down: dicts with id, and password, token or
        certificate=True, application=True, enabled=False."""
        with self.catalog(write=True) as db, db:
            for entry in entries:
                kind, credential = "none", ""
                if "password" in entry:
                    kind, credential = "password", password_hash(entry["password"])
                elif "token" in entry:
                    kind, credential = "token", hashlib.sha256(entry["token"].encode()).hexdigest()
                elif entry.get("certificate"):
                    kind = "certificate"
                labels = '{"application":true}' if entry.get("application") else "{}"
                db.execute("INSERT OR REPLACE INTO devices VALUES (?, '', ?, ?, CAST(? AS BLOB), 1, 0, ?)",
                           (entry["id"], labels, kind, credential, int(entry.get("enabled", True))))

    def start_with(self, *entries):
        """The first start of a gateway that knows these devices: its catalog has to be there first."""
        self.make_folder()
        if not os.path.exists(os.path.join(self.data, "catalog.db")):
            config, self.config = self.config, {"site": "empty"}
            self.start()
            self.stop()
            self.config = config
        self.register(*entries)
        self.start()
        return self
