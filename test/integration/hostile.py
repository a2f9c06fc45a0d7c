#!/usr/bin/env python3
"""hostile.py CASE ARGUMENT...: what is too deep, too long or too many, given to the running programs.

Each is refused with the error that is named here, in milliseconds, and costs bounded memory. Time is the processor's, of the
program that is asked, so that a busy machine changes nothing; memory is the growth of its peak."""
import json
import os
import re
import resource
import socket
import struct
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(__file__))
client = __import__("milter-client")
MB = 1 << 20
TICK = os.sysconf("SC_CLK_TCK")


class Cost:
    """with Cost(pid, seconds, octets): what the process spends inside must stay below."""

    def __init__(self, pid, seconds, octets, what):
        self.pid, self.seconds, self.octets, self.what = int(pid), seconds, octets, what

    def children(self):
        return [int(c) for c in open(f"/proc/{self.pid}/task/{self.pid}/children").read().split()]

    def watch(self):
        """The peaks of its children, while there are any."""
        while not self.over:
            for child in self.children():
                try:
                    status = open(f"/proc/{child}/status").read()
                    self.child_peak = max(self.child_peak, int(re.search(r"VmHWM:\s*(\d+)", status)[1]) << 10)
                except (OSError, TypeError):
                    pass
            time.sleep(0.01)

    def now(self):
        fields = open(f"/proc/{self.pid}/stat").read().rsplit(")", 1)[1].split()
        peak = next(int(line.split()[1]) for line in open(f"/proc/{self.pid}/status") if line.startswith("VmHWM"))
        # with its children that have ended
        return sum(int(f) for f in fields[11:15]) / TICK, peak << 10

    def __enter__(self):
        try:
            open(f"/proc/{self.pid}/clear_refs", "w").write("5")  # the peak begins anew
        except OSError:
            pass
        self.before = self.now()
        self.over, self.child_peak = False, 0
        self.watcher = threading.Thread(target=self.watch)
        self.watcher.start()

    def __exit__(self, kind, *_):
        while not kind and self.children():  # a session's child, whose time counts once it has been waited for
            time.sleep(0.01)
        self.over = True
        self.watcher.join()
        if kind:
            return
        after = self.now()
        seconds, octets = after[0] - self.before[0], max(after[1] - self.before[1], self.child_peak)
        print(f"{self.what}: {seconds:.2f} s, {octets / MB:.1f} MB")
        assert seconds <= self.seconds and octets <= self.octets, self.what


def brackets(n):
    return b"[" * n + b"]" * n


def nested(n, kind=b"multipart/mixed"):
    return b"".join(b"--b%d\r\nContent-Type: %s; boundary=b%d\r\n\r\n" % (i, kind, i + 1) for i in range(n))


def rfc822(n):
    return b"Content-Type: message/rfc822\r\n\r\n" * n


def two_parts(part1):
    return (b"--b\r\nContent-Type: application/jose+json\r\n\r\n" + part1 + b"\r\n--b\r\nContent-Type: application/octet-stream\r\n"
            b"Content-Transfer-Encoding: base64\r\n\r\nAAAA\r\n--b--\r\n")


ENCRYPTED = ("Content-Type", " multipart/encrypted; protocol=\"application/jose+json\"; boundary=b")
MANY = json.dumps({"protected": "e30", "recipients": [{"encrypted_key": "AAAA"}] * 30000, "iv": "AAAA", "tag": "AAAA"}).encode()


