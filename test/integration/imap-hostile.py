#!/usr/bin/env python3
"""imap-hostile.py CASE ARGUMENT...: a client, or an IMAP server, that means harm, at either end of recrypt-imapfilter.

  client CASE PORT PID LIMIT [OTHER]  the filter's port, process, login_timeout; another port, for who measures
  server CASE PORT PID BACKEND LIMIT  BACKEND is the port where this program then plays the server; LIMIT is also the certificate
Each case is one function. While it runs another session (of a good client, with a server that behaves) measures how long a NOOP
takes, and the filter's resident memory is read; both must stay within bounds, and the filter must still be there."""
import os
import random
import re
import select
import socket
import ssl
import struct
import sys
import threading
import time

from imapwire import Closed, Literal, Wire, context, wait

MB = 1 << 20
USER = "u10@example.com"
DEVICE = b"MABCD-EFGHI-JKLMN-OPQRS-TUVWX-YZ234"
GONE = (Closed, ConnectionError, BrokenPipeError, ssl.SSLError)
LONG = os.environ.get("LONG")


def resident(pid, peak=False):
    with open(f"/proc/{pid}/status") as f:
        return next(int(line.split()[1]) << 10 for line in f if line.startswith("VmHWM" if peak else "VmRSS"))


def peak_anew(pid):
    """The kernel's peak counts from now on, where it lets us; it sees what falls between two looks."""
    try:
        with open(f"/proc/{pid}/clear_refs", "w") as f:
            f.write("5")
        return True
    except OSError:
        return False


class Watch:
    """with Watch(...): memory's growth, and what another session sees, while something happens."""

    def __init__(self, what, pid, port, octets, seconds=1.0, show=True):
        self.what, self.pid, self.octets, self.seconds, self.show = what, int(pid), octets, seconds, show
        self.probe = Wire(port)
        self.probe.login("u99@example.com")

    def look(self):
        while not self.over and not self.failed:
            try:
                self.once()
            except Exception as e:
                self.failed = e

    def once(self):
        self.peak = max(self.peak, resident(self.pid))
        start = time.monotonic()
        self.probe.good(b"NOOP")
        self.slowest = max(self.slowest, time.monotonic() - start)
        time.sleep(0.01)

    def __enter__(self):
        self.over, self.slowest, self.failed = False, 0, None
        self.exact = peak_anew(self.pid)
        self.before = self.peak = resident(self.pid)
        self.looking = threading.Thread(target=self.look)
        self.looking.start()
        return self

    def __exit__(self, kind, *_):
        self.over = True
        self.looking.join()
        self.probe.close()
        if self.exact:
            self.peak = resident(self.pid, peak=True)
        grown = self.peak - self.before
        if self.show:
            print(f"{self.what}: {grown / MB:.1f} MB, another session's NOOP at most {self.slowest * 1000:.0f} ms")
        if not kind:
            assert not self.failed, f"{self.what}: the other session: {self.failed!r}"
            assert grown <= self.octets, f"{self.what}: memory grew by {grown / MB:.1f} MB, {self.octets / MB:.1f} permitted"
            assert self.slowest <= self.seconds, f"{self.what}: another session waited {self.slowest:.2f} s"


def gone(w, seconds):
    """The other end closes within that time; what it says before."""
    w.s.settimeout(seconds)
    try:
        while True:
            w.more()
    except GONE:
        return bytes(w.data)
    except TimeoutError:
        raise AssertionError(f"still open after {seconds} s") from None


def refused(w, *parts):
    got = w.command(*parts)[-1]
    assert re.match(rb"t\d+ (BAD|NO) ", got), got
    return got


# ---- clients ----

def slow(port, pid, limit):
    """Octets that come one by one do not keep a session open that says nothing; 100 at the same time."""
    crowd = [Wire(port) for _ in range(100)]
    with Watch("one octet now and then, from 100 clients", pid, port, 8 * MB):
        start, open_ones = time.monotonic(), crowd
        while open_ones:
            assert time.monotonic() - start < limit + 5, f"{len(open_ones)} still open"
            still = []
            for w in open_ones:
                try:
                    w.s.sendall(b"x")
                    if select.select([w.s], [], [], 0)[0]:
                        w.more()
                    still.append(w)
                except GONE:
                    w.close()
            open_ones = still
            time.sleep(0.25)
        spent = time.monotonic() - start
        assert spent > limit / 2, f"all of them were closed after {spent:.1f} s: too early for an honest slow client"


