"""The MQTT server as Eclipse Paho's two Go libraries see it: paho.golang for 5.0, paho.mqtt.golang for 3.1.1."""
import json
import os
import subprocess
import unittest

from gateway import BUILD, Gateway
from mqtt_conformance import config

PEER = os.path.join(os.path.dirname(BUILD), "mqtt_go_peer")


@unittest.skipUnless(os.path.exists(PEER), "Go is not there")
class Go(unittest.TestCase):
    def test_paho_for_go_sees_what_the_standards_promise(self):
        with Gateway(config()) as gateway:
            done = subprocess.run([PEER, f"127.0.0.1:{gateway.mqtt_port}", "go"], timeout=60, capture_output=True,
                                  text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        seen = json.loads(done.stdout)
        digits = [str(i) for i in range(10)]
        self.assertEqual(seen["qos"], [0, 1, 2])
        self.assertEqual(seen["retained"], ["kept"])
        self.assertEqual(seen["will"], ["gone"])
        self.assertEqual(seen["session"], [False, True, digits[:5]])
        self.assertEqual(seen["shared"], [digits, 5, 5])
        self.assertEqual(seen["alias"], digits[:3])
        self.assertEqual(seen["flow"], [100, True])
        self.assertEqual(seen["old"], ["here 0", "here 1", "here 2", "away 2"])


if __name__ == "__main__":
    unittest.main()
