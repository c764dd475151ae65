"""A gateway on a disk that fails when a test says so, and on which a power cut can be played: see
tests/faults/failing_disk_preload.c."""
import contextlib
import errno
import mmap
import os
import shutil
import struct

from gateway import BUILD, Gateway, wait_until

PRELOAD = os.path.join(BUILD, "tests", "faults", "failing_disk_preload.so")
OPS = {"write": 1, "sync": 2, "read": 4, "open": 8}
NUMBERS = struct.Struct("6I")  # struct failing_plan
SIZE = 128


class FailingDisk(Gateway):
    def make_folder(self):
        if not self.folder:
            super().make_folder()
            self.shadow = os.path.join(self.folder, "shadow")
            os.makedirs(self.shadow)
            path = os.path.join(self.folder, "plan")
            with open(path, "wb") as f:
                f.write(bytes(SIZE))
            with open(path, "r+b") as f:
                self.plan = mmap.mmap(f.fileno(), SIZE)
            # Sanitizers want to be the first library; here another has to be.
            self.env = {"LD_PRELOAD": PRELOAD, "FAULT_FOLDER": self.data, "FAULT_SHADOW": self.shadow,
                        "FAULT_PLAN": path,
                        "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"}
        return self.folder

    def set_plan(self, ops, error, skip, times, part):
        syncs = NUMBERS.unpack_from(self.plan)[5]
        self.plan[0:4] = bytes(4)  # none while the rest changes
        self.plan[NUMBERS.size:SIZE] = part.encode().ljust(SIZE - NUMBERS.size, b"\0")
        self.plan[4:NUMBERS.size] = NUMBERS.pack(0, error, skip, times, 0, syncs)[4:]
        self.plan[0:4] = struct.pack("I", ops)

    def hits(self):
        return NUMBERS.unpack_from(self.plan)[4]

    @contextlib.contextmanager
    def failing(self, op, part, error=errno.EIO, skip=0, times=0):
        """Calls on files with `part` in their path fail while the block runs. It has to happen at least once."""
        self.set_plan(OPS[op], error, skip, times, part)
        try:
            yield
            wait_until(self.hits, 20, f"a {op} of {part} that fails")
        finally:
            self.set_plan(0, 0, 0, 0, "")

    def cut_power(self):
        """kill -9, and of the data folder what had been synced is left."""
        self.kill()
        shutil.rmtree(self.data)
        shutil.copytree(self.shadow, self.data)
