"""The rules of HTTP that hold for every contract, as a table of raw requests. The table says which requests are refused
before a handler gets them, and whether the connection stays open.

A row has a title, the request, the statuses of the expected answers, and the state of the connection after them: OPEN
or CLOSED. Requests have placeholders: {GET} is `GET` with a path that takes no body, {POST} is `POST` with a path that
takes a body, and {BODY} is a body for that path. request() has the others."""

OPEN, CLOSED = "open", "closed"

H = "Host: localhost\r\n"
END = "\r\n\r\n"
LONG = "x" * 9000

ROWS = (
    # requests that are accepted
    ("a plain request", f"{{GET}} HTTP/1.1\r\n{H}\r\n", (200,), OPEN),
    ("a body with its length", f"{{POST}} HTTP/1.1\r\n{H}Content-Length: {{LENGTH}}\r\n\r\n{{BODY}}", (200,), OPEN),
    ("a body in chunks", f"{{POST}} HTTP/1.1\r\n{H}Transfer-Encoding: chunked\r\n\r\n{{CHUNKS}}0\r\n\r\n", (200,), OPEN),
    ("chunks with an extension and a trailer",
     f"{{POST}} HTTP/1.1\r\n{H}Transfer-Encoding: chunked\r\n\r\n{{CHUNKS}}0;last=\"yes\"\r\nSum: 1\r\n\r\n", (200,), OPEN),
    ("chunks, then another request",
     f"{{POST}} HTTP/1.1\r\n{H}Transfer-Encoding: CHUNKED\r\n\r\n{{CHUNKS}}0\r\n\r\n{{GET}} HTTP/1.1\r\n{H}\r\n",
     (200, 200), OPEN),
    ("three requests at once", f"{{GET}} HTTP/1.1\r\n{H}\r\n" * 3, (200, 200, 200), OPEN),
    ("a request behind a body", f"{{POST}} HTTP/1.1\r\n{H}Content-Length: {{LENGTH}}\r\n\r\n{{BODY}}{{GET}} HTTP/1.1\r\n{H}\r\n",
     (200, 200), OPEN),
    ("empty lines before a request", f"\r\n\r\n{{GET}} HTTP/1.1\r\n{H}\r\n", (200,), OPEN),
    ("names of headers in other letters", "{GET} HTTP/1.1\r\nhOST: localhost\r\n\r\n", (200,), OPEN),
    ("white space around a value", "{GET} HTTP/1.1\r\nHost:\t localhost \t\r\n\r\n", (200,), OPEN),
    ("a value with bytes beyond ASCII", f"{{GET}} HTTP/1.1\r\n{H}X-Name: \xe9\r\n\r\n", (200,), OPEN),
    ("a query", f"{{GET}}?a=%20b&c=d HTTP/1.1\r\n{H}\r\n", (200,), OPEN),
    ("a body of no bytes where there is none", f"{{GET}} HTTP/1.1\r\n{H}Content-Length: 0\r\n\r\n", (200,), OPEN),
    ("Connection: close", f"{{GET}} HTTP/1.1\r\n{H}Connection: close\r\n\r\n", (200,), CLOSED),
    ("close among other words", f"{{GET}} HTTP/1.1\r\n{H}Connection: TE, Close\r\n\r\n", (200,), CLOSED),
    ("HTTP/1.0", f"{{GET}} HTTP/1.0\r\n{H}\r\n", (200,), CLOSED),
    ("HTTP/1.0 without Host", "{GET} HTTP/1.0\r\n\r\n", (200,), CLOSED),
    ("HTTP/1.0 with keep-alive", f"{{GET}} HTTP/1.0\r\n{H}Connection: keep-alive\r\n\r\n", (200,), OPEN),
    ("a preflight without an origin", f"OPTIONS {{GETPATH}} HTTP/1.1\r\n{H}\r\n", (204,), OPEN),

    # lines
    ("no request at all", f"hello{END}", (400,), CLOSED),
    ("a line without a version", f"GET /{END}", (400,), CLOSED),
    ("two spaces before the path", f"GET  {{GETPATH}} HTTP/1.1\r\n{H}\r\n", (400,), CLOSED),
    ("a space in the path", f"GET /a b HTTP/1.1\r\n{H}\r\n", (400,), CLOSED),
    ("a space before the method", f" {{GET}} HTTP/1.1\r\n{H}\r\n", (400,), CLOSED),
    ("line feeds alone", "{GET} HTTP/1.1\nHost: localhost\n\n", (400,), CLOSED),
    ("one line feed alone", "{GET} HTTP/1.1\r\nHost: localhost\nX: y\r\n\r\n", (400,), CLOSED),
    ("a carriage return alone", "{GET} HTTP/1.1\r\nHost: localhost\rX: y\r\n\r\n", (400,), CLOSED),
    ("a carriage return in the first line", f"GET /\r HTTP/1.1\r\n{H}\r\n", (400,), CLOSED),
    ("a NUL in a header", f"{{GET}} HTTP/1.1\r\n{H}X: a\0b\r\n\r\n", (400,), CLOSED),
    ("a NUL in the path", f"GET /\0 HTTP/1.1\r\n{H}\r\n", (400,), CLOSED),
    ("an encoded NUL in the path", f"GET /%00 HTTP/1.1\r\n{H}\r\n", (400,), OPEN),
    ("a header that goes on in the next line", f"{{GET}} HTTP/1.1\r\n{H}X: a\r\n b\r\n\r\n", (400,), CLOSED),
    ("a first header that begins with a space", f"{{GET}} HTTP/1.1\r\n X: a\r\n{H}\r\n", (400,), CLOSED),
    ("a space before the colon", "{GET} HTTP/1.1\r\nHost : localhost\r\n\r\n", (400,), CLOSED),
    ("a header without a name", f"{{GET}} HTTP/1.1\r\n{H}: x\r\n\r\n", (400,), CLOSED),
    ("a header without a colon", f"{{GET}} HTTP/1.1\r\n{H}X\r\n\r\n", (400,), CLOSED),
    ("a name with bytes beyond ASCII", f"{{GET}} HTTP/1.1\r\n{H}X\xe9: y\r\n\r\n", (400,), CLOSED),

    # versions, methods, targets
    ("HTTP/2.0", f"{{GET}} HTTP/2.0\r\n{H}\r\n", (505,), CLOSED),
    ("the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", (505,), CLOSED),
    ("HTTP/1.2", f"{{GET}} HTTP/1.2\r\n{H}\r\n", (505,), CLOSED),
    ("HTTP/0.9", f"{{GET}} HTTP/0.9\r\n{H}\r\n", (505,), CLOSED),
    ("a version with a sign", f"{{GET}} HTTP/+1.1\r\n{H}\r\n", (400,), CLOSED),
    ("a version in small letters", f"{{GET}} http/1.1\r\n{H}\r\n", (400,), CLOSED),
    ("CONNECT", f"CONNECT localhost:80 HTTP/1.1\r\n{H}\r\n", (501,), CLOSED),
    ("TRACE", f"TRACE / HTTP/1.1\r\n{H}\r\n", (501,), CLOSED),
    ("PATCH", f"PATCH {{GETPATH}} HTTP/1.1\r\n{H}Content-Length: 3\r\n\r\nabc", (501,), CLOSED),
    ("a method in small letters", f"get {{GETPATH}} HTTP/1.1\r\n{H}\r\n", (501,), CLOSED),
    ("a whole URL", f"GET http://localhost{{GETPATH}} HTTP/1.1\r\n{H}\r\n", (400,), CLOSED),
    ("OPTIONS *", f"OPTIONS * HTTP/1.1\r\n{H}\r\n", (400,), CLOSED),
    ("a path that names a host", f"GET //localhost{{GETPATH}} HTTP/1.1\r\n{H}\r\n", (400,), CLOSED),
    ("a fragment", f"{{GET}}#x HTTP/1.1\r\n{H}\r\n", (400,), CLOSED),
    ("an unknown path", f"GET /no/such/path HTTP/1.1\r\n{H}\r\n", (404,), OPEN),
    ("an unknown path, with a body", f"POST /no/such/path HTTP/1.1\r\n{H}Content-Length: 3\r\n\r\nabc", (404,), CLOSED),
    ("a method that the path does not take", f"DELETE {{GETPATH}} HTTP/1.1\r\n{H}\r\n", (405,), OPEN),
    ("a path that climbs", f"GET /../..{{GETPATH}} HTTP/1.1\r\n{H}\r\n", (404,), OPEN),
    ("a long path", f"GET /{LONG} HTTP/1.1\r\n{H}\r\n", (414,), CLOSED),
    ("a path without an end", "GET /" + "x" * 40000, (414,), CLOSED),

    # framing that two HTTP parsers could understand differently
    ("two lengths", f"{{POST}} HTTP/1.1\r\n{H}Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", (400,), CLOSED),
    ("two lengths in one header", f"{{POST}} HTTP/1.1\r\n{H}Content-Length: 3, 3\r\n\r\nabc", (400,), CLOSED),
    ("a length and chunks", f"{{POST}} HTTP/1.1\r\n{H}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", (400,), CLOSED),
    ("chunks and a length", f"{{POST}} HTTP/1.1\r\n{H}Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n", (400,), CLOSED),
    ("chunks twice", f"{{POST}} HTTP/1.1\r\n{H}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", (400,), CLOSED),
    ("an encoding that nobody knows", f"{{POST}} HTTP/1.1\r\n{H}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", (501,), CLOSED),
    ("gzip, then chunks", f"{{POST}} HTTP/1.1\r\n{H}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", (501,), CLOSED),
    ("identity", f"{{POST}} HTTP/1.1\r\n{H}Transfer-Encoding: identity\r\n\r\n", (501,), CLOSED),
    ("an encoding with a tab inside", f"{{POST}} HTTP/1.1\r\n{H}Transfer-Encoding: chun\tked\r\n\r\n0\r\n\r\n", (501,), CLOSED),
    ("chunks in HTTP/1.0", f"{{POST}} HTTP/1.0\r\n{H}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", (400,), CLOSED),
    ("a negative length", f"{{POST}} HTTP/1.1\r\n{H}Content-Length: -1\r\n\r\n", (400,), CLOSED),
    ("a length with a sign", f"{{POST}} HTTP/1.1\r\n{H}Content-Length: +3\r\n\r\nabc", (400,), CLOSED),
    ("a length in hexadecimal digits", f"{{POST}} HTTP/1.1\r\n{H}Content-Length: 0x3\r\n\r\nabc", (400,), CLOSED),
    ("an empty length", f"{{POST}} HTTP/1.1\r\n{H}Content-Length:\r\n\r\n", (400,), CLOSED),
    ("a length beyond 64 bits", f"{{POST}} HTTP/1.1\r\n{H}Content-Length: 18446744073709551619\r\n\r\nabc", (400,), CLOSED),
    ("a length beyond the bound", f"{{POST}} HTTP/1.1\r\n{H}Content-Length: 999999999999\r\n\r\nabc", (413,), CLOSED),
    ("a body where there is none", f"{{GET}} HTTP/1.1\r\n{H}Content-Length: 3\r\n\r\nabc", (413,), CLOSED),
    ("chunks where there is no body", f"{{GET}} HTTP/1.1\r\n{H}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", (413,), CLOSED),
    ("a compressed body", f"{{POST}} HTTP/1.1\r\n{H}Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc", (415,), CLOSED),

    # chunks
    ("a size with a sign", f"{{POST}} HTTP/1.1\r\n{H}Transfer-Encoding: chunked\r\n\r\n+3\r\nabc\r\n0\r\n\r\n", (400,), CLOSED),
    ("a size with 0x", f"{{POST}} HTTP/1.1\r\n{H}Transfer-Encoding: chunked\r\n\r\n0x3\r\nabc\r\n0\r\n\r\n", (400,), CLOSED),
    ("a size with a space before", f"{{POST}} HTTP/1.1\r\n{H}Transfer-Encoding: chunked\r\n\r\n 3\r\nabc\r\n0\r\n\r\n", (400,), CLOSED),
    ("an empty size", f"{{POST}} HTTP/1.1\r\n{H}Transfer-Encoding: chunked\r\n\r\n\r\n0\r\n\r\n", (400,), CLOSED),
    ("a chunk longer than its size", f"{{POST}} HTTP/1.1\r\n{H}Transfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n0\r\n\r\n", (400,), CLOSED),
    ("a line feed alone after a size", f"{{POST}} HTTP/1.1\r\n{H}Transfer-Encoding: chunked\r\n\r\n3\nabc\r\n0\r\n\r\n", (400,), CLOSED),
    ("a size of 64 bits", f"{{POST}} HTTP/1.1\r\n{H}Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n", (400,), CLOSED),
    ("a chunk beyond the bound", f"{{POST}} HTTP/1.1\r\n{H}Transfer-Encoding: chunked\r\n\r\nffffffff\r\n", (413,), CLOSED),
    ("an extension without an end", f"{{POST}} HTTP/1.1\r\n{H}Transfer-Encoding: chunked\r\n\r\n3;" + "x" * 2000, (400,), CLOSED),
    ("a trailer without an end",
     f"{{POST}} HTTP/1.1\r\n{H}Transfer-Encoding: chunked\r\n\r\n0\r\n" + "X: y\r\n" * 20000, (400,), CLOSED),

    # sizes
    ("a long header", f"{{GET}} HTTP/1.1\r\n{H}X: {'x' * 40000}\r\n\r\n", (431,), CLOSED),
    ("a head without an end", f"{{GET}} HTTP/1.1\r\n{H}" + "X: y\r\n" * 8000, (431,), CLOSED),
    ("101 headers", f"{{GET}} HTTP/1.1\r\n{H}" + "X: y\r\n" * 100 + "\r\n", (431,), CLOSED),
    ("100 headers", f"{{GET}} HTTP/1.1\r\n{H}" + "X: y\r\n" * 99 + "\r\n", (200,), OPEN),

    # Host, Origin, Expect
    ("HTTP/1.1 without Host", "{GET} HTTP/1.1\r\n\r\n", (400,), CLOSED),
    ("Host twice", f"{{GET}} HTTP/1.1\r\n{H}{H}\r\n", (400,), CLOSED),
    ("an empty Host", "{GET} HTTP/1.1\r\nHost:\r\n\r\n", (403,), OPEN),
    ("a Host with a port", "{GET} HTTP/1.1\r\nHost: localhost:1234\r\n\r\n", (200,), OPEN),
    ("a Host in capitals", "{GET} HTTP/1.1\r\nHost: LOCALHOST\r\n\r\n", (200,), OPEN),
    ("a Host of IPv6", "{GET} HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", (200,), OPEN),
    ("another Host", "{GET} HTTP/1.1\r\nHost: example.org\r\n\r\n", (403,), OPEN),
    ("a Host that ends like ours", "{GET} HTTP/1.1\r\nHost: localhost.example.org\r\n\r\n", (403,), OPEN),
    ("another Host, with a body", "{POST} HTTP/1.1\r\nHost: example.org\r\nContent-Length: 3\r\n\r\nabc", (403,), CLOSED),
    ("the page's own Origin", "{GET} HTTP/1.1\r\nHost: localhost:80\r\nOrigin: http://localhost:80\r\n\r\n", (200,), OPEN),
    ("an Origin with another port", "{GET} HTTP/1.1\r\nHost: localhost:80\r\nOrigin: http://localhost:81\r\n\r\n", (403,), OPEN),
    ("another Origin", f"{{GET}} HTTP/1.1\r\n{H}Origin: https://example.org\r\n\r\n", (403,), OPEN),
    ("an Origin without a name", f"{{GET}} HTTP/1.1\r\n{H}Origin: null\r\n\r\n", (403,), OPEN),
    ("an empty Origin", f"{{GET}} HTTP/1.1\r\n{H}Origin:\r\n\r\n", (403,), OPEN),
    ("Origin twice", f"{{GET}} HTTP/1.1\r\n{H}Origin: http://localhost\r\nOrigin: http://localhost\r\n\r\n", (400,), CLOSED),
    ("another expectation", f"{{POST}} HTTP/1.1\r\n{H}Expect: more\r\nContent-Length: 3\r\n\r\nabc", (417,), CLOSED),
    ("100-continue with the body at once",
     f"{{POST}} HTTP/1.1\r\n{H}Expect: 100-continue\r\nContent-Length: {{LENGTH}}\r\n\r\n{{BODY}}", (200,), OPEN),
)


