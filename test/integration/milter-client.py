#!/usr/bin/env python3
"""milter-client.py SOCKET CASE [ARGUMENT...]: the mail server's end of the milter protocol (version 6), octet for octet.

Each case is one function; it ends with status 0 when the milter did what it must."""
import base64
import contextlib
import email
import json
import os
import signal
import socket
import struct
import sys
import threading
import time

from milterwire import (CHANGES, DOOR, LIST, PLAIN, Milter, header_changes, is_reply, load, negotiation, new_body,
                        part1, strings, to_list)


def ordinary(path):
    m = Milter(path)
    assert m.steps & 0x100003 == 0x100003 and not m.steps & 0x21C, hex(m.steps)
    for _ in range(3):
        assert m.envelope("dave@example.org", "someone@example.com", "\"odd one\"@example.com", "other@example.net") == [b"c"] * 3
        assert m.ask(b"T") == b"a"
    m.close()


def grants(path, sealed, *members):
    m = Milter(path)
    answer, changes = to_list(m, sealed)
    assert answer == b"a", answer
    fields, body = load(sealed)
    jwe = part1(fields, changes)
    count = len(jwe["recipients"][0]["header"]["grants"])
    assert count == 8, count
    assert strings(changes, "-") == [f"<{LIST}>"], changes
    added = strings(changes, "+")
    archive = [a for a in added if a.startswith("<list+archive-")]
    assert sorted(a for a in added if a not in archive) == sorted(f"<{a}>" for a in members), added
    assert [d.split(b"\0")[0] for k, d in changes if k == "e"] == [b"<list+bounce@example.com>"], changes
    names = [s.split("\0") for s in strings(changes, "h")]
    assert ["List-Id", " <list.example.com>"] in names and ["X-Recrypt-Hop", " " + LIST] in names, names
    assert ["Precedence", " list"] in names and ["List-Post", f" <mailto:{LIST}>"] in names, names
    # Only part 1 is another: what stands before and behind it is as it was.
    marker = b"Content-Type: application/octet-stream"
    assert new_body(changes).split(marker)[1] == body.split(marker)[1]
    m.close()


def forged(path, sealed):
    """Grants that a sender put in are gone, on every copy of what the milter passes on."""
    fields, body = load(sealed)
    message = email.message_from_bytes(open(sealed, "rb").read())
    jwe = json.loads(message.get_payload()[0].get_payload(decode=True))
    jwe["recipients"][0].setdefault("header", {})["grants"] = [
        {"t": base64.urlsafe_b64encode(bytes([i]) * 16).decode().rstrip("="), "u": "A" * 43} for i in range(5)]
    rest = body.split(b"application/octet-stream", 1)[1]
    boundary = next(line for line in body.split(b"\r\n") if line.startswith(b"--"))
    text = base64.encodebytes(json.dumps(jwe).encode()).replace(b"\n", b"\r\n")
    body = (boundary + b"\r\nContent-Type: application/jose+json\r\nContent-Transfer-Encoding: base64\r\n\r\n" + text +
            boundary + b"\r\nContent-Type: application/octet-stream" + rest)
    m = Milter(path)
    assert m.envelope("dave@example.org", LIST) == [b"c"]
    answer, changes = m.message(fields, body)
    assert answer == b"a", answer
    have = part1(fields, changes)["recipients"][0]["header"]["grants"]
    assert len(have) == 8 and not [g for g in have if g["u"] == "A" * 43], have
    m.close()


def whole(path, sealed):
    """One application/jose+json entity becomes the two-part form."""
    message = email.message_from_bytes(open(sealed, "rb").read())
    one, two = message.get_payload()
    jwe = json.loads(one.get_payload(decode=True))
    jwe["ciphertext"] = base64.urlsafe_b64encode(two.get_payload(decode=True)).decode().rstrip("=")
    fields = PLAIN + [("Content-Type", " application/jose+json"), ("Content-Transfer-Encoding", " base64")]
    m = Milter(path)
    assert m.envelope("dave@example.org", LIST) == [b"c"]
    answer, changes = m.message(fields, base64.encodebytes(json.dumps(jwe).encode()).replace(b"\n", b"\r\n"))
    assert answer == b"a", answer
    assert len(part1(fields, changes)["recipients"][0]["header"]["grants"]) == 8
    assert (1, "Content-Transfer-Encoding") in header_changes(changes), header_changes(changes)
    m.close()


