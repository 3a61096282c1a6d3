"""share/: the alerts and the dashboard. A real Prometheus scrapes a server, and answers every expression."""

import http.client
import json
import re
import socket
import subprocess
import tempfile
import unittest
from pathlib import Path
from urllib.parse import quote, urlsplit

from lib.prometheus import SUFFIXES, Metrics, need
from lib.scale import patience
from lib.server import wait_until
from lib.servers import WithServers

ROOT = Path(__file__).resolve().parents[2]
RULES = ROOT / "share" / "prometheus" / "hatchery.rules.yml"
DASHBOARD = ROOT / "share" / "grafana" / "hatchery.json"
VARIABLES = {"$instance": ".*", "$language": ".*", "$__rate_interval": "1m"}
NAME = re.compile(r"\bhatchery_\w+")


def expressions():
    """The expressions of the dashboard's panels, with a title each."""
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        for target in panel["targets"]:
            yield panel["title"], target["expr"]


def filled_in(expression):
    for name, value in VARIABLES.items():
        expression = expression.replace(name, value)
    return expression


def get(url, path):
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=patience(30))
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


class Alerts(unittest.TestCase):
    def promtool(self, *arguments):
        done = subprocess.run([need(self, "promtool"), *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              timeout=patience(60), check=False)
        self.assertEqual(0, done.returncode, done.stdout)
        return done.stdout

    def test_promtool_takes_the_five_rules(self):
        self.assertIn("SUCCESS: 5 rules found", self.promtool("check", "rules", str(RULES)))

    def test_each_alert_fires_when_it_should(self):
        with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
            file.write((ROOT / "tests" / "http" / "rules.yml").read_text().replace("RULES", str(RULES)))
            file.flush()
            self.assertIn("SUCCESS", self.promtool("test", "rules", file.name))

    def test_each_alert_has_a_test_and_a_line_in_the_manual(self):
        names = set(re.findall(r"alert: (\w+)", RULES.read_text()))
        self.assertEqual(5, len(names))
        self.assertEqual(names, set(re.findall(r"alertname: (\w+)", (ROOT / "tests" / "http" / "rules.yml").read_text())))
        self.assertLessEqual(names, set(re.findall(r"\w+", (ROOT / "docs" / "operating.md").read_text())))


class Scraped(WithServers):
    def start_prometheus(self, server):
        """A Prometheus that scrapes the server each second, with our rules. Returns its URL."""
        program = need(self, "prometheus")
        folder = Path(self.enterContext(tempfile.TemporaryDirectory(prefix="hatchery-prometheus-")))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{free.getsockname()[1]}"
        (folder / "prometheus.yml").write_text(f"""
global: {{ scrape_interval: 1s, evaluation_interval: 1s }}
rule_files: [ "{RULES}" ]
scrape_configs:
  - job_name: hatchery
    static_configs: [ {{ targets: [ "{urlsplit(server.http).netloc}" ] }} ]
""")
        with open(folder / "log", "wb") as log:
            process = subprocess.Popen([program, f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
                                        f"--web.listen-address={urlsplit(url).netloc}"],
                                       stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.addCleanup(process.wait, patience(30))
        self.addCleanup(process.terminate)
        def is_up():
            self.assertIsNone(process.poll(), (folder / "log").read_text())
            try:
                return get(url, "/-/ready")[0] == 200
            except OSError:
                return False
        wait_until(is_up, what="Prometheus")
        return url

    def query(self, url, expression):
        """The samples that the expression has now, as a list of (labels, value)."""
        status, text = get(url, f"/api/v1/query?query={quote(expression)}")
        self.assertEqual(200, status, f"{expression}: {text}")
        return [(row["metric"], float(row["value"][1])) for row in json.loads(text)["data"]["result"]]

    def test_a_real_prometheus(self):
        """A real Prometheus scrapes a server: its API has the numbers, no alert fires, and each expression of the dashboard has a value"""
        server = self.start(config="language python { warm = 1 }\n", http=True)
        url = self.start_prometheus(server)
        with server.connect() as native:
            wait_until(lambda: self.query(url, "hatchery_runs_total"), what="the first scrape")
            for _ in range(7):
                native.execute("print(1)")
        runs = 'hatchery_runs_total{job="hatchery",language="python",status="EXITED"}'
        wait_until(lambda: [value for _, value in self.query(url, runs)] == [7], what="the runs in Prometheus")
        self.assertEqual([1], [value for _, value in self.query(url, 'up{job="hatchery"}')])
        with server.connect() as native:
            native.execute("print(1)")  # a stage's first times are no increase: it has no samples before them
        wait_until(lambda: self.query(url, 'rate(hatchery_stage_seconds_count{stage="refill"}[1m]) > 0'), what="a rate")
        # A quotient of zeros is no number, and still a sample.
        self.assertEqual([], [(title, text) for title, text in expressions() if not self.query(url, filled_in(text))])
        groups = json.loads(get(url, "/api/v1/rules")[1])["data"]["groups"]
        wait_until(lambda: all(rule["health"] == "ok" for group in json.loads(get(url, "/api/v1/rules")[1])["data"]["groups"]
                               for rule in group["rules"]), what="the evaluation of each rule")
        self.assertEqual(5, sum(len(group["rules"]) for group in groups))
        self.assertEqual([], self.query(url, "ALERTS"))

    def test_alerts_and_dashboard_name_metrics_that_exist(self):
        server = self.start(config="language python { warm = 1 }\n", http=True)
        types = Metrics(get(server.http, "/metrics")[1]).types
        known = {family + suffix for family, kind in types.items() for suffix in SUFFIXES[kind]}
        named = {name for text in (RULES.read_text(), DASHBOARD.read_text()) for name in NAME.findall(text)}
        self.assertGreater(len(named), 15)
        self.assertEqual(set(), named - known)
        manual = set(NAME.findall((ROOT / "docs" / "operating.md").read_text()))
        self.assertEqual(set(types), manual, "docs/operating.md lists the metrics")


if __name__ == "__main__":
    unittest.main()
