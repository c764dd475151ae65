"""The dashboard as a person uses it: log in, watch a value, see an event, acknowledge it, lose the link and get it back."""
import os
import unittest

import paho.mqtt.publish

from gateway import Gateway, wait_until
from webdriver import Browser

CONFIG = {
    "site": "pump-hall-3",
    "drivers": {"mqtt": {"listen": "127.0.0.1:{mqtt_port}", "topics": {"{device}/{signal}": "plain"}}},
    "rules": {"hot": {"when": "press-1/temperature > 90", "severity": "critical",
                      "message": "Press 1 is too hot"}},
}
SCREENSHOTS = os.environ.get("SCREENSHOTS", "/tmp")


class PageTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.gateway = Gateway(CONFIG)
        cls.gateway.__enter__()
        cls.browser = Browser()
        cls.browser.size(1440, 900)
        cls.value = 0

    @classmethod
    def tearDownClass(cls):
        cls.browser.close()
        cls.gateway.__exit__(None, None, None)

    def publish(self, topic, value):
        paho.mqtt.publish.single(topic, str(value), qos=1, hostname="127.0.0.1", port=self.gateway.mqtt_port)

    def see(self, css, text, timeout_s=15):
        wait_until(lambda: text in self.browser.text(css), timeout_s, f"{text!r} in {css}")

    def tile(self, name):
        return f'#signals li[data-name="{name}"]'

    def screenshot(self, name):
        self.browser.screenshot(os.path.join(SCREENSHOTS, f"{name}.png"))

    def log_in(self):
        self.browser.open(f"http://127.0.0.1:{self.gateway.http_port}/")
        wait_until(lambda: self.browser.visible("#login") or self.browser.visible("#app"), 15, "the page")
        if self.browser.visible("#login"):
            self.browser.type("#token", self.gateway.token())
            self.browser.click("#login button")
            wait_until(lambda: self.browser.visible("#app"), 15, "the dashboard")
        self.see("#link", "live")

    def test_1_a_wrong_token_is_told(self):
        self.browser.open(f"http://127.0.0.1:{self.gateway.http_port}/")
        wait_until(lambda: self.browser.visible("#login"), 15, "the log-in")
        self.screenshot("login")
        self.browser.type("#token", "ggt_wrong")
        self.browser.click("#login button")
        self.see("#login-problem", "not known here")
        self.browser.open("about:blank")

    def test_2_values_change_by_themselves(self):
        for i in range(40):
            self.publish("press-1/temperature", 60 + i % 7)
            self.publish("press-1/pressure", 4 + (i % 5) / 10)
        self.log_in()
        self.see("#sentence", "pump-hall-3 is well")
        self.publish("press-1/temperature", 71.25)
        self.see(self.tile("press-1/temperature"), "71.25")
        self.publish("press-1/temperature", 72.5)
        self.see(self.tile("press-1/temperature"), "72.5")
        path = f"{self.tile('press-1/temperature')} .line"
        wait_until(lambda: len(self.browser.run(
            "return document.querySelector(arguments[0]).getAttribute('d')", path)) > 200, 10, "a line")
        self.publish("late/signal", 1)
        self.see(self.tile("late/signal"), "1")

    def test_3_an_event_appears_and_is_acknowledged(self):
        self.log_in()
        self.publish("press-1/temperature", 95)
        self.see("#events", "press-1/temperature is 95")
        self.see("#events .message", "Press 1 is too hot")
        self.see("#sentence", "1 critical event is open")
        self.browser.click("#events .open")
        self.see("#events .trace", "press-1/temperature")
        self.screenshot("dashboard-1440")
        self.browser.theme("dark")
        self.screenshot("dashboard-1440-dark")
        self.browser.theme("light")
        self.browser.click("#events .acknowledge")
        self.see("#events", "acknowledged by first start")
        self.publish("press-1/temperature", 50)
        wait_until(lambda: self.browser.visible("#no-events"), 15, "no open event")
        self.browser.click("#older-events")
        self.see("#past-events", "press-1/temperature is 95")
        wait_until(lambda: self.browser.visible("#no-older"), 15, "that there are no earlier ones")

    def test_4_it_fits_a_phone(self):
        self.log_in()
        self.browser.size(390, 844)
        try:
            self.see(self.tile("press-1/temperature"), "press-1/temperature")
            self.assertLessEqual(self.browser.run("return document.documentElement.scrollWidth"), 390)
            small = self.browser.run("""return [...document.querySelectorAll('button, input')]
                .filter((e) => e.getClientRects().length && e.getBoundingClientRect().height < 44 && !e.matches('.open'))
                .map((e) => e.outerHTML)""")
            self.assertEqual(small, [])
            self.screenshot("dashboard-390")
        finally:
            self.browser.size(1440, 900)

    def test_5_a_lost_link_is_shown_and_heals(self):
        self.log_in()
        self.gateway.kill()
        self.see("#link", "lost")
        self.gateway.start()
        self.see("#link", "live", 30)
        self.publish("press-1/temperature", 33.25)
        self.see(self.tile("press-1/temperature"), "33.25")

    def test_6_a_band_is_drawn_where_it_is_known(self):
        self.log_in()
        drawn = self.browser.run("""return import('/chart.js').then(({ draw, sparkline }) => {
            const chart = sparkline();
            const at = (t, v) => ({ t, v });
            draw(chart, [at(0, 5), at(1000, 6), at(2000, 5)], [at(-500, 4), at(1500, 4.5)], [at(-500, 7)]);
            const known = chart.band.getAttribute('d');
            draw(chart, [at(0, 5), at(60000, 6), at(61000, 5), at(62000, 5)], [], []);
            return [known, chart.band.getAttribute('d'), chart.line.getAttribute('d')];
        })""")
        self.assertRegex(drawn[0], r"^M0\.0 [\d.]+L.*Z$")
        self.assertEqual(drawn[1], "")
        self.assertEqual(drawn[2].count("M"), 2)  # a gap is not bridged

    def test_7_nothing_is_wrong_in_the_console_and_nobody_else_is_asked(self):
        self.log_in()
        asked = self.browser.run("return performance.getEntriesByType('resource').map((e) => e.name)")
        here = f"http://127.0.0.1:{self.gateway.http_port}/"
        self.assertEqual([url for url in asked if not url.startswith(here)], [])
        wrong = [line["message"] for line in self.browser.log()
                 if "Content Security Policy" in line["message"] or "Uncaught" in line["message"]]
        self.assertEqual(wrong, [])


if __name__ == "__main__":
    unittest.main()
