"""PHP, forked: a program must not be able to tell Hatchery from `php main.php`."""

import re
import subprocess
import tempfile
from pathlib import Path

from lib.case import Case, ServerModule, describe
from lib.language_case import Language, tests_of

SERVER = ServerModule(__name__, config="client_share = 100\nlanguage php {\n warm = 2\n running = 2\n}\n")
PACKAGES_CONFIG = '''
language php {{
    packages = "{folder}"
    preload = {{ "helpers.php", "Acme\\\\Ready", "json", "no/such.php", "Acme\\\\Missing", "ends.php", "fatal.php" }}
    warm = 2
}}
'''
setUpModule, tearDownModule = SERVER.set_up, SERVER.tear_down

# The files that `composer install` makes, in a short form.
INSTALLED = {
    "vendor/autoload.php": "<?php\nrequire_once __DIR__ . '/composer/autoload_real.php';\nreturn AutoloaderInit::getLoader();\n",
    "vendor/composer/autoload_real.php": """<?php
class AutoloaderInit {
    private static $loader;
    static function getLoader() {
        return self::$loader ??= (function () {
            spl_autoload_register(function ($class) {
                $file = __DIR__ . '/../acme/' . str_replace('\\\\', '/', $class) . '.php';
                if (is_file($file)) { require $file; }
            });
            return new ArrayObject();
        })();
    }
}
""",
    "vendor/acme/Acme/Ready.php": "<?php\nnamespace Acme;\nclass Ready { static $n = 0; static $seed; static function use() { return ++self::$n; } }\nReady::$seed = mt_rand();\n",
    "vendor/acme/Acme/Later.php": "<?php\nnamespace Acme;\nclass Later { const WHO = 'later'; }\n",
    "helpers.php": "<?php\necho 'said while loading';\nfunction help() { return 'helped'; }\n",
    "ends.php": "<?php\nfunction ended() {}\nexit(1);\n",
    "fatal.php": "<?php\nfunction strlen() {}\n",
}

ARGS = ["", "a b", "grüße", "-x", "--", "--version", "'\"$HOME"]

SEMANTICS = {
    "hello": "<?php echo \"Hello, World!\\n\";",
    "stdin to its end": ("<?php echo strtoupper(stream_get_contents(STDIN)), 'end';", {"stdin": "one\ntwo\nthree"}),
    "stdin by line": ("<?php while (($line = fgets(STDIN)) !== false) { echo 'got ', strlen($line), ' ', $line; flush(); }\n"
                      "var_dump(feof(STDIN));", {"stdin": "one\n\nthree\nfour without an end"}),
    "args": ("<?php var_dump($argc, $argv, $_SERVER['argc'], $_SERVER['argv'] === $argv);", {"args": ARGS}),
    "env": ("<?php echo getenv('GREETING'), ' ', $_SERVER['GREETING'], ' ', count($_ENV), \"\\n\";\n"
            "var_dump(array_key_exists('GREETING', getenv()), getenv('NOT_THERE'), shell_exec('echo $GREETING'));",
            {"env": {"GREETING": "good day"}}),
    "several files": ("<?php\nrequire __DIR__ . '/lib/a.php';\nrequire_once 'lib/b.php';\nvar_dump(include_once 'lib/b.php');\n"
                      "echo a(), b(), \"\\n\";\nprint_r(get_included_files());",
                      {"files": {"lib/a.php": "<?php\nfunction a() { return basename(__FILE__) . __LINE__; }\n",
                                 "lib/b.php": "<?php\nrequire 'c.php';\nfunction b() { return C . __DIR__; }\nreturn 5;",
                                 "lib/c.php": "<?php const C = 'from c ';"}}),
    "exit code": "<?php echo 'before'; exit(3); echo 'after';",
    "uncaught error": "<?php\nfunction inner(int $n) {\n    throw new RuntimeException(\"broken $n\", 7);\n}\n"
                      "function outer() { inner(5); }\necho \"before\\n\";\nouter();\necho 'after';",
    "syntax error": "<?php\necho 'a';\nfunction ( {\n",
    "death by signal": "<?php echo 'before'; posix_kill(posix_getpid(), SIGTERM); sleep(10); echo 'after';",
    "exit hook": "<?php register_shutdown_function(function ($x) { echo \"bye $x\\n\"; }, 'you'); echo \"main\\n\";",
    "buffered output": "<?php ob_start(); echo 'one '; ob_start(); print('two'); fwrite(STDOUT, 'three ');",
    "binary output": "<?php for ($i = 0; $i < 256; $i++) { echo chr($i); }",
    "utf-8 output": "<?php echo 'Grüße, κόσμε, 世界 🐣', strlen('ü'), strrev('abc'), \"\\u{1F423}\\n\";",
    "unread stdin": ("<?php echo 'not interested';", {"stdin": "x" * 200_000}),
    "pending work": "<?php pcntl_async_signals(true); pcntl_signal(SIGALRM, function () { echo 'never'; }); pcntl_alarm(60);\n"
                    "$p = popen('sleep 0.05; echo late >&2', 'r'); echo 'done';",
    "own source": "<?php\necho __FILE__, ' ', __DIR__, ' ', __LINE__, ' ', $argv[0], ' ', $_SERVER['SCRIPT_NAME'], \"\\n\";\n"
                  "$f = fopen(__FILE__, 'r'); fseek($f, __COMPILER_HALT_OFFSET__); echo stream_get_contents($f);\n"
                  "echo strlen(file_get_contents(__FILE__)), __COMPILER_HALT_OFFSET__;\n__halt_compiler();some\ndata <?php",
    "subprocess": "<?php exec('echo one; echo two; exit 4', $lines, $status); print_r($lines); var_dump($status);\n"
                  "echo shell_exec('echo hi $((6*7))'); passthru('printf raw; exit 2', $s); var_dump($s);\n"
                  "var_dump(system('echo sys; false', $t), $t, `echo tick`);",
    "stderr": "<?php fwrite(STDERR, \"to stderr\\n\"); echo \"to stdout\\n\"; file_put_contents('php://stderr', 'more');\n"
              "error_log('logged');",
}

