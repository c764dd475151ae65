"""A gateway on a machine whose clock a test sets while it runs: see tests/faults/clock_preload.c."""
import mmap
import os
import struct

from gateway import BUILD, Gateway

PRELOAD = os.path.join(BUILD, "tests", "faults", "clock_preload.so")


class SetClock(Gateway):
    def make_folder(self):
        if not self.folder:
            super().make_folder()
            path = os.path.join(self.folder, "clock")
            with open(path, "wb") as f:
                f.write(bytes(8))
            with open(path, "r+b") as f:
                self.ahead = mmap.mmap(f.fileno(), 8)
            # Sanitizers want to be the first library; here another has to be.
            self.env = {"LD_PRELOAD": PRELOAD, "CLOCK_FILE": path,
                        "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"}
        return self.folder

    def set_clock(self, ahead_s):
        """So many seconds before the real time, or behind it where negative."""
        self.ahead[0:8] = struct.pack("q", int(ahead_s * 1e9))