def plaintext(path):
    m = Milter(path)
    assert m.envelope("dave@example.org", LIST) == [b"c"]
    answer, changes = m.message(PLAIN, b"in the clear\r\n")
    is_reply(answer, "550-5.7.1 ", f"recrypt key {LIST}", f"{LIST}.mm--", "recrypt seal", "\r\n550 5.7.1 ")
    assert not changes
    m.close()


def door(path):
    m = Milter(path)
    assert m.envelope("dave@example.org", DOOR) == [b"c"]
    answer, changes = m.message(PLAIN + [("X-Mailer", " secret-mailer"), ("Received", " from a by b")], b"secret words\r\n")
    assert answer == b"a", answer
    assert (1, "Subject", " [...]") in header_changes(changes) and (1, "X-Mailer") in header_changes(changes)
    assert b"secret words" not in new_body(changes)
    assert len(part1(PLAIN, changes)["recipients"][0]["header"]["grants"]) == 8
    m.close()


def two_messages(path, sealed):
    m = Milter(path)
    for _ in range(2):
        answer, changes = to_list(m, sealed)
        assert answer == b"a" and len(strings(changes, "-")) == 1
        assert m.envelope("dave@example.org", "someone@example.com") == [b"c"]
        assert m.ask(b"T") == b"a"
    m.close()


def abort(path, sealed):
    m = Milter(path)
    assert m.envelope("dave@example.org", LIST) == [b"c"]
    assert m.ask(b"T") == b"c"
    m.send(b"L", b"X-Recrypt-Hop\0 list@example.com\0")
    assert m.ask(b"B", b"nul \0 and more") != b"c"
    m.send(b"A")
    answer, changes = to_list(m, sealed)
    assert answer == b"a", answer
    assert m.envelope("dave@example.org", LIST) == [b"c"]
    assert m.ask(b"T") == b"c"
    m.send(b"L", b"Subject\0 half\0")
    assert m.ask(b"B", b"half a mess") == b"c"
    m.send(b"A")
    assert m.envelope("dave@example.org", "someone@example.com") == [b"c"]
    assert m.ask(b"T") == b"a"
    m.close()


def recipients(path):
    m = Milter(path)
    answers = m.envelope("dave@example.org", *(f"r{i}@example.net" for i in range(10000)))
    assert answers == [b"c"] * 10000
    is_reply(m.ask(b"R", f"<{LIST}>\0".encode()), "452 4.5.3")
    assert m.ask(b"T") == b"a"
    assert m.envelope("dave@example.org", LIST) == [b"c"]
    is_reply(m.ask(b"R", b"<other@example.net>\0"), "452 4.5.3", "send to the others separately")
    is_reply(m.ask(b"R", b"<list+archive-0123456789012345678901@example.com>\0"), "550 5.1.1")
    m.close()


def stale_fields(path, sealed):
    for copies in (1, 2, 5):
        m = Milter(path)
        extra = [("List-Unsubscribe", f" <mailto:evil{i}@example.org>") for i in range(copies)]
        answer, changes = to_list(m, sealed, extra + [("Autocrypt", " addr=x"), ("Disposition-Notification-To", " x@y.z")])
        assert answer == b"a", answer
        gone = [c[0] for c in header_changes(changes) if c[1] == "List-Unsubscribe"]
        assert gone == list(range(copies, 0, -1)), gone
        assert {"Autocrypt", "Disposition-Notification-To"} <= {c[1] for c in header_changes(changes) if len(c) == 2}
        m.close()


def refused(path, sealed):
    m = Milter(path)
    for field, words in ((("From", " Eve <eve@example.org>"), ("550 5.6.0", "From")),
                         (("List-Id", " <list.example.com>"), ("554 5.4.6",)),
                         (("X-Recrypt-Hop", " " + LIST), ("554 5.4.6",)),
                         (("Auto-Submitted", " auto-replied"), ("550 5.7.1",)),
                         (("Content-Type", " text/plain"), ("550 5.6.0",))):
        answer, changes = to_list(m, sealed, [field])
        is_reply(answer, *words)
        assert not changes
    m.mail("")
    assert m.ask(b"R", f"<{LIST}>\0".encode()) == b"c"
    fields, body = load(sealed)
    is_reply(m.message(fields, body)[0], "550 5.7.1", "bounces")
    m.close()


