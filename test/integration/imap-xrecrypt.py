#!/usr/bin/env python3
"""imap-xrecrypt.py CASE PORT DEVICE ARGUMENT...: UID XRECRYPT as bob@example.com asks for it, with a device's key id.

  says SET TEXT        the tagged answer is NO and has the text in it; the session goes on
  grants WANTED        what each message of INBOX has, by UID ("*" for the highest): "none", or for each of its grants the key's address, with "chain" when it
                       came with the device's grant for it and "far" when it has no value of its own
  newest WANTED        the same of the highest UID alone
  busy ROUNDS          among other commands, many at the same time
  unselected, stranger, sets, away PID    described where they are
  count N              so many messages are in INBOX
  whole FILE           prints the sealed message as one JWE in one part, the recipients first (PORT and DEVICE do not count)
  fill FILE...         puts these messages into INBOX
  one UID              the answer about this message, as it is"""
import base64
import email
import json
import os
import re
import signal
import sys
import threading
import time

from imapwire import Literal, Wire

USER = "bob@example.com"
ANSWER = re.compile(rb"\* (\d+) FETCH \(UID (\d+) XRECRYPT (?:NIL|\{(\d+)\}\r\n(.*))\)\r\n\Z", re.S)


def session(port):
    w = Wire(port)
    w.login(USER)
    w.good(b"SELECT INBOX")
    return w


def ask(w, numbers, device):
    """UID -> the JSON, or None; and the tagged answer."""
    *answers, last = w.command(b"UID XRECRYPT %s %s" % (numbers.encode(), device.encode()))
    found = {}
    for a in answers:
        if re.match(rb"\* (\d+ (EXISTS|RECENT|EXPUNGE)|\d+ FETCH \(.*FLAGS)", a):
            continue
        m = ANSWER.match(a)
        assert m, a
        assert m[4] is None or len(m[4]) == int(m[3])
        assert int(m[2]) not in found, f"two answers about {m[2]}"
        found[int(m[2])] = None if m[4] is None else json.loads(m[4])
    return found, last


def b64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def one_grant(g, far):
    assert set(g) == ({"dk"} if far else {"t", "u", "dk"}), g
    assert far or (len(b64(g["t"])) == 16 and len(b64(g["u"])) >= 32), g
    assert g["dk"].count(".") == 2 or isinstance(g["dk"], (str, dict)), g


def summary(found):
    if found is None:
        return "none"
    words = []
    for g in found["grants"]:
        far = "t" not in g["grant"]
        one_grant(g["grant"], far)
        words.append(g["kid"].split(".mm--")[0] + ("+far" if far else ""))
        if "device" in g:
            assert g["device"]["kid"].startswith(USER + ".mm--"), g
            one_grant(g["device"]["grant"], False)
            words[-1] += "+chain"
    return ",".join(sorted(words))


def says(port, device, numbers, text):
    with session(port) as w:
        found, last = ask(w, numbers, device)
        assert not any(found.values()) and re.match(rb"t\d+ NO ", last) and text.encode() in last, (found, last)
        w.good(b"NOOP")
        w.good(b"FETCH 1 FLAGS")


def unselected(port, device):
    with Wire(port) as w:
        w.login(USER)
        last = w.command(b"UID XRECRYPT 1 " + device.encode())[-1]
        assert re.match(rb"t\d+ (NO|BAD) ", last), last
        w.good(b"NOOP")


def stranger(port, device):
    """A login that is no account of the service."""
    with Wire(port) as w:
        w.login("u10@example.com")
        w.good(b"SELECT INBOX")
        last = w.command(b"UID XRECRYPT 1 " + device.encode())[-1]
        assert re.match(rb"t\d+ NO \[NOPERM\]", last), last
        w.good(b"NOOP")


def sets(port, device):
    """Sets that are none; sets that name each message once, however they are written."""
    with session(port) as w:
        for bad in (b"0", b"1:", b":1", b"a", b"1,,2", b",1", b"1,", b"4294967296", b"1:2:3", b"-1", b"1.5", b"%", b"*:", b"1;2", b"1" * 5000):
            got = w.command(b"UID XRECRYPT " + bad + b" " + device.encode())
            assert len(got) == 1 and re.match(rb"t\d+ (NO \[CANNOT\]|BAD) ", got[0]), (bad[:20], got)
            w.good(b"NOOP")
        for set_, wanted in (("1", [1]), ("2:1", [1, 2]), ("1,1,1:2,2:1", [1, 2]), ("1:4294967295", [1, 2, 3, 4, 5, 6]), ("*", [6]), ("*:1", [1, 2, 3, 4, 5, 6]),
                             ("4:*,1", [1, 4, 5, 6]), ("6,5,4,3,2,1", [1, 2, 3, 4, 5, 6]), ("100:200,3", [3]), ("*:100", [6]), ("4294967295:3", [3, 4, 5, 6]),
                             (",".join(["1:3"] * 4000), [1, 2, 3]), (",".join(map(str, range(1, 3300))), [1, 2, 3, 4, 5, 6])):
            found, last = ask(w, set_, device)
            assert sorted(found) == wanted and (b" OK " in last) == (wanted != [6]), (set_[:40], sorted(found), last)
        found, last = ask(w, "100:200", device)
        assert not found and b" OK " in last, (found, last)


