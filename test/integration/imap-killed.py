#!/usr/bin/env python3
"""imap-killed.py PORT STRAIGHT TIMES COMMAND...: starts recrypt-imapfilter with COMMAND, and kills it at some moment of an APPEND
and of a FETCH. STRAIGHT is the server's own port. Nothing acknowledged is missing, nothing half is there, and it starts again."""
import hashlib
import random
import re
import signal
import ssl
import subprocess
import sys
import threading
import time

from imapwire import Closed, Literal, Wire, wait

port, straight, times, *command = sys.argv[1:]
USER = "u12@example.com"
GONE = (Closed, ConnectionError, ssl.SSLError)
r = random.Random(4)


def listens():
    try:
        Wire(port).close()
        return True
    except (OSError, Closed):
        return False


def digest(text):
    return hashlib.sha256(text).hexdigest()


def stored(w):
    """Digests of what is in the mailbox, by UID."""
    found = {}
    for response in w.good(b"UID FETCH 1:* BODY.PEEK[]")[:-1]:
        if m := re.match(rb"\* \d+ FETCH \(UID (\d+) BODY\[\] \{(\d+)\}\r\n", response):
            found[int(m[1])] = digest(response[m.end():m.end() + int(m[2])])
    return found


def kill_in(process, seconds):
    def killer():
        time.sleep(seconds)
        process.send_signal(signal.SIGKILL)
    t = threading.Thread(target=killer)
    t.start()
    return t


def session(i, wanted, perhaps, counts):
    filter_ = subprocess.Popen(command)
    wait(10, listens, "the filter to listen")
    text = b"Subject: %d\r\n\r\n" % i + b"".join(b"%060d\r\n" % r.randrange(10**60) for _ in range(40000))
    perhaps.add(digest(text))
    w = Wire(port)
    w.login(USER)
    w.good(b"SELECT INBOX")
    append = i % 2 == 0
    killer = kill_in(filter_, r.uniform(0, 0.06))
    try:
        if append:
            w.good(b"APPEND INBOX ", Literal(text, i % 4 == 0))
            wanted.add(digest(text))
            counts["acknowledged"] += 1
        else:
            assert set(stored(w).values()) <= perhaps, "fetched what was never sent"
            counts["fetched"] += 1
    except GONE:
        counts["append cut" if append else "fetch cut"] += 1
    killer.join()
    filter_.wait()


def main():
    with Wire(straight) as s:
        s.login(USER)
        s.command(b"CREATE INBOX")
        s.good(b"SELECT INBOX")
        wanted, perhaps, counts = set(), set(), dict.fromkeys(("acknowledged", "append cut", "fetched", "fetch cut"), 0)
        for i in range(int(times)):
            session(i, wanted, perhaps, counts)
            s.good(b"NOOP")
            found = set(stored(s).values())
            assert found <= perhaps, "a message that is not what was sent"
            assert wanted <= found, "a message that was acknowledged is missing"
            if len(found) > 8:
                s.good(b"STORE 1:* +FLAGS.SILENT (\\Deleted)")
                s.good(b"EXPUNGE")
                wanted.clear()
    print(counts)
    assert counts["append cut"] and counts["fetch cut"], "never in the middle"


main()
