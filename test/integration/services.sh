#!/bin/bash
# services.sh - sourced after tap.sh: services, each of a domain and behind a door that can lose requests or answers;
# homes.
recrypt=$BUILD/recrypt/recrypt

# door.py LISTEN SERVICE CONTROL: passes HTTP on. CONTROL holds "NAME request" or "NAME answer": the next call whose
# body has that name is lost before or after the service saw it, once; or "NAME swap": in its answer the text of
# CONTROL.old becomes that of CONTROL.new.
cat >"$T/door.py" <<'PY'
import base64, http.client, http.server, json, os, sys
listen, service, control = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
class Door(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *a): pass
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        try:
            outer = json.loads(body)
            inner = outer.get("payload")
            text = base64.urlsafe_b64decode(inner + "=" * (-len(inner) % 4)).decode() if inner else body.decode()
        except ValueError:
            text = ""
        lose = ""
        if os.path.exists(control):
            name, what = open(control).read().split()
            if '"%s"' % name in text:
                lose = what
                os.unlink(control)
        if lose == "request":
            self.connection.close(); self.close_connection = True; return
        c = http.client.HTTPConnection("127.0.0.1", service, timeout=30)
        try:
            c.request("POST", self.path, body, {"Content-Type": self.headers["Content-Type"]})
            r = c.getresponse(); data = r.read()
        except OSError:
            self.connection.close(); self.close_connection = True; return
        if lose == "answer":
            self.connection.close(); self.close_connection = True; return
        if lose == "redirect":
            self.send_response(307); self.send_header("Location", "http://127.0.0.1:%d%s" % (service, self.path))
            self.send_header("Content-Length", "0"); self.end_headers(); return
        if lose == "swap":
            data = data.replace(open(control + ".old", "rb").read(), open(control + ".new", "rb").read())
        if lose == "flood":
            data = b" " * (9 << 20)
        self.send_response(r.status)
        for k, v in r.getheaders():
            if k.lower() in ("replay-nonce", "content-type"): self.send_header(k, v)
        self.send_header("Content-Length", str(len(data))); self.end_headers(); self.wfile.write(data)
http.server.ThreadingHTTPServer(("127.0.0.1", listen), Door).serve_forever()
PY

url() { echo "http://127.0.0.1:$(cat "$T/$1/port.door")/.well-known/meshrecrypt"; }
service_conf() { # DOMAIN REGISTRATION
  mkdir -p "$T/$1"
  free_port >"$T/$1/port.web"; free_port >"$T/$1/port.door"
  cat >"$T/$1/recryptd.conf" <<CONF
domains = {"$1"}
administrators = {"alice@$1"}
url = "$(url "$1")"
listen_web = "127.0.0.1:$(cat "$T/$1/port.web")"
listen_local = "$T/$1/recryptd.sock"
state_directory = "$T/$1/state"
registration = "$2"
access_log = "$T/$1/access.log"
$(service_line)
CONF
  service_folder "$T/$1/state"
  service_file "$T/$1/access.log"
  start "door-$1" python3 "$T/door.py" "$(cat "$T/$1/port.door")" "$(cat "$T/$1/port.web")" "$T/$1/lose"
  wait_for 10 listens "$(cat "$T/$1/port.door")" || { echo "Bail out! the door of $1 does not open"; cat "$T/door-$1.log"; exit 1; }
}
service_start() {
  start "recryptd-$1" "$BUILD/recryptd" -f -c "$T/$1/recryptd.conf"
  echo "$pid" >"$T/$1/pid"
  wait_for 10 listens "$(cat "$T/$1/port.web")" || { echo "Bail out! recryptd of $1 does not start"; cat "$T/recryptd-$1.log"; exit 1; }
}
service_stop() { kill "$(cat "$T/$1/pid")"; tap_gone "$(cat "$T/$1/pid")"; }
lose() { echo "$2 $3" >"$T/$1/lose"; } # DOMAIN NAME request|answer|redirect|flood|swap

home() {
  mkdir -p -m 700 "$T/$1"
  for d in example.com example.net; do printf 'service "%s" { url = "%s" }\n' "$d" "$(url $d)"; done >"$T/$1/recrypt.conf"
}
as() { local who=$1; shift; RECRYPT_HOME=$T/$who "$recrypt" "$@"; }
invite() { "$BUILD/recryptd" -c "$T/${1#*@}/recryptd.conf" --invite "$1"; }
