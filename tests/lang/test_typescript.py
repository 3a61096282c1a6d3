"""TypeScript, a language that is data: tsc checks and translates, node runs. A compilation takes a
second of CPU time, so there are few programs, and each tests much."""

from lib.case import Case, ServerModule, describe

SERVER = ServerModule(__name__, config="language typescript { warm = 2 }\n")
setUpModule, tearDownModule = SERVER.set_up, SERVER.tear_down

MAIN = """
import * as fs from "fs";
import path from "node:path";
import { EventEmitter } from "events";
import { add } from "./lib/add";
import data from "./data.json";

interface Named { name: string; tags?: string[] }
enum Color { Red = 1, Green }
class Greeter<T extends Named> extends EventEmitter {
        constructor(private readonly who: T) { super(); }
        greet(): string { return `hello ${this.who.name} ${this.who.tags?.length ?? 0}`; }
}
const name: string = "top-level names are the program's own";
const greeter = new Greeter({ name: process.argv[2] });
greeter.on("x", (n: number) => console.log(n, Color[2], path.join("a", "b"), add(1, 2), data.k, name.length,
        String(class { static {} }).includes("static"))); // as es2022 has it
const input: Buffer = fs.readFileSync(0);
async function main(): Promise<void> {
        console.log(greeter.greet(), String(input).toUpperCase(), process.env.GREETING);
        greeter.emit("x", 5);
        await new Promise<void>((done) => setTimeout(done, 1));
        throw new Error("lost");
}
main();
"""
FILES = {"main.ts": MAIN, "lib/add.ts": "export const add = (a: number, b: number): number => a + b;\n", "data.json": '{"k": 7}'}


class TypeScript(Case):
    SERVER = SERVER

    def run_program(self, code=None, **fields):
        return self.execute(code, language="typescript", **fields)

    def test_a_program_of_many_parts_is_compiled_once_and_run(self):
        for cached in False, True:
            result = self.run_program(files=FILES, entry="main.ts", args=["Ada"], env={"GREETING": "hi"}, stdin=b"in")
            self.assert_exited(result, 1)
            self.assertEqual("hello Ada 0 IN hi\n5 Green a/b 3 7 37 true\n", result.stdout.decode(), describe(result))
            self.assertIn(b"Error: lost\n    at main (/home/sandbox/main.ts:23:15)", result.stderr)
            self.assertEqual(cached, result.compile.cached)

    def test_a_fault_of_types_is_a_compile_error_with_its_line(self):
        result = self.run_program('const a: number = 1;\nconst b: string = a;\nconsole.log(b);\n')
        self.assert_status(result, "COMPILE_ERROR")
        self.assertEqual("main.ts(2,7): error TS2322: Type 'number' is not assignable to type 'string'.\n",
                         result.compile.stdout.decode(), describe(result))

    def test_flags_make_it_strict(self):
        program = "function f(x) { return x; }\nconsole.log(f(42));\n"
        result = self.run_program(program)
        self.assertEqual(b"42\n", result.stdout, describe(result))
        result = self.execute(program, language="ts", compile_flags=["--strict"])
        self.assert_status(result, "COMPILE_ERROR")
        self.assertIn(b"main.ts(1,12): error TS7006", result.compile.stdout)