def unfinished(port, pid, limit):
    """Literals that end too early, before and after the login, with and without the other end's consent. Nothing of them
    is in the mailbox."""
    with Wire(port) as w:
        w.login(USER)
        before = w.good(b"STATUS INBOX (MESSAGES)")[0]
    with Watch("100 literals without an end", pid, port, 8 * MB):
        crowd = []
        for i in range(100):
            w = Wire(port)
            if i % 2:
                w.login(USER)
                w.send(b"a APPEND INBOX {1000000%s}\r\n" % (b"+" if i % 4 == 1 else b""))
            else:
                w.send(b"a LOGIN {12%s}\r\n" % (b"+" if i % 4 == 2 else b""))
            w.send(b"Subject: x\r\n")
            crowd.append(w)
        time.sleep(0.5)
        for w in crowd[:50]:
            w.close()
        for w in crowd[50::2]:  # those who have not logged in
            gone(w, limit + 5)
        for w in crowd:
            w.close()
    with Wire(port) as w:
        w.login(USER)
        after = w.good(b"STATUS INBOX (MESSAGES)")[0]
        assert after == before, f"{before} became {after}"


def huge(port, pid, _):
    """Sizes that are no sizes, or cannot be meant."""
    sizes = (b"{4294967295}", b"{4294967296}", b"{99999999999999999999}", b"{2147483648}", b"{-1}", b"{+1}", b"{1", b"{}", b"{ 5}", b"{5 }", b"{0x5}")
    with Watch("sizes of literals", pid, port, 4 * MB):
        for size in sizes:
            for command in (b"LOGIN " + size, b"LOGIN u10 " + size, b"BOGUS " + size, size, b"AUTHENTICATE PLAIN " + size):
                with Wire(port) as w:
                    w.send(b"a " + command + b"\r\n")
                    try:
                        got = w.response()
                    except GONE:
                        continue
                    assert re.match(rb"a (BAD|NO) |\* B(AD|YE) ", got), (command, got)
            w = Wire(port)
            w.login(USER)
            for command in (b"APPEND INBOX " + size, b"SEARCH TEXT " + size, b"UID XRECRYPT " + size, b"UID XRECRYPT 1 " + size, b"UID " + size):
                w.send(b"a " + command + b"\r\n")
                try:
                    got = w.response()
                except GONE:
                    got = None
                if not got or got.startswith(b"+"):  # taken at its word
                    w.close()
                    w = Wire(port)
                    w.login(USER)
                else:
                    assert re.match(rb"\S+ BAD|a NO |\* BYE ", got), (command, got)  # Dovecot takes some for a command of their own
            w.close()
        for command in (b"a LOGIN {4294967295+}\r\n", b"a LOGIN u10 {999999999+}\r\n", b"a UID XRECRYPT {4294967295+}\r\n"):
            with Wire(port) as w:
                w.send(command)
                try:
                    for _ in range(64):
                        w.send(b"x" * MB)
                except GONE:
                    pass


def brackets(port, pid, _):
    """100,000 of them, where a command's arguments stand; and as many numbers in a set."""
    n = 100000
    many = [b"(" * n, b"(" * n + b")" * n, b'"' + b"\\\\" * n + b'"', b"{1+}\r\na " * n, b" " * n, b"1," * n + b"1", b"1:*," * n + b"1", b"{0+}\r\n" * n]
    with Watch("100,000 parentheses, quotes, literals, numbers", pid, port, 24 * MB):
        for login in (False, True):
            for front in (b"FETCH 1 ", b"SEARCH ", b"UID XRECRYPT ", b"UID XRECRYPT 1 ", b"LOGIN ", b""):
                for argument in many:
                    with Wire(port) as w:
                        if login:
                            w.login(USER)
                        answered_or_gone(w, front + argument)