CORPUS = {
    "hello": "<?php echo \"Hello, World!\\n\";",
    "fizzbuzz": "<?php\nfor ($i = 1; $i <= 100; $i++) {\n"
                "    echo $i % 15 == 0 ? 'FizzBuzz' : ($i % 5 == 0 ? 'Buzz' : ($i % 3 == 0 ? 'Fizz' : $i)), \"\\n\";\n}\n",
    "primes": "<?php\n$n = 1000000;\n$sieve = str_repeat('1', $n);\n$sieve[0] = $sieve[1] = '0';\n"
              "for ($i = 2; $i * $i < $n; $i++) {\n    if ($sieve[$i] === '1') {\n"
              "        for ($j = $i * $i; $j < $n; $j += $i) { $sieve[$j] = '0'; }\n    }\n}\n"
              "echo substr_count($sieve, '1'), \"\\n\";",
    "word count": "<?php\n$counts = array_count_values(preg_split('/\\s+/', trim(stream_get_contents(STDIN))));\n"
                  "uksort($counts, fn($a, $b) => [$counts[$b], $a] <=> [$counts[$a], $b]);\n"
                  "foreach ($counts as $word => $n) { echo \"$word $n\\n\"; }",
    "json": "<?php $in = json_decode(file_get_contents('php://stdin'), true);\n"
            "echo json_encode(['name' => $in['name'], 'total' => array_sum($in['items'])]), \"\\n\";",
}

FORK = "<?php\n$pid = pcntl_fork();\nif ($pid === 0) { echo 'child '; exit(5); }\n" \
       "pcntl_waitpid($pid, $s); echo 'parent ', pcntl_wexitstatus($s);"

