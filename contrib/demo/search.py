#!/usr/bin/env python3
"""search.py MARKER... -- FOLDER...: the files below the folders that hold a marker, as it is or in base64, base64url,
quoted-printable, UTF-16 or hexadecimal; exit status 1 when there is one. Prints how much was searched, so that nothing searched is
seen. A marker has at least 12 octets: what is left of a shorter one in base64 occurs in ciphertext by chance."""
import base64
import os
import quopri
import sys

cut = sys.argv.index("--")
needles = set()
for marker in sys.argv[1:cut]:
    raw = marker.encode()
    if len(raw) < 12:
        sys.exit(f"{marker}: too short to be looked for")
    needles |= {raw, quopri.encodestring(raw).rstrip(b"=\n"), marker.encode("utf-16-le"), raw.hex().encode()}
    for shift in range(3):  # base64 of a text that contains the marker, whatever stands before it
        code = base64.b64encode(b"\0" * shift + raw)
        core = code[4 if shift else 0:len(code) - 4 if code.endswith(b"=") else len(code)]
        needles |= {core, core.replace(b"+", b"-").replace(b"/", b"_")}
found = files = octets = 0
for top in sys.argv[cut + 1:]:
    for folder, _, names in os.walk(top):
        for name in names:
            path = os.path.join(folder, name)
            if not os.path.isfile(path) or os.path.islink(path):
                continue
            data = open(path, "rb").read()
            files, octets = files + 1, octets + len(data)
            # base64 in lines hides a marker that crosses a line end
            flat = data.replace(b"\r\n", b"").replace(b"\n", b"")
            for n in needles:
                if n in data or n in flat:
                    print(f"FOUND {n!r} in {path}")
                    found = 1
                    break
print(f"{files} files, {octets} octets searched")
sys.exit(1 if found or not files else 0)
