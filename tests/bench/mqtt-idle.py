"""10,000 idle MQTT clients over TLS: memory of the server for each, against mosquitto."""
import os
import pathlib
import resource
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent / "lib"))
import benchlib as b  # noqa: E402

CLIENTS = int(os.environ.get("BENCH_CLIENTS", "10000"))
CONFIG = """
site: bench
api: {{ enabled: false }}
log: {{ level: warn }}
drivers:
  mqtt:
    listen: tls://127.0.0.1:{port}
    anonymous: always
    max_clients: {most}
    tls: {{ certificate: {dir}/server.pem, key: {dir}/server.key }}
"""
PEER = """listener {port} 127.0.0.1
certfile {dir}/server.pem
keyfile {dir}/server.key
allow_anonymous true
persistence false
log_type none
max_connections -1
set_tcp_nodelay true
"""


def make_certificate(folder):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-days", "2", "-subj", "/CN=localhost", "-keyout", f"{folder}/server.key", "-out",
                    f"{folder}/server.pem"], check=True, stderr=subprocess.DEVNULL)
    os.chmod(f"{folder}/server.key", 0o644)
    os.chmod(folder, 0o755)


def idle(port, count):
    clients = subprocess.Popen([b.program("mqtt_idle_bench"), f"127.0.0.1:{port}", str(count)],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    if clients.stdout.readline() != "ready\n":
        sys.exit("bench: the clients could not connect")
    return clients


def measure(server, port):
    """KiB for each client, and percent of a core for all while they are idle. The first 100 warm up what is shared."""
    with server:
        first = idle(port, 100)
        before = server.pss_kib()
        first.stdin.close()
        first.wait()
        began = time.monotonic()
        clients = idle(port, CLIENTS)
        seconds = time.monotonic() - began
        time.sleep(5)
        each = (server.pss_kib() - before) / (CLIENTS - 100)
        cpu = server.cpu_seconds()
        time.sleep(5)
        cpu = (server.cpu_seconds() - cpu) / 5 * 100
        clients.stdin.close()
        clients.wait()
    return each, cpu, seconds


def main():
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    folder = tempfile.mkdtemp(prefix="idle-")
    make_certificate(folder)
    ours, theirs, cpu = [], [], []
    for run in range(b.RUNS):
        port = b.free_port()
        a = measure(b.Gateway(CONFIG.format(port=port, dir=folder, most=CLIENTS + 1000), port), port)
        port = b.free_port()
        file = pathlib.Path(folder) / "mosquitto.conf"
        file.write_text(PEER.format(port=port, dir=folder))
        m = measure(b.Peer(["/usr/sbin/mosquitto", "-c", str(file)], port), port)
        ours.append(a[0])
        theirs.append(m[0])
        cpu.append(a[1])
        b.say(f"run {run + 1}: ganglion {a[0]:.1f} KiB each, {a[1]:.1f} % of a core ({a[2]:.0f} s to connect), "
              f"mosquitto {m[0]:.1f} KiB each, {m[1]:.1f} % ({m[2]:.0f} s)")
    ratio = statistics.median(m / a for a, m in zip(ours, theirs))
    ok = b.figure("mqtt-idle", f"memory (PSS) for each of {CLIENTS:,} idle clients over TLS", "KiB", ours, "<= 15",
                  statistics.median(ours) <= 15, theirs, ratio)
    b.figure("mqtt-idle", "processor while they are idle", "% of a core", cpu, "none", True)
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
