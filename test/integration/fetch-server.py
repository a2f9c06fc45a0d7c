#!/usr/bin/python3
"""fetch-server.py PORT FOLDER CONTROL: an IMAP server for the tests of recrypt fetch. It serves the files in FOLDER, in order of their
numbers, which are their UIDs; the file CONTROL says what it does wrong, one word, read anew for each connection. Its log, one line a
command, goes to standard output. With CONTROL.pem it knows STARTTLS."""
import os, re, socket, ssl, sys, threading, time

port, folder, control = int(sys.argv[1]), sys.argv[2], sys.argv[3]


class Session:
    def __init__(self, sock, wrong):
        self.sock, self.wrong, self.rest = sock, wrong, b""
        self.validity = 1000
        m = re.match(r"validity-(\d+)", wrong)
        if m:
            self.validity = int(m.group(1))

    def send(self, data):
        self.sock.sendall(data.encode() if isinstance(data, str) else data)

    def line(self):
        while b"\n" not in self.rest:
            data = self.sock.recv(65536)
            if not data:
                raise EOFError
            self.rest += data
        line, self.rest = self.rest.split(b"\n", 1)
        return line.decode("utf-8", "replace").rstrip("\r")

    def uids(self):
        return sorted(int(f) for f in os.listdir(folder))

    def body(self, uid):
        with open(os.path.join(folder, str(uid)), "rb") as f:
            return f.read()

    def run(self):
        w = self.wrong
        if w == "garbage":
            return self.send("220 mail.example.com ESMTP\r\n")
        if w == "bye":
            return self.send("* BYE too many \x1b[2J connections\r\n")
        if w == "silent":
            return time.sleep(30)
        self.send("* PREAUTH welcome\r\n" if w == "preauth" else "* OK ready\r\n")
        while True:
            line = self.line()
            print(line, flush=True)
            tag, _, rest = line.partition(" ")
            command = rest.upper()
            if command.startswith("UID "):
                self.uid(tag, rest.split(" ", 2))
            elif command == "CAPABILITY":
                if w != "no-capability":
                    self.send("* CAPABILITY IMAP4rev1 STARTTLS%s%s\r\n" % (
                        " XRECRYPT" if w.startswith("xrecrypt") else "", " LOGINDISABLED" if w == "logindisabled" else ""))
                self.send(tag + " OK done\r\n")
            elif command == "STARTTLS":
                if w == "starttls-no":
                    self.send(tag + " NO none here\r\n")
                    continue
                self.send(tag + " OK go\r\n" + ("* CAPABILITY IMAP4rev1\r\n" if w == "starttls-more" else ""))
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(control + ".pem")
                self.sock = context.wrap_socket(self.sock, server_side=True)
            elif command.startswith("LOGIN"):
                self.send(tag + (" NO wrong password\r\n" if w == "no-login" else "x OK\r\n" if w == "wrong-tag" else " OK in\r\n"))
            elif command.startswith("EXAMINE"):
                if w != "no-validity":
                    self.send("* OK [UIDVALIDITY %d] ok\r\n" % self.validity)
                self.send("* 3 EXISTS\r\n* 0 RECENT\r\n* FLAGS (\\Seen)\r\n* OK [PERMANENTFLAGS ()] no\r\n" + tag + " OK [READ-ONLY] ok\r\n")
            elif command == "LOGOUT":
                return
            else:
                self.send(tag + " BAD what\r\n")

    def uid(self, tag, words):
        w, name = self.wrong, words[1].upper()
        if name == "SEARCH":
            if w == "no-answer":
                return time.sleep(30)
            if w == "endless":
                while True:
                    self.send("* 1 EXISTS\r\n" * 1000)
            if w == "many":
                for i in range(400):
                    self.send("* SEARCH " + " ".join(str(i * 10000 + n + 1) for n in range(10000)) + "\r\n")
            elif w == "long-search":
                self.send("* SEARCH " + " ".join(str(n) for n in self.uids()) + " " * 200000 + "\r\n")
            else:
                self.send("* SEARCH " + " ".join(str(n) for n in self.uids() * (2 if w == "twice" else 1)) + "\r\n")
        else:
            words = words[2].split(" ", 1)
            asked = [u for u in self.uids() if any(
                int(r.split(":")[0]) <= u <= int(r.split(":")[-1]) for r in words[0].split(","))]
            if name == "XRECRYPT":
                self.grants(tag, asked)
                if w == "xrecrypt-no":
                    return self.send(tag + " NO [UNAVAILABLE] recryptd is away\r\n")
            else:
                self.fetch(asked, words[1].upper())
        self.send(tag + " OK done\r\n")

    def grants(self, tag, asked):
        w = self.wrong
        for u in asked:
            if w == "xrecrypt-nil":
                self.send("* 1 FETCH (UID %d XRECRYPT NIL)\r\n" % u)
            elif w == "xrecrypt-garbage":
                self.send(b"* 1 FETCH (UID %d XRECRYPT {20}\r\n{\"grants\":[{\"kid\":\x00\")\r\n" % u)
            elif w == "xrecrypt-false":
                text = '{"grants":[{"kid":"list@example.com.mm--mb5s-r4aj-3fbt-7nhz-t26z-2e6y-wfh4","grant":{"t":"AAAAAAAAAAAAAAAAAAAAAA","u":"%s"}}]}' % ("A" * 43)
                self.send("* 1 FETCH (UID %d XRECRYPT {%d}\r\n%s)\r\n" % (u, len(text), text))
            elif w == "xrecrypt-quoted":
                self.send('* 1 FETCH (XRECRYPT "{\\"grants\\":[]}" UID %d)\r\n' % u)
            elif w == "xrecrypt-huge":
                self.send("* 1 FETCH (UID %d XRECRYPT {300000000}\r\n" % u)

    def fetch(self, asked, items):
        w = self.wrong
        if "SIZE" in items:
            for u in asked:
                self.send("* 1 FETCH (UID %d RFC822.SIZE %d)\r\n" % (u, 10 if w == "small-size" else len(self.body(u))))
            return
        if w == "parentheses":
            self.send("* 1 FETCH (" + "(" * 100000 + "\r\n")
        if w == "bodystructure":
            self.send("* 1 FETCH (BODYSTRUCTURE " + '(("text" "plain" ' * 1000 + "\r\n")
        if w == "huge":
            self.send("* 1 FETCH (UID %d BODY[] {4294967295}\r\n" % asked[0])
        if w == "nul":
            self.send(b"* 1 FETCH (UID \0 5)\r\n")
        for n, u in enumerate(asked):
            data = self.body(u)
            if w == "missing" and u % 2:
                continue
            if w == "nil":
                self.send("* %d FETCH (UID %d BODY[] NIL)\r\n" % (n + 1, u))
                continue
            if w == "cut" and n == len(asked) // 2:
                return self.send(b"* 1 FETCH (UID %d BODY[] {%d}\r\n" % (u, len(data)) + data[:100]), self.sock.close()
            if w == "part":
                self.send("* %d FETCH (UID %d BODY[1] {5}\r\nwrong)\r\n" % (n + 1, u))
            if w in ("others", "many"):
                self.send("* %d FETCH (UID %d BODY[] {5}\r\nwrong)\r\n* 1 FETCH (BODY[] {5}\r\nwrong)\r\n* 5 FETCH (UID 0 BODY[] {5}\r\nwrong)\r\n" % (n + 1, u + 1000000000))
            self.send(b"* %d FETCH (UID %d FLAGS (\\Seen) BODY[] {%d}\r\n" % (n + 1, u, len(data)) + data + b")\r\n")
            if w == "again":
                self.send(b"* %d FETCH (UID %d BODY[] {5}\r\nwrong)\r\n" % (n + 1, u))
            if w == "unasked":
                self.send("* LIST () \"/\" {6}\r\nfolder\r\n* STATUS INBOX ()\r\n* %d EXPUNGE\r\n* XYZ (((((((((((((\r\n+ idling\r\n" % (n + 1))


def serve(sock):
    try:
        with open(control) as f:
            wrong = f.read().strip()
        Session(sock, wrong).run()
    except (OSError, EOFError):
        pass
    finally:
        try:
            sock.close()
        except OSError:
            pass


listener = socket.create_server(("127.0.0.1", port))
while True:
    s, _ = listener.accept()
    threading.Thread(target=serve, args=(s,), daemon=True).start()
