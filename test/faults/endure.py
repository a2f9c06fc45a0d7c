#!/usr/bin/python3
"""endure.py WHAT SOCKET PID N [MAILROOT]: N rounds against a running program; its memory and descriptors must not grow.

what is recryptd (requests over the local socket), milter (messages, each with a second on its connection that is aborted) or lmtp
(messages delivered).
After a tenth of the rounds everything that is kept has been made; from there to the end resident memory may grow by a mebibyte and
descriptors by none. A connection that was just closed here may still be open there: descriptors are counted when they rest.
"""
import json, os, shutil, socket, struct, sys, time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../integration"))
import milterwire

RESERVE = 1024
LINES = b"A line of an ordinary message.\r\n" * 100


def size(pid):
    count, rested = None, 0
    for _ in range(100):
        now = len(os.listdir(f"/proc/{pid}/fd"))
        rested = rested + 1 if now == count else 0
        count = now
        if rested == 5:
            break
        time.sleep(0.1)
    with open(f"/proc/{pid}/status") as f:
        kib = next(int(line.split()[1]) for line in f if line.startswith("VmRSS"))
    return kib, count


def connect(path):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(30)
    s.connect(path)
    return s


def ask_recryptd(path, n, _):
    s = connect(path)
    for name, body in ("Hello", {}), ("Resolve", {"Address": f"p{n}@example.com"}), ("Key", {"Key": f"p{n}@example.com"}):
        text = json.dumps({name + "Request": body}).encode()
        s.sendall(struct.pack("!I", len(text)) + text)
        left = struct.unpack("!I", s.recv(4, socket.MSG_WAITALL))[0]
        assert s.recv(left, socket.MSG_WAITALL)
    s.close()


def ask_milter(path, n, _):
    m = milterwire.Milter(path, steps=0)
    answers = m.envelope("dave@example.net", f"p{n}@example.com")
    answers.append(m.message([["From", " dave@example.net"], ["Subject", f" {n}"], ["X-Recrypt-Status", " forged"]], LINES)[0])
    answers += m.envelope("dave@example.net", f"p{n}@example.com")
    assert all(a[:1] in (b"c", b"a") for a in answers), answers
    m.send(b"A")
    m.close()


def ask_lmtp(path, n, root):
    s = connect(path)
    f = s.makefile("rb")
    f.readline()
    text = b"Received: by x; %d\r\nSubject: %d\r\n\r\n" % (n, n) + LINES
    s.sendall(b"LHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<p@example.com>\r\nDATA\r\n" + text + b".\r\nQUIT\r\n")
    answers = f.read()
    assert b"250 2.0.0" in answers, answers
    s.close()
    if n % 100 == 0:
        shutil.rmtree(os.path.join(root, "example.com"), ignore_errors=True)


def main(what, path, pid, n, root=""):
    ask, n = {"recryptd": ask_recryptd, "milter": ask_milter, "lmtp": ask_lmtp}[what], int(n)
    for i in range(n // 10):
        ask(path, i, root)
    first = size(pid)
    for i in range(n // 10, n):
        ask(path, i, root)
    last = size(pid)
    print(f"{what}: after {n // 10}: {first[0]} KiB, {first[1]} descriptors; after {n}: {last[0]} KiB, {last[1]}")
    # A short run, under valgrind, says nothing about size.
    return 0 if n < 1000 or last[0] <= first[0] + RESERVE and last[1] <= first[1] + 1 else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
