#!/usr/bin/env python3
"""vectors.py SOCKET FOLDER OUT CASE [RECIPIENT]: every message of a folder through the milter, as a mail server would send it.

A mail server has CRLF at each line's end and no NUL, and puts a Received field before what came; so does this."""
import os
import re
import sys

import milterwire as wire

CODEC = "latin-1"  # each octet stands for itself


def arrives(raw):
    """As Postfix hands it over: header fields (name, value with its folding) and body."""
    text = raw.replace(b"\0", b"")
    text = re.sub(rb"\r\n|\r|\n", b"\r\n", text)
    fields = [[b"Received", b" from client.example.org by mail.example.com; Sat, 21 Nov 2026 20:00:00 +0000"]]
    lines = text.split(b"\r\n")
    n = 0
    for n, line in enumerate(lines):
        if line[:1] in (b" ", b"\t") and fields and line.strip():
            fields[-1][1] += b"\n" + line
        elif re.match(rb"[!-9;-~]+[ \t]*:", line):
            name, value = line.split(b":", 1)
            fields.append([name.rstrip(), value])
        else:
            break
    # An empty line ends the header and is none of the body; any other line that is no field begins the body.
    body = b"\r\n".join(lines[n + 1:] if not lines[n] else lines[n:])
    return [(name.decode(CODEC), value.decode(CODEC)) for name, value in fields], body


class Milter(wire.Milter):
    def fields(self, fields, body):
        """message(), for octets that are no UTF-8."""
        answer = self.ask(b"T")
        assert answer == b"c", answer
        for name, value in fields:
            self.send(b"L", name.encode(CODEC) + b"\0" + value.encode(CODEC) + b"\0")
            if not self.steps & 0x80:
                assert self.read() == b"c"
        if not self.steps & 0x40:
            assert self.ask(b"N") == b"c"
        for at in range(0, len(body), 65535):
            answer = self.ask(b"B", body[at:at + 65535])
            if answer == b"s":
                break
            if answer != b"c":
                return answer, []
        changes = []
        self.send(b"E")
        while True:
            answer = self.read()
            if answer[:1] not in wire.CHANGES:
                return answer, changes
            changes.append((answer[:1].decode(), answer[1:]))


def messages(folder):
    for base, _, names in sorted(os.walk(folder)):
        for name in sorted(names):
            if name.startswith("."):
                continue
            path = os.path.join(base, name)
            yield os.path.relpath(path, folder), *arrives(open(path, "rb").read())


def changed(fields, changes):
    """The header that the changes make, and the new body: the message as it goes on."""
    have = [[n, v] for n, v in fields]
    for kind, data in changes:
        if kind == "m":
            index = int.from_bytes(data[:4], "big")
            name, value = (part.decode(CODEC) for part in data[4:].split(b"\0")[:2])
            same = [f for f in have if f[0].lower() == name.lower()]
            if index > len(same):
                have.append([name, value])
            elif value:
                same[index - 1][1] = value
            else:
                have = [f for f in have if f is not same[index - 1]]
        elif kind in "hi":
            name, value = (part.decode(CODEC) for part in data[4 if kind == "i" else 0:].split(b"\0")[:2])
            have.append([name, value])
    head = "".join(f"{n}:{v if v[:1] in ' ' else ' ' + v}\r\n" for n, v in have).replace("\r\n", "\n").replace("\n", "\r\n")
    return head.encode(CODEC) + b"\r\n" + wire.new_body(changes)


def ordinary(socket, folder, out):
    m = Milter(socket)
    n = 0
    for name, fields, body in messages(folder):
        assert m.envelope("dave@example.org", "someone@example.com") == [b"c"], name
        assert m.ask(b"T") == b"a", name  # before a single octet of it was sent
        n += 1
    print(f"{n} messages, none looked at")
    assert n > 90


def refused(socket, folder, out):
    n = 0
    for name, fields, body in messages(folder):
        m = Milter(socket)
        assert m.envelope("dave@example.org", wire.LIST) == [b"c"], name
        answer, changes = m.fields(fields, body)
        assert answer[:2] == b"y5" and not changes, (name, answer)
        m.close()
        n += 1
    print(f"{n} messages, all refused")
    assert n > 90


