"""Runs the real gateway on a folder of its own, with free ports, for one test.

    with Gateway(config) as gateway:      # config: a dict, as the YAML file would say it
        gateway.mqtt_port, gateway.http_port

The text {mqtt_port} or {http_port} in a configuration's strings becomes the port. kill() is kill -9; start()
goes on with the same folder. Processes are ended by their id; what the gateway said is shown when a test fails
to start it.
"""
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.environ.get("GANGLION_BUILD", os.path.join(HERE, "..", "..", "build", "dev"))
BINARY = os.environ.get("GANGLION", os.path.join(os.path.abspath(BUILD), "ganglion"))
START_TIMEOUT_S = 30


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_until(condition, timeout_s=10, what="condition"):
    """Waits for a condition with a bound; returns its value."""
    end = time.monotonic() + timeout_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"{what} did not come true within {timeout_s} s")
        time.sleep(0.01)


class Gateway:
    def __init__(self, config, env=None):
        self.ports = {}
        self.config = config
        self.env = env
        self.process = None
        self.folder = None

    def __getattr__(self, name):
        if name.endswith("_port"):
            return self.ports.setdefault(name, free_port())
        raise AttributeError(name)

    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix="ganglion-test-")
        self.data = os.path.join(self.folder, "data")
        self.log_path = os.path.join(self.folder, "log")
        try:
            self.start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, *_):
        if self.process and self.process.poll() is None:
            self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def fill(self, value):
        """The configuration with the ports put in."""
        if isinstance(value, dict):
            return {key: self.fill(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.fill(item) for item in value]
        if isinstance(value, str):
            for name in ("mqtt_port", "http_port", "ws_port", "tls_port"):
                if "{" + name + "}" in value:
                    value = value.replace("{" + name + "}", str(getattr(self, name)))
        return value

    def write_config(self):
        config = self.fill(self.config)
        config.setdefault("http", {"listen": f"127.0.0.1:{self.http_port}"})
        self.config_path = os.path.join(self.folder, "ganglion.yaml")
        with open(self.config_path, "w", encoding="utf-8") as f:
            json.dump(config, f, indent=1)  # JSON is YAML

    def start(self):
        self.write_config()
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [BINARY, "run", "--config", self.config_path, "--data", self.data],
                stdout=log, stderr=log, env=dict(os.environ, **(self.env or {})))
        wait_until(self.is_ready, START_TIMEOUT_S, "readiness")

    def is_ready(self):
        if self.process.poll() is not None:
            raise AssertionError(f"the gateway ended with {self.process.returncode}:\n{self.log()}")
        try:
            return self.get("/readyz", timeout_s=1) is not None
        except (OSError, urllib.error.URLError):
            return False

    def stop(self, timeout_s=15):
        """Ends it in order; returns its exit status."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"the gateway did not end within {timeout_s} s:\n{self.log()}") from None

    def kill(self):
        self.process.kill()
        self.process.wait()

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as f:
            return f.read()[-8000:]

    def get(self, path, timeout_s=5):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.http_port}{path}", timeout=timeout_s) as answer:
            return answer.read().decode()

    def metric(self, name, **labels):
        """The sum of a metric's series that have these labels; 0 when there is none."""
        total = 0.0
        for line in self.get("/metrics").splitlines():
            series, _, value = line.rpartition(" ")
            same = series == name or series.startswith(name + "{")
            if same and all(f'{key}="{text}"' in series for key, text in labels.items()):
                total += float(value)
        return total
