#!/usr/bin/env python3
"""imap-hostile-server.py CASE PORT PID BACKEND LIMIT: an IMAP server that means harm, behind recrypt-imapfilter: the filter's port
and process, the port where this program then plays the server, and login_timeout or a certificate.

Each case is one function. While it runs another session (of a good client, with a server that behaves) measures how long a NOOP
takes, and the filter's resident memory is read; both must stay within bounds, and the filter must still be there (imapwatch.py)."""
import os
import random
import re
import socket
import ssl
import sys
import threading
import time

from imapwatch import DEVICE, GONE, LONG, MB, USER, Watch, gone
from imapwire import Closed, Wire

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


def endless(server, port, pid, _):
    """A literal, and a line, without an end; read or not."""
    def literal(p):
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
    meet(server, port, pid, literal, reading, "a literal of 300 MB, read")
    meet(server, port, pid, literal, not_reading, "a literal of 4 GB, not read")

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


def secure(p, pem):
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    c.load_cert_chain(pem, pem.replace(".pem", ".key"))
    p.s, p.data = c.wrap_socket(p.s, server_side=True), b""


def offer(p):
    """Offers STARTTLS until a client says it; its tag."""
    p.say(b"* OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED] ready\r\n")
    while True:
        tag, _, rest = p.line().partition(b" ")
        if rest.upper() == b"STARTTLS":
            return tag
        asked = rest.upper() == b"CAPABILITY"
        p.say((b"* CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED\r\n" if asked else b"") + tag + b" OK done\r\n")


def starttls(server, port, pid, authority):
    """The filter says STARTTLS to this server, which then says more than it may, or has no TLS, or another's certificate."""
    def good(p):
        tag = offer(p)
        p.say(tag + b" OK begin\r\n")
        secure(p, authority)
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
        secure(p, authority)
        p.say(b"* OK really\r\n")

    def stranger(p, tag):
        p.say(tag + b" OK begin\r\n")
        secure(p, f"{os.path.dirname(authority)}/other.pem")
    cases = {"more behind its OK": more, "another's certificate": stranger,
             "NO": lambda p, tag: p.say(tag + b" NO sorry\r\n"), "BAD": lambda p, tag: p.say(tag + b" BAD what\r\n"),
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


CASES = {f.__name__: f for f in (greetings, answers, endless, deaf, order, noise, fetched, starttls)}

if __name__ == "__main__":
    case, port, pid, backend, limit = sys.argv[1:]
    CASES[case](Server(backend), port, pid, limit)
    os.kill(int(pid), 0)
