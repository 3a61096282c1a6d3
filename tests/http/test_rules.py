"""The table of raw requests (tests/lib/http_rules.py) against the whole server, with the paths of each contract."""

import json
import unittest
from urllib.parse import urlsplit

from lib import http_rules
from lib.case import ServerModule
from lib.raw_http import Raw

SERVER = ServerModule(__name__, config="client_share = 100\nlanguage python { warm = 2 running = 4 }\n", http=True)
setUpModule, tearDownModule = SERVER.set_up, SERVER.tear_down

JSON = "Content-Type: application/json\r\n"


class Rules(unittest.TestCase):
    def connect(self):
        url = urlsplit(SERVER.http)
        return Raw((url.hostname, url.port))

    def check(self, get, post, body):
        http_rules.check(self, self.connect, get, post, json.dumps(body), headers=JSON)

    def test_v1(self):
        """the rules of HTTP hold for /v1"""
        self.check("/v1/languages", "/v1/run", {"language": "python", "code": ""})

    def test_snekbox(self):
        """the rules of HTTP hold for /eval"""
        self.check("/v1/languages", "/eval", {"input": ""})

    def test_piston(self):
        """the rules of HTTP hold for /api/v2"""
        self.check("/api/v2/runtimes", "/api/v2/execute", {"language": "python", "version": "*", "files": [{"content": ""}]})

    def test_sandboxfusion(self):
        """the rules of HTTP hold for /run_code"""
        self.check("/v1/ping", "/run_code", {"language": "python", "code": ""})


if __name__ == "__main__":
    unittest.main()
