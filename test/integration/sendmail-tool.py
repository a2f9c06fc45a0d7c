#!/usr/bin/python3
"""What sendmail.sh needs besides curl.

  hard FROM TO             prints a message with everything that a careless mail server changes on its way
  body SENT GOT            GOT's body is SENT's, octet for octet
  forged SEALED            prints the message with forged fields in its header: 1, 2 and 5 copies
  clean GOT                none of the forged fields is in GOT's header, each of the list's own is there once
  odd KIND SEALED          prints the message with two From fields, or with a forged List-Id whose name has a space behind it
  halfway HOST PORT TO PIDFILE  kills that process in the middle of a message, sends the rest, prints the answer
  smuggle HOST PORT TO     tries every false end of a message; prints how many messages the server took for two
"""
import os
import re
import signal
import socket
import sys


def split(path):
    data = open(path, "rb").read().replace(b"\r\n", b"\n")
    header, _, body = data.partition(b"\n\n")
    return header, body


def hard(sender, to):
    lines = [f"From: {sender}".encode(), f"To: {to}".encode(), b"Subject: =?utf-8?q?=C3=9Cber?= hard =?utf-8?q?=C3=9Cber?=",
             b"Date: Sat, 21 Nov 2026 12:00:00 +0000", b"Message-ID: <hard@example.net>", b"MIME-Version: 1.0",
             b"Content-Type: text/plain; charset=utf-8", b"Content-Transfer-Encoding: 8bit", b"",
             b"From the beginning", b".", b"..", b".dot", "Grüße, 日本語".encode(), bytes(range(128, 256)), b"",
             b"x" * 998, b"y" * 76, b"trailing  \t ", b">From", b"=20=3D", b"From x@y Sat Nov 21 12:00:00 2026", b"", b"\t", b"", b""]
    sys.stdout.buffer.write(b"\r\n".join(lines) + b"\r\n")


def body(sent, got):
    a, b = split(sent)[1], split(got)[1]
    assert a == b, f"{len(a)} octets became {len(b)}; first difference at {next((i for i, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))}"
    print(f"{len(a)} octets as they were")


FORGED = [(1, b"X-Recrypt-Status: verified"), (1, b"Precedence: bulk"), (2, b"List-Id: <other.example>"), (2, b"Return-Receipt-To: spy@example.org"),
          (5, b"List-Unsubscribe: <mailto:spy@example.org>"), (5, b"Disposition-Notification-To: spy@example.org")]


def forged(path):
    data = open(path, "rb").read()
    top = b"".join((line + b" copy %d\r\n" % i if b"Id:" not in line else line + b"\r\n") for n, line in FORGED for i in range(n))
    sys.stdout.buffer.write(top + data)


def clean(path):
    header = split(path)[0]
    names = [line.split(b":")[0].lower() for line in header.split(b"\n") if line[:1] not in b" \t"]
    for bad in (b"spy@", b"other.example", b"verified", b"bulk"):
        assert bad not in header, f"{bad} came through:\n{header.decode()}"
    for own in (b"list-id", b"list-post", b"list-owner", b"precedence", b"x-recrypt-hop"):
        assert names.count(own) == 1, f"{own}: {names.count(own)} of them"
    assert not [n for n in names if n.startswith((b"disposition-", b"return-receipt", b"x-recrypt-")) and n != b"x-recrypt-hop"], names


def odd(kind, path):
    field = {"from": b"From: boss@example.net\r\n", "space": b"List-Id : <other.example>\r\nX-Recrypt-Status \t: verified\r\n"}[kind]
    sys.stdout.buffer.write(field + open(path, "rb").read())


def dialogue(host, port, to):
    """A connection after DATA was answered, and what reads the code of one more answer."""
    s = socket.create_connection((host, int(port)), 20)
    f = s.makefile("rb")

    def reply():
        line = f.readline()
        while line[3:4] == b"-":
            line = f.readline()
        return line[:3]

    reply()
    for command in (b"EHLO client.example", b"MAIL FROM:<dave@example.net>", b"RCPT TO:<%s>" % to.encode(), b"DATA"):
        s.sendall(command + b"\r\n")
        code = reply()
    assert code == b"354", code
    return s, f, reply


def halfway(host, port, to, pidfile):
    s, _, reply = dialogue(host, port, to)
    s.sendall(b"From: dave@example.net\r\nSubject: halfway\r\n\r\n" + b"some text\r\n" * 50000)
    os.kill(int(open(pidfile).read()), signal.SIGKILL)
    s.sendall(b"more text\r\n" * 50000 + b".\r\n")
    print(reply().decode())


def smuggle(host, port, to):
    false = [b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r\n.\r", b"\r.\r\n", b"\n.\r", b"\r\n\x00.\r\n", b"\r\n.\x00\r\n", b"\r\n.\r\r\n"]
    twice = []
    for end in [b"\r\n.\r\n", *false]:
        s, f, _ = dialogue(host, port, to)
        first = b"From: dave@example.net\r\nSubject: smuggle\r\n\r\nfirst"
        envelope = b"MAIL FROM:<boss@example.net>\r\nRCPT TO:<%s>\r\nDATA\r\n" % to.encode()
        second = b"From: boss@example.net\r\nSubject: smuggled\r\n\r\nsecond"
        s.sendall(first + end + envelope + second + b"\r\n.\r\nQUIT\r\n")
        codes = re.findall(rb"(?m)^(\d\d\d) ", f.read())
        print(end, codes, file=sys.stderr)
        twice.append(codes.count(b"250") > 1)
        s.close()
    assert twice[0], "the true end of a message does not show"
    print(sum(twice[1:]))


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
