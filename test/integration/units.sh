#!/bin/bash
# The units for systemd, run by systemd: one of its own in namespaces of its own (processes, mounts, network, control
# groups), with the sample configurations. Each program starts, is unprivileged and confined, and the unit refuses what
# it is to refuse, also where the program's own filter is off; a program that is ended for a forbidden call is started
# again.
#
# What is not as it is delivered: the programs are in /usr/local/sbin, read /usr/local/etc/recrypt and write errors to a
# file; a second passes before they are started again, so that one can look; and the watchdog waits for 3 seconds, not
# for a minute.
. "$(dirname "$0")/tap.sh"
systemd=/lib/systemd/systemd
needs() { # REASON COMMAND...: or the whole test is skipped
  local reason=$1; shift
  "$@" >"$T/.out" 2>&1 || { skip "the units under systemd" "$reason"; tap_done; }
}
needs "systemd needs root" [ "$(id -u)" = 0 ]
needs "systemd is not there" test -x $systemd
needs "built without libseccomp, or with sanitizers" test -e "$BUILD/common/sandbox-filters.h"
needs "no namespaces" unshare --mount --pid --fork --uts --ipc --net --cgroup --kill-child true
needs "no gdb, or it may not trace" sh -c 'sleep 60 & gdb -p $! -batch -ex "call (int)getpid()" >"$0" 2>&1; kill $!; grep -q "^.1 = " "$0"' "$T/gdb.out"
needs "gdb is asked for x86-64 only" [ "$(uname -m)" = x86_64 ]
# A control group of this test's own, of version 2, at the root of which systemd believes to be.
groups=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
group=$groups/recrypt-test.$$
needs "no control groups of version 2" [ -n "$groups" ]
needs "no control groups to write to" mkdir "$group"
group_end() {
  local n
  for n in $(seq 50); do
    find "$group" -depth -type d -exec rmdir {} + 2>/dev/null
    [ -d "$group" ] || return
    sleep 0.1
  done
}
# The first process of a namespace takes all others with it, and ends by SIGKILL only.
end() {
  [ -z "${init:-}" ] || kill -9 "$init"
  tap_end
  group_end
}
trap 'end 2>/dev/null' EXIT

# ---- what stands in the private /usr/local, /run and /var
users="recryptd:4201 recrypt-milter:4202 vmail:4203 recrypt-imap:4204"
mkdir -p "$T/local/sbin" "$T/local/etc/recrypt" "$T/units"
grep -v '^recryptd:\|^recrypt-\|^vmail:' /etc/passwd >"$T/passwd"
grep -v '^recryptd:\|^recrypt-\|^vmail:\|^postfix:' /etc/group >"$T/group"
echo postfix:x:4200: >>"$T/group"
for u in $users; do
  echo "${u%:*}:x:${u#*:}:${u#*:}::/nonexistent:/usr/sbin/nologin" >>"$T/passwd"
  echo "${u%:*}:x:${u#*:}:" >>"$T/group"
done
for p in recryptd recrypt-milter recrypt-lda recrypt-imapfilter; do cp "$BUILD/$p" "$T/local/sbin/"; done
conf=$T/local/etc/recrypt
for c in recryptd recrypt-milter recrypt-lda imapfilter; do
  sed "s|/etc/recrypt/|/usr/local&|" "$SRC/contrib/$c.conf" >"$conf/$c.conf"
done
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=mail.example.com -days 2 \
  -keyout "$conf/tls-key.pem" -out "$conf/tls-certificate.pem" 2>"$T/.out"
config_of() { case $1 in recrypt-imapfilter) echo imapfilter.conf ;; *) echo "$1.conf" ;; esac; }
for u in recryptd recrypt-milter recrypt-lda recrypt-imapfilter; do
  sed "s|^\(Exec[A-Za-z]*=\)/usr/sbin/$u|\1/usr/local/sbin/$u -c /usr/local/etc/recrypt/$(config_of $u)|
    s|^\[Service\]|&\nStandardError=append:/run/words/$u\nRestartSec=1|; s|^WatchdogSec=.*|WatchdogSec=3|" "$SRC/contrib/systemd/$u.service" >"$T/units/$u.service"
done
cp "$SRC/contrib/systemd/recrypt-lda.socket" "$T/units/"
# Of the system's own units none is there.
for t in default sysinit basic sockets multi-user network-online shutdown; do
  printf '[Unit]\nDescription=%s\nDefaultDependencies=no\n' $t >"$T/units/$t.target"