def octets(path):
    m = Milter(path)
    for body in (b"a\0b\r\n", b"bare\rreturn\r\n", b"bare\nfeed\r\n", b"ends in\r"):
        for piece in (1, 65535):
            assert m.envelope("dave@example.org", LIST) == [b"c"]
            is_reply(m.message(PLAIN, body, piece)[0], "550 5.6.0", "NUL")
    m.close()


def nested(path):
    body = b"".join(b"--b%d\r\nContent-Type: multipart/mixed; boundary=b%d\r\n\r\n" % (i, i + 1) for i in range(20000))
    m = Milter(path)
    for kind, words in ((" multipart/mixed; boundary=b0", "550-5.7.1"),
                        (" multipart/encrypted; protocol=\"application/jose+json\"; boundary=b0", "550 5.6.0")):
        assert m.envelope("dave@example.org", LIST) == [b"c"]
        begin = time.monotonic()
        is_reply(m.message(PLAIN + [("Content-Type", kind)], body)[0], words)
        assert time.monotonic() - begin < 5
    m.close()


def broken(path, sealed):
    """A JWE with one octet changed or cut off in part 1."""
    fields, body = load(sealed)
    message = email.message_from_bytes(open(sealed, "rb").read())
    text = message.get_payload()[0].get_payload(decode=True)
    rest = body[body.index(b"Content-Type: application/octet-stream"):]
    boundary = next(line for line in body.split(b"\r\n") if line.startswith(b"--"))
    jwe = json.loads(text)
    header = json.loads(base64.urlsafe_b64decode(jwe["protected"] + "=="))

    def with_header(**changes):
        text = json.dumps({**header, **changes}).encode()
        return json.dumps({**jwe, "protected": base64.urlsafe_b64encode(text).decode().rstrip("=")}).encode()

    small = {"kty": "OKP", "crv": "X25519", "x": base64.urlsafe_b64encode(bytes(32)).decode().rstrip("=")}
    for one, words in ((text[:-3], "550 5.6.0"), (text.replace(b'"iv"', b'"iv":"","iv"'), "550 5.6.0"),
                       (with_header(enc="A512XYZ"), "550 5.6.1"), (with_header(zip="DEF"), "550 5.6.1"),
                       (with_header(epk=small), "550 5.7.1"),
                       (with_header(kid="list@example.com.mm--aaaaa-aaaaa-aaaaa-aaaaa-aaaaa-aaaaa"), "550"),
                       (with_header(kid="other@example.com.mm--aaaaa-aaaaa-aaaaa-aaaaa-aaaaa-aaaaa"), "550")):
        part = (boundary + b"\r\nContent-Type: application/jose+json\r\nContent-Transfer-Encoding: base64\r\n\r\n" +
                base64.encodebytes(one).replace(b"\n", b"\r\n"))
        m = Milter(path)
        assert m.envelope("dave@example.org", LIST) == [b"c"]
        answer, changes = m.message(fields, part + boundary + b"\r\n" + rest)
        is_reply(answer, words)
        assert not changes
        m.close()


def retired(path, sealed, current):
    m = Milter(path)
    answer, changes = to_list(m, sealed)
    is_reply(answer, "550-5.7.1", "retired", current, f"recrypt key {LIST}")
    m.close()


def plain_protocol(path, sealed):
    """A mail server that offers no options: every field is answered, values come without
    their leading space."""
    m = Milter(path, steps=0, actions=0x5F)
    # libmilter itself leaves out connect and HELO (1, 2) when the filter has no use for them.
    assert not m.steps & ~3 and m.actions == 0x5F, (m.steps, m.actions)
    assert m.envelope("dave@example.org", "someone@example.com") == [b"c"]
    assert m.ask(b"T") == b"a"
    assert m.envelope("dave@example.org", LIST) == [b"c"]
    fields, body = load(sealed)
    answer, changes = m.message([(n, v.lstrip()) for n, v in fields], body)
    assert answer == b"a", answer
    assert ["Precedence", "list"] in [s.split("\0") for s in strings(changes, "h")]
    assert len(part1(fields, changes)["recipients"][0]["header"]["grants"]) == 8
    m.close()


