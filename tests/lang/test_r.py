"""R: a program must not be able to tell Hatchery from `Rscript main.R args`. Both run the same programs, and the
results are compared."""

import re
import unittest

from lib import language_case
from lib.case import Case, ServerModule, describe
from lib.language_case import Language, tests_of

SERVER = ServerModule(__name__, config='client_share = 100\nlanguage "r" { warm = 2 running = 2 }\n')
setUpModule, tearDownModule = SERVER.set_up, SERVER.tear_down


def normalise(output):
    """Addresses of environments and functions, and the depth of the stack, differ from run to run."""
    output = re.sub(rb"C stack usage +\d+", b"C stack usage N", output)
    return re.sub(rb"0x[0-9a-f]{6,}", b"0xADDRESS", output)


STDIN = b"first\nsecond \xc3\xa4\n\nlast without newline"

SEMANTICS = {
    "hello": 'cat("hello\\n")\n',
    "stdin to its end": ('cat(toupper(readLines(file("stdin"), warn = FALSE)), sep = "\\n")\n', {"stdin": STDIN}),
    "stdin by line": ('con <- file("stdin", "r")\nwhile (length(line <- readLines(con, n = 1, warn = FALSE)) > 0) {\n  cat("<", line, ">\\n", sep = "")\n  flush(stdout())\n}\nclose(con)\n', {"stdin": STDIN}),
    "args": ("print(commandArgs(TRUE))\nprint(commandArgs())\n", {"args": ["one", "", "two words", "ä日本", "*"]}),
    "env": ('cat(Sys.getenv("GREETING"), is.na(Sys.getenv("NOTHING", NA)), "\\n")\n', {"env": {"GREETING": "hi = there"}}),
    "several files": ('source("sub/add.R")\ncat(add(40, 2), "\\n")\nx <- sys.source("more.R", envir = e <- new.env())\nprint(e$y)\n', {"files": {"sub/add.R": "add <- function(a, b) a + b\n", "more.R": "y <- 'more'\n"}}),
    "exit code": 'cat("leaving\\n")\nquit(status = 3)\n',
    "uncaught error": 'f <- function(x) {\n  stop("bad ", x)\n}\ncat("before\\n")\nf(1)\ncat("never\\n")\n',
    "syntax error": 'cat("runs\\n")\nx <- (1 +\n}\n',
    "death by signal": 'cat("seen\\n")\ntools::pskill(Sys.getpid(), tools::SIGTERM)\nSys.sleep(10)\n',
    "exit hook": '.Last <- function() cat("last\\n")\nreg.finalizer(environment(), function(e) cat("finalizer\\n"), onexit = TRUE)\ncat("main\\n")\n',
    "buffered output": 'cat("no newline")',
    "binary output": 'con <- pipe("cat", "wb")\nwriteBin(as.raw(0:255), con)\nclose(con)\n',
    "utf-8 output": 'cat("äöü 日本 🐣\\n")\nprint("ä日")\nprint(nchar("ä"))\n',
    "unread stdin": ('cat("not read\\n")\n', {"stdin": b"x" * 200_000}),
    "pending work": 'x <- parallel::mcparallel(Sys.sleep(0.05))\ncat("main ends\\n")\n',
    "own source": 'a <- sub("--file=", "", grep("--file=", commandArgs(), value = TRUE))\ncat(a, readLines(a)[1], "\\n")\n',
    "subprocess": 'r <- system("echo from below; exit 5")\nprint(r)\nprint(system2("echo", c("a", "b"), stdout = TRUE))\n',
    "stderr": 'cat("out\\n")\nmessage("err")\ncat("out again\\n")\nwrite("more", stderr())\n',
}

FRESH = {"limits": {"open_files": 256}}  # R refuses to start with fewer than about 200

