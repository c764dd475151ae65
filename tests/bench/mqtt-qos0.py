"""QoS 0 to one subscriber, against mosquitto."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent / "lib"))
import through  # noqa: E402

if __name__ == "__main__":
    sys.exit(through.compare("mqtt-qos0", "100-byte JSON of 10 clients, QoS 0 to one subscriber", 1, 3,
                             ["clients=10", "window=500", "qos=0", "size=100", "seconds=4"]))
