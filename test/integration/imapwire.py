"""imapwire - the client's end of IMAP, octet for octet, for the tests of recrypt-imapfilter.

A response is one line and all of the literals in it, as it came. A command is a list of octets and literals; what is sent
can be cut into small pieces, and what comes back is compared after what differs by nature has been put aside (same)."""
import re
import select
import socket
import ssl
import time

LITERAL = re.compile(rb"\{(\d+)\}\r\n\Z")


class Literal:
    def __init__(self, data, plus=False):
        self.data, self.plus = data, plus

    def head(self):
        return b"{%d%s}\r\n" % (len(self.data), b"+" if self.plus else b"")


class Closed(Exception):
    pass


def context(authority=None):
    """For a client that trusts this one certificate, or none at all."""
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    c.check_hostname = False
    c.verify_mode = ssl.CERT_REQUIRED if authority else ssl.CERT_NONE
    if authority:
        c.load_verify_locations(authority)
    return c


class Wire:
    """A connection. piece: at most so many octets are sent at a time."""

    def __init__(self, port, tls=None, piece=0, timeout=30, host="127.0.0.1", greet=True, source=None):
        self.s = socket.create_connection((host, int(port)), timeout, source and (source, 0))
        self.s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            self.s = tls.wrap_socket(self.s, server_hostname="localhost")
        self.piece, self.data, self.n = piece, bytearray(), 0
        self.greeting = self.response() if greet else None

    def send(self, data):
        if not self.piece:
            return self.s.sendall(data)
        for i in range(0, len(data), self.piece):
            self.s.sendall(data[i:i + self.piece])

    def both(self, data):
        """Sends, and reads what comes meanwhile and afterwards, to the end of the connection."""
        at, size = 0, self.piece or 1 << 16
        limit, wait = self.s.gettimeout(), (ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError)
        self.s.setblocking(False)
        while True:
            try:
                if not (got := self.s.recv(1 << 18)):
                    return
                self.data += got
                continue
            except wait:
                pass
            except ConnectionError:
                return
            try:
                at += self.s.send(data[at:at + size]) if at < len(data) else 0
            except wait:
                pass
            except ConnectionError:
                at = len(data)
            if not any(select.select([self.s], [self.s] if at < len(data) else [], [], limit)):
                raise TimeoutError

    def more(self):
        got = self.s.recv(1 << 18)
        if not got:
            raise Closed(bytes(self.data[-200:]))
        self.data += got

    def take(self, n):
        got = bytes(self.data[:n])
        del self.data[:n]
        return got

    def exactly(self, n):
        while len(self.data) < n:
            self.more()
        return self.take(n)

    def line(self):
        seen = 0
        while (end := self.data.find(b"\n", seen)) < 0:
            seen = len(self.data)
            self.more()
        return self.take(end + 1)

    def response(self):
        got = self.line()
        while size := LITERAL.search(got[-40:]):
            got += self.exactly(int(size[1])) + self.line()
        return got

    def tag(self):
        self.n += 1
        return b"t%d" % self.n

    def until(self, tag):
        """Responses up to the tagged one."""
        got = []
        while not got or not got[-1].startswith(tag + b" "):
            got.append(self.response())
        return got

    def command(self, *parts):
        """Sends one command, waits before each literal that wants it, and returns all responses. A refusal in place of a
        continuation ends it."""
        tag, before = self.tag(), []
        out = tag + b" "
        for part in parts:
            if not isinstance(part, Literal):
                out += part
            elif part.plus:
                out += part.head() + part.data
            else:
                self.send(out + part.head())
                while not (got := self.response()).startswith(b"+"):
                    before.append(got)
                    if got.startswith(tag + b" "):
                        return before
                before.append(got)
                out = part.data
        self.send(out + b"\r\n")
        return before + self.until(tag)

    def good(self, *parts):
        got = self.command(*parts)
        if not re.match(rb"t\d+ OK", got[-1]):
            raise AssertionError(f"{parts!r:.200}: {got[-1]!r}")
        return got

    def login(self, user, password=b"secret"):
        return self.good(b"LOGIN %s %s" % (user.encode(), password))

    def starttls(self, tls):
        self.send(b"s STARTTLS\r\n")
        answer = self.until(b"s")[-1]
        assert answer.startswith(b"s OK"), answer
        assert not self.data, f"in the clear behind STARTTLS's answer: {bytes(self.data)!r}"
        self.s = tls.wrap_socket(self.s, server_hostname="localhost")

    def drop(self):
        """Ends it also for a thread that is writing."""
        try:
            self.s.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def drop_writing(self):
        try:
            self.s.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def close(self):
        self.s.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


# ---- what two sessions may differ in ----

# Capabilities that the filter adds, or takes away because it could not pass what comes after.
FILTERS = {b"SASL-IR", b"XRECRYPT", b"COMPRESS=DEFLATE", b"STARTTLS", b"LOGINDISABLED"}
DIFFERENT = [
    (re.compile(rb" \([0-9.]+ \+ [0-9.]+(?: \+ [0-9.]+)? secs\)"), b""),
    (re.compile(rb"[0-9.]+ secs?"), b"secs"),
    (re.compile(rb"SESSIONID=<[^>]*>"), b"SESSIONID"),
    (re.compile(rb"\[UIDVALIDITY \d+\]"), b"[UIDVALIDITY]"),
    (re.compile(rb"\(UIDVALIDITY \d+"), b"(UIDVALIDITY"),
    (re.compile(rb"(APPENDUID|COPYUID|UIDVALIDITY) \d+"), rb"\1"),
    (re.compile(rb"(MAILBOXID|EMAILID|THREADID) \([^)]*\)"), rb"\1"),
    (re.compile(rb"u\d\d@example\.com"), b"user"),
    (re.compile(rb"SAVEDATE \"[^\"]*\""), b"SAVEDATE"),
]
CAPABILITIES = re.compile(rb"(\* CAPABILITY|\[CAPABILITY)((?: [^ \]\r]+)*)")

# Whether something came since somebody last looked: Dovecot tells that, or does not, as its own indexes happen to be.
LIST = re.compile(rb"^\* LIST \(([^)]*)\)")
MARKS = {b"\\marked", b"\\unmarked"}


def unmarked(m):
    return b"* LIST (" + b" ".join(w for w in m[1].split() if w.lower() not in MARKS) + b")"


def without(m):
    return m[1] + b"".join(b" " + c for c in m[2].split() if c not in FILTERS)


def bare(response):
    response = LIST.sub(unmarked, CAPABILITIES.sub(without, response))
    for pattern, instead in DIFFERENT:
        response = pattern.sub(instead, response)
    return response


def same(got, wanted):
    """Two lists of responses; raises with the first difference."""
    for i, (a, b) in enumerate(zip(map(bare, got), map(bare, wanted))):
        if a != b:
            at = next((k for k, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))
            raise AssertionError(f"response {i}, octet {at}: got {a[max(0, at - 60):at + 200]!r}, "
                                 f"wanted {b[max(0, at - 60):at + 200]!r}")
    if len(got) != len(wanted):
        longer = max(got, wanted, key=len)
        raise AssertionError(f"{len(got)} responses instead of {len(wanted)}: {longer[min(len(got), len(wanted))]!r:.200}")


def wait(seconds, condition, what):
    limit = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > limit:
            raise AssertionError(f"waited {seconds} s for {what}")
        time.sleep(0.02)