MORE = {
    "PHPRC": ("<?php echo ini_get('memory_limit'), php_ini_loaded_file(), extension_loaded('tokenizer') ? ' with' : ' without';",
              {"env": {"PHPRC": "."}, "files": {"php.ini": "memory_limit=33M\n"}}),
    "PHP_INI_SCAN_DIR": ("<?php echo ini_get('precision'), ' ', php_ini_scanned_files();",
                         {"env": {"PHP_INI_SCAN_DIR": "conf"}, "files": {"conf/a.ini": "precision=5\n"}}),
    "USE_ZEND_ALLOC": ("<?php echo memory_get_usage() > 0 ? 'own' : 'libc', ini_get('display_errors'), ini_get('memory_limit'), extension_loaded('ffi');",
                       {"env": {"USE_ZEND_ALLOC": "0"}}),
    "TZ": ("<?php echo date('H e', 0), ' ', getenv('TZ'), ' '; system('date -d @0 +%H');", {"env": {"TZ": "Asia/Tokyo"}}),
    "LC_ALL": ("<?php echo setlocale(LC_ALL, '0'), ' ', setlocale(LC_ALL, ''), ' ', strtoupper('ä');", {"env": {"LC_ALL": "C"}}),
    "LD_DEBUG": ("<?php echo 1;", {"env": {"LD_DEBUG": "help"}}),
    "TMPDIR": ("<?php echo sys_get_temp_dir();", {"env": {"TMPDIR": "/var/tmp"}}),
    # ---- what the program is told about itself
    "the names of the sapi and of the binary": "<?php var_dump(PHP_SAPI, php_sapi_name(), PHP_BINARY, PHP_VERSION, PHP_OS, PHP_EOL,"
                                               " PHP_INT_SIZE, PHP_MAXPATHLEN, PHP_EXTENSION_DIR, PHP_CLI_PROCESS_TITLE);",
    "the extensions": "<?php $e = get_loaded_extensions(); sort($e); print_r($e); print_r(get_loaded_extensions(true));",
    "the functions": "<?php $f = get_defined_functions(); sort($f['internal']); print_r($f);",
    "the classes": "<?php $c = get_declared_classes(); sort($c); print_r($c); $i = get_declared_interfaces(); sort($i);"
                   "print_r($i); print_r(get_declared_traits());",
    "the settings": "<?php $all = ini_get_all(null, false); ksort($all); foreach ($all as $k => $v) { echo $k, '=', var_export($v, true), \"\\n\"; }",
    "the constants": "<?php $c = get_defined_constants(); ksort($c);\n"
                     "foreach ($c as $k => $v) { if ($v !== $v) { $v = 'NAN'; } echo $k, '='; var_dump($v); }\n"
                     "print_r(array_keys(get_defined_constants(true)['user'] ?? []));",
    "the server variables": ("<?php foreach ($_SERVER as $k => $v) { echo $k, '=', $k === 'HOME' || str_starts_with($k, 'REQUEST_TIME') ? '?' : print_r($v, true), \"\\n\"; }\n"
                             "var_dump(abs($_SERVER['REQUEST_TIME'] - time()) < 5, abs(microtime(true) - $_SERVER['REQUEST_TIME_FLOAT']) < 5);",
                             {"args": ["x"], "env": {"ZED": "1"}}),
    "the global variables": ("<?php print_r(array_keys($GLOBALS)); $x = 1; print_r(array_keys(get_defined_vars()));", {"args": ["x"]}),
    "no headers": "<?php var_dump(headers_sent()); header('X-A: b'); print_r(headers_list()); var_dump(http_response_code()); echo 'x'; var_dump(headers_sent()); header('X-B: c');",
    "resource and object numbers": "<?php var_dump(STDIN, STDOUT, STDERR, fopen(__FILE__, 'r'), new stdClass, spl_object_id(new ArrayObject), fn() => 1);\n"
                                   "echo spl_object_hash(new stdClass), get_resource_id(opendir('.')), \"\\n\"; print_r(array_map('get_resource_type', get_resources()));",
    "open descriptors": "<?php $l = scandir('/proc/self/fd'); echo implode(' ', $l), \"\\n\"; echo shell_exec('ls /proc/self/fd | tr \"\\n\" \" \"');"
                        " var_dump(fstat(STDIN)['mode'] & 0170000, stream_isatty(STDOUT), posix_isatty(0));",
    "process title": "<?php var_dump(cli_get_process_title(), cli_set_process_title('hey')); echo cli_get_process_title();"
                     " var_dump(rtrim(file_get_contents('/proc/self/cmdline'), \"\\0\"));",
    "include path and limits": "<?php var_dump(get_include_path(), ini_get('memory_limit'), ini_get('max_execution_time'), set_time_limit(5),"
                               " ini_get('error_log'), ini_get('html_errors'), sys_get_temp_dir(), setlocale(LC_ALL, 0), date_default_timezone_get(), error_reporting());",
    "an empty program": "",
    "no php at all": "just text\nno newline",
    "text around php": "<b>1</b>\n<?php $x = 3 ?>\n<?= $x ?>\n\n<?php if ($x): ?>yes<?php endif ?>\n end\n",
    "a line for the shell": "#!/usr/bin/php\n<?php echo __LINE__;\n",
    "a byte order mark": "\ufeff<?php echo 'bom';",
    "dos line ends": "<?php\r\necho 'a',\r\n__LINE__;\r\n?>\r\nrest\r\n",
    "strict types": "<?php\ndeclare(strict_types=1);\nfunction f(int $x) { return $x; }\necho f('5');",
    # ---- endings
    "exit with a text": "<?php exit('good bye');",
    "die with a number out of range": "<?php die(300);",
    "exit 0 after output": "<?php echo 'x'; exit(0);",
    "exit in a function in a finally": "<?php function f() { try { exit(4); } finally { echo 'finally'; } } f();",
    "exit is not caught": "<?php try { exit(6); } catch (Throwable $t) { echo 'caught'; }",
    "return from the main file": "<?php echo 1; return 9; echo 2;",
    "exit in a shutdown function": "<?php register_shutdown_function(fn() => exit(7)); exit(3);",
    "shutdown functions in order": "<?php register_shutdown_function(function () { echo 1; register_shutdown_function(function () { echo 3; }); });\n"
                                   "register_shutdown_function(function () { echo 2; }); echo 0;",
    "exception in a shutdown function": "<?php register_shutdown_function(function () { throw new LogicException('late'); });"
                                        " register_shutdown_function(function () { echo 'second'; }); echo 'main';",
    "shutdown function after a fatal error": "<?php register_shutdown_function(function () { print_r(error_get_last()); echo getcwd(); }); no_such();",
    "destructors": "<?php class D { function __construct(public $n) {} function __destruct() { echo \"d{$this->n} \"; } }\n"
                   "$a = new D(1); $b = new D(2); new D(3); $c = [new D(4)]; $a->self = $a; echo 'end ';",
    "destructors after exit": "<?php class D { function __destruct() { echo 'gone'; } } $d = new D; function f($d) { exit(2); } f($d);",
    "no destructors after an uncaught exception": "<?php class D { function __destruct() { echo 'gone'; } } $d = new D; throw new Exception('x');",
    "exception in a destructor": "<?php class D { function __destruct() { throw new Exception('from d'); } } $d = new D; echo 'main';",
    "cycles at the end": "<?php class C { public $o; function __destruct() { echo 'c'; } } $a = new C; $b = new C; $a->o = $b; $b->o = $a; unset($a, $b); echo gc_collect_cycles();\n$a = new C; $a->o = $a; unset($a); echo '.';",
    "output handlers at the end": "<?php ob_start(fn($s) => strtoupper($s)); echo 'upper'; register_shutdown_function(function () { echo ' late'; });",
    "output handler that prints": "<?php ob_start(function ($s) { return '[' . $s . ']'; }, 4); echo 'ab'; echo 'cdef'; echo 'g';",
    "closed stdout": "<?php echo 'a'; fclose(STDOUT); echo 'b'; fwrite(STDERR, 'still');",
    "closed stderr": "<?php fclose(STDERR); echo 'a'; error_log('x'); nothing();",
    "closed stdin": ("<?php fclose(STDIN); var_dump(@file_get_contents('php://stdin')); echo 'x';", {"stdin": "abc"}),
    "compressed output is flushed": "<?php $f = gzopen('x.gz', 'w'); gzwrite($f, 'abc'); register_shutdown_function(function () { echo 'x'; });",
    # ---- errors
    "a warning": "<?php echo $undefined; echo 1 / 1, 'after', [1][5]; file_get_contents('/none'); $a = 'x' . [];",
    "a deprecation": "<?php function f($a = 1, $b) {} echo strlen(null); class C {} $c = new C; $c->dyn = 1; echo 'ok';",
    "display errors": "<?php ini_set('display_errors', 1); echo $undefined; throw new Exception('shown');",
    "display errors on stderr": "<?php ini_set('display_errors', 'stderr'); ini_set('log_errors', 0); echo $undefined; no_such();",
    "errors of all kinds": "<?php error_reporting(E_ALL); ini_set('display_errors', 1); ini_set('log_errors', 0); trigger_error('mine', E_USER_WARNING);"
                           " trigger_error('n', E_USER_NOTICE); trigger_error('d', E_USER_DEPRECATED); trigger_error('fatal', E_USER_ERROR); echo 'no';",
    "an error handler": "<?php set_error_handler(function ($no, $msg, $file, $line) { echo basename($file), \":$line $no $msg\\n\"; return true; });"
                        " echo $x; echo 5 % 2; trigger_error('t'); include 'none.php';",
    "an exception handler": "<?php set_exception_handler(function ($e) { echo get_class($e), $e->getMessage(), $e->getLine(); exit(9); }); throw new DomainException('d');",
    "an exception with a previous one": "<?php\nfunction f() { try { intdiv(1, 0); } catch (Error $e) { throw new RuntimeException('outer', 1, $e); } }\nf();",
    "a type error": "<?php function f(int $x): string { return $x; }\nvar_dump(f(5));\nf('abc');",
    "match without an arm": "<?php echo match (5) { 1 => 'one' };",
    "a missing function": "<?php\n\nno_such_function();",
    "a missing class": "<?php new NoSuch();",
    "a missing required file": "<?php echo 'x'; require 'none.php'; echo 'never';",
    "a missing included file": "<?php echo 'x'; include 'none.php'; echo 'goes on';",
    "a parse error in an included file": ("<?php try { include 'bad.php'; } catch (ParseError $e) { echo $e->getMessage(), $e->getLine(); } include 'bad.php';",
                                          {"files": {"bad.php": "<?php\n\nif (\n"}}),
    "a parse error in eval": "<?php try { eval('if ('); } catch (ParseError $e) { echo get_class($e), $e->getFile(), $e->getLine(); } eval('throw new Exception(\"in eval\");');",
    "a compile error": "<?php\nfunction f() {}\nfunction f() {}\n",
    "a redeclared internal function": "<?php function strlen($x) {}",
    "an assertion": "<?php assert(false); ini_set('zend.assertions', 1); echo 'on';",
    "a stack trace": "<?php\nclass A { static function b(...$x) { throw new Exception('t'); } }\n(function () { array_map([A::class, 'b'], [1]); })();",
    "a printed stack trace": "<?php function f() { debug_print_backtrace(); echo (new Exception)->getTraceAsString(); } f();",
    "a long and binary message": "<?php throw new Exception(str_repeat('long ', 900) . \"\\xff\\x00 end\");",
    "deep recursion": "<?php function f($n) { return $n == 0 ? 0 : 1 + f($n - 1); } echo f(50000);",
    "division by zero": "<?php\ntry { echo 1 % 0; } catch (DivisionByZeroError $e) { echo $e->getMessage(); }\necho 1 / 0;",
    "memory limit": "<?php ini_set('memory_limit', '8M'); echo 'x'; $s = str_repeat('x', 20000000); echo 'never';",
    "time limit": "<?php set_time_limit(1); echo 'x'; while (true) {}",
    # ---- streams
    "stdin in all ways": ("<?php echo fgetc(STDIN), '|', fgets(STDIN), '|', fscanf(STDIN, '%d %s')[1], '|', stream_get_line(STDIN, 100, ';'), '|',"
                          " fread(STDIN, 4), '|', file_get_contents('php://stdin'), '|'; var_dump(fgets(STDIN));", {"stdin": "abc\n12 word\nx;restrest\nmore"}),
    "php://input is empty": ("<?php var_dump(file_get_contents('php://input'), $_POST, $_GET);", {"stdin": "abc"}),
    "readline": ("<?php while (($line = readline()) !== false) { echo '<', $line, '>'; } var_dump(readline_add_history('x'));", {"stdin": "one\ntwo\nlast"}),
    "file of stdin": ("<?php print_r(file('php://stdin', FILE_IGNORE_NEW_LINES)); foreach (new SplFileObject('php://stdin') as $l) { var_dump($l); }", {"stdin": "a\nb\n"}),
    "stream select on stdin": ("<?php $r = [STDIN]; $w = $e = null; var_dump(stream_select($r, $w, $e, 5)); stream_set_blocking(STDIN, false); echo fgets(STDIN);", {"stdin": "x\n"}),
    "stdin closed at once": ("<?php var_dump(fgets(STDIN), feof(STDIN), stream_get_contents(STDIN));", {"stdin": ""}),
    "order of outputs": "<?php echo 'a'; fwrite(STDOUT, 'b'); file_put_contents('php://output', 'c'); system('printf d'); print 'e'; fputs(fopen('php://stdout', 'w'), 'f'); printf('%s', 'g');",
    "a large output": "<?php echo str_repeat(\"0123456789abcde\\n\", 20000); for ($i = 0; $i < 5000; $i++) echo $i, ' ';",
    "output through php://fd": "<?php file_put_contents('php://fd/1', 'one'); file_put_contents('php://fd/2', 'two');",
    "files": "<?php mkdir('d/e', 0755, true); file_put_contents('d/e/f', \"x\\ny\"); rename('d/e/f', 'd/g'); print_r(glob('d/*')); echo filesize('d/g'), md5_file('d/g');"
             " foreach (new RecursiveIteratorIterator(new RecursiveDirectoryIterator('d', FilesystemIterator::SKIP_DOTS)) as $p) echo $p; unlink('d/g'); var_dump(file_exists('d/g'), is_writable('.'));"
             " $t = tmpfile(); fwrite($t, 'tmp'); rewind($t); echo fread($t, 9); echo realpath('.'), getcwd(), fileperms('d');",
    "a stream wrapper of its own": "<?php class W { public $context; private $p = 0; function stream_open() { return true; } function stream_read($n) { return $this->p++ ? '' : 'made up'; }"
                                   " function stream_eof() { return $this->p > 0; } function stream_stat() { return []; } function stream_close() { echo 'closed'; } function stream_write($d) { echo \"<$d>\"; return strlen($d); } }"
                                   " stream_wrapper_register('w', 'W'); echo file_get_contents('w://x'); $f = fopen('w://y', 'w'); fwrite($f, 'kept'); echo 'end';",
    "include of data and of phar": "<?php ini_set('allow_url_include', 1); include 'data:text/plain,<?php echo 5;'; echo ini_get('phar.readonly'); new PharData('x.tar');",
    # ---- processes
    "proc_open": "<?php $p = proc_open(['sh', '-c', 'read x; echo got $x; echo err >&2; exit 3'], [['pipe', 'r'], ['pipe', 'w'], ['pipe', 'w']], $pipes);"
                 " fwrite($pipes[0], \"in\\n\"); fclose($pipes[0]); echo stream_get_contents($pipes[1]), stream_get_contents($pipes[2]); var_dump(proc_close($p));",
    "proc_open with an environment": "<?php $p = proc_open('echo $A $HOME; pwd', [], $pipes, '/tmp', ['A' => 'b']); var_dump(proc_close($p));",
    "fork": FORK,
    "fork with shutdown functions": "<?php register_shutdown_function(function () { echo 'bye ', \"\\n\"; }); if (pcntl_fork() == 0) { echo 'child '; exit(0); } pcntl_wait($s); echo 'parent ';",
    "signal handlers": "<?php pcntl_async_signals(true); pcntl_signal(SIGUSR1, function ($n, $i) { echo \"sig $n\"; }); posix_kill(posix_getpid(), SIGUSR1);"
                       " pcntl_signal(SIGTERM, SIG_IGN); posix_kill(posix_getpid(), SIGTERM); echo ' alive'; pcntl_signal(SIGALRM, function () { echo ' alarm'; exit(8); }); pcntl_alarm(1); sleep(20); echo 'never';",
    "signals without a handler": "<?php echo 'x'; posix_kill(posix_getpid(), SIGINT); sleep(5);",
    "death by SIGKILL": "<?php register_shutdown_function(fn() => print('no')); ob_start(); echo 'lost'; posix_kill(getmypid(), SIGKILL);",
    "death by SIGSEGV": "<?php echo 'x'; posix_kill(getmypid(), SIGSEGV); sleep(2);",
    "sigpipe is ignored": "<?php var_dump(pcntl_signal_get_handler(SIGPIPE)); $p = popen('true', 'w'); usleep(100000); var_dump(@fwrite($p, str_repeat('x', 200000))); echo pclose($p), shell_exec('grep SigIgn /proc/self/status');",
    "the children of exec": "<?php pcntl_exec('/bin/echo', ['replaced', 'me'], ['A' => '1']); echo 'never';",
    "php from php": "<?php echo shell_exec(escapeshellarg(PHP_BINARY) . \" -n -r 'echo PHP_SAPI, 6*7;'\");",
    "putenv": "<?php putenv('NEW=value'); echo getenv('NEW'), shell_exec('echo $NEW'); putenv('NEW'); var_dump(getenv('NEW'), getenv('NEW', true));",
    # ---- the language
    "generators and fibers": "<?php function g() { $x = yield 1; echo \"got $x\"; yield from [2, 3]; return 4; } $g = g(); echo $g->current(); $g->send('s'); foreach ($g as $v) echo $v; echo $g->getReturn();"
                             " $f = new Fiber(function ($a) { $b = Fiber::suspend($a * 2); echo \"fiber $b\"; return 'r'; }); echo $f->start(5); $f->resume('back'); echo $f->getReturn();",
    "classes and enums": "<?php enum S: string { case A = 'a'; case B = 'b'; static function all() { return array_column(self::cases(), 'value'); } } readonly class P { function __construct(public int $x) {} }"
                         " print_r(S::all()); var_dump(S::from('a'), S::tryFrom('z')); $p = new P(1); $p->x = 2;",
    "autoload": ("<?php spl_autoload_register(function ($c) { echo \"[$c]\"; @include str_replace('\\\\', '/', $c) . '.php'; }); echo (new App\\Thing)->hi(); var_dump(class_exists('None')); new App\\None;",
                 {"files": {"App/Thing.php": "<?php namespace App; class Thing { function hi() { return __METHOD__; } }"}}),
    "closures, sorting, regular expressions": "<?php $a = ['b' => 2, 'a' => 1, 'c' => 3]; uasort($a, fn($x, $y) => $y <=> $x); print_r($a); echo preg_replace_callback('/(\\w)(\\d+)/u', fn($m) => $m[2] . $m[1], 'a12 ü7 c3');"
                                              " var_dump(preg_match('/(?<n>\\d+)/', 'x42', $m), $m['n'], preg_match('/(a+)+$/', str_repeat('a', 3000) . 'b'), preg_last_error_msg());",
    "numbers": "<?php var_dump(0.1 + 0.2, 1e100, PHP_INT_MAX + 1, 7 <=> 3, 10 ** 20, intdiv(7, 2), round(2.5), (int)'12abc', '1e3' == '1000', 017, 0b11, 1_000, fdiv(1, 0), is_nan(NAN)); echo 1.0, ' ', 1e15, ' ', 0.1 + 0.7, number_format(1234567.891, 2);",
    "dates": "<?php date_default_timezone_set('Europe/Vienna'); echo date('Y-m-d H:i T', 1700000000), (new DateTime('@0'))->format('c'), (new DateTimeImmutable('2024-02-29'))->modify('+1 year')->format('Y-m-d');",
    "seeded random numbers": "<?php mt_srand(42); echo mt_rand(), ' ', rand(1, 100), ' ', mt_rand(1, 6); srand(1); $a = range(1, 9); shuffle($a); echo implode($a), array_rand([1, 2, 3]), str_shuffle('abc'); echo (new Random\\Randomizer(new Random\\Engine\\Mt19937(1)))->getInt(1, 1000);",
    "hashes and crypto": "<?php echo md5('x'), crc32('x'), hash('sha256', ''), hash('xxh3', 'a'), base64_encode(sodium_crypto_generichash('x')), bin2hex(openssl_encrypt('t', 'aes-128-cbc', str_repeat('k', 16), 0, str_repeat('i', 16))); var_dump(password_verify('p', password_hash('p', PASSWORD_BCRYPT, ['cost' => 4])));",
    "serialize and reflection": "<?php class T { public $a = 1; protected $b = [2]; private ?T $c = null; } echo $s = serialize(new T), \"\\n\"; var_dump(unserialize($s), var_export(new T, true)); echo new ReflectionClass('T'), (new ReflectionFunction('strlen'))->getNumberOfParameters();",
    "strings of many bytes a letter": ("<?php echo mb_strlen('äöü日本'), mb_strtoupper('äß'), mb_substr('日本語', 1, 1), bin2hex(mb_convert_encoding('ü', 'ISO-8859-1', 'UTF-8'));",
                                       {"ours": ("5ÄSS本fc".encode(), b"", ("exit", 0))}),
    "iconv, ctype, filter, tokenizer": "<?php echo iconv('UTF-8', 'ISO-8859-1//TRANSLIT', 'ü') === \"\\xfc\" ? 'y' : 'n'; var_dump(ctype_alpha('abc'), filter_var('a@b.cd', FILTER_VALIDATE_EMAIL), count(token_get_all('<?php echo 1;')), extension_loaded('mbstring'));",
    "ffi": "<?php $c = FFI::cdef('int printf(const char *, ...); int abs(int); unsigned getpid(void);', 'libc.so.6'); $c->printf(\"from C %d\\n\", 5); echo $c->abs(-3);",
    "sockets within": "<?php socket_create_pair(AF_UNIX, SOCK_STREAM, 0, $p); socket_write($p[0], 'ping'); echo socket_read($p[1], 4); [$a, $b] = stream_socket_pair(STREAM_PF_UNIX, STREAM_SOCK_STREAM, 0); fwrite($a, \"x\\n\"); echo fgets($b);",
    "a session": "<?php ini_set('session.save_path', '/tmp'); ini_set('session.use_cookies', 0); session_cache_limiter(''); session_id('abc'); session_start(); $_SESSION['n'] = 1; session_write_close(); echo file_get_contents('/tmp/sess_abc'); unlink('/tmp/sess_abc');",
    "gettext and locale": "<?php var_dump(setlocale(LC_ALL, 'C.UTF-8'), gettext('x'), localeconv()['decimal_point'], strtoupper('ä'), ucfirst('é'));",
    "dl is disabled": "<?php var_dump(dl('ctype.so'));",
    "phpinfo": "<?php ob_start(); phpinfo(INFO_GENERAL); echo preg_match('/Server API => (.*)/', ob_get_clean(), $m), $m[1]; highlight_string('<?php echo 1;'); echo php_strip_whitespace(__FILE__);",
    "memory use": "<?php var_dump(memory_get_usage() < 600000, memory_get_peak_usage() < 700000, memory_get_usage(true)); print_r(gc_status()['runs']);",
    "ticks and goto": "<?php declare(ticks=1); register_tick_function(function () { static $n = 0; if (++$n == 3) echo 'third'; }); $i = 0; a: if ($i++ < 2) goto a; echo $i;",
    "ignored abort": "<?php ignore_user_abort(true); var_dump(connection_status(), connection_aborted());",
    "the program's own directory": "<?php echo __FILE__, $argv[0], getcwd(), PHP_CONFIG_FILE_PATH, PHP_CONFIG_FILE_SCAN_DIR;",
    "the file of the settings": ("<?php echo php_ini_loaded_file();",
                                 {"ours": (b"/usr/lib/php/8.2/php.ini-production.cli", b"", ("exit", 0))}),
    "php from php has no settings but the built-in ones": ("<?php echo shell_exec(PHP_BINARY . \" -r 'var_dump(php_ini_loaded_file(), extension_loaded(\\\"ctype\\\"));'\");",
                                                           {"ours": (b"bool(false)\nbool(false)\n", b"", ("exit", 0))}),
    "umask, user and group": "<?php printf('%o', umask()); var_dump(get_current_user() !== '', posix_getgid() === posix_getegid());",
    "last modification and inode": "<?php var_dump(getlastmod() > 0, getmyinode() > 0, getmypid() > 0);",
}