def request(text, get, post, body, headers=""):
    """Returns the bytes of a row's request, with these paths and this body in place of the placeholders. headers: header
    lines that requests with a body need."""
    words = {"{POST} HTTP/1.1\r\n": f"POST {post} HTTP/1.1\r\n{headers}", "{GET}": f"GET {get}", "{POST}": f"POST {post}", "{GETPATH}": get, "{BODY}": body,
             "{LENGTH}": str(len(body)), "{CHUNKS}": f"{len(body):x}\r\n{body}\r\n"}
    for word, meant in words.items():
        text = text.replace(word, meant)
    return text.encode("latin-1")


def check(case, connect, get, post, body, pieces=None, headers=""):
    """Checks each row of the table. connect() returns a Raw. pieces: each request is sent in parts of so many bytes,
    and requests over 600 bytes are left out; None: each request is sent at once. headers: see request()."""
    for title, text, statuses, then in ROWS:
        sent = request(text, get, post, body, headers)
        if pieces and len(sent) > 600:
            continue
        with case.subTest(title), connect() as c:
            try:
                if pieces:
                    c.send(*(sent[at:at + pieces] for at in range(0, len(sent), pieces)))
                else:
                    c.send(sent)
            except (BrokenPipeError, ConnectionResetError):
                pass  # the server refused the request before its end
            got = []
            for expected in statuses:
                method = "HEAD" if expected == 204 else "GET"
                got.append(c.answer(method)[0])
            case.assertEqual(list(statuses), got)
            if then == OPEN:
                case.assertTrue(c.is_open(), "the connection should have stayed open")
            else:
                case.assertTrue(c.is_closed(), "the connection should have been closed")
