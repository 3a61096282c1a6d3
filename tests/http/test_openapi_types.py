"""openapi-typescript, somebody else's generator, makes types from /openapi.json. Calls with these types are checked by
tsc, and work; a mistake in a call does not compile."""

import http.client
import json
import re
import unittest
from urllib.parse import urlsplit

from lib.case import ServerModule
from lib.npm import Packages
from lib.scale import patience

NPM = Packages("openapi-typescript@7.13.0", "typescript@5.9.3")
SERVER = ServerModule(__name__, config="language python { }\n", http=True)
TSC = ("tsc", "--strict", "--module", "nodenext", "--target", "es2022", "--lib", "es2022,dom", "--skipLibCheck")

CLIENT = """
import type { components, paths } from "./schema.mjs";

type Run = paths["/v1/run"]["post"];
type Refusal = components["schemas"]["Error"];
export type Body = Run["requestBody"]["content"]["application/json"];
export type Result = Run["responses"][200]["content"]["application/json"];
export type Languages = paths["/v1/languages"]["get"]["responses"][200]["content"]["application/json"];
export type Status = paths["/v1/status"]["get"]["responses"][200]["content"]["application/json"];

export async function run(url: string, body: Body): Promise<Result | Refusal> {
    const headers = { "Content-Type": "application/json" };
    const answer = await fetch(`${url}/v1/run`, { method: "POST", headers, body: JSON.stringify(body) });
    return await answer.json() as Result | Refusal;
}

export async function get<Path extends keyof paths & ("/v1/languages" | "/v1/status")>(url: string, path: Path) {
    const answer = await fetch(`${url}${path}`);
    return await answer.json() as paths[Path]["get"]["responses"][200]["content"]["application/json"];
}
"""

CALLS = """
import { get, run, type Languages, type Result, type Status } from "./client.mjs";

declare const process: { argv: string[] };

const url: string = process.argv[2]!;
const hello = await run(url, {
    language: "python", code: "print(6 * 7, input())", stdin: "Ada", limits: { wall_us: 5_000_000 },
    files: { "a.txt": "a", "b.txt": { content: "b", mode: "0600" } }, collect: { globs: ["*.txt"] },
});
if ("error" in hello) throw new Error(String(hello.error));
const result: Result = hello;

const unknown = await run(url, { language: "cobol", code: "" });
if ("run_id" in unknown) throw new Error("there is no such language");

const languages: Languages = await get(url, "/v1/languages");
const status: Status = await get(url, "/v1/status");
const warm: number[] = status.languages.map((language) => language.warm);

console.log(JSON.stringify({
    stdout: result.stdout, exit_code: result.exit_code, files: result.files.map((file) => file.content),
    code: unknown.error.code, names: languages.languages.map((language) => language.name), ready: status.ready,
    warm: warm.length,
}));
"""

WRONG_HEAD = """
import { get, run, type Result, type Status } from "./client.mjs";
declare const result: Result, status: Status;
"""

# Each line has one mistake in each line, and TypeScript's number of the error.
WRONG = (
    ('await run("", { language: "python", cod: "print(1)" });', "TS2561"),
    ('await run("", { language: "python", limits: { wall_ms: 1 } });', "TS2561"),
    ('await run("", { language: "python", priority: "1" });', "TS2322"),
    ('await run("", { language: "python", on_output_limit: "CUT" });', "TS2322"),
    ('await run("", { code: "print(1)" });', "TS2345"),
    ('await get("", "/v1/run");', "TS2345"),
    ('if (result.status === "KILLED") throw new Error();', "TS2367"),
    ("export const output: string = result.stdout;", "TS2322"),
    ("export const name: number = status.languages[0]!.name;", "TS2322"),
)


def setUpModule():
    reason = NPM.install()
    if reason:
        raise unittest.SkipTest(reason)
    SERVER.set_up()


def tearDownModule():
    SERVER.tear_down()


def document():
    connection = http.client.HTTPConnection(urlsplit(SERVER.http).netloc, timeout=patience(60))
    try:
        connection.request("GET", "/openapi.json")
        return connection.getresponse().read().decode()
    finally:
        connection.close()


class Types(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        """One run of the compiler is for all tests, since it takes seconds."""
        wrong = WRONG_HEAD + "".join(f"{line}\n" for line, _ in WRONG)
        for name, text in ("openapi.json", document()), ("client.mts", CLIENT), ("calls.mts", CALLS), ("wrong.mts", wrong):
            (NPM.folder / name).write_text(text)
        made = NPM.run("openapi-typescript", "openapi.json", "--output", "schema.mts", guard=120)
        if made.returncode != 0:
            raise AssertionError(f"no types were made: {made.stdout}{made.stderr}")
        (NPM.folder / "calls.mjs").unlink(missing_ok=True)
        cls.compiled = NPM.run(*TSC, "calls.mts", "wrong.mts", guard=240)

    def test_compiler(self):
        """tsc, as strict as it can be, finds the mistake in each wrong call, and no other"""
        found = re.findall(r"^(\S+)\((\d+),\d+\): error (TS\d+)", self.compiled.stdout, re.M)
        first = WRONG_HEAD.count("\n") + 1
        expected = [("wrong.mts", str(first + number), error) for number, (_, error) in enumerate(WRONG)]
        self.assertEqual(expected, found, self.compiled.stdout)

    def test_calls(self):
        """the compiled calls work"""
        done = NPM.run("node", "calls.mjs", SERVER.http)
        self.assertEqual(0, done.returncode, done.stderr)
        self.assertEqual({"stdout": "42 Ada\n", "exit_code": 0, "files": ["a", "b"], "code": "NOT_FOUND", "names": ["python"],
                          "ready": True, "warm": 1}, json.loads(done.stdout))
