#!/usr/bin/env python3
"""Helpers of fanout.sh.

serve PEOPLE PORT      the recryptd of the people that fanout-people made, as far as looking up their keys goes
ledger SINK PEOPLE N   what smtp-sink got, member by member; N = how many may have a copy too many
"""
import base64
import collections
import glob
import http.server
import json
import os
import re
import sys


def serve(people, port):
    known = {}
    for line in open(people):
        address, keyid, profile = line.split()
        known[address] = known[keyid] = (keyid, profile)

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # head and body in one packet: the second one of two waits 40 ms for the acknowledgement of the first

        def do_POST(self):
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            keyid, profile = known.get(asked.get("GetKeyRequest", {}).get("GroupID"), (None, None))
            answer = {"Status": 404, "StatusDescription": "none"}
            if profile:
                answer = {"Status": 201, "StatusDescription": "done", "SignedKey": profile, "State": "current", "Current": keyid}
            text = json.dumps({"GetKeyResponse": answer}).encode()
            self.send_response(200 if profile else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Replay-Nonce", "none")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_):
            pass

    http.server.ThreadingHTTPServer.request_queue_size = 64
    http.server.ThreadingHTTPServer(("127.0.0.1", int(port)), Handler).serve_forever()


def read_copy(path):
    text = open(path, encoding="utf-8", errors="replace").read()
    sender = re.search(r"^X-Mail-Args: <([^>]*)>", text, re.M).group(1)
    rcpts = re.findall(r"^X-Rcpt-Args: <([^>]*)>", text, re.M)
    # part 1 travels in base64
    text = re.sub(r"base64\n\n((?:[A-Za-z0-9+/=]+\n)+)", lambda m: "base64\n\n" + base64.b64decode(m.group(1)).decode("latin-1") + "\n",
                  text, count=1)
    mark = re.findall(r"^X-Recrypt-Copy: (\S+)", text, re.M)
    return text, sender, rcpts, mark


def ledger(sink, people, allowed):
    members = [line.split()[0] for line in open(people)]
    copies, senders, marks, faults = collections.Counter(), {}, {}, []

    def fault(path, what):
        faults.append(f"{os.path.basename(path)}: {what}")

    for path in glob.glob(sink + "/*"):
        text, sender, rcpts, mark = read_copy(path)
        if len(rcpts) != 1 or len(mark) != 1:
            fault(path, f"{len(rcpts)} recipients, {len(mark)} marks")
            continue
        to = rcpts[0]
        copies[to] += 1
        if not re.fullmatch(r"(list|large)\+bounce-[a-z2-7]{22}@example\.com", sender) or senders.setdefault(to, sender) != sender:
            fault(path, f"envelope sender {sender}")
        if marks.setdefault(to, mark[0]) != mark[0]:
            fault(path, "another mark than her other copy")
        if len(re.findall(r'"dk"', text)) != 1 or len(re.findall(r'"u"', text)) != 1:
            fault(path, "not exactly one grant")
        if set(re.findall(r"m\d{5}@many\.example", text)) != {to}:
            fault(path, "names another member")
        if "fanout" in text.lower():
            fault(path, "tells the fan-out address")
    if len(set(senders.values())) != len(senders) or len(set(marks.values())) != len(marks):
        faults.append("two members share an envelope sender or a mark")
    none = [m for m in members if not copies[m]]
    twice = [m for m in members if copies[m] > 1]
    strangers = [a for a in copies if a not in set(members)]
    print(f"members {len(members)}, copies {sum(copies.values())}, members without {len(none)}, with more than one {len(twice)} "
          f"(allowed {allowed}), strangers {len(strangers)}, faults {len(faults)}")
    for line in none[:5] + strangers[:5] + faults[:10]:
        print(" ", line)
    return not (none or strangers or faults or sum(copies.values()) > len(members) + int(allowed))


def main(what, *args):
    if what == "serve":
        serve(*args)
    elif not ledger(*args):
        sys.exit(1)


main(*sys.argv[1:])