def bodies():
    """Kind of content, body, and what a list answers."""
    plain = "550-5.7.1"
    return [
        ("30,000 nested parts", ("Content-Type", " multipart/mixed; boundary=b0"), nested(30000), plain),
        ("30,000 nested parts, as encrypted", ("Content-Type", ENCRYPTED[1] + "0"), nested(30000), "550 5.6.0"),
        ("30,000 messages in each other", ("Content-Type", " message/rfc822"), rfc822(30000), plain),
        ("1,000,000 brackets for a JWE", ENCRYPTED, two_parts(brackets(1000000)), "550 5.6.0"),
        ("1,000,000 brackets, as one entity", ("Content-Type", " application/jose+json"), brackets(1000000), "550 5.6.0"),
        ("a JWE for 30,000 recipients", ENCRYPTED, two_parts(MANY), "550 5.6.0"),
        ("a JWE text of 8 MB", ENCRYPTED, two_parts(b'{"protected":"' + b"A" * (8 * MB) + b'"}'), "550 5.6.0"),
        ("a million delimiters", ENCRYPTED, b"--b\r\n\r\n" * 1000000, "550 5.6.0"),
        ("12,000 parameters", ("Content-Type", " multipart/encrypted" + "; a=b" * 12000), b"x\r\n", "550 5.6.0 Encrypted message broken: too many parameters"),
        ("60,000 nested comments", ("Content-Type", " multipart/encrypted " + "(" * 60000), b"x\r\n", plain),
    ]


def milter(path, pid):
    for what, kind, body, answer in bodies():
        m = client.Milter(path)
        with Cost(pid, 0.3, 32 * MB + 3 * len(body), "milter: " + what):  # json-c: 65,536 values at most
            assert m.envelope("dave@example.org", client.LIST) == [b"c"]
            got, changes = m.message(client.PLAIN + [kind], body)
            assert got[:2] == b"y5" and not changes, got
            client.is_reply(got, answer)
        m.close()


def milter_header(path, pid):
    """100 MB in fields of 60 KB; and 100,000 small ones."""
    # libmilter takes some microseconds for a packet, whatever is made of it: 0.6 s for 100,000
    for what, count, value, seconds in (("a header of 100 MB", 1700, " " + "x" * 60000, 0.3), ("100,000 fields", 100000, " x", 3.0)):
        m = client.Milter(path)
        with Cost(pid, seconds, 16 * MB, "milter: " + what):
            assert m.envelope("dave@example.org", client.LIST) == [b"c"]
            assert m.ask(b"T") == b"c"
            packet = client.struct.pack("!I", len(value) + 9) + b"LX-Long\0" + value.encode() + b"\0"
            for _ in range(count):
                m.s.sendall(packet)
            answer = m.ask(b"B", b"x\r\n")
            if answer == b"c" or answer == b"s":
                answer = m.ask(b"E")
            assert answer.startswith((b"y550 5.6.0 Message header malformed, or too large", b"y552 5.3.4")), answer
        m.close()


def milter_recipients(path, pid):
    """A list, then 100,000 others, as fast as they can be written."""
    count = 100000
    m = client.Milter(path)
    assert m.envelope("dave@example.org", client.LIST) == [b"c"]
    packets = b"".join(struct.pack("!I", len(r) + 1) + b"R" + r for r in (b"<r%d@example.net>\0" % i for i in range(count)))
    with Cost(pid, 10.0, 16 * MB, "milter: 100,000 recipients"):  # 3 s, for as many answers
        sender = threading.Thread(target=m.s.sendall, args=(packets,))
        sender.start()
        refused = 0
        stream = m.s.makefile("rb")
        for _ in range(count):
            refused += b"452 4.5.3" in stream.read(struct.unpack("!I", stream.read(4))[0])
        sender.join()
    assert refused == count, refused
    m.close()


def converse(path, data, wanted, read_all=True):
    """Over a stream socket: sends all (the other side may close), returns what came back."""
    s = socket.socket(socket.AF_UNIX) if isinstance(path, str) else socket.socket()
    s.settimeout(120)
    s.connect(path)

    def send():
        try:
            for piece in data:
                s.sendall(piece)
            s.shutdown(socket.SHUT_WR)
        except OSError:
            pass
    sender = threading.Thread(target=send)
    sender.start()
    got = b""
    try:
        while True:
            more = s.recv(1 << 16)
            if not more:
                break
            got = (got + more)[-(8 * MB):]
    except ConnectionResetError:
        pass
    sender.join()
    s.close()
    if wanted:
        assert wanted in got, got[-300:]
    return got


