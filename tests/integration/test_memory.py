"""Memory that is not to be had: an allocation fails, at the start each in turn, at work now and then.

GANGLION_ALLOCATIONS says how many of the start's allocations are tried (400), spread over all of them but for the
first hundred, of which each is.
"""
import mmap
import os
import shutil
import signal
import struct
import subprocess
import tempfile
import time
import unittest

from gateway import BINARY, BUILD, Gateway, wait_until
from test_kill import LOAD, Watch

LIBRARY = os.path.join(os.path.abspath(BUILD), "tests", "faults", "failing_malloc.so")
TRIES = int(os.environ.get("GANGLION_ALLOCATIONS", "400"))
CONFIG = {
    "site": "memory",
    "journal": {"reserve": 0},
    "drivers": {"mqtt": {"listen": "127.0.0.1:{mqtt_port}",
                         "topics": {"{device}/state": "json", "{device}/{signal}": "plain"}}},
    "pipelines": {"mean": {"select": ["load*/temperature"],
                           "stages": [{"window": {"every": "100ms", "give": ["mean", "count"]}}]}},
    "rules": {"high": {"when": "load*/temperature > 1000"}},
}


class Control:
    """The numbers that the preloaded library shares with us."""

    def __init__(self, folder):
        self.path = os.path.join(folder, "control")
        with open(self.path, "wb") as f:
            f.write(bytes(32))
        self.file = open(self.path, "r+b")
        self.map = mmap.mmap(self.file.fileno(), 32)

    def set(self, at=0, every=0):
        struct.pack_into("<4Q", self.map, 0, at, every, 0, 0)

    def fail_one_of(self, every):
        struct.pack_into("<Q", self.map, 8, every)

    @property
    def count(self):
        return struct.unpack_from("<Q", self.map, 16)[0]

    @property
    def failed(self):
        return struct.unpack_from("<Q", self.map, 24)[0]

    def env(self):
        return {"LD_PRELOAD": LIBRARY, "GG_FAIL_CONTROL": self.path}

    def close(self):
        self.map.close()
        self.file.close()


@unittest.skipUnless(os.path.exists(LIBRARY), "a build with sanitizers has an allocator of its own")
class Memory(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="ganglion-memory-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.control = Control(self.folder)
        self.addCleanup(self.control.close)


class Start(Memory):
    def run_once(self, gateway, at):
        """Until it is ready or has ended. (ready, exit status, what it said)"""
        shutil.rmtree(gateway.data, ignore_errors=True)
        self.control.set(at=at)
        said = os.path.join(self.folder, "said")
        with open(said, "wb") as log:
            process = subprocess.Popen([BINARY, "run", "--config", gateway.config_path, "--data", gateway.data],
                                       stdout=log, stderr=log, env=dict(os.environ, **self.control.env()))

            def text():
                with open(said, encoding="utf-8", errors="replace") as f:
                    return f.read()
            end = time.monotonic() + 20
            while process.poll() is None and "ready site" not in text() and time.monotonic() < end:
                time.sleep(0.002)
            ready = "ready site" in text()
            hung = not ready and process.poll() is None
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            try:
                status = process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                hung = True
            self.assertFalse(hung, f"allocation {at}: it hangs\n{text()}")
        return ready, status, text()

    def test_each_allocation_of_the_start_may_fail(self):
        gateway = Gateway(CONFIG)
        self.addCleanup(lambda: shutil.rmtree(gateway.folder, ignore_errors=True))
        gateway.make_folder()
        gateway.write_config()
        ready, status, text = self.run_once(gateway, 0)
        self.assertTrue(ready and status == 0, text)
        total = self.control.count
        first = min(100, TRIES, total)
        others = range(first + 1, total + 1, max((total - first) // max(TRIES - first, 1), 1))
        whole = refused = 0
        wrong = []
        for at in [*range(1, first + 1), *others]:
            ready, status, text = self.run_once(gateway, at)
            whole += ready
            refused += not ready
            # It starts whole and ends in order, or says why not and ends with a status for that.
            if status not in (0, 1, 2, 127) or (not ready and not text.strip()):
                wrong.append(f"allocation {at}: status {status}\n{text[-1500:]}")
                if len(wrong) > 5:
                    break
        self.assertEqual(wrong, [], "\n".join(wrong))
        print(f"{total} allocations, {whole + refused} tried: {whole} started whole, {refused} said why not")


class AtWork(Memory):
    def test_nothing_acknowledged_is_lost_when_allocations_fail(self):
        gateway = Gateway(CONFIG, env=self.control.env())
        watch, acked, rounds = Watch(self), 0, 0
        with gateway:
            path = os.path.join(gateway.folder, "acked")
            for every in (5000, 1000, 200, 50):
                failed = 0
                end = time.monotonic() + 4
                self.control.set(every=every)
                while time.monotonic() < end:  # clients that lose their connection come again
                    load = subprocess.Popen(
                        [LOAD, "acked", f"127.0.0.1:{gateway.mqtt_port}", "clients=4", "window=50", "qos=1",
                         "seconds=2", f"start={rounds * 10000000}", f"file={path}"],
                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                    load.wait(30)
                    rounds += 1
                    self.assertTrue(gateway.is_alive(), f"one of {every}:\n{gateway.log()}")
                failed += self.control.failed
                self.control.set()
                self.assertGreater(failed, 0)
            # With memory again all is well again.
            wait_until(lambda: gateway.api("GET", "/readyz")[0] == 200, 20, lambda: gateway.log())
            gateway.stop()
            watch.look(gateway.data)
            with open(path, encoding="ascii") as f:
                for line in f:
                    topic, _, number = line.partition(" ")
                    if number.endswith("\n"):
                        acked += 1
                        self.assertIn(int(number), watch.numbers[topic.partition("/")[0]], f"{line.strip()} is lost")
        print(f"{acked} acknowledged in {rounds} rounds, none lost, none twice")
        self.assertGreater(acked, 50000)


if __name__ == "__main__":
    unittest.main()
