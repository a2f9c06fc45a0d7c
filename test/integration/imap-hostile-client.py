#!/usr/bin/env python3
"""imap-hostile-client.py CASE PORT PID LIMIT [OTHER]: a client that means harm, before recrypt-imapfilter: its port, process and
login_timeout; another port, for who measures.

Each case is one function. While it runs another session (of a good client, with a server that behaves) measures how long a NOOP
takes, and the filter's resident memory is read; both must stay within bounds, and the filter must still be there (imapwatch.py)."""
import os
import re
import select
import socket
import sys
import threading
import time

from imapwatch import GONE, MB, USER, Watch, gone, refused
from imapwire import Literal, Wire, context


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


CASES = {f.__name__: f for f in (slow, unfinished, huge, brackets, endless, octets, unread, injected, clear, handshake)}

if __name__ == "__main__":
    case, port, pid, limit, *other = sys.argv[1:]
    CASES[case](port, pid, float(limit), *other)
    os.kill(int(pid), 0)