MORE = {
    "TZ": ("cat(format(as.POSIXct(0, origin = '1970-01-01')), Sys.timezone())\n", {"env": {"TZ": "Asia/Tokyo"}}),
    "R_ of many sorts": ("cat(search(), .libPaths(), getOption('papersize'), '\\n')\n", {"env": {
        "R_DEFAULT_PACKAGES": "utils,stats", "R_LIBS": "/tmp", "R_PAPERSIZE": "a5", "R_PROFILE_USER": "profile"},
        "files": {"profile": "cat('profile\\n')\n"}, **FRESH}),
    "LC_ALL": ("cat(Sys.getlocale(), l10n_info()$`UTF-8`)\n", {"env": {"LC_ALL": "C"}, **FRESH}),
    "EDITOR": ("cat(getOption('editor'))\n", {"env": {"EDITOR": "ed"}, **FRESH}),
    "TMPDIR": ("cat(dirname(tempdir()))\n", {"env": {"TMPDIR": "/dev/shm"}, **FRESH}),
    "an empty program": "",
    "values are printed": "1 + 1\nx <- 5\nx\ninvisible(3)\nNULL\n(y <- 2)\n'text'\nfunction(x) x + 1\n",
    "quit without a status": "cat('a\\n')\nq()\ncat('b\\n')\n",
    "quit in a function": "f <- function() quit('no', 4)\nf()\n",
    "quit runs .Last": ".Last <- function() cat('last\\n')\nquit(status = 2)\n",
    "quit that does not": ".Last <- function() cat('last\\n')\nquit(status = 2, runLast = FALSE)\n",
    "an error in .Last": ".Last <- function() stop('in last')\ncat('x\\n')\n",
    "a picture with text": "png('p.png')\nplot(1:3, main = 'Ein Titel: äöü')\ninvisible(dev.off())\np <- readBin('p.png', 'raw', 1e6)\ncat(rawToChar(p[2:4]), length(p) > 2000, list.files(all.files = TRUE, no.. = TRUE), '\\n')\n",
    "a warning": 'f <- function(x) warning("careful")\nf(1)\nas.integer("x")\ncat("on\\n")\n',
    "many warnings": "for (i in 1:60) warning(paste('w', i))\n",
    "warnings as errors": "options(warn = 2)\nas.integer('x')\ncat('never\\n')\n",
    "warnings at once": "options(warn = 1)\nas.integer('x')\ncat('on\\n')\n",
    "tryCatch and finally": "r <- tryCatch(stop('a'), error = function(e) conditionMessage(e), finally = cat('finally\\n'))\nprint(r)\ntry(log(-1))\ntry(stop('shown'))\nwithCallingHandlers(warning('w'), warning = function(w) { cat('got', conditionMessage(w), '\\n'); invokeRestart('muffleWarning') })\n",
    "a condition of its own": "e <- structure(class = c('mine', 'error', 'condition'), list(message = 'hello', call = NULL))\nstop(e)\n",
    "an unknown name": "x\n",
    "an unknown function": "g <- function() nothing(1)\ng()\n",
    "a missing package": "library(nothing)\n",
    "a missing file": "source('nothing.R')\n",
    "an error in a sourced file": ("source('bad.R')\n", {"files": {"bad.R": "x <- 1\nstop('in bad')\n"}}),
    "an error option": "options(error = quote({ cat('handler\\n'); q(status = 9) }))\nstop('x')\n",
    "a traceback": "options(error = function() traceback(2))\nf <- function() g()\ng <- function() stop('deep')\nf()\n",
    "a string that is not closed": "x <- 'abc\n",
    "a brace that is not closed": "f <- function() {\n  1\n",
    "an unexpected symbol": "cat('first\\n')\nx y\n",
    "deep recursion": "f <- function(n) f(n + 1)\nr <- tryCatch(f(0), error = function(e) 'caught')\nprint(r)\n",
    "recursion that uses the C stack": "options(expressions = 500000)\nf <- function(n) f(n + 1)\nr <- tryCatch(f(0), error = function(e) 'caught')\nprint(r)\n",
    "the C stack of the request": ("cat(Cstack_info()[['size']])\n", {"limits": {"stack_bytes": 32 << 20},
                                                                     "ours": (str(int(0.95 * (32 << 20))).encode(), b"", ("exit", 0))}),
    "the C stack": "s <- Cstack_info()\nprint(names(s))\nprint(s[['size']])\nprint(s[['direction']])\n",
    "recursion that fits": "f <- function(n) if (n == 0) 0 else 1 + f(n - 1)\nprint(f(100))\n",
    "CRLF": b"cat('a\\n')\r\nx <- 5\r\nprint(x)\r\n",
    "no newline at the end": "print(1)",
    "latin-1 bytes": b"x <- '\xe4'\nprint(validUTF8(x))\n",
    "a comment at the end": "print(1)\n# the end",
    "long lines": "x <- c(" + ", ".join(str(i) for i in range(3000)) + ")\nprint(sum(x))\n",
    "the search path": "print(search())\nprint(loadedNamespaces()[order(loadedNamespaces())])\n",
    "the names of a fresh session": "print(ls(all.names = TRUE))\nprint(exists('.Random.seed'))\n",
    "interactive and others": "print(interactive())\nprint(R.home())\nprint(.libPaths())\nprint(getwd())\nprint(R.version.string)\n",
    "the locale": "print(Sys.getlocale())\nprint(l10n_info())\nprint(Encoding('ä'))\n",
    "options": "o <- options()\nprint(o[c('echo', 'warn', 'width', 'digits', 'keep.source', 'stringsAsFactors', 'expressions', 'OutDec', 'max.print', 'encoding', 'browserNLdisabled', 'CBoundsCheck', 'papersize', 'pager', 'editor', 'repos', 'browser', 'device.ask.default')])\n",
    "the environment": "e <- Sys.getenv()\ne <- e[grepl('^(R_|LD_|EDITOR|PAGER|LN_S|MAKE|SED|TAR|LANG|PATH)', names(e)) & !(names(e) %in% c('R_SESSION_TMPDIR', 'R_LIBS_USER'))]\nfor (n in names(e)) cat(n, '=', e[[n]], '\\n')\n",
    "a temporary directory": "print(dirname(tempdir()))\nprint(dir.exists(tempdir()))\nf <- tempfile(fileext = '.txt')\nwriteLines('x', f)\nprint(readLines(f))\nprint(Sys.getenv('R_SESSION_TMPDIR') == tempdir())\n",
    "a seed": "set.seed(42)\nprint(runif(3))\nprint(sample(10))\nprint(rnorm(2))\n",
    "vectors and factors": "x <- c(a = 1, b = 2)\nprint(x)\nprint(factor(c('u', 'v', 'u')))\nprint(list(1, 'a', TRUE))\nstr(list(a = 1:3, b = 'x'))\n",
    "data frames": "d <- data.frame(n = c('a', 'b', 'a'), v = 1:3)\nprint(d)\nprint(aggregate(v ~ n, d, sum))\nsummary(d)\nprint(tapply(d$v, d$n, mean))\n",
    "a linear model": "print(coef(lm(mpg ~ wt, mtcars)))\nsummary(lm(mpg ~ wt, mtcars))\n",
    "matrices": "m <- matrix(c(2, 1, 1, 3), 2)\nprint(solve(m))\nprint(m %*% m)\nprint(eigen(m)$values)\nprint(apply(m, 1, sum))\n",
    "strings": "cat(sprintf('%5.2f|%-5s|%03d\\n', pi, 'a', 7L))\nprint(strsplit('a,b;c', '[,;]'))\nprint(gsub('(a)(b)', '\\\\2\\\\1', 'abab'))\nprint(regmatches('x1y22', gregexpr('[0-9]+', 'x1y22')))\nprint(toupper('äß'))\n",
    "S3, S4 and reference classes": "print.p <- function(x, ...) cat('<p>\\n')\nstructure(1, class = 'p')\nsetClass('A', representation(x = 'numeric'))\nsetGeneric('area', function(o) standardGeneric('area'))\nsetMethod('area', 'A', function(o) o@x ^ 2)\narea(new('A', x = 3))\nC <- setRefClass('C', fields = list(n = 'numeric'), methods = list(inc = function() { n <<- n + 1; invisible(.self) }))\no <- C$new(n = 1)\no$inc()$inc()\nprint(o$n)\n",
    "environments and closures": "f <- function() { n <- 0; function() { n <<- n + 1; n } }\ng <- f()\ng()\ng()\nprint(Reduce(`+`, 1:5, accumulate = TRUE))\nprint(do.call(rbind, list(1:2, 3:4)))\n",
    "pipes and lambdas": "c(1, 4, 9) |> sqrt() |> sum() |> print()\nprint(sapply(1:3, \\(x) x ^ 2))\n",
    "regular finalizers": "e <- new.env()\nreg.finalizer(e, function(x) cat('gone\\n'))\nrm(e)\ninvisible(gc())\ncat('end\\n')\n",
    "finalizers at the end": "e <- new.env()\nreg.finalizer(e, function(x) cat('not run\\n'))\nf <- new.env()\nreg.finalizer(f, function(x) cat('run\\n'), onexit = TRUE)\n",
    "on.exit": "f <- function() { on.exit(cat('bye\\n')); stop('x') }\nf()\n",
    "sink": "sink('log')\nprint(1)\nsink()\nprint(readLines('log'))\n",
    "plots go to a file": "plot(1:3)\ninvisible(dev.off())\nprint(file.exists('Rplots.pdf'))\npdf(NULL)\nhist(c(1, 2))\n",
    "scan and readline": ("x <- scan(file('stdin'), quiet = TRUE)\nprint(sum(x))\nprint(readline('prompt? '))\n", {"stdin": b"1 2 3\n4\n"}),
    "stdin() is not the standard input": ("x <- readLines(stdin(), n = 1)\ncat('this line is data\\n')\nprint(x)\n", {"stdin": b"input\n"}),
    "read.table": ("d <- read.csv(file('stdin'))\nprint(d)\nstr(d)\n", {"stdin": b"a,b\n1,x\n2,y\n"}),
    "output of 3 MB": ("for (i in 1:30000) cat(strrep('x', 99), i, '\\n')\n", {"limits": {"output_bytes": 8 << 20}}),
    "parallel": "print(unlist(parallel::mclapply(1:4, function(i) i * i, mc.cores = 2)))\n",
    "Recall, vapply and switch": "print((function(n) if (n < 2) 1 else n * Recall(n - 1))(5))\nprint(vapply(1:3, function(i) switch(i, 'a', 'b', 'c'), ''))\nrepeat { break }\n",
    "dates": "Sys.setenv(TZ = 'UTC')\nprint(as.Date('2024-02-28') + 2)\nprint(format(as.POSIXct(0, origin = '1970-01-01', tz = 'UTC'), '%Y-%m-%d %H:%M'))\nprint(difftime(as.Date('2024-03-01'), as.Date('2024-02-01')))\n",
    "big integers and NA": "print(.Machine$integer.max + 1L)\nprint(2 ^ 1023 * 2)\nprint(c(NA, NaN, Inf) + 1)\nprint(1e-300 * 1e-300)\nprint(100000); print(123456789.123)\n",
    "a signal that is SIGINT": "cat('seen\\n')\ntools::pskill(Sys.getpid(), tools::SIGINT)\nSys.sleep(0.2)\ncat('never\\n')\n",
    "SIGUSR1 saves and ends": "cat('seen\\n')\n.Last <- function() cat('last\\n')\ntools::pskill(Sys.getpid(), tools::SIGUSR2)\nSys.sleep(0.2)\ncat('after\\n')\n",
    "memory that can't be had": "x <- tryCatch(numeric(1e15), error = function(e) 'caught')\nprint(x)\n",
    "a garbage collection": "x <- lapply(1:20000, function(i) c(i, i))\nrm(x)\ninvisible(gc())\nx <- 1:1000000\nprint(sum(as.numeric(x)))\n",
    "compiler and byte code": "f <- compiler::cmpfun(function(n) { s <- 0; for (i in 1:n) s <- s + i; s })\nprint(f(100000))\n",
    "Recommended libraries of base": "library(stats4); library(splines); library(grid); library(tools)\nprint(toTitleCase('hello world'))\nprint(dim(bs(1:10, df = 4)))\n",
}