def away(port, device, pid):
    """recryptd stops answering, for as long as it takes; then it goes on. All in one session."""
    with session(port) as w:
        os.kill(int(pid), signal.SIGSTOP)
        try:
            start = time.monotonic()
            found, last = ask(w, "1:*", device)
            spent = time.monotonic() - start
            assert not found and re.match(rb"t\d+ NO \[UNAVAILABLE\]", last), (found, last)
            assert spent < 6, f"{spent:.1f} s"
            w.good(b"NOOP")
            w.s.sendall(b"a UID XRECRYPT 1 %s\r\n" % device.encode())  # nobody waits for this one
            with session(port) as other:
                other.good(b"FETCH 1:3 BODY.PEEK[]")
                other.good(b"LOGOUT")
        finally:
            os.kill(int(pid), signal.SIGCONT)
        w.until(b"a")
        for _ in range(20):
            found, last = ask(w, "1:*", device)
            if b" OK " in last:
                break
            time.sleep(0.5)
        assert summary(found[1]) == USER, (found, last)


def newest(port, device, wanted):
    with session(port) as w:
        found, last = ask(w, "1:*", device)
        assert re.match(rb"t\d+ OK ", last) and summary(found[max(found)]) == wanted, (summary(found[max(found)]), last)


def whole(port, device, name):
    m = email.message_from_bytes(open(name, "rb").read())
    first, second = m.get_payload()
    jwe = json.loads(first.get_payload(decode=True))
    tag = jwe.pop("tag")
    jwe["ciphertext"] = base64.urlsafe_b64encode(second.get_payload(decode=True)).rstrip(b"=").decode()
    jwe["tag"] = tag
    out = [f"{n}: {m[n]}" for n in ("From", "To", "Subject", "Date", "Message-ID")]
    out += ["MIME-Version: 1.0", "Content-Type: application/jose+json", "Content-Transfer-Encoding: base64", ""]
    print("\r\n".join(out), base64.encodebytes(json.dumps(jwe).encode()).decode().replace("\n", "\r\n"), sep="\r\n", end="")


def grants(port, device, *wanted):
    with session(port) as w:
        found, last = ask(w, "1:*", device)
        assert re.match(rb"t\d+ OK ", last), last
        got = [f"{uid}={summary(found[uid])}" for uid in sorted(found)]
        assert got == [x.replace("*", str(max(found)), 1) for x in wanted], got
        w.good(b"NOOP")


def count(port, _, n):
    """So many messages are there: each gets the next UID."""
    with session(port) as w:
        assert b"* %s EXISTS\r\n" % n.encode() in w.good(b"SELECT INBOX")


def fill(port, _, *files):
    with Wire(port) as w:
        w.login(USER)
        w.command(b"CREATE INBOX")
        for f in files:
            text = open(f, "rb").read().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
            w.good(b"APPEND INBOX ", Literal(text, True))


def one(port, device, uid):
    with session(port) as w:
        found, last = ask(w, uid, device)
        assert last.split()[1] == b"OK", last
        print(json.dumps(found[int(uid)]))


def busy(port, device, rounds):
    """Pipelined among others, in several sessions, while another one appends and expunges."""
    faults = []

    def worker():
        try:
            with session(port) as w:
                first, _ = ask(w, "1:5", device)
                for i in range(int(rounds)):
                    w.send(b"a%d FETCH 1:3 BODY.PEEK[]\r\nx%d UID XRECRYPT 1:5 %s\r\nb%d NOOP\r\nc%d UID XRECRYPT 77777 %s\r\nd%d UID FETCH 2 UID\r\n" % (
                        i, i, device.encode(), i, i, device.encode(), i))
                    w.until(b"a%d" % i)
                    *answers, last = w.until(b"x%d" % i)
                    assert b" OK " in last, last
                    found = {int(m[2]): m[4] and json.loads(m[4]) for m in map(ANSWER.match, answers) if m}
                    assert {u: summary(f) for u, f in found.items()} == {u: summary(f) for u, f in first.items()}, found
                    for tag in b"bcd":
                        w.until(b"%c%d" % (tag, i))
        except Exception as e:
            faults.append(e)
    threads = [threading.Thread(target=worker) for _ in range(4)]
    for t in threads:
        t.start()
    with session(port) as w:
        passing = 0
        while any(t.is_alive() for t in threads):
            passing += 1
            w.good(b"APPEND INBOX ", Literal(b"Subject: x\r\n\r\nx\r\n", True))
            w.good(b"STORE * +FLAGS (\\Deleted)")
            w.good(b"EXPUNGE")
    for t in threads:
        t.join()
    assert not faults, faults[0]
    print(f"{len(threads) * int(rounds)} times UID XRECRYPT 1:5 in {len(threads)} sessions, while {passing} messages came and went")


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