done
cat >"$T/inside.sh" <<INSIDE
set -e
mount --make-rprivate /
mount -t proc proc /proc
mount -o bind,ro /proc/sys /proc/sys
mount -t cgroup2 cgroup /sys/fs/cgroup
mount --bind "$T/passwd" /etc/passwd
mount --bind "$T/group" /etc/group
mount --bind "$T/local" /usr/local
for d in /run /var/lib /var/log /var/mail /home; do mount -t tmpfs -o mode=755 tmpfs \$d; done
mkdir -p /run/systemd/units.test /run/lock /run/words /usr/local/writable
cp "$T"/units/* /run/systemd/units.test/
install -d -o vmail -g vmail -m 700 /var/mail/recrypt
install -d -m 777 /usr/local/writable
echo private >/home/somebody; chmod 644 /home/somebody
export container=recrypt-test SYSTEMD_UNIT_PATH=/run/systemd/units.test
exec $systemd --system --log-target=console --show-status=no
INSIDE
systemd_start() {
  (echo "$BASHPID" >"$group/cgroup.procs" && exec unshare --mount --pid --fork --uts --ipc --net --cgroup --kill-child \
    bash "$T/inside.sh") >>"$T/systemd.log" 2>&1 &
  outer=$!
  tap_pids="$tap_pids $outer"
  wait_for 10 init_of
}
init_of() { init=$(pgrep -P "$outer") && [ "$(cat "/proc/$init/comm")" = systemd ] && inside systemctl show-environment; }
inside() { nsenter --target "$init" --mount --pid --uts --ipc --net --cgroup "$@"; }
ctl() { inside systemctl "$@"; }
needs "systemd does not start in namespaces here" systemd_start

# ---- each unit
main_pid() { ctl show -p MainPID --value "$1.service"; }
status_of() { inside cat "/proc/$(main_pid "$1")/status"; }
starts() {
  ctl start "$1.service" && same "$(ctl is-active "$1.service")" active && return
  ctl status "$1.service"; inside cat "/run/words/$1"; tail -n 5 "$T/systemd.log"; return 1
}
filters() { status_of "$1" | sed -n 's/^Seccomp_filters:[[:space:]]*//p'; }
confined() { # UNIT USER-ID
  status_of "$1" >"$T/status"
  grep -q "^Uid:[[:space:]]*$2[[:space:]]*$2[[:space:]]*$2[[:space:]]*$2$" "$T/status" && grep -q '^CapEff:[[:space:]]*0*$' "$T/status" &&
    grep -q '^NoNewPrivs:[[:space:]]*1' "$T/status" && grep -q '^Seccomp:[[:space:]]*2' "$T/status" || { cat "$T/status"; return 1; }
}
gdb_in() { # UNIT EXPRESSION...: evaluated inside of the program; the values, one a line
  local pid e args=(); pid=$(main_pid "$1"); shift
  for e; do args+=(-ex "print $e"); done
  inside gdb -nx -p "$pid" -batch "${args[@]}" 2>"$T/gdb.err" | sed -n 's/^\$[0-9]* = //p'
}
# A call ends the program by SIGSYS (31), and systemd starts it again.
ended_by() { # UNIT CALL
  local before; before=$(main_pid "$1")
  inside gdb -nx -p "$before" -batch -ex "print $2" >"$T/gdb.out" 2>&1
  wait_for 3 killed "$1" && wait_for 10 again "$1" "$before" || { cat "$T/gdb.out"; ctl status "$1.service"; return 1; }
}
killed() { [ "$(ctl show -p ExecMainStatus --value "$1.service")" = 31 ]; }
again() { local now; now=$(main_pid "$1"); [ "$now" != 0 ] && [ "$now" != "$2" ] && [ "$(ctl is-active "$1.service")" = active ]; }
errno='*((int *(*)(void))__errno_location)()'
c() { echo "(long)syscall($1)"; }
refuses() { # EAFNOSUPPORT 97, EPERM 1, EROFS 30; what is in /home: EACCES 13 or ENOENT 2
  gdb_in "$1" "$(c '41L, 17L, 3L, 0L')" "$errno" "$(c '9L, 0L, 4096L, 7L, 0x22L, -1L, 0L')" "$errno" \
    "$(c '272L, 0x10000000L')" "$errno" "$(c '257L, -100L, "/usr/local/writable/x", 0101L, 0600L')" "$errno" \
    "$(c '257L, -100L, "/home/somebody", 0L, 0L')" "$errno" >"$T/got"
  printf '%s\n' -1 97 -1 1 -1 1 -1 30 -1 >"$T/want"
  head -n 9 "$T/got" | cmp - "$T/want" && grep -qx '13\|2' <(tail -n 1 "$T/got") || { paste -s "$T/got"; cat "$T/gdb.err"; return 1; }
}
open_filter() { # the program's own filter off
  sed -i '/^sandbox/d' "$conf/$(config_of "$1")"; echo 'sandbox = no' >>"$conf/$(config_of "$1")"
  ctl restart "$1.service" && [ "$(filters "$1")" -lt "$2" ]
}

