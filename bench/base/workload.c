/* The programs: see workload.h. */
#include "bench/base/workload.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

enum { ECHO_BYTES = 64 << 10, MEGABYTE = 1 << 20, BLOCK = 1 << 10, CODE_MAX = 8 << 10 };

/* ---------------------------------------------------------------- what must come out */

static uint32_t step(uint32_t x)
{
        return (uint32_t)((x * (uint64_t)1103515245 + 12345) & 0x7fffffff);
}

static int fill_compute(struct program *p, uint32_t steps)
{
        uint32_t x = 1;
        for (uint32_t i = 0; i < steps; i++)
                x = step(x);
        int len = asprintf(&p->out, "%" PRIu32 "\n", x);
        if (len < 0) {
                p->out = NULL;
                return -ENOMEM;
        }
        p->out_len = (size_t)len;
        return 0;
}

/* Lines of letters that never repeat, so that a piece in a wrong place is noticed. */
static int fill_echo(struct program *p, uint32_t steps)
{
        (void)steps;
        p->in = malloc(ECHO_BYTES);
        p->out = malloc(ECHO_BYTES);
        if (!p->in || !p->out)
                return -ENOMEM;
        uint32_t x = 1;
        for (size_t i = 0; i < ECHO_BYTES; i++) {
                x = step(x);
                p->in[i] = (char)(i % 64 == 63 ? '\n' : 'a' + (int)((x >> 16) % 26));
        }
        memcpy(p->out, p->in, ECHO_BYTES);
        p->in_len = p->out_len = ECHO_BYTES;
        return 0;
}

/* Each block holds its own number, so that a block in a wrong place is noticed. */
static int fill_megabyte(struct program *p, uint32_t steps)
{
        (void)steps;
        p->out = malloc(MEGABYTE);
        if (!p->out)
                return -ENOMEM;
        for (size_t i = 0; i < MEGABYTE; i += 2) {
                p->out[i] = (char)(i / BLOCK & 0xff);
                p->out[i + 1] = (char)(i / BLOCK >> 8);
        }
        p->out_len = MEGABYTE;
        return 0;
}

/* ---------------------------------------------------------------- the programs */

static const char hello[] = "print('hi')";

static const char compute[] = "x = 1\n"
                              "for _ in range(%" PRIu32 "):\n"
                              "    x = (x * 1103515245 + 12345) & 0x7fffffff\n"
                              "print(x)\n";

static const char echo[] = "import sys\n"
                           "sys.stdout.write(sys.stdin.read())\n";

static const char crash[] = "import os, signal\n"
                            "print('so far', flush=True)\n"
                            "os.kill(os.getpid(), signal.SIGSEGV)\n";

static const char megabyte[] =
        "import sys\n"
        "sys.stdout.buffer.write(b''.join([bytes((i & 255, i >> 8)) * 512 for i in range(1024)]))\n";

/* The program writes late enough that the client is idle by then. It goes on after that, so that the output does not
 * come with the end of the run. */
static const char the_time[] = "import os, time\n"
                               "time.sleep(0.005)\n"
                               "os.write(1, b'%d' % time.monotonic_ns())\n"
                               "time.sleep(0.005)\n";

/* Writes 10 MB/s, or as much as its reader takes. */
static const char flood[] = "import os, time\n"
                            "total, rate, piece = 15000000, 10000000, 65536\n"
                            "block = bytes(i % 251 for i in range(piece + 251))\n"
                            "n, begin = 0, time.monotonic()\n"
                            "while n < total:\n"
                            "    at = n % 251\n"
                            "    n += os.write(1, block[at:at + min(piece, total - n)])\n"
                            "    ahead = n / rate - (time.monotonic() - begin)\n"
                            "    if ahead > 0.005:\n"
                            "        time.sleep(ahead)\n";