RANDOM = [
    "<?php echo mt_rand(), rand();",
    "<?php echo random_int(0, PHP_INT_MAX);",
    "<?php echo lcg_value();",
    "<?php $a = range(1, 60); shuffle($a); echo implode(' ', $a);",
    "<?php echo bin2hex(random_bytes(8));",
    "<?php echo bin2hex(openssl_random_pseudo_bytes(8));",
    "<?php echo uniqid('', true);",
    "<?php echo basename(tempnam('/tmp', 'x'));",
    "<?php echo password_hash('x', PASSWORD_BCRYPT, ['cost' => 4]);",
    "<?php echo bin2hex(sodium_crypto_secretbox_keygen());",
    "<?php echo implode(',', array_rand(range(0, 5000), 8)), str_shuffle('abcdefghijklmnopqrstuvwxyz');",
    "<?php echo (new Random\\Randomizer())->getInt(0, PHP_INT_MAX);",
    "<?php echo session_create_id();",
]


def normalise(stream):
    """Removes the time from the log line of a fatal error, because the time differs."""
    return re.sub(rb"\[\d\d-\w{3}-\d{4} [\d:]{8} [\w/]+\] ", b"", stream)


PHP = Language(
    name="php",
    killed='<?php echo "one\\n", "part"; fwrite(STDERR, "err\\n"); fwrite(STDOUT, "tw"); echo "o"; posix_kill(posix_getpid(), SIGKILL); sleep(9);',
    fresh={"USE_ZEND_ALLOC": "0"},
    main="main.php",
    command=["php"],
    semantics=SEMANTICS,
    corpus=CORPUS,
    more=MORE,
    random=RANDOM,
    normalise=normalise,
)

