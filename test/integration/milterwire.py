"""The mail server's end of the milter protocol (version 6), octet for octet, and what a milter made of a message."""
import email
import json
import socket
import struct

ACTIONS, STEPS = 0x1FF, 0x1FFFFF
NR_MAIL = 0x4000
LIST, DOOR = "list@example.com", "door@example.com"
CHANGES = b"+-2behim"


def negotiation(actions=ACTIONS, steps=STEPS):
    return struct.pack("!IcIII", 13, b"O", 6, actions, steps)


class Milter:
    def __init__(self, path, actions=ACTIONS, steps=STEPS, patience=60):
        self.s = socket.socket(socket.AF_UNIX)
        self.s.settimeout(patience)
        self.s.connect(path)
        self.s.sendall(negotiation(actions, steps))
        answer = self.read()
        assert answer[:1] == b"O", answer
        self.actions, self.steps = struct.unpack("!II", answer[5:13])

    def send(self, command, data=b""):
        self.s.sendall(struct.pack("!I", len(data) + 1) + command + data)

    def exactly(self, n):
        data = b""
        while len(data) < n:
            more = self.s.recv(n - len(data))
            if not more:
                raise EOFError("the milter hung up")
            data += more
        return data

    def read(self):
        return self.exactly(struct.unpack("!I", self.exactly(4))[0])

    def ask(self, command, data=b""):
        self.send(command, data)
        return self.read()

    def macro(self, stage, **values):
        self.send(b"D", stage + b"".join(k.encode() + b"\0" + v.encode() + b"\0" for k, v in values.items()))

    def mail(self, sender):
        self.send(b"M", b"<" + sender.encode() + b">\0")
        assert self.steps & NR_MAIL or self.read() == b"c"

    def envelope(self, sender, *recipients):
        self.macro(b"M", i="4TESTID")
        self.mail(sender)
        return [self.ask(b"R", b"<" + r.encode() + b">\0") for r in recipients]

    def message(self, fields, body, piece=65535):
        """DATA to the end; the last answer, and the changes as (letter, data)."""
        answer = self.ask(b"T")
        if answer != b"c":
            return answer, []
        for name, value in fields:
            self.send(b"L", name.encode() + b"\0" + value.encode() + b"\0")
            if not self.steps & 0x80:
                assert self.read() == b"c"
        if not self.steps & 0x40:
            assert self.ask(b"N") == b"c"
        for at in range(0, len(body), piece):
            answer = self.ask(b"B", body[at:at + piece])
            if answer == b"s":
                break
            if answer != b"c":
                return answer, []
        changes = []
        self.macro(b"E", i="4TESTID")
        self.send(b"E")
        while True:
            answer = self.read()
            if answer[:1] not in CHANGES:
                return answer, changes
            changes.append((answer[:1].decode(), answer[1:]))

    def close(self):
        self.send(b"Q")
        self.s.close()


def is_reply(answer, *words):
    text = answer.decode(errors="replace")
    assert text[0] == "y", f"no reply: {text!r}"
    for word in words:
        assert word in text, f"{word!r} is not in {text!r}"


def load(path):
    """A message file as header fields (value with its leading space, lines ended by LF) and body."""
    raw = open(path, "rb").read()
    head, body = raw.split(b"\r\n\r\n", 1)
    fields = []
    for line in head.split(b"\r\n"):
        if line[:1] in b" \t":
            fields[-1][1] += "\n" + line.decode()
        else:
            name, value = line.decode().split(":", 1)
            fields.append([name, value])
    return fields, body


def new_body(changes):
    return b"".join(d for k, d in changes if k == "b")


def part1(fields, changes):
    """The JWE in the message that the changes make."""
    types = [d[4:].split(b"\0")[1].decode() for k, d in changes if k == "m" and d[4:].lower().startswith(b"content-type\0")]
    types += [d.split(b"\0")[1].decode() for k, d in changes if k == "h" and d.lower().startswith(b"content-type\0")]
    value = types[0] if types else next(v for n, v in fields if n.lower() == "content-type")
    message = email.message_from_bytes(b"Content-Type:" + value.encode() + b"\r\n\r\n" + new_body(changes))
    assert message.get_content_type() == "multipart/encrypted", value
    return json.loads(message.get_payload()[0].get_payload(decode=True))


def strings(changes, kind):
    return [d.rstrip(b"\0").decode() for k, d in changes if k == kind]


def header_changes(changes):
    return [(struct.unpack("!I", d[:4])[0], *d[4:].rstrip(b"\0").decode().split("\0")) for k, d in changes if k == "m"]


def to_list(m, path, extra=(), address=LIST):
    assert m.envelope("dave@example.org", address) == [b"c"]
    fields, body = load(path)
    return m.message(fields + list(extra), body)


PLAIN = [("From", " Dave <dave@example.org>"), ("Subject", " hello")]