def too_little(path):
    """A mail server that cannot do what is needed is told so, and gets no message through."""
    try:
        m = Milter(path, actions=0x1)
        m.send(b"M", b"<dave@example.org>\0")
        answer = m.read()
    except (OSError, EOFError, AssertionError):
        return
    assert answer[:1] not in (b"c", b"a"), answer


def slow(path):
    """recryptd takes the connection and says nothing: 451 as soon as the configured time is over."""
    begin = time.monotonic()
    m = Milter(path)
    is_reply(m.envelope("dave@example.org", LIST)[0], "451 4.3.0")
    assert 1 < time.monotonic() - begin < 6, time.monotonic() - begin
    m.close()


def slow_crowd(path, pid, count):
    """Many at one moment: none waits for another one's time to be over."""
    crowd = [Milter(path) for _ in range(int(count))]
    begin = time.monotonic()
    with one_moment(pid):
        for m in crowd:
            m.mail("dave@example.org")
            m.send(b"R", b"<" + LIST.encode() + b">\0")
    for m in crowd:
        is_reply(m.read(), "451 4.3.0")
    assert time.monotonic() - begin < 5, time.monotonic() - begin
    for m in crowd:
        m.close()


def crowd(path, sealed, count):
    """Many connections at once, each with list mail and ordinary mail."""
    wrong = []

    def one():
        try:
            m = Milter(path)
            for _ in range(5):
                answer, changes = to_list(m, sealed)
                assert answer == b"a" and len(strings(changes, "-")) == 1, answer
                assert m.envelope("dave@example.org", "someone@example.com") == [b"c"]
                assert m.ask(b"T") == b"a"
            m.close()
        except Exception as e:
            wrong.append(repr(e))
    threads = [threading.Thread(target=one) for _ in range(int(count))]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong, wrong


def spellings(path):
    """However the recipient is written, the list is found."""
    for rcpt in ("List@Example.COM", "\"list\"@example.com", "\"li\\st\"@example.com", "@relay.example.org:list@example.com",
                 "list@example.com.", "list"):
        m = Milter(path)
        assert m.envelope("dave@example.org", rcpt) == [b"c"], rcpt
        is_reply(m.message(PLAIN, b"in the clear\r\n")[0], "550-5.7.1")
        m.close()
    m = Milter(path)
    assert m.envelope("dave@example.org", "list+whatever@example.com")[0][:4] == b"y550"
    m.close()


def away(path, sealed=None):
    m = Milter(path)
    for rcpt in (LIST, "someone@example.com"):
        is_reply(m.envelope("dave@example.org", rcpt)[0], "451 4.3.0")
    m.close()


def away_late(path, sealed, pid):
    """recryptd goes away between the recipient and the end of the message."""
    m = Milter(path)
    assert m.envelope("dave@example.org", LIST) == [b"c"]
    os.kill(int(pid), signal.SIGKILL)
    time.sleep(0.3)
    fields, body = load(sealed)
    answer, changes = m.message(fields, body)
    is_reply(answer, "451 4.3.0")
    assert not changes
    m.close()


def hangs_up(s, data, patience=5):
    """The other side closes the connection upon this, having accepted nothing."""
    s.settimeout(patience)
    got = b""
    try:
        s.sendall(data)
        while True:
            more = s.recv(1 << 16)
            if not more:
                break
            got += more
    except (BrokenPipeError, ConnectionResetError):
        pass
    finally:
        s.close()
    while len(got) >= 5:
        n = struct.unpack("!I", got[:4])[0]
        assert got[4:5] not in (b"a", b"d"), got
        got = got[4 + n:]


def resident(pid, what):
    return next(int(line.split()[1]) for line in open(f"/proc/{pid}/status") if line.startswith(what)) << 10