def lmtp(path, pid):
    hello = b"LHLO x\r\nMAIL FROM:<d@example.org>\r\n"
    one = hello + b"RCPT TO:<someone@example.com>\r\nDATA\r\nFrom: d@example.org\r\n"
    many = b"".join(b"RCPT TO:<r%d@example.com>\r\n" % i for i in range(100000))
    too_large, limit = b"554 5.3.4 the message is too large", 3 * 50

    def message(kind, body):
        return [one + kind + b"\r\n\r\n", body, b"\r\n.\r\nQUIT\r\n"]
    for what, data, answer, octets in (
            ("100,000 recipients", [hello, many, b"QUIT\r\n"], b"452 4.5.3 too many recipients", 8),
            ("a command of 100 MB", [b"x" * MB] * 100 + [b"\r\nQUIT\r\n"], b"500 5.5.2 line too long", 0),
            ("a header of 100 MB", [one] + [(b"X-Long: " + b"x" * 992 + b"\r\n") * 1024] * 100 + [b"\r\n.\r\nQUIT\r\n"],
             too_large, limit),
            ("a body of 100 MB in one line", [one + b"\r\n"] + [b"x" * MB] * 100 + [b"\r\n.\r\nQUIT\r\n"], too_large, limit),
            # What is in a message for somebody who is no member is not looked into further than its frame: delivered.
            ("30,000 nested parts", message(b"Content-Type: multipart/mixed; boundary=b0", nested(30000)), b"250 2.0.0", 8),
            ("as encrypted", message(b"Content-Type: multipart/encrypted; protocol=\"application/jose+json\"; boundary=b0",
                                     nested(30000)), b"250 2.0.0", 8),
            ("1,000,000 brackets for a JWE", message(b"Content-Type:" + ENCRYPTED[1].encode(), two_parts(brackets(1000000))),
             b"250 2.0.0", 16),
            ("a JWE for 30,000 recipients", message(b"Content-Type:" + ENCRYPTED[1].encode(), two_parts(MANY)), b"250 2.0.0", 48)):
        with Cost(pid, 1.0, (octets + 12) * MB, "LMTP: " + what):  # a child's own 12 MB
            got = converse(path, data, None)
        last = [line for line in got.split(b"\r\n") if re.match(rb"[245]\d\d ", line)]
        assert last[-1].startswith(b"221") and answer in last[-2], last[-3:]


def local(path, pid, log):
    def frame(text, length=None):
        return struct.pack("!I", len(text) if length is None else length) + text
    deep = b'{"HelloRequest":' + brackets(32000) + b"}"
    many = b'{"HelloRequest":{"a":[' + b"0," * 30000 + b"0]}}"
    for what, data, words in (
            ("a length of 4 GiB", frame(b"x" * 70000, 0xFFFFFFFF), "frame of 4294967295 octets"),
            ("a length of nothing", frame(b""), "empty frame"),
            ("32,000 brackets", frame(deep), "nested"),
            ("1,000,000 brackets", frame(brackets(1000000)), "octets, 65536 are allowed"),
            ("30,000 values", frame(many), None),
            ("16,000 frames at once", frame(b'{"HelloRequest":{}}') * 16000, None)):
        at = os.path.getsize(log)
        with Cost(pid, 3.0 if words is None and len(data) > 100000 else 0.3, 8 * MB, "local socket: " + what):
            converse(path, [data], None)
        said = open(log).read()[at:]
        assert not words or words in said, (what, said[-300:])