# What a list refuses, with the reason; a person takes all.
NOT_ONE_FROM = """
attachment_emails/attachment_pdf.eml attachment_emails/attachment_pdf.eml attachment_emails/attachment_pdf_lf.eml
attachment_emails/attachment_pdf_lf.eml attachment_emails/attachment_pdf_non_ascii.eml
attachment_emails/attachment_pdf_non_ascii.eml attachment_emails/attachment_pdf_non_ascii_lf.eml
attachment_emails/attachment_pdf_non_ascii_lf.eml attachment_emails/attachment_with_base64_encoded_name.eml
attachment_emails/attachment_with_base64_encoded_name.eml attachment_emails/attachment_with_encoded_name.eml
attachment_emails/attachment_with_encoded_name.eml error_emails/bad_encoded_subject.eml
error_emails/bad_encoded_subject.eml mime_emails/raw_email11.eml mime_emails/raw_email11.eml
mime_emails/raw_email2.eml mime_emails/raw_email2.eml mime_emails/raw_email_with_binary_encoded.eml
mime_emails/raw_email_with_binary_encoded.eml mime_emails/raw_email_with_illegal_boundary.eml
mime_emails/raw_email_with_illegal_boundary.eml mime_emails/raw_email_with_multipart_mixed_quoted_boundary.eml
mime_emails/raw_email_with_multipart_mixed_quoted_boundary.eml mime_emails/raw_email_with_nested_attachment.eml
mime_emails/raw_email_with_nested_attachment.eml mime_emails/raw_email_with_quoted_illegal_boundary.eml
mime_emails/raw_email_with_quoted_illegal_boundary.eml plain_emails/mix_caps_content_type.eml
plain_emails/mix_caps_content_type.eml plain_emails/raw_email.eml plain_emails/raw_email.eml
plain_emails/raw_email8.eml plain_emails/raw_email8.eml plain_emails/raw_email_double_at_in_header.eml
plain_emails/raw_email_double_at_in_header.eml plain_emails/raw_email_incorrect_header.eml
plain_emails/raw_email_incorrect_header.eml plain_emails/raw_email_simple.eml plain_emails/raw_email_simple.eml
plain_emails/raw_email_string_in_date_field.eml plain_emails/raw_email_string_in_date_field.eml
plain_emails/raw_email_with_partially_quoted_subject.eml plain_emails/raw_email_with_partially_quoted_subject.eml
rfc2822/example14.eml rfc2822/example14.eml sample_output_multipart sample_output_multipart
""".split()
AUTOMATIC = """
mime_emails/raw_email_with_mimepart_without_content_type.eml
mime_emails/raw_email_with_mimepart_without_content_type.eml multipart_report_emails/multi_address_bounce1.eml
multipart_report_emails/multi_address_bounce1.eml multipart_report_emails/multi_address_bounce2.eml
multipart_report_emails/multi_address_bounce2.eml multipart_report_emails/report_422.eml
multipart_report_emails/report_422.eml multipart_report_emails/report_530.eml multipart_report_emails/report_530.eml
""".split()
TWO_TYPES = """
error_emails/multiple_content_types.eml error_emails/multiple_content_types.eml
""".split()


def sealed(socket, folder, out, recipient):
    os.makedirs(f"{out}/{recipient}", exist_ok=True)
    left = {}
    if recipient == wire.DOOR:
        left.update(dict.fromkeys(NOT_ONE_FROM, b"y550 5.6.0 Exactly one From field is needed"))
        left.update(dict.fromkeys(AUTOMATIC, b"y550 5.7.1 door@example.com takes no automatic mail"))
        left.update(dict.fromkeys(TWO_TYPES, b"y550 5.6.0 More than one Content-Type field"))
    n = refusals = 0
    for name, fields, body in messages(folder):
        m = Milter(socket)
        assert m.envelope("dave@example.org", recipient) == [b"c"], name
        answer, changes = m.fields(fields, body)
        m.close()
        if name in left:
            assert left.pop(name) in answer and not changes, (name, answer)
            refusals += 1
            continue
        assert answer == b"a" and changes, (name, answer)
        assert not body.strip() or body.strip() not in wire.new_body(changes), name
        stem = f"{out}/{recipient}/" + name.replace("/", "-")
        open(stem + ".sealed", "wb").write(changed(fields, changes))
        head = "".join(f"{n}:{v}\r\n" for n, v in fields).replace("\r\n", "\n").replace("\n", "\r\n")
        open(stem + ".sent", "wb").write(head.encode(CODEC) + b"\r\n" + body)
        n += 1
    print(f"{n} sealed, {refusals} refused")
    assert not left, left
    assert n >= 70


if __name__ == "__main__":
    globals()[sys.argv[4]](*sys.argv[1:4], *sys.argv[5:])