def answered_or_gone(w, line, seconds=20):
    w.s.settimeout(seconds)

    def write():
        try:
            w.send(b"a " + line + b"\r\nend NOOP\r\n")
        except (*GONE, OSError):
            pass
    writer = threading.Thread(target=write)
    writer.start()
    try:
        while not w.response().startswith(b"end "):
            pass
    except GONE:
        pass
    except TimeoutError:
        raise AssertionError(f"no answer to {line[:60]!r} ({len(line)} octets) in {seconds} s") from None
    finally:
        w.drop()
        writer.join()


def endless(port, pid, _):
    """100 MB without an end of line, before and after the login."""
    with Watch("lines without an end", pid, port, 4 * MB):
        for login in (False, True):
            for begin in (b"", b"a ", b"a LOGIN ", b"a FETCH 1 ", b"a UID XRECRYPT ", b'a LOGIN "', b"a UID XRECRYPT 1:"):
                with Wire(port) as w:
                    if login:
                        w.login(USER)
                    sent = 0
                    try:
                        w.send(begin)
                        while sent < 100 * MB:
                            w.send(b"1" * MB)
                            sent += MB
                    except GONE:
                        pass
                    w.drop_writing()
                    said = gone(w, 10)
                    assert b"* BYE" in said or sent < 100 * MB, f"login {login}, {begin}: {said}"


def octets(port, pid, _):
    """8-bit octets, NUL, bare CR and LF in commands: each is answered, or the session ends; nobody else notices."""
    lines = [bytes([c]) for c in range(256)] + [bytes(range(256)), b"\0" * 1000, b"\xff" * 1000, b"NOOP\rb NOOP", b"NOOP\nb NOOP", b"NOOP\0b NOOP",
                                                b"LOGIN u10\0 secret", b'LOGIN "u10@example.com\0x" secret', b'LOGIN "\r\n" x', b"UID\0XRECRYPT 1 x",
                                                b"UID XRECRYPT 1 \xff", b"UID XRECRYPT 1\0 x", b'UID XRECRYPT 1 "x\r\n']
    with Watch("8-bit octets and NUL", pid, port, 8 * MB):
        for login in (False, True):
            w = None
            for line in lines:
                if not w:
                    w = Wire(port)
                    if login:
                        w.login(USER)
                try:
                    tag = w.tag()
                    w.send(b"a " + line + b"\r\n" + tag + b" NOOP\r\n")
                    w.until(tag)
                except GONE:
                    w.close()
                    w = None