Semantics = tests_of(SERVER, PHP)
Semantics.__module__ = __name__  # unittest then calls this module's setUpModule


class Packages(Case):
    """A server with packages of the operator's; some of them are preloaded."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="hatchery-php-")
        root = Path(cls.folder.name)
        for name, content in INSTALLED.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        root.chmod(0o755)
        cls.SERVER = ServerModule("test_php_packages", config=PACKAGES_CONFIG.format(folder=root))
        cls.SERVER.set_up()

    @classmethod
    def tearDownClass(cls):
        cls.SERVER.tear_down()
        cls.folder.cleanup()

    def run_php(self, program, **options):
        return self.output("<?php " + program, language="php", **options)

    def test_what_is_preloaded_is_there(self):
        self.assertEqual("helped 1 2 ", self.run_php("echo help(), ' '; echo Acme\\Ready::use(), ' ', Acme\\Ready::use(), ' ';"))
        self.assertEqual("1", self.run_php("echo Acme\\Ready::use();"), "each run has its own")

    def test_a_program_that_requires_what_is_preloaded_finds_it(self):
        self.assertEqual("helpedlater", self.run_php("require_once 'helpers.php'; require_once 'vendor/autoload.php';"
                                                     "require 'vendor/autoload.php'; echo help(), Acme\\Later::WHO;"))

    def test_packages_come_last_in_the_include_path(self):
        self.assertEqual(".:/usr/share/php:/hatchery/packages", self.run_php("echo get_include_path();"))
        self.assertEqual("my own", self.run_php("require 'later.php';", files={"later.php": "my own"}))

    def test_what_can_not_be_preloaded_is_missing_and_leaves_nothing(self):
        self.assertEqual("bool(false)\nbool(false)\nint(3)\n",
                         self.run_php("var_dump(function_exists('ended'), class_exists('Acme\\Missing', false), strlen('abc'));"))
        [row] = [row for row in self.client.status().languages if row.name == "php"]
        missing = {m.name: m.missing for m in row.preloads}
        self.assertEqual({"helpers.php": False, "Acme\\Ready": False, "json": False, "no/such.php": True,
                          "Acme\\Missing": True, "ends.php": True, "fatal.php": True}, missing)

    def test_random_numbers_of_preloaded_code_tell_nothing_of_those_of_a_run(self):
        program = "echo mt_rand(), ' ', lcg_value();"
        outputs = [self.run_php(program) for _ in range(8)]
        self.assertEqual(8, len(set(outputs)), outputs)


# PHP seeds lcg_value from the time and its pid. A program that knows the pid, and the time to some
# microseconds, can compute the numbers.
GUESS = r"""<?php
$before = gettimeofday(); $drawn = lcg_value(); $after = gettimeofday();
function step($a, $b, $c, $m, $s) { $q = intdiv($s, $a); $s = $b * ($s - $a * $q) - $c * $q; return $s < 0 ? $s + $m : $s; }
function int32($x) { $x &= 0xffffffff; return $x >= 0x80000000 ? $x - 0x100000000 : $x; }
$from = $before['usec']; $to = $from + ($after['sec'] - $before['sec']) * 1000000 + $after['usec'] - $from;
$guessed = 0;
for ($one = $from; $one <= $to; $one++)
    for ($two = $one; $two <= min($to, $one + 20); $two++)
        foreach ([$one % 1000000, $before['sec'], $after['sec']] as $mix) {
            $s1 = step(53668, 40014, 12211, 2147483563, int32($mix ^ ($one % 1000000 << 11)));
            $s2 = step(52774, 40692, 3791, 2147483399, int32(getmypid() ^ ($two % 1000000 << 11)));
            $z = $s1 - $s2;
            $guessed += abs(($z < 1 ? $z + 2147483562 : $z) * 4.656613e-10 - $drawn) < 1e-12;
        }