/* A typical program: the standard library's usual modules, a class or two, and a report. */
static const char real[] = "import json\n"
                           "import re\n"
                           "from collections import Counter, defaultdict\n"
                           "from dataclasses import asdict, dataclass, field\n"
                           "\n"
                           "LINE = re.compile(r'(?P<when>\\d{4}-\\d\\d-\\d\\d) (?P<who>\\w+)@(?P<host>[\\w.]+) "
                           "(?P<what>GET|PUT) /(?P<path>[\\w/]+) (?P<size>\\d+)')\n"
                           "\n"
                           "@dataclass(order=True)\n"
                           "class Visit:\n"
                           "    when: str\n"
                           "    who: str\n"
                           "    path: str\n"
                           "    size: int = field(compare=False, default=0)\n"
                           "\n"
                           "class Report:\n"
                           "    def __init__(self):\n"
                           "        self.visits = []\n"
                           "        self.by_host = defaultdict(list)\n"
                           "\n"
                           "    def take(self, record):\n"
                           "        m = LINE.fullmatch(record['message'])\n"
                           "        if m is None:\n"
                           "            raise ValueError(record)\n"
                           "        visit = Visit(m['when'], m['who'], m['path'], int(m['size']))\n"
                           "        self.visits.append(visit)\n"
                           "        self.by_host[m['host']].append(visit)\n"
                           "\n"
                           "    def summary(self):\n"
                           "        total = {h: sum(v.size for v in l) for h, l in self.by_host.items()}\n"
                           "        names = Counter(v.who for v in self.visits)\n"
                           "        return {'first': asdict(min(self.visits)), 'last': asdict(max(self.visits)),\n"
                           "                'total': dict(sorted(total.items(), key=lambda i: (-i[1], i[0]))),\n"
                           "                'names': names.most_common(3)}\n"
                           "\n"
                           "records = json.loads(json.dumps([\n"
                           "    {'id': i, 'message': f'2024-{i % 12 + 1:02}-{i * 7 % 28 + 1:02} user{i * i % 17}'\n"
                           "                         f'@h{i % 5}.example GET /a/{i * 31 % 101} {i * 37 % 1000}'}\n"
                           "    for i in range(200)]))\n"
                           "report = Report()\n"
                           "for record in sorted(records, key=lambda r: r['message']):\n"
                           "    report.take(record)\n"
                           "print(json.dumps(report.summary(), indent=1))\n";

static const char real_out[] = "{\n"
                               " \"first\": {\n"
                               "  \"when\": \"2024-01-01\",\n"
                               "  \"who\": \"user0\",\n"
                               "  \"path\": \"a/0\",\n"
                               "  \"size\": 0\n"
                               " },\n"
                               " \"last\": {\n"
                               "  \"when\": \"2024-12-22\",\n"
                               "  \"who\": \"user9\",\n"
                               "  \"path\": \"a/80\",\n"
                               "  \"size\": 627\n"
                               " },\n"
                               " \"total\": {\n"
                               "  \"h2.example\": 20260,\n"
                               "  \"h4.example\": 20220,\n"
                               "  \"h1.example\": 19780,\n"
                               "  \"h3.example\": 19740,\n"
                               "  \"h0.example\": 19300\n"
                               " },\n"
                               " \"names\": [\n"
                               "  [\n"
                               "   \"user13\",\n"
                               "   24\n"
                               "  ],\n"
                               "  [\n"
                               "   \"user15\",\n"
                               "   24\n"
                               "  ],\n"
                               "  [\n"
                               "   \"user2\",\n"
                               "   24\n"
                               "  ]\n"
                               " ]\n"
                               "}\n";

#define PYTHON .language = "python", .file = "main.py"
#define COLD(...)                                                                                                      \
        (const char *const[])                                                                                          \
        {                                                                                                              \
                __VA_ARGS__, NULL                                                                                      \
        }
#define SHELL(script) COLD("/bin/sh", "-c", script)
#define LANGUAGE(id, called, file_name, text, command)                                                                 \
        [WORKLOAD_##id] = {                                                                                            \
                .name = called, .language = called, .file = file_name, .code = text, .cold = command, .out = "hi\n"    \
        }

#define C_HELLO      "#include <stdio.h>\n\nint main(void) { puts(\"hi\"); }\n"
#define CPP_HELLO    "#include <bits/stdc++.h>\n\nint main() { std::cout << \"hi\" << std::endl; }\n"
#define JAVA_HELLO   "public class Main { public static void main(String[] args) { System.out.println(\"hi\"); } }\n"
#define PROLOG_HELLO ":- initialization((write(hi), nl, halt)).\n"

