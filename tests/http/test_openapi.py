"""/openapi.json: valid for a public validator, true for what the server answers, and its examples work as they stand."""

import http.client
import json
import unittest
from urllib.parse import urlsplit

from lib.case import ServerModule
from lib.npm import Packages
from lib.scale import patience

try:
    import jsonschema
except ImportError:
    jsonschema = None

NPM = Packages("@apidevtools/swagger-parser@10.1.1")
SERVER = ServerModule(__name__, config="language python { }\nlanguage c { }\n", http=True)
VALIDATE = ("require('@apidevtools/swagger-parser').validate(process.argv[1])"
            ".then(() => console.log('valid'), error => console.log(error.message))")


def setUpModule():
    SERVER.set_up()


def tearDownModule():
    SERVER.tear_down()


def ask(method, path, body=None):
    connection = http.client.HTTPConnection(urlsplit(SERVER.http).netloc, timeout=patience(60))
    try:
        headers = {} if body is None else {"Content-Type": "application/json"}
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


class OpenApi(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.document = ask("GET", "/openapi.json")[1]

    def operation(self, path, method):
        return self.document["paths"][path][method]

    def check(self, value, schema):
        """Checks a value against a schema of the document."""
        if jsonschema is None:
            self.skipTest("python3-jsonschema is not installed")
        whole = {**schema, "components": self.document["components"]}
        jsonschema.Draft202012Validator(whole).validate(value)

    def check_answer(self, path, method, status, answer):
        self.check(answer, self.operation(path, method)["responses"][str(status)]["content"]["application/json"]["schema"])

    def test_it_is_valid(self):
        reason = NPM.install()
        if reason:
            self.skipTest(reason)
        (NPM.folder / "openapi.json").write_text(json.dumps(self.document))
        done = NPM.run("node", "-e", VALIDATE, "openapi.json")
        self.assertEqual("valid\n", done.stdout, done.stderr)

    def test_its_examples_work(self):
        run = self.operation("/v1/run", "post")
        ran = 0
        for status in "200", "400":
            answers = run["responses"][status]["content"]["application/json"]["examples"]
            for name, expected in answers.items():
                with self.subTest(name):
                    body = run["requestBody"]["content"]["application/json"]["examples"][name]["value"]
                    got, answer = ask("POST", "/v1/run", body)
                    self.assertEqual(int(status), got, answer)
                    self.assertEqual(expected["value"], {key: answer.get(key) for key in expected["value"]})
                    self.check_answer("/v1/run", "post", status, answer)
                    ran += 1
        self.assertEqual(len(run["requestBody"]["content"]["application/json"]["examples"]), ran)

    def test_its_examples_fit_their_schema(self):
        content = self.operation("/v1/run", "post")["requestBody"]["content"]["application/json"]
        for name, example in content["examples"].items():
            with self.subTest(name):
                if name == "unknown":
                    with self.assertRaises(Exception):
                        self.check(example["value"], content["schema"])
                else:
                    self.check(example["value"], content["schema"])

    def test_answers_fit_their_schema(self):
        for path in "/v1/languages", "/v1/status":
            with self.subTest(path):
                status, answer = ask("GET", path)
                self.check_answer(path, "get", status, answer)
        status, answer = ask("POST", "/v1/run", {"language": "c", "code": "int main(void) { return x; }"})
        self.check_answer("/v1/run", "post", status, answer)
        status, answer = ask("POST", "/v1/runs/nothing/cancel")
        self.check_answer("/v1/runs/{id}/cancel", "post", status, answer)
        status, answer = ask("GET", "/v1/ws")
        self.assertEqual(426, status)
        self.check_answer("/v1/ws", "get", status, answer)