CORPUS = {
    "hello": 'cat("Hello, World!\\n")\n',
    "fizzbuzz": 'for (i in 1:100) cat(if (i %% 15 == 0) "FizzBuzz" else if (i %% 5 == 0) "Buzz" else if (i %% 3 == 0) "Fizz" else i, "\\n", sep = "")\n',
    "primes": 'n <- 1000000\ns <- rep(TRUE, n)\ns[1] <- FALSE\nfor (i in 2:1000) if (s[i]) s[seq(i * i, n, i)] <- FALSE\ncat(sum(s), "\\n", sep = "")\n',
    "word count": 't <- table(unlist(strsplit(readLines(file("stdin")), " ")))\no <- order(-t, names(t))\nfor (i in o) cat(names(t)[i], t[i], "\\n", sep = c(" ", "", ""))\n'.replace('sep = c(" ", "", "")', 'sep = c(" ", "")'),
}

LANGUAGE = Language(
    name="r",
    killed='cat("one\\n"); cat("part"); write("err", stderr()); cat("two"); tools::pskill(Sys.getpid(), tools::SIGKILL); Sys.sleep(9)\n',
    main="main.R", command=["Rscript"], semantics=SEMANTICS, corpus=CORPUS, more=MORE, normalise=normalise,
    absent={"json": "R has no JSON without a package"},
    random=["cat(runif(1), '\\n')\n", "cat(sample(1e9, 2), '\\n')\n", "cat(tempfile(), '\\n')\n", "cat(basename(tempdir()), '\\n')\n"],
    random_together=True,
    limits={"memory_bytes": 256 << 20, "wall_us": 60_000_000, "cpu_us": 60_000_000},
    together=("recursion that fits", "long lines", "a seed", "vectors and factors", "data frames", "a linear model", "matrices", "strings",
              "S3, S4 and reference classes", "environments and closures", "pipes and lambdas", "sink", "Recall, vapply and switch", "dates",
              "big integers and NA", "a garbage collection", "compiler and byte code", "Recommended libraries of base"),
)