const struct workload workload_table[WORKLOAD_COUNT] = {
        [WORKLOAD_HELLO] = { .name = "hello", PYTHON, .code = hello, .out = "hi\n" },
        [WORKLOAD_COMPUTE] = { .name = "compute", PYTHON, .code = compute, .takes_steps = true, .fill = fill_compute },
        [WORKLOAD_ECHO] = { .name = "echo", PYTHON, .code = echo, .fill = fill_echo },
        [WORKLOAD_CRASH] = { .name = "crash", PYTHON, .code = crash, .out = "so far\n", .signal = SIGSEGV },
        [WORKLOAD_REAL] = { .name = "real", PYTHON, .code = real, .out = real_out },
        [WORKLOAD_TIMEOUTS] = { .name = "timeouts",
                                PYTHON,
                                .code = hello,
                                .out = "hi\n",
                                .every = 8,
                                .other = WORKLOAD_SLEEP },
        [WORKLOAD_SLEEP] = { .name = "sleep",
                             PYTHON,
                             .code = "import time\nprint('so far', flush=True)\ntime.sleep(60)\n",
                             .out = "so far\n",
                             .wall_us = 50000,
                             .times_out = true },
        [WORKLOAD_MEGABYTE] = { .name = "megabyte", PYTHON, .code = megabyte, .fill = fill_megabyte },
        [WORKLOAD_CLOCK] = { .name = "clock", PYTHON, .code = the_time, .out = "" },
        [WORKLOAD_FLOOD] = { .name = "flood", PYTHON, .code = flood, .out = "", .wall_us = 60000000 },
        LANGUAGE(PYTHON, "python", "main.py", "print('hi')\n", COLD("/usr/bin/python3", "main.py")),
        LANGUAGE(PERL, "perl", "main.pl", "print \"hi\\n\";\n", COLD("/usr/bin/perl", "main.pl")),
        LANGUAGE(PHP, "php", "main.php", "<?php echo \"hi\\n\";\n", COLD("/usr/bin/php", "main.php")),
        LANGUAGE(RUBY, "ruby", "main.rb", "puts 'hi'\n", COLD("/usr/bin/ruby", "main.rb")),
        LANGUAGE(LUA, "lua", "main.lua", "print('hi')\n", COLD("/usr/bin/lua5.4", "main.lua")),
        LANGUAGE(LUAJIT, "luajit", "main.lua", "print('hi')\n", COLD("/usr/bin/luajit", "main.lua")),
        LANGUAGE(TCL, "tcl", "main.tcl", "puts hi\n", COLD("/usr/bin/tclsh", "main.tcl")),
        LANGUAGE(SQLITE, "sqlite", "main.sql", "select 'hi';\n", SHELL("sqlite3 :memory: < main.sql")),
        LANGUAGE(PROLOG, "prolog", "main.pl", PROLOG_HELLO, COLD("/usr/bin/swipl", "main.pl")),
        LANGUAGE(R, "r", "main.R", "cat('hi\\n')\n", COLD("/usr/bin/Rscript", "main.R")),
        LANGUAGE(C_FAST, "c-fast", "main.c", C_HELLO, COLD("/usr/bin/tcc", "-run", "main.c")),
        LANGUAGE(JAVASCRIPT, "javascript", "main.js", "console.log('hi')\n", COLD("/usr/bin/node", "main.js")),
        LANGUAGE(JAVA, "java", "Main.java", JAVA_HELLO, SHELL("javac Main.java && exec java Main")),
        LANGUAGE(C, "c", "main.c", C_HELLO, SHELL("gcc -O2 -o main main.c && exec ./main")),
        LANGUAGE(CPP, "cpp", "main.cpp", CPP_HELLO, SHELL("g++ -O2 -std=gnu++17 -o main main.cpp && exec ./main")),
        LANGUAGE(RUST, "rust", "main.rs", "fn main() { println!(\"hi\"); }\n",
                 SHELL("rustc -O -o main main.rs && exec ./main")),
        LANGUAGE(GO, "go", "main.go", "package main\n\nimport \"fmt\"\n\nfunc main() { fmt.Println(\"hi\") }\n",
                 SHELL("HOME=/tmp go build -o main main.go && exec ./main")),
        LANGUAGE(BASH, "bash", "main.sh", "echo hi\n", COLD("/usr/bin/bash", "main.sh")),
        LANGUAGE(AWK, "awk", "main.awk", "BEGIN { print \"hi\" }\n", COLD("/usr/bin/awk", "-f", "main.awk")),
        LANGUAGE(BC, "bc", "main.bc", "print \"hi\\n\"\n", COLD("/usr/bin/bc", "-q", "main.bc")),
};

int program_init(struct program *p, enum workload_id id, uint32_t steps, struct err *e)
{
        const struct workload *w = &workload_table[id];
        *p = (struct program){ .w = w };
        if (!w->takes_steps)
                p->code = strdup(w->code);
        else if (asprintf(&p->code, compute, steps) < 0)
                p->code = NULL;
        int r = p->code ? 0 : -ENOMEM;
        if (r == 0 && w->fill) {
                r = w->fill(p, steps);
        } else if (r == 0) {
                p->out = strdup(w->out);
                p->out_len = strlen(w->out);
                r = p->out ? 0 : -ENOMEM;
        }
        return r < 0 ? err_set(e, -r, "make the program %s", w->name) : 0;
}

void program_fini(struct program *p)
{
        free(p->code);
        free(p->in);
        free(p->out);
        *p = (struct program){ 0 };
}

bool program_answered(const struct program *p, const void *out, size_t len)
{
        return len == p->out_len && memcmp(out, p->out, len) == 0;
}

bool program_ended(const struct program *p, int status)
{
        if (p->w->signal != 0)
                return WIFSIGNALED(status) && WTERMSIG(status) == p->w->signal;
        return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}
