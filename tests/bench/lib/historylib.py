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


def bench(*args, sealed=False):
    """Runs history_bench; its closing JSON object."""
    env = dict(os.environ, HISTORY_BENCH_SEALED="1") if sealed else None
    out = subprocess.run([b.program("history_bench"), *map(str, args)], check=True, stdout=subprocess.PIPE, text=True,
                         env=env)
    return json.loads(out.stdout.splitlines()[-1])