def web(port, pid):
    host = ("127.0.0.1", int(port))

    def post(kind, size, pieces):
        return [b"POST /.well-known/meshrecrypt HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: " + kind +
                b"\r\nContent-Length: %d\r\n\r\n" % size] + pieces
    plain, signed = b"application/json", b"application/jose+json"
    deep = brackets(1000000)
    values = b'{"HelloRequest":[' + b"0," * 30000 + b"0]}"
    for what, data, answer in (
            ("1,000,000 brackets", post(plain, len(deep), [deep]), b"413"),
            ("30,000 brackets", post(plain, 60000, [brackets(30000)]), b'"Status":400'),
            ("30,000 values", post(plain, len(values), [values]), b'"Status":400'),
            ("1,000,000 brackets as a signed request", post(signed, len(deep), [deep]), b'"Status":400'),
            ("100 MB as a signed request", post(signed, 100 * MB, [b" " * MB] * 100), b"413"),
            ("100 MB in one header field", [b"POST / HTTP/1.1\r\nX: "] + [b"x" * MB] * 100, None),
            ("1,000,000 header fields", [b"POST / HTTP/1.1\r\n"] + [b"X: y\r\n" * 1000] * 1000, None),
            ("an endless chunk size", [b"POST /.well-known/meshrecrypt HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                                       b"Transfer-Encoding: chunked\r\n\r\n" + b"f" * 100000 + b"\r\n"], None)):
        with Cost(pid, 1.0, 48 * MB, "web: " + what):
            got = converse(host, data, answer)
        assert got[:9] in (b"HTTP/1.1 ", b"HTTP/1.0 ", b"") and not got.startswith(b"HTTP/1.1 200"), got[:200]
        print("   ", got.split(b"\r\n")[0].decode() or "closed")
    assert b" 200 " in converse(host, post(plain, 19, [b'{"HelloRequest":{}}']), b"Status")


def tool(folder, *command):
    """Files for the tool: each is refused by name or taken, within bounds."""
    def limits():
        resource.setrlimit(resource.RLIMIT_CPU, (20, 20))
        resource.setrlimit(resource.RLIMIT_STACK, (1 * MB, 1 * MB))

    head = b"From: dave@example.com\r\nTo: list@example.com\r\nSubject: x\r\n"
    enc = b"Content-Type:" + ENCRYPTED[1].encode()
    long_lines = (b"X-Long: " + b"x" * 990 + b"\r\n", 100 << 10)
    files = [
        ("open", "30,000 nested parts", head + enc + b"0\r\n\r\n" + nested(30000), b"closing delimiter"),
        ("open", "1,000,000 brackets", head + enc + b"\r\n\r\n" + two_parts(brackets(1000000)), b"nested"),
        ("open", "30,000 recipients", head + enc + b"\r\n\r\n" + two_parts(MANY), b"recipients"),
        ("open", "a header of 100 MB", (*long_lines, head + enc + b"\r\n\r\n"), b"header"),
        ("open", "100,000 lines that are no fields", b"no field\r\n" * 100000 + head + enc + b"\r\n\r\nx", b"recrypt: "),
        ("seal", "a header of 100 MB", (*long_lines, head + b"\r\nx\r\n"), b"header"),
        ("sign", "100,000 nested comments in From", b"From: " + b"(" * 100000 + b"\r\n\r\nx", b"recrypt: "),
        ("seal", "30,000 nested parts", head + b"Content-Type: multipart/mixed; boundary=b0\r\n\r\n" + nested(30000), None),
        ("decrypt", "1,000,000 brackets", brackets(1000000), b"recrypt: "),
    ]
    for name, what, data, words in files:
        path = f"{folder}/hostile.eml"
        with open(path, "wb") as f:
            if isinstance(data, tuple):  # in pieces: a child begins with our own peak
                for _ in range(data[1]):
                    f.write(data[0])
                f.write(data[2])
            else:
                f.write(data)
        size = os.path.getsize(path)
        extra = {"seal": ["seal", "--unsigned", "--to", "list@example.com"], "open": ["open"], "decrypt": ["decrypt"],
                 "sign": ["seal", "--from", "alice@example.com", "--to", "list@example.com"]}[name]
        out = subprocess.Popen([command[0], *extra, "--force", "--out", f"{folder}/out", path, *command[1:]],
                               stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, preexec_fn=limits)
        said = out.stderr.read()
        _, status, used = os.wait4(out.pid, 0)
        code = os.waitstatus_to_exitcode(status)
        print(f"{name}, {what}: {code}, {used.ru_utime + used.ru_stime:.2f} s, {used.ru_maxrss >> 10} MB: {said[-120:]!r}")
        assert code == 0 if words is None else code in (65, 69, 76, 77, 78), (code, said)
        assert words is None or words in said, said
        # The message itself is read whole, into memory that grows by doubling.
        assert used.ru_utime + used.ru_stime < 1.5 and used.ru_maxrss << 10 < 48 * MB + 3.2 * size


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
