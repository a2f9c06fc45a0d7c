#!/usr/bin/python3
"""The two ends of ledger.sh.

send HOST PORT RECRYPT N MARK KILLED KILLS
    seals N numbered messages to the list and hands each to the mail server until it has taken it; then more of them, at
    most 4 N in all, until the file KILLED has KILLS lines: a fast machine takes N before much has been killed
count N MAILDIR
    which of the N came, how often; lost and doubled ones are named; status 1 when there are any
"""
import os, re, smtplib, subprocess, sys, time


def lines(path):
    with open(path, "rb") as f:
        return len(f.readlines())


def send(host, port, recrypt, n, mark, killed, kills):
    refused = i = 0
    while i < int(n) or (i < 4 * int(n) and lines(killed) < int(kills)):
        text = (f"From: dave@example.net\r\nTo: list@example.com\r\nMessage-ID: <n{i}.ledger@example.net>\r\n"
                f"Subject: {mark} number {i}\r\n\r\n" + f"{mark} {i}\r\n" * 20).encode()
        sealed = subprocess.run([recrypt, "seal", "--offline", "--to", "list@example.com"], input=text, stdout=subprocess.PIPE,
                                check=True).stdout
        while True:
            try:
                with smtplib.SMTP(host, int(port), timeout=60) as s:
                    s.sendmail("dave@example.net", ["list@example.com"], sealed)
                break
            except smtplib.SMTPResponseException as e:
                code = e.smtp_code
            except smtplib.SMTPRecipientsRefused as e:
                code = list(e.recipients.values())[0][0]
            except (OSError, smtplib.SMTPServerDisconnected):
                code = 421
            if code >= 500:
                sys.exit(f"message {i} was refused for good: {code}")
            refused += 1
            time.sleep(0.2)
        i += 1
    print(f"taken {i}, told to try again {refused} times")


def count(n, maildir):
    seen = {}
    for sub in "new", "cur":
        folder = os.path.join(maildir, sub)
        for name in os.listdir(folder) if os.path.isdir(folder) else []:
            with open(os.path.join(folder, name), "rb") as f:
                m = re.search(rb"(?im)^Message-ID: <n(\d+)\.ledger@", f.read(20000))
            number = int(m[1]) if m else -1
            seen[number] = seen.get(number, 0) + 1
    lost = [i for i in range(int(n)) if i not in seen]
    twice = [i for i, k in seen.items() if k > 1]
    print(f"{sum(seen.values())} came, {len(lost)} lost, {len(twice)} more than once", lost[:10], twice[:10])
    return 1 if lost or twice or -1 in seen else 0


if __name__ == "__main__":
    sys.exit(globals()[sys.argv[1]](*sys.argv[2:]))
