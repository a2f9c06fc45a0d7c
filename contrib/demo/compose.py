#!/usr/bin/env python3
"""compose.py FROM TO SUBJECT MARKER [OCTETS]: a message on standard output, as a mail program would write it (CRLF):
a text part with MARKER, an HTML part, and an attachment of OCTETS random octets."""
import os
import sys
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate, make_msgid

sender, to, subject, marker = sys.argv[1:5]
octets = int(sys.argv[5]) if len(sys.argv) > 5 else 0
m = EmailMessage(policy=SMTP)
m["From"], m["To"], m["Subject"] = sender, to, subject
m["Date"], m["Message-ID"] = formatdate(), make_msgid(domain=sender.split("@")[1])
m.set_content(f"Grüße aus dem Archiv.\n{marker}\n")
m.add_alternative(f"<p>Grüße aus dem <b>Archiv</b>.</p><p>{marker}</p>", subtype="html")
if octets:
    m.add_attachment(os.urandom(octets), "application", "octet-stream", filename="Pläne.bin")
sys.stdout.buffer.write(m.as_bytes())