def abuse(path, pid):
    """Nonsense on one connection ends it, costs no memory, and hurts no other."""
    good = Milter(path)
    before = resident(pid, "VmSize"), resident(pid, "VmRSS")
    # Lengths that no packet has: 4 GiB, 2 GiB, nothing over and over.
    for data in (b"\xff\xff\xff\xffB" + b"x" * 300000, b"\x7f\xff\xff\xffB" + b"x" * 300000, b"\0\0\0\0" * 1000):
        for stage in range(4):
            if stage == 0:  # before anything is agreed upon
                s = socket.socket(socket.AF_UNIX)
                s.connect(path)
            else:
                m = Milter(path)
                s = m.s
                if stage > 1:
                    assert m.envelope("dave@example.org", LIST) == [b"c"]
                if stage > 2:
                    assert m.ask(b"T") == b"c"
                    m.send(b"L", b"Subject\0 hello\0")
            hangs_up(s, data)
    # Halves of packets, and packets of no meaning: they may wait for more, and are never taken.
    for data in (b"", b"\0\0\0\0", b"\0\0\0\0B", b"\xff\xff\xff\xff", b"\xff\xff\xff\xffB", b"\0\0\0\5B",
                 b"\0\0\0\1B", b"\0\0\0\1E", b"\0\0\0\1Z", b"\0\0\1\0O" + b"x" * 255, b"\0\0\0\2M\0"):
        for negotiated in (False, True):
            s = Milter(path).s if negotiated else socket.socket(socket.AF_UNIX)
            if not negotiated:
                s.connect(path)
            try:
                s.sendall(data)
                s.settimeout(0.1)
                answer = s.recv(100)
                assert answer[4:5] not in (b"a", b"d"), (data, answer)
            except OSError:
                pass
            s.close()
    for first in (b"B", b"E", b"L", b"R", b"T", b"N"):  # a message without its beginning
        m = Milter(path)
        try:
            m.send(first, b"x\0y\0")
            m.s.settimeout(0.1)
            answer = m.read()
            assert answer[:1] not in (b"a", b"d"), (first, answer)
        except (OSError, EOFError):
            pass
        m.s.close()
    after = resident(pid, "VmSize"), resident(pid, "VmRSS")
    print(f"{[(b - a) >> 20 for a, b in zip(before, after)]} MB more")
    # A thread of libmilter's has 64 MB of address space for its heap and 8 MB for its stack; there are few.
    assert after[0] - before[0] < 1 << 30 and after[1] - before[1] < 8 << 20
    assert good.envelope("dave@example.org", "someone@example.com") == [b"c"]
    assert good.ask(b"T") == b"a"
    good.close()


def odd_packets(path, sealed):
    """Packets that are well framed and make no sense, in the middle of a message to a list: whatever the milter makes of
    them, it never says accept without its changes."""
    fields, body = load(sealed)
    head = [(b"L", n.encode() + b"\0" + v.encode() + b"\0") for n, v in fields]
    odd = [(b"L", b"no end"), (b"L", b"Name\0no end"), (b"L", b"\0\0"), (b"L", b"A\0b\0c\0d\0"), (b"M", b""), (b"M", b"<x@y.z>"),
           (b"R", b""), (b"R", b"<x@y.z>"), (b"R", b"\0"), (b"D", b""), (b"D", b"L"), (b"D", b"Lname\0"), (b"D", b"Zi\0x\0"),
           (b"D", b"L" + b"a\0b\0" * 5000), (b"O", b""), (b"O", b"\0" * 12), (b"O", b"\xff" * 12), (b"C", b"host"), (b"C", b"host\0" + b"4"),
           (b"H", b""), (b"T", b"x"), (b"U", b"NOOP\0"), (b"K", b""), (b"A", b""), (b"N", b"x"), (b"z", b""), (b"\0", b"\0")]
    wrong, answered = [], []

    def one(command, data, at):
        m = Milter(path)
        m.s.settimeout(3)
        answers = []
        try:
            assert m.envelope("dave@example.org", LIST) == [b"c"]
            assert m.ask(b"T") == b"c"
            for packet in [*head[:at], (command, data), *head[at:], (b"N", b""), (b"B", body), (b"E", b"")]:
                m.send(*packet)
            while not answers or answers[-1][:1] not in b"adrty":
                answers.append(m.read())
        except (OSError, EOFError):
            return  # it hung up, or waits for what makes sense: the mail server gives up and tries again
        finally:
            m.s.close()
        answered.append(answers[-1][:1])
        changed = sum(a[:1] in CHANGES for a in answers)
        if answers[-1][:1] not in b"rty" and not (answers[-1] == b"a" and changed > 4):
            wrong.append((command, data[:40], at, answers))
    for at in (0, 1, len(head)):
        threads = [threading.Thread(target=one, args=(command, data, at)) for command, data in odd]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
    assert not wrong, wrong
    assert len(answered) > 10, answered
    answer, changes = to_list(Milter(path), sealed)
    assert answer == b"a" and changes