for u in $users; do
  id=${u#*:}
  case $u in recryptd:*) name=recryptd ;; recrypt-milter:*) name=recrypt-milter ;; vmail:*) name=recrypt-lda ;; *) name=recrypt-imapfilter ;; esac
  ok "$name: its unit starts it, with the sample configuration" starts $name
  ok "$name: as its user, without capabilities, confined" confined $name "$id"
  both=$(filters $name)
  ok "$name: starting a program from inside of it ends it, and it is started again" ended_by $name "$(c '59L, "/bin/true", 0L, 0L')"
  ok "$name: without its own filter there is still the unit's" open_filter $name "$both"
  ok "$name: raw sockets, written code, namespaces, writing to the system, homes are refused by the unit" refuses $name
  ok "$name: mounting ends it, and it is started again" ended_by $name "$(c '165L, 0L, 0L, 0L, 0L, 0L')"
done

# ---- they work so confined
hello() { # over TLS, on the port below 1024 that it opened before it became its user
  inside curl -sk --max-time 10 -H 'Content-Type: application/json' -d '{"HelloRequest":{}}' https://127.0.0.1/.well-known/meshrecrypt | tee /dev/stderr | grep -q '"Status":20'
}
local_sockets() { # the milter's negotiation; the delivery agent's greeting, as its group may have it
  inside setpriv --reuid=65534 --regid=4200 --clear-groups /usr/bin/python3 - <<'PY'
import socket, struct
def connect(path):
    s = socket.socket(socket.AF_UNIX); s.settimeout(10); s.connect(path); return s
s = connect("/run/recrypt-milter/milter.sock")
s.sendall(struct.pack("!IcIII", 13, b"O", 6, 0x1ff, 0x1fffff))
assert s.recv(100)[4:5] == b"O"
s = connect("/run/recrypt-lda/lmtp.sock")
f = s.makefile("rb")
assert f.readline().startswith(b"220 ")
for command, answer in ((b"LHLO x", b"250 "), (b"MAIL FROM:<d@example.org>", b"250 "), (b"RCPT TO:<someone@example.com>", b"250 "), (b"DATA", b"354 "),
                        (b"From: d@example.org\r\n\r\nhello\r\n.", b"250 ")):
    s.sendall(command + b"\r\n")
    line = f.readline()
    while line[3:4] == b"-":
        line = f.readline()
    assert line.startswith(answer), line
PY
  inside sh -c 'cat /var/mail/recrypt/example.com/someone/Maildir/new/*' | grep -q '^hello' && same "$(inside stat -c %U /var/mail/recrypt/example.com/someone)" vmail
}
for name in recryptd recrypt-milter recrypt-lda; do
  sed -i '/^sandbox/d' "$conf/$name.conf"
  ok "$name: restarted, confined by both" ctl restart $name.service
done
watchdog() { # stopped, it says nothing; systemd ends it, and the next one serves
  local before; before=$(main_pid recryptd)
  inside kill -STOP "$before" && wait_for 15 again recryptd "$before" || { ctl status recryptd; return 1; }
}
sleep 4
ok "recryptd keeps the watchdog content" same "$(ctl show -p ActiveState -p NRestarts recryptd | paste -s)" "$(printf 'NRestarts=0\tActiveState=active')"
ok "recryptd hangs: the watchdog has it started again" watchdog
ok "recryptd answers by HTTPS" hello
ok "milter and delivery agent work on their sockets" local_sockets
for name in recrypt-imapfilter recrypt-lda.socket recrypt-lda recrypt-milter recryptd; do
  ok "$name: stops" ctl stop $name
done
ok "nothing failed meanwhile" same "$(ctl --failed --no-legend)" ""
tap_done
