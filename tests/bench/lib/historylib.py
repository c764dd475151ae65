"""What the history's benchmarks share: its program, and folders to work in."""
import contextlib
import json
import shutil
import subprocess
import tempfile
import os

import benchlib as b

RUNS = b.RUNS


@contextlib.contextmanager
def folder():
    path = tempfile.mkdtemp(prefix="ganglion-history-", dir=os.environ.get("BENCH_DIR"))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def bench(*args):
    """Runs history_bench; its closing JSON object."""
    out = subprocess.run([b.program("history_bench"), *map(str, args)], check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(out.stdout.splitlines()[-1])