def scheduled(pid, policy, processors):
    for t in os.listdir(f"/proc/{pid}/task"):
        with contextlib.suppress(ProcessLookupError):
            os.sched_setscheduler(int(t), policy, os.sched_param(0))
            os.sched_setaffinity(int(t), processors)


@contextlib.contextmanager
def one_moment(pid):
    """What is sent inside comes to the milter all at once, and finds it on one processor and without hurry: a thread that is woken
    begins when the one that woke it has nothing more to do."""
    pid, processors = int(pid), os.sched_getaffinity(int(pid))
    os.kill(pid, signal.SIGSTOP)
    try:
        scheduled(pid, os.SCHED_BATCH, {min(processors)})
        yield
    finally:
        os.kill(pid, signal.SIGCONT)
    time.sleep(0.2)
    scheduled(pid, os.SCHED_OTHER, processors)


def dribble(path, sealed, pid):
    """Two hundred connections stop in the middle of a packet; five of the same moment are a mail server's and are answered, and so
    is one that sends an octet at a time."""
    for _ in range(3):
        asking, held = [], []
        with one_moment(pid):
            for i in range(205):
                s = socket.socket(socket.AF_UNIX)
                s.settimeout(5)
                s.connect(path)
                whole = i in (5, 10, 15, 20, 25)
                s.sendall(negotiation()[:None if whole else 1 + i % 9])
                (asking if whole else held).append(s)
        for s in asking:
            assert s.recv(5, socket.MSG_WAITALL)[4:] == b"O"
        octet_by_octet(path, sealed)
        for s in held + asking:
            s.close()


def octet_by_octet(path, sealed):
    m = Milter(path, patience=5)
    whole = m.s.sendall

    class Slow:
        def __getattr__(self, name):
            return getattr(m_socket, name)

        def sendall(self, data):
            for i in range(min(len(data), 300)):
                whole(data[i:i + 1])
            whole(data[300:])
    m_socket, m.s = m.s, Slow()
    answer, changes = to_list(m, sealed)
    assert answer == b"a" and strings(changes, "-") == [f"<{LIST}>"], answer
    m_socket.close()


def many(path, sealed, count):
    """So many connections that stay, and one more that brings a message."""
    idle = [Milter(path, patience=5) for _ in range(int(count))]
    m = Milter(path, patience=20)
    answer, changes = to_list(m, sealed)
    assert answer == b"a" and strings(changes, "-") == [f"<{LIST}>"], answer
    for one in idle + [m]:
        one.close()


def silent(path, sealed, seconds):
    """Whoever is silent in the middle of a packet for so long is hung up on; between two packets, a message goes through."""
    seconds = int(seconds)
    idle = Milter(path)
    s = socket.socket(socket.AF_UNIX)
    s.connect(path)
    s.sendall(negotiation()[:7])
    time.sleep(seconds / 2)
    s.sendall(negotiation()[7:9])  # each piece counts anew
    began = time.monotonic()
    hangs_up(s, b"", seconds + 10)
    lasted = time.monotonic() - began
    assert seconds - 0.2 <= lasted < seconds + 5, lasted
    answer, changes = to_list(idle, sealed)
    assert answer == b"a" and strings(changes, "-") == [f"<{LIST}>"], answer
    idle.close()


def memory(path, sealed, pid):
    """A large message costs at most two and a half times its size."""
    def peak():
        return next(int(line.split()[1]) for line in open(f"/proc/{pid}/status") if line.startswith("VmHWM")) << 10
    open(f"/proc/{pid}/clear_refs", "w").write("5")
    before = peak()
    m = Milter(path)
    answer, changes = to_list(m, sealed)
    assert answer == b"a", answer
    size = len(open(sealed, "rb").read())
    print(f"message {size}, memory {before} before, {peak()} at most: {(peak() - before) / size:.2f} times")
    assert peak() - before <= 2.5 * size
    assert len(new_body(changes)) > size * 0.9
    m.close()


def too_large(path):
    m = Milter(path)
    assert m.envelope("dave@example.org", LIST) == [b"c"]
    is_reply(m.message(PLAIN, b"x" * 70 + b"\r\n" + b"y" * (60 << 20))[0], "552 5.3.4")
    m.close()


if __name__ == "__main__":
    globals()[sys.argv[2]](sys.argv[1], *sys.argv[3:])