echo $guessed > 0 ? 'guessed' : 'not guessed';
"""


class Seed(Case):
    SERVER = SERVER

    def test_what_lcg_value_draws_can_not_be_worked_out_from_time_and_pid(self):
        plain = subprocess.run(["php"], input=GUESS.encode(), capture_output=True, timeout=60, check=True)
        self.assertEqual(b"guessed", plain.stdout, "the control: by its command it can")
        for _ in range(5):
            result = self.execute(GUESS, language="php")
            self.assert_exited(result)
            self.assertEqual(b"not guessed", result.stdout, describe(result))


MIB = 1 << 20
SYSCALL = "$c = FFI::cdef('long syscall(long, ...); int *__errno_location(void);', 'libc.so.6');\n" \
          "function call($c, ...$a) { $r = $c->syscall(...$a); return $r < 0 ? -$c->__errno_location()[0] : $r; }\n"


class Hostile(Case):
    SERVER = SERVER

    def hostile(self, program, limits=(), **options):
        result = self.execute("<?php " + program, language="php", limits=dict(limits), **options)
        after = self.execute("<?php echo 6 * 7;", language="php")
        self.assert_exited(after)
        self.assertEqual(b"42", after.stdout, describe(after))
        return result

    def assert_ends(self, status, program, **options):
        result = self.hostile(program, **options)
        self.assert_status(result, status)
        return result

    def test_an_endless_loop_ends_at_the_limit(self):
        self.assert_ends("TIME_LIMIT", "while (true) {}", limits={"wall_us": 300_000})

    def test_what_ignores_every_signal_ends_at_the_limit(self):
        self.assert_ends("TIME_LIMIT", "foreach (range(1, 31) as $s) { if ($s != 9 && $s != 19) pcntl_signal($s, SIG_IGN); }"
                         " register_shutdown_function(function () { while (true) {} }); set_time_limit(0); exit;",
                         limits={"wall_us": 300_000})

    def test_a_memory_bomb_ends_at_the_limit(self):
        self.assert_ends("MEMORY_LIMIT", "$a = []; while (true) { $a[] = str_repeat('x', 1000000); }",
                         limits={"memory_bytes": 48 * MIB, "wall_us": 20_000_000})

    def test_a_recursion_without_end_ends_at_the_limit(self):
        self.assert_ends("MEMORY_LIMIT", "function f($x) { return f([$x]) + 1; } f(1);",
                         limits={"memory_bytes": 48 * MIB, "wall_us": 20_000_000})

    def test_a_fork_bomb_ends_with_the_run(self):
        result = self.hostile("$n = 0; while (($p = @pcntl_fork()) >= 0) { if ($p === 0) { sleep(100); exit; } $n++; } echo $n;",
                              limits={"pids": 16, "wall_us": 20_000_000})
        self.assert_exited(result)
        self.assertEqual(b"15", result.stdout, describe(result))

    def test_forks_of_forks_end_at_the_limit(self):
        self.assert_ends("TIME_LIMIT", "while (true) { @pcntl_fork(); }", limits={"pids": 16, "wall_us": 500_000})

    def test_a_full_disk_is_an_error_of_the_program(self):
        result = self.hostile("$f = fopen('f', 'w'); while (@fwrite($f, str_repeat('x', 65536)) === 65536) {}"
                              " clearstatcache(); echo filesize('f') > 7 << 20 && filesize('f') <= 8 << 20 ? 'full' : filesize('f');", limits={"disk_bytes": 8 * MIB, "wall_us": 20_000_000})
        self.assertEqual(b"full", result.stdout, describe(result))

    def test_many_files_are_refused(self):
        result = self.hostile("for ($i = 0; $i < 500000 && @touch(\"f$i\"); $i++) {} echo $i < 500000 ? 'refused' : 'made';",
                              limits={"disk_bytes": 8 * MIB, "wall_us": 20_000_000})
        self.assertEqual(b"refused", result.stdout, describe(result))

    def test_a_flood_ends_at_the_limit(self):
        self.assert_ends("OUTPUT_LIMIT", "while (true) { echo str_repeat('flood', 1000); }", limits={"output_bytes": MIB})

    def test_a_flood_of_errors_ends_at_the_limit(self):
        self.assert_ends("OUTPUT_LIMIT", "while (true) { echo $x; }", limits={"output_bytes": MIB})

    def test_descriptors_are_limited(self):
        result = self.hostile("$a = []; while ($f = @fopen('/dev/null', 'r')) { $a[] = $f; } echo count($a) < 256 ? 'few' : count($a);")
        self.assertEqual(b"few", result.stdout, describe(result))

    def test_the_host_is_not_to_be_seen(self):
        result = self.hostile("foreach (['/etc/shadow', '/proc/1/environ', '/proc/1/maps', '/root/.bashrc', '/etc/hatchery'] as $f)"
                              " { var_dump(@file_get_contents($f)); } var_dump(count(glob('/proc/[0-9]*')),"
                              " @file_put_contents('/usr/x', ''), @file_put_contents('/etc/x', ''), @mkdir('/x'),"
                              " @scandir('/var/lib'), getenv('SSH_CLIENT'), posix_getuid() === 0);")
        self.assert_exited(result)
        self.assertEqual(5 * b"bool(false)\n" + b"int(1)\n" + 6 * b"bool(false)\n", result.stdout, describe(result))

    def test_no_socket_leads_out(self):
        result = self.hostile("var_dump(@fsockopen('127.0.0.1', 22), @stream_socket_client('tcp://1.1.1.1:80', $e, $s, 1),"
                              " @socket_create(AF_INET, SOCK_STREAM, SOL_TCP), @file_get_contents('http://127.0.0.1/'),"
                              " gethostbyname('localhost.example'), @stream_socket_server('tcp://127.0.0.1:0'));")
        self.assert_exited(result)
        self.assertEqual(4 * b"bool(false)\n" + b"string(17) \"localhost.example\"\nbool(false)\n", result.stdout, describe(result))

    def test_system_calls_that_make_walls_are_refused(self):
        result = self.hostile(SYSCALL + """
            echo call($c, 165, 'none', '/tmp', 'tmpfs', 0, null), ' ';   // mount
            echo call($c, 101, 16, 1, 0, 0), ' ';                        // ptrace, attach to init
            echo call($c, 161, '/tmp'), ' ';                             // chroot
            echo call($c, 272, 0x10000000), ' ';                         // unshare, a user namespace
            echo call($c, 308, 0, 0), ' ';                               // setns
            echo call($c, 310, 1, null, 0, null, 0, 0), ' ';             // process_vm_readv
            echo call($c, 321, 0, null, 0), ' ';                         // bpf
            echo call($c, 425, 8, null), ' ';                            // io_uring_setup
            echo call($c, 56, 0x10000000 | 17, 0, 0, 0, 0);              // clone, a user namespace
        """)
        self.assert_exited(result)
        for error in result.stdout.decode().split():
            self.assertIn(int(error), (-1, -38), describe(result))  # EPERM, ENOSYS
        self.assertEqual(9, len(result.stdout.split()), describe(result))

    def test_pcntl_gets_no_namespace_and_no_priority(self):
        result = self.hostile("var_dump(@pcntl_unshare(CLONE_NEWUSER), @pcntl_setpriority(-5), posix_setuid(0));")
        self.assertEqual(3 * b"bool(false)\n", result.stdout, describe(result))

    def test_a_kill_of_all_reaches_only_its_own(self):
        result = self.hostile("if (pcntl_fork() === 0) { sleep(100); exit; } posix_kill(-1, SIGKILL); posix_kill(0, SIGTERM); sleep(1); echo 'x';")
        self.assertIn(describe(result).split()[0], ("EXITED", "SIGNALED"))

    def test_what_stays_behind_is_killed(self):
        result = self.hostile("if (pcntl_fork() === 0) { posix_setsid(); pcntl_signal(SIGTERM, SIG_IGN); fclose(STDOUT); fclose(STDERR);"
                              " sleep(1000); exit; } echo 'end';")
        self.assert_exited(result)
        self.assertEqual(b"end", result.stdout)

    def test_what_it_does_to_its_own_memory_is_its_own_alone(self):
        self.hostile("$m = FFI::cdef('void *memset(void *, int, size_t);', 'libc.so.6'); $m->memset(FFI::cast('void *', 4096), 1, 100);")
        result = self.hostile("$c = FFI::cdef('extern int zend_dtrace_enabled; extern char *php_ini_opened_path;'); $c->php_ini_opened_path = null; echo 1;")
        self.assertEqual("php.ini", Path(self.output("<?php echo php_ini_loaded_file();", language="php")).name[:7], describe(result))
