#!/usr/bin/env python3
"""imap-session.py: the same IMAP session by several ways, with answers that must be the same to the octet.

  compare OCTETS WAY WAY...
      OCTETS is the size of the large message. A WAY is NAME=PORT[,tls|,starttls][,AUTHORITY]; the first leads straight to the
      server. Each session has a user of its own, u10@example.com to u99@example.com, with nothing in the mailbox.
The other cases talk to the filter on a port, each described where it is."""
import base64
import os
import random
import re
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from imapwire import Literal, Wire, bare, context, same

DATE = b'"01-Feb-2026 03:04:05 +0000"'


def message(n, size=0):
    r = random.Random(n)
    head = (b"From: Alice <alice@example.com>\r\nTo: bob@example.com\r\nSubject: message %d =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n"
            b"Date: Thu, 01 Jan 2026 00:00:00 +0000\r\nMessage-ID: <%d@example.net>\r\nMIME-Version: 1.0\r\n"
            b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n' % (n, n))
    body = b"Gr\xc3\xbc\xc3\x9fe {100}\r\n* 1 FETCH (FLAGS {5})\r\nt1 OK no answer\r\n)\r\n. \\ \" {\r\n"
    part = b"\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\ninside {3}\r\n--b--\r\n"
    lines = [base64.encodebytes(r.randbytes(57 * 1000)).replace(b"\n", b"\r\n") for _ in range(size // 78000)]
    return b"".join([head, body, *lines, part])


def append(n, plus, mailbox=b"INBOX", flags=b" (\\Seen)"):
    return [b"APPEND " + mailbox + flags + b" " + DATE + b" ", Literal(message(n), plus)]


def commands(changes=True):
    """One command each. Nothing in them depends on what came before on the wire, so that they can be sent all at once. Without
    those that change messages' flags: when they all come at once, the server tells of several changes in one answer, or in two."""
    plus, wait = True, False
    return [
        [b"CAPABILITY"], [b"NOOP"], [b'ID ("name" "test" "version" NIL)'], [b"BOGUS"], [b"NAMESPACE"],
        [b'LIST "" "*"'], [b'LSUB "" "*"'], [b"CREATE Folder"], [b"CREATE ", Literal(b"odd \\ \"name", wait)],
        [b"CREATE ", Literal(b"plus name", plus)], [b"SUBSCRIBE Folder"], [b'LIST "" "%" RETURN (SUBSCRIBED CHILDREN STATUS (MESSAGES))'],
        [b"CREATE Folder"], [b"DELETE nowhere"], [b"RENAME Folder Renamed"], [b"RENAME Renamed Folder"],
        [b"STATUS INBOX (MESSAGES UIDNEXT UNSEEN)"], [b"GETQUOTAROOT INBOX"], [b"ENABLE CONDSTORE"], [b"FETCH 1 FLAGS"],
        *[append(n, n % 2 == 0) for n in range(1, 8)],
        append(9, plus, b"nowhere"),
        [b"APPEND INBOX (\\Draft) " + DATE + b" ", Literal(b"no header", plus)],
        [b"APPEND INBOX " + DATE + b" ", Literal(b"Subject: bare LF\n\nline\n.\nline\r\n", wait)],
        [b"APPEND INBOX " + DATE + b" ~", Literal(b"Subject: binary\r\n\r\n{3}\0x", wait)],
        [b"APPEND INBOX " + DATE + b" ~", Literal(b"Subject: binary\r\n\r\n{3}\0x", plus)],
        [b"APPEND INBOX (\\Seen) " + DATE + b" ", Literal(message(10), plus), b" (\\Draft) " + DATE + b" ", Literal(message(11), plus)],
        [b"APPEND INBOX " + DATE + b" CATENATE (TEXT ", Literal(b"Subject: parts\r\n\r\n", plus), b" TEXT ", Literal(b"{5}\r\n", wait), b")"],
        [b"APPEND INBOX " + DATE + b" ", Literal(b"", plus)],
        [b"APPEND INBOX " + DATE + b" ", Literal(message(13)[:-1], wait), b" trailing"],
        [b"GETACL INBOX"], [b"MYRIGHTS INBOX"], [b"SETACL Folder ", Literal(b"u10@example.com", plus), b" lr"], [b"LISTRIGHTS INBOX anyone"],
        [b'LIST (SUBSCRIBED) "" ("*" "%") RETURN (CHILDREN SPECIAL-USE)'],
        [b"STATUS INBOX (MESSAGES UIDNEXT UNSEEN)"], [b"SELECT nowhere"], [b"EXAMINE INBOX"], [b"SELECT INBOX"], [b"CHECK"],
        [b"FETCH 1:* (FLAGS UID RFC822.SIZE INTERNALDATE)"], [b"FETCH 1:3 (ENVELOPE BODYSTRUCTURE)"], [b"FETCH 1:* ALL"], [b"FETCH 2 FULL"],
        [b"UID FETCH 1:* BODY.PEEK[]"], [b"FETCH 1 (BODY[1] BODY[2.HEADER] BODY.PEEK[]<10.50> BODY.PEEK[]<100000.5>)"],
        [b"FETCH 1:* BODY.PEEK[HEADER.FIELDS (Subject From)]"], [b"FETCH 1 (RFC822.HEADER RFC822.TEXT)"], [b"FETCH 99 FLAGS"],
        [b"UID FETCH 1:* (FLAGS) (CHANGEDSINCE 1)"], [b"FETCH 1 (BODY.PEEK[]<0.0> BODY.PEEK[9] BODY.PEEK[HEADER.FIELDS (", Literal(b"SUBJECT", plus), b")])"],
        [b'SEARCH SUBJECT "{5}"'], [b'SEARCH SUBJECT "\\"{5}\\\\"'], [b"SEARCH RETURN (SAVE) ALL"], [b"FETCH $ FLAGS"], [b"FETCH 1 BOGUS"], [b"FETCH bogus FLAGS"], [b"UID FETCH 1 (BINARY.PEEK[1])"],
        [b'SEARCH SUBJECT "message"'], [b"SEARCH CHARSET UTF-8 TEXT ", Literal("Grüße".encode(), wait)],
        [b"UID SEARCH CHARSET UTF-8 OR BODY ", Literal("Grüße".encode(), plus), b" BODY ", Literal(b"{100}", plus)],
        [b"SEARCH CHARSET KLINGON TEXT x"], [b"SORT (REVERSE SUBJECT) UTF-8 ALL"], [b"THREAD REFERENCES UTF-8 ALL"],
        [b"SEARCH RETURN (MIN MAX COUNT) ALL"],
    ] + changes * [
        [b"APPEND INBOX (\\Bogus) ", Literal(message(12), wait)],  # Dovecot takes such a literal's octets for commands, once they come
        [b"STORE 1 +FLAGS (\\Flagged $Label)"], [b"STORE 1:2 -FLAGS.SILENT (\\Seen)"], [b"UID STORE 3 FLAGS (\\Deleted)"],
        [b"STORE 2 (UNCHANGEDSINCE 1) +FLAGS (\\Answered)"], [b"COPY 1:2 Folder"], [b"UID COPY 3 ", Literal(b"plus name", plus)],
        [b"COPY 1 nowhere"], [b"MOVE 4 Folder"], [b"EXPUNGE"], [b"NOOP"],
    ] + [
        [b"UNSELECT"], [b"SELECT Folder"], [b"FETCH 1:* (UID FLAGS)"],
        [b"CLOSE"], [b"FETCH 1 FLAGS"], [b"SELECT ", Literal(b"odd \\ \"name", plus)], [b"UNSUBSCRIBE Folder"],
        [b"STATUS ", Literal(b"plus name", plus), b" (MESSAGES)"],
        [b'LIST "" "*"'], [b"x" * 4000], [b"NOOP " + b"y" * 6000], [b"NOOP"],
    ]


class Way:
    def __init__(self, spec):
        self.name, rest = spec.split("=", 1)
        self.port, *more = rest.split(",")
        self.kind = more[0] if more else ""
        self.tls = context(more[1] if len(more) > 1 else None) if self.kind else None
        self.user = None

    def fresh(self, straight, n):
        """From now on as this user. Cyrus has no INBOX before it is told to."""
        self.user = f"u{n}@example.com"
        with Wire(straight) as w:
            w.login(self.user)
            w.command(b"CREATE INBOX")

    def open(self, login=True, **more):
        if self.kind == "starttls":
            w = Wire(self.port, **more)
            w.starttls(self.tls)
        else:
            w = Wire(self.port, tls=self.tls, **more)
        if login:
            w.login(self.user)
        return w


# ---- the sessions ----

def one_by_one(way, piece=0):
    with way.open(piece=piece) as w:
        got = []
        for c in commands():
            got += w.command(*c)
        return got + w.command(b"LOGOUT")


def flat():
    """All of the commands as octets, every literal one that needs no waiting."""
    out = b""
    for n, c in enumerate(commands(changes=False) + [[b"LOGOUT"]]):
        out += b"p%d " % n
        for part in c:
            out += part if isinstance(part, bytes) else b"{%d+}\r\n" % len(part.data) + part.data
        out += b"\r\n"
    return out


def at_once(way, piece=0):
    with way.open(piece=piece) as w:
        w.both(flat())
        got = []
        while w.data:
            got.append(w.response())
        return sorted(map(bare, got))  # the order is the server's, and depends on how much it has read


def logins(way, piece=0):
    """All the ways to say who one is, and what is refused before that."""
    user, plain = way.user.encode(), base64.b64encode(b"\0" + way.user.encode() + b"\0secret")
    got = []

    def session(*steps):
        with way.open(login=False, piece=piece) as w:
            got.append(w.greeting)
            for step in steps:
                got.extend(step(w))
            got.extend(w.command(b"LOGOUT"))

    def say(*parts):
        return lambda w: w.command(*parts)

    def refused(*parts):
        """By the server, or before by the filter: in other words then."""
        return lambda w: [re.sub(rb" (NO|BAD) .*", b" refused", w.command(*parts)[-1])]

    def literals(*parts):
        """The filter asks for them in its own words."""
        return lambda w: [r for r in w.command(*parts) if not r.startswith(b"+")]

    def challenge(answer):
        def step(w):
            tag = w.tag()
            w.send(tag + b" AUTHENTICATE PLAIN\r\n")
            first = w.response()
            w.send(answer + b"\r\n")
            return [first] + w.until(tag)
        return step
    noop, select = say(b"NOOP"), say(b"SELECT INBOX")
    session(say(b"CAPABILITY"), noop, refused(b"SELECT INBOX"), refused(b"BOGUS"))
    session(refused(b""), refused(b"UID XRECRYPT 1 x"), say(b"LOGIN %s wrong" % user), say(b"LOGIN %s secret" % user), noop, say(b"CAPABILITY"))
    session(say(b'LOGIN "%s" "secret"' % user), select, refused(b"LOGIN %s secret" % user), refused(b"AUTHENTICATE PLAIN"), refused(b"STARTTLS"),
            refused(b""), refused(b"  "), refused(b"COMPRESS BOGUS"), noop)
    session(literals(b"LOGIN ", Literal(user), b" ", Literal(b"secret")), select)
    session(literals(b"LOGIN ", Literal(user, True), b" ", Literal(b"secret", True)), select)
    session(challenge(plain), select)
    session(challenge(b"*"), challenge(b"=bad="), challenge(plain), noop)
    session(say(b"AUTHENTICATE PLAIN " + plain), select)
    session(refused(b"AUTHENTICATE BOGUS"), refused(b"LOGIN"), say(b"login %s secret" % user), select)
    return got


def idle(way, piece=0):
    """Tells of what another session does, at once; what the filter holds back would show here."""
    with way.open(piece=piece) as w, way.open() as other:
        got = w.good(b"SELECT INBOX")
        tag = w.tag()
        w.send(tag + b" IDLE\r\n")
        got.append(w.response())
        other.good(*append(50, True))
        while not got[-1].endswith(b"EXISTS\r\n"):
            got.append(w.response())
        w.send(b"DONE\r\n" + b"next NOOP\r\n")
        got += [r for r in w.until(b"next") if b"RECENT" not in r]  # with EXISTS, or with the next answer
        return [r for r in got if b"RECENT" not in r]


def large(way, text, plus):
    with way.open(timeout=120) as w:
        w.good(b"CREATE Large")
        w.good(b"APPEND Large ", Literal(text, plus))
        w.good(b"SELECT Large")
        got = w.good(b"FETCH 1 (UID BODY.PEEK[])")[0]
        size = int(got[got.index(b"{") + 1:got.index(b"}")])
        start = got.index(b"\r\n") + 2
        assert got[start:start + size] == text, f"{way.name}: {size} octets, other ones than the {len(text)} that were sent"
        w.good(b"DELETE Large")


def compare(octets, *specs):
    ways, users = [Way(s) for s in specs], iter(range(10, 100))

    def session(run, way, piece):
        way.fresh(ways[0].port, next(users))
        return run(way, piece)
    with ThreadPoolExecutor(len(ways)) as pool:
        for run, pieces in ((logins, (0, 1)), (idle, (0, 1)), (one_by_one, (0,)), (at_once, (0, 1, 7))):
            straight = None
            for piece in pieces:
                these = ways if not piece else ways[1:4]
                for way, got in zip(these, pool.map(lambda way: session(run, way, piece), these)):
                    straight = straight or got
                    try:
                        same(got, straight)
                    except AssertionError as e:
                        sys.exit(f"{run.__name__}, {way.name}, pieces of {piece}: {e}")
                    print(f"{run.__name__}, {way.name}, pieces of {piece}: {len(got)} responses, {sum(map(len, got))} octets")
    text = message(1000, int(octets))
    for i, way in enumerate(ways[1:]):
        large(way, text, i % 2 == 0)
        print(f"{way.name}: a message of {len(text)} octets, there and back")


# ---- what the filter adds ----

def who(port, source):
    """A client at that address, who says of itself that it is elsewhere: before the login and after it."""
    forged = b'ID ("name" "x" "x-originating-ip" "192.0.2.66" "X-Originating-IP" "192.0.2.67" "x-session-id" "forged")'
    with Wire(port, source=source) as w:
        w.good(forged)
        w.login("u20@example.com")
        w.good(forged)
        w.good(b"ID NIL")
        w.good(b"LOGOUT")


def own(port):
    """Commands that the filter answers, or refuses, itself, with and without literals; the session goes on each time."""
    with Wire(port) as w:
        assert b"XRECRYPT" not in w.greeting + w.good(b"CAPABILITY")[0], w.greeting
        first = b"".join(w.good(b"LOGIN u20@example.com secret"))
        listed = w.good(b"CAPABILITY")[0]
        for text in (first, listed):
            words = re.search(rb"CAPABILITY ([^\]\r]*)", text)[1].split()
            assert words.count(b"XRECRYPT") == 1, text
            assert not [c for c in words if c.startswith((b"AUTH=", b"COMPRESS", b"STARTTLS", b"LOGINDISABLED"))], text
        for command in ([b"COMPRESS DEFLATE"], [b"STARTTLS"], [b"LOGIN a b"], [b"LOGIN a ", Literal(b"b", True)], [b"LOGIN a ", Literal(b"b")],
                        [b"AUTHENTICATE PLAIN"], [b"UNAUTHENTICATE"], [b"UID XRECRYPT"], [b"UID XRECRYPT 1"], [b"UID XRECRYPT 1 x y"],
                        [b"UID XRECRYPT ", Literal(b"1", True), b" x"], [b"UID XRECRYPT ", Literal(b"1"), b" x"], [b""]):
            got = w.command(*command)
            assert re.match(rb"t\d+ (NO|BAD) ", got[-1]) and len(got) == 1, got
            w.good(b"NOOP")
        # Among others, without waiting: each gets its answer.
        n = 200
        w.send(b"".join(b"a%d NOOP\r\nb%d COMPRESS DEFLATE\r\nc%d UID XRECRYPT 1\r\n" % (i, i, i) for i in range(n)))
        got = [w.response().replace(b" BAD ", b" NO ").split(b" ")[:2] for _ in range(3 * n)]
        wanted = [[b"%s%d" % (t, i), s] for i in range(n) for t, s in ((b"a", b"OK"), (b"b", b"NO"), (b"c", b"NO"))]
        assert sorted(got) == sorted(wanted), [g for g in got if g not in wanted][:5]


def refused_for_now(port):
    """The server is away: told so, in a form that a client shows; and no password was asked for."""
    with Wire(port) as w:
        assert re.match(rb"\* BYE \[UNAVAILABLE\]", w.greeting), w.greeting


def crowd(port, most):
    """As many sessions as are permitted, and one more."""
    made = [Wire(port) for _ in range(int(most))]
    with Wire(port) as w:
        assert re.match(rb"\* BYE ", w.greeting), w.greeting
    made.pop().close()
    for _ in range(100):
        with Wire(port) as w:
            if w.greeting.startswith(b"* OK"):
                break
    else:
        raise AssertionError("a place that is free again is not given away")
    for w in made:
        w.good(b"NOOP")


def kept(port, end):
    """A session that goes on, whatever happens to the filter meanwhile, until that file is there."""
    with Wire(port) as w:
        w.login("u20@example.com")
        print("ready", flush=True)
        while not os.path.exists(end):
            w.good(b"NOOP")
            time.sleep(0.01)
        w.good(b"LOGOUT")


def farewell(port, pid):
    """Sessions are told when the filter stops."""
    crowd = [Wire(port) for _ in range(20)]
    for w in crowd[10:]:
        w.login("u20@example.com")
    os.kill(int(pid), signal.SIGTERM)
    for w in crowd:
        assert w.response().startswith(b"* BYE [UNAVAILABLE]")


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