class Semantics(tests_of(SERVER, LANGUAGE)):
    pass


class Hostile(Case):
    """Programs that must not hurt the server, and their ends."""
    SERVER, LANGUAGE = SERVER, LANGUAGE
    run_program = language_case.LanguageCase.run_program

    def ends(self, program, status, **options):
        result = self.run_program(program, **options)
        self.assert_status(result, status)
        self.alive()
        return result

    def alive(self):
        result = self.run_program(SEMANTICS["hello"])
        self.assertEqual(b"hello\n", result.stdout, describe(result))

    def test_an_endless_loop(self):
        self.ends("repeat {}\n", "CPU_LIMIT", limits={"cpu_us": 300_000})

    def test_a_sleep(self):
        self.ends("Sys.sleep(100)\n", "TIME_LIMIT", limits={"wall_us": 300_000})

    def test_all_memory(self):
        self.ends("x <- list()\nfor (i in 1:10000) x[[i]] <- rep(1.5, 1e6)\n", "MEMORY_LIMIT", limits={"wall_us": 60_000_000, "cpu_us": 60_000_000})

    def test_a_flood_of_output(self):
        self.ends("repeat cat('flood\\n')\n", "OUTPUT_LIMIT")

    def test_a_full_disk(self):
        result = self.run_program("r <- try(writeBin(raw(8e6), '/tmp/big'), silent = TRUE)\ncat(file.size('/tmp/big'), '\\n')\n", limits={"disk_bytes": 4 << 20})
        self.assertLessEqual(float(result.stdout or 0), 4 << 20, describe(result))
        self.alive()

    def test_a_fork_bomb(self):
        self.run_program("repeat try(parallel:::mcfork(), silent = TRUE)\n", limits={"cpu_us": 400_000, "wall_us": 3_000_000})
        self.alive()

    def test_what_is_closed(self):
        program = "t <- function(e) cat(suppressWarnings(tryCatch({ force(e); 'open' }, error = function(x) 'closed')), '\\n')\n" \
                  "t(readLines('/etc/shadow'))\nt(readLines('/proc/1/environ'))\nt(writeLines('x', '/usr/x'))\nt(socketConnection(port = 80, timeout = 1))\n" \
                  "cat(system('mount -t tmpfs x /mnt 2>/dev/null') != 0, system('kill -9 1 2>/dev/null') != 0, '\\n')\n"
        result = self.run_program(program)
        self.assertEqual(b"closed \nclosed \nclosed \nclosed \nTRUE TRUE \n", result.stdout, describe(result))
        self.alive()


if __name__ == "__main__":
    unittest.main()
