"""A network of this process's own, and what may go wrong in it.

    setUpModule = netns.enter     # before any thread: all sockets from here on, also of children, are in it
    with netns.fault(port, "loss"):
        ...

It has a loopback interface and nothing else. Faults are rules of nftables on the packets of one TCP port, in both
directions; a fault that touched no packet fails the test. Where a kernel or a user may not do this, enter() skips the module and says why.
"""
import contextlib
import ctypes
import os
import re
import shutil
import subprocess
import unittest

CLONE_NEWNET = 0x40000000
NFT = shutil.which("nft") or shutil.which("nft", path="/usr/sbin")

RULES = {
    # What is lost has to be sent again by TCP, after ever longer pauses.
    "loss": ["tcp dport {port} numgen random mod 100 < 30 counter drop", "tcp sport {port} numgen random mod 100 < 30 counter drop"],
    "cut": ["tcp dport {port} counter drop", "tcp sport {port} counter drop"],
    # What the gateway says arrives; what it is told does not.
    "half-open": ["tcp sport {port} counter drop"],
    "refuse": ["tcp dport {port} counter reject with tcp reset"],
    "slow": ["tcp dport {port} limit rate over {rate} kbytes/second burst 8 kbytes counter drop"],
}


def enter():
    if os.geteuid() != 0 or not NFT:
        raise unittest.SkipTest("a network of our own needs root and nftables")
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) != 0:
        raise unittest.SkipTest(f"no network of our own: {os.strerror(ctypes.get_errno())}")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    nft("add table inet faults")


def nft(text):
    done = subprocess.run([NFT, "-f", "-"], input=text + "\n", text=True, capture_output=True, check=False, timeout=20)
    assert done.returncode == 0, done.stderr
    return done.stdout


@contextlib.contextmanager
def fault(port, kind, rate=50):
    rules = "\n".join(rule.format(port=port, rate=rate) for rule in RULES[kind])
    nft(f"table inet faults {{\nchain broken {{\ntype filter hook input priority 0\n{rules}\n}}\n}}")

    def touched():
        return sum(map(int, re.findall(r"counter packets (\d+)", nft("list chain inet faults broken"))))

    try:
        yield touched
        assert touched() > 0, f"no packet was touched by {kind}"
    finally:
        nft("delete chain inet faults broken")
