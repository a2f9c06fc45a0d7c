#!/usr/bin/env python3
"""foreign.py FROM TO SUBJECT < message, with the list's public JWK in the environment variable JWK: encrypts with an
independent JOSE implementation (Debian's python3-jwcrypto), not with ours: one application/jose+json entity."""
import base64
import json
import os
import sys
from email.utils import formatdate, make_msgid

from jwcrypto import jwe, jwk

sender, to, subject = sys.argv[1:4]
text = os.environ["JWK"]
key = jwk.JWK.from_json(text)
token = jwe.JWE(sys.stdin.buffer.read(),
                json.dumps({"alg": "ECDH-ES+A256KW", "enc": "A256GCM", "kid": json.loads(text)["kid"]}))
token.add_recipient(key)
body = json.dumps(json.loads(token.serialize()), indent=1).replace("\n", "\r\n")
# A line of base64url may be longer than SMTP allows.
body = base64.encodebytes(body.encode()).decode().replace("\n", "\r\n")
sys.stdout.write(f"From: {sender}\r\nTo: {to}\r\nSubject: {subject}\r\nDate: {formatdate()}\r\n"
                 f"Message-ID: {make_msgid(domain='jose.example')}\r\nMIME-Version: 1.0\r\n"
                 "Content-Type: application/jose+json\r\nContent-Transfer-Encoding: base64\r\n\r\n" + body)
