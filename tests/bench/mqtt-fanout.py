"""One message to each of 500 subscribers, against mosquitto."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent / "lib"))
import through  # noqa: E402

if __name__ == "__main__":
    sys.exit(through.compare("mqtt-fanout", "100-byte JSON of one client, QoS 0 to each of 500 subscribers", 500, 2,
                             ["clients=1", "window=100", "qos=0", "size=100", "seconds=4"]))