def unread(port, pid, _):
    """Clients who ask for much, and do not read. Afterwards one of them does, and gets all of it."""
    size, times = 2 * MB, 200
    text = b"Subject: large\r\n\r\n" + b"x" * 76 * 1000 + b"\r\n" * (size // 2)
    with Wire(port) as w:
        w.login("u11@example.com")
        w.command(b"CREATE INBOX")
        w.good(b"APPEND INBOX ", Literal(text, True))
    with Watch("20 clients ask for 400 MB each and do not read", pid, port, 24 * MB):
        crowd = []
        for _ in range(20):
            w = Wire(port)
            w.login("u11@example.com")
            w.good(b"EXAMINE INBOX")
            w.send(b"".join(b"f%d FETCH 1 BODY.PEEK[]\r\n" % i for i in range(times)))
            crowd.append(w)
        time.sleep(2)
        fetched = [r for r in crowd[0].until(b"f10") if b"FETCH (" in r]
        assert len(fetched) > 10 and all(text in r for r in fetched), [r[:80] for r in fetched]
        for w in crowd:
            w.close()


def injected(port, pid, _):
    """What follows STARTTLS in the same packet must not be taken for something said inside TLS."""
    with Watch("commands behind STARTTLS", pid, port, 4 * MB):
        for behind in (b"b NOOP\r\n", b"b LOGIN %s secret\r\n" % USER.encode(), b"b CAPABILITY\r\nc NOOP\r\n", b"b NO", b"x" * 3000):
            with Wire(port) as w:
                w.send(b"a STARTTLS\r\n" + behind)
                try:
                    got = w.until(b"a")
                    if b"a OK" not in got[-1]:
                        continue
                    assert not w.data, f"more in the clear: {bytes(w.data)!r}"
                    w.s = context().wrap_socket(w.s, server_hostname="localhost")
                    w.send(b"OP\r\nlast NOOP\r\n")
                    for r in w.until(b"last"):
                        assert not re.match(rb"[bc] ", r), f"executed: {r!r}"
                except GONE:
                    pass


def clear(port, pid, _, other):
    """Without TLS, where it is wanted, no password is asked for or taken."""
    with Watch("a login without TLS", pid, other, 4 * MB), Wire(port) as w:
        assert b"LOGINDISABLED" in w.good(b"CAPABILITY")[0] and b"STARTTLS" in w.good(b"CAPABILITY")[0]
        assert b"AUTH=" not in w.good(b"CAPABILITY")[0]
        for c in (b"LOGIN %s secret" % USER.encode(), b"AUTHENTICATE PLAIN", b"AUTHENTICATE PLAIN AHUxMABzZWNyZXQ=", b"SELECT INBOX", b"UID XRECRYPT 1 x"):
            refused(w, c)
        w.starttls(context())
        assert b"STARTTLS" not in w.good(b"CAPABILITY")[0]
        w.login(USER)


def handshake(port, pid, limit, other):
    """TLS that is none, or stops."""
    with Watch("no real TLS handshake", pid, other, 8 * MB):
        crowd = []
        for i in range(60):
            s = socket.create_connection(("127.0.0.1", int(port)), 10)
            s.sendall((b"a LOGIN x y\r\n", b"\x16\x03\x01\xff\xff" + b"x" * 1000, b"\x16\x03\x01\x02\x00\x01\x00", b"")[i % 4])
            crowd.append(s)
        for s in crowd:
            s.settimeout(limit + 5)
            try:
                while s.recv(65536):
                    pass
            except ConnectionError:
                pass


# ---- servers ----

GREETING = b"* OK [CAPABILITY IMAP4rev1 LITERAL+ AUTH=PLAIN SASL-IR ID IDLE UIDPLUS] ready\r\n"
CAPABILITY = b"* CAPABILITY IMAP4rev1 LITERAL+ IDLE UIDPLUS\r\n"


class Peer:
    """A server's end of a connection: good() behaves."""

    def __init__(self, s):
        self.s, self.data = s, b""

    def line(self):
        while b"\n" not in self.data:
            got = self.s.recv(65536)
            if not got:
                raise Closed()
            self.data += got
        line, self.data = self.data.split(b"\n", 1)
        return line.rstrip(b"\r")

    def say(self, data):
        self.s.sendall(data)

    def answer(self, line):
        tag, *words = line.split()
        verb = words[0].upper() if words else b""
        out = {b"CAPABILITY": CAPABILITY, b"ID": b"* ID NIL\r\n", b"SELECT": b"* 3 EXISTS\r\n* OK [UIDVALIDITY 1] x\r\n",
               b"LOGOUT": b"* BYE bye\r\n"}.get(verb, b"")
        return out, tag

    def good(self, until=None):
        """Answers as a server does, until a command that begins with that; which it gives back."""
        while True:
            line = self.line()
            tag, _, rest = line.partition(b" ")
            if until and rest.upper().startswith(until):
                return tag, rest
            if rest.upper().startswith(b"AUTHENTICATE PLAIN") and len(rest.split()) == 2:
                self.say(b"+ \r\n")
                self.line()
            out, tag = self.answer(line)
            self.say(out + tag + b" OK done\r\n")

    def welcome(self, until=None):
        self.say(GREETING)
        return self.good(until)


class Server:
    """Listens; each connection is served by what self.behave is at the time."""

    def __init__(self, port):
        self.l = socket.create_server(("127.0.0.1", int(port)), backlog=100)
        self.behave = Peer.welcome
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            s, _ = self.l.accept()
            threading.Thread(target=self.serve, args=(s, self.behave), daemon=True).start()

    def serve(self, s, behave):
        try:
            behave(Peer(s))
        except (OSError, Closed, IndexError):
            pass
        finally:
            s.close()


def with_server(case, port, pid, backend, tls=None):
    server = Server(backend)
    SERVERS[case](server, port, pid, tls)


def meet(server, port, pid, behave, talk, what, octets=4 * MB, show=True, **more):
    """One session with a server that behaves so; others with one that is good."""
    server.behave = Peer.welcome
    with Watch(what, pid, port, octets, show=show):
        server.behave = behave
        w = Wire(port, greet=False, **more)
        server.behave = behave
        try:
            return talk(w)
        finally:
            w.close()
            server.behave = Peer.welcome


def closing(seconds):
    def talk(w):
        got = gone(w, seconds)
        assert b" OK " not in got, got[:200]
        return got
    return talk


def greetings(server, port, pid, limit):
    """A server that does not begin as one."""
    limit = float(limit) + 5
    cases = {
        "noise": os.urandom(MB), "no end of line": b"* OK " + b"x" * (64 * MB), "other protocol": b"220 mail.example.com ESMTP\r\n",
        "PREAUTH": b"* PREAUTH [CAPABILITY IMAP4rev1] hello u10\r\n", "a tagged answer": b"a OK hello\r\n", "NUL": b"\0" * 100 + b"\r\n",
        "a literal": b"* OK {4294967295}\r\n" + b"x" * MB, "nothing, closed": None, "a continuation": b"+ go ahead\r\n",
        "capabilities without an end": b"* OK [CAPABILITY " + b"IMAP4rev1 " * MB + b"]\r\n",
    }
    for name, data in cases.items():
        def behave(p, data=data):
            if data:
                p.say(data)
                p.s.settimeout(limit)
                p.line()
        got = meet(server, port, pid, behave, closing(limit), f"greeting: {name}")
        assert b"XRECRYPT" not in got, got
    got = meet(server, port, pid, lambda p: time.sleep(limit), closing(limit), "greeting: none")

    def bye(p):
        p.say(b"* BYE too many\r\n")
    got = meet(server, port, pid, bye, closing(limit), "greeting: BYE")
    assert got.startswith(b"* BYE"), got


def logged_in(w):
    w.greeting = w.response()
    w.login(USER)
    return w


def answers(server, port, pid, limit):
    """A server that answers what nobody asked, or not at all, or stops in the middle."""
    limit = float(limit) + 5

    def wrong_tags(p):
        tag, _ = p.welcome(b"LOGIN")
        p.say(b"zzz OK logged in\r\n* OK logged in\r\n%sx OK logged in\r\n" % tag)
        p.good()

    def not_in(w):
        w.greeting = w.response()
        w.send(b"a LOGIN %s secret\r\n" % USER.encode())
        w.send(b"b UID XRECRYPT 1 %s\r\n" % DEVICE)
        w.s.settimeout(2)
        try:
            while True:
                got = w.response()
                assert not re.match(rb"[ab] OK", got), got
                assert b"{" not in got
        except (TimeoutError, *GONE):
            pass
    meet(server, port, pid, wrong_tags, not_in, "wrong tags")

    def silent(p):
        p.welcome(b"LOGIN")
        p.s.settimeout(600)
        p.line()

    def waiting(w):
        w.greeting = w.response()
        w.send(b"a LOGIN %s secret\r\n" % USER.encode())
        return gone(w, limit)
    meet(server, port, pid, silent, waiting, "no answer to LOGIN")

    def torn(what):
        def behave(p):
            tag, _ = p.welcome(b"FETCH")
            p.say(what)
        def talk(w):
            logged_in(w).send(b"f FETCH 1 BODY[]\r\n")
            got = gone(w, limit)
            assert got.endswith(what) or b"* BYE" in got, got[-100:]
        return behave, talk
    for what in (b"* 1 FETCH (BODY[] {1000000}\r\nhalf", b"* 1 FETCH (BODY[] {10", b"* 1 FETCH (FLAGS", b"f O"):
        meet(server, port, pid, *torn(what), f"closed behind {what[:30]!r}")

    def endless(p):
        p.welcome(b"FETCH")
        p.say(b"* 1 FETCH (BODY[] {4294967295}\r\n")
        for _ in range(400):
            p.say(b"x" * MB)

    def reading(w):
        logged_in(w).send(b"f FETCH 1 BODY[]\r\n")
        w.response_line = w.line()
        got = 0
        while got < 300 * MB:
            got += len(w.s.recv(MB))

    def not_reading(w):
        logged_in(w).send(b"f FETCH 1 BODY[]\r\n")
        time.sleep(2)
    meet(server, port, pid, endless, reading, "a literal of 300 MB, read")
    meet(server, port, pid, endless, not_reading, "a literal of 4 GB, not read")

    def no_line(p):
        p.welcome(b"NOOP")
        for _ in range(100):
            p.say(b"* OK " + b"x" * MB)

    def asking(w):
        logged_in(w).send(b"f NOOP\r\n")
        got = 0
        try:
            while got < 90 * MB:
                more = len(w.s.recv(MB))
                if not more:
                    return
                got += more
        except GONE:
            pass
    meet(server, port, pid, no_line, asking, "an answer without an end of line")


def deaf(server, port, pid, _):
    """A server that reads nothing more, while a client sends a large message."""
    def behave(p):
        p.welcome(b"APPEND")
        p.s.settimeout(60)
        time.sleep(3)

    def talk(w):
        logged_in(w).send(b"f APPEND INBOX {1000000000+}\r\n")
        w.s.settimeout(1)
        sent = 0
        try:
            while sent < 500 * MB:
                w.send(b"x" * MB)
                sent += MB
            raise AssertionError(f"{sent} octets were taken from the client, and none from the filter")
        except TimeoutError:
            pass
    meet(server, port, pid, behave, talk, "a message of 1 GB for a server that does not read")


def order(server, port, pid, _):
    """Random answers, all of them well formed, in random pieces: what arrives is what was sent, octet for octet and in that order."""
    r = random.Random(11)

    def answer():
        kind = r.randrange(6)
        if kind == 0:
            return b"* %d EXISTS\r\n" % r.randrange(1 << 32)
        if kind == 1:
            return b"* OK [ALERT] {5} no literal {3}\r\n"
        if kind == 2:
            return b'* LIST (\\HasNoChildren) "/" {%d}\r\n%s\r\n' % ((lambda t: (len(t), t))(r.randbytes(r.randrange(40))))
        parts = b""
        for _ in range(r.randrange(1, 5)):
            text = r.randbytes(r.choice((0, 1, 2, 3, 100, 5000, 70000)))
            parts += b" BODY[%d] %s{%d}\r\n%s" % (r.randrange(9), r.choice((b"", b"~")), len(text), text)
        return b"* %d FETCH (UID %d%s%s)\r\n" % (r.randrange(1000), r.randrange(1000), b" X" * r.choice((0, 0, 0, 40000)), parts)
    rounds, octets = 500 if LONG else 20, 0
    for i in range(rounds):
        text = b"".join(answer() for _ in range(100)) + b"f OK done\r\n"
        octets += len(text)
        piece = r.choice((100, 1000, 10000, 1 << 20))

        def behave(p, text=text, piece=piece):
            p.welcome(b"FETCH")
            for at in range(0, len(text), piece):
                p.say(text[at:at + piece])
            p.line()

        def talk(w, text=text):
            logged_in(w).send(b"f FETCH 1:* (BODY[])\r\n")
            got = w.exactly(len(text))
            if got == text:
                return
            at = next(k for k, (x, y) in enumerate(zip(got, text)) if x != y)
            raise AssertionError(f"octet {at}: {got[at - 50:at + 50]!r} instead of {text[at - 50:at + 50]!r}")
        meet(server, port, pid, behave, talk, f"{len(text)} octets in pieces of {piece}", show=i < 2)
    print(f"{rounds} sessions, {octets / MB:.0f} MB: as they were sent")


def noise(server, port, pid, _):
    """A server whose answers are random: the filter goes on, or ends the session, and nothing else."""
    r = random.Random(7)
    words = [b"* ", b"+ ", b"a ", b"t1 ", b"t2 ", b"OK", b"NO", b"BAD", b"BYE", b"FETCH (", b"{3}\r\n", b"{0}\r\n", b"~{2}\r\n", b"{99", b"\r\n", b"\n", b"\r", b"\0",
             b"[CAPABILITY ", b"]", b"XRECRYPT", b"(", b")", b'"', b"1 ", b"EXISTS", b"\xff", b"BODY[1] ", b"UID 1 ", b"NIL", b"PREAUTH"]
    server.behave = Peer.welcome
    rounds = 3000 if LONG else 200
    with Watch(f"{rounds} random answers", pid, port, 8 * MB):
        for i in range(rounds):
            data = b"".join(r.choice(words) for _ in range(r.randrange(1, 60)))

            def behave(p, data=data, when=i % 3):
                if when == 0:
                    p.say(data)
                elif when == 1:
                    p.welcome(b"LOGIN")
                    p.say(data)
                else:
                    p.welcome(b"UID")
                    p.say(data)
            server.behave = behave
            with Wire(port, greet=False, timeout=0.3) as w:
                try:
                    w.send(b"t1 LOGIN %s secret\r\nt2 SELECT INBOX\r\nt3 UID XRECRYPT 1:3 %s\r\nt4 NOOP\r\n" % (USER.encode(), DEVICE))
                    time.sleep(0.01)
                    w.more()
                except (TimeoutError, *GONE):
                    pass
            server.behave = Peer.welcome


def fetched(server, port, pid, limit):
    """A server that answers the filter's own question, for UID XRECRYPT, with what it should not."""
    limit = float(limit) + 5
    jwe = b'{"protected":"e30","recipients":[{}]}'
    one = b"* 1 FETCH (UID 1 BODY[1] {%d}\r\n%s)\r\n"
    cases = {
        "a part of 4 GB": b"* 1 FETCH (UID 1 BODY[1] {4294967295}\r\n" + b"x" * (8 * MB),
        "a part of 64 MB": one % (64 * MB, b"[" * (64 * MB)),
        "100,000 brackets": one % (200000, b"[" * 100000 + b"]" * 100000),
        "other messages": b"".join(b"* %d FETCH (UID %d BODY[1] NIL)\r\n" % (i, i) for i in range(100, 1100)),
        "the same message, 1,000 times": one % (len(jwe), jwe) * 1000,
        "another part": b"* 1 FETCH (UID 1 BODY[2] {3}\r\nabc)\r\n",
        "a part in quotes": b'* 1 FETCH (UID 1 BODY[1] "' + b"x" * 3000 + b'")\r\n',
        "no UID": b"* 1 FETCH (BODY[1] {3}\r\nabc)\r\n",
        "parentheses": b"* 1 FETCH (" + b"(" * 100000 + b")\r\n",
        "only flags": b"* 1 FETCH (FLAGS (\\Seen))\r\n" * 1000,
        "a line without an end": b"* 1 FETCH (UID 1 " + b"x" * (8 * MB),
        "BYE": b"* BYE over\r\n",
        "a continuation": b"+ what?\r\n",
        "expunges": b"* 1 EXPUNGE\r\n" * 1000,
    }
    nothing = ("only flags", "expunges", "BYE", "a continuation")  # told about: no message is there
    endless = ("a part of 4 GB", "a line without an end")  # of which the server owes the rest
    for name, data in cases.items():
        for end in (b" OK done\r\n", b" NO sorry\r\n", b" BAD what\r\n", None):
            def behave(p, data=data, end=end):
                tag, _ = p.welcome(b"UID ")
                p.say(data)
                if end:
                    p.say(tag + end)
                    while True:
                        tag, _ = p.good(b"UID ")
                        p.say(tag + end)
            def talk(w):
                logged_in(w)
                w.good(b"SELECT INBOX")
                w.s.settimeout(1 if name in endless else limit)
                w.send(b"x UID XRECRYPT 1:3 %s\r\n" % DEVICE)
                try:
                    while not (got := w.response()).startswith(b"x "):
                        assert len(got) < MB, f"{name}: passed on {got[:100]!r}"
                    assert re.match(rb"x (NO|BAD) ", got) or name in nothing and end == b" OK done\r\n", (name, end, got)
                    w.good(b"NOOP")
                except GONE:
                    pass
                except TimeoutError:
                    assert name in endless, f"{name}, {end}: no answer"
            if end is None and name != "BYE" or end != b" OK done\r\n" and name in endless:
                continue
            meet(server, port, pid, behave, talk, f"XRECRYPT: {name}", octets=12 * MB, show=end == b" OK done\r\n")


def starttls(server, port, pid, authority):
    """The filter says STARTTLS to this server, which then says more than it may, or has no TLS, or another's certificate."""
    folder = os.path.dirname(authority)

    def secure(p, name="tls"):
        c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        c.load_cert_chain(f"{folder}/{name}.pem", f"{folder}/{name}.key")
        p.s, p.data = c.wrap_socket(p.s, server_side=True), b""

    def offer(p):
        p.say(b"* OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED] ready\r\n")
        while True:
            line = p.line()
            tag, _, rest = line.partition(b" ")
            if rest.upper() == b"STARTTLS":
                return tag
            p.say((b"* CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED\r\n" if rest.upper() == b"CAPABILITY" else b"") + tag + b" OK done\r\n")

    def good(p):
        tag = offer(p)
        p.say(tag + b" OK begin\r\n")
        secure(p)
        p.good()
    server.behave = good
    with Wire(port) as w:
        w.login(USER)
    said = []

    def behaving(f):
        def behave(p):
            f(p, offer(p))
            while True:
                said.append(p.line())
        return behave

    def more(p, tag):
        p.say(tag + b" OK begin\r\n* CAPABILITY INJECTED\r\n" + tag + b"2 OK INJECTED\r\n")
        secure(p)
        p.say(b"* OK really\r\n")

    def stranger(p, tag):
        p.say(tag + b" OK begin\r\n")
        secure(p, "other")
    cases = {"more behind its OK": more, "another's certificate": stranger, "NO": lambda p, tag: p.say(tag + b" NO sorry\r\n"), "BAD": lambda p, tag: p.say(tag + b" BAD what\r\n"),
             "no TLS behind OK": lambda p, tag: p.say(tag + b" OK begin\r\n* OK hello\r\n" + b"x" * 1000)}

    def preauth(p):
        p.say(b"* PREAUTH [CAPABILITY IMAP4rev1] hello\r\n")
        while True:
            said.append(p.line())

    def without(p):
        p.say(b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] ready\r\n")
        while True:
            line = p.line()
            said.append(line)
            p.say((CAPABILITY if line.upper().endswith(b"CAPABILITY") else b"") + line.split()[0] + b" BAD what\r\n")

    def talk(w):
        try:
            w.send(b"a LOGIN %s secret\r\nb CAPABILITY\r\n" % USER.encode())
        except GONE:
            pass
        got = gone(w, 15)
        assert b"INJECTED" not in got and b" OK " not in got, got
    for name, behave in [(k, behaving(f)) for k, f in cases.items()] + [("PREAUTH", preauth), ("not offered", without)]:
        server.behave = good
        with Watch(f"STARTTLS to the server: {name}", pid, port, 4 * MB):
            server.behave = behave
            with Wire(port, greet=False) as w:
                talk(w)
            server.behave = good
        assert not any(b"LOGIN" in s.upper() or b"secret" in s for s in said), f"{name}: {said}"


CLIENTS = {f.__name__: f for f in (slow, unfinished, huge, brackets, endless, octets, unread, injected, clear, handshake)}
SERVERS = {f.__name__: f for f in (greetings, answers, deaf, order, noise, fetched, starttls)}

if __name__ == "__main__":
    end, case, *arguments = sys.argv[1:]
    if end == "client":
        port, pid, limit, *other = arguments
        CLIENTS[case](port, pid, float(limit), *other)
    else:
        with_server(case, *arguments)
    os.kill(int(arguments[1]), 0)
