#!/bin/bash
# recrypt-lda: run by pipe, as an LMTP server, into Maildirs, a real Dovecot and other servers; killed and starved.
. "$(dirname "$0")/tap.sh"
lda=$BUILD/recrypt-lda
tool="python3 $SRC/test/integration/lda-tool.py"
mail=$T/mail
mkdir -p "$mail" "$T/run"

# As root the program runs as a mail user, as it does on a real host; else as whoever we are.
user= owner=$(id -un)
if [ "$(id -u)" = 0 ]; then
  user=mail owner=mail
  chown mail "$mail" "$T/run"
fi
# configure NAME [LINE...]: a configuration with these lines, the last of which win.
configure() {
  local name=$1; shift
  {
    echo "recryptd = \"unix:$T/recryptd.sock\""
    echo "mail_root = \"$mail\""
    echo "timeout = 5s"
    [ -z "$user" ] || echo "user = $user"
    printf '%s\n' "$@"
  } >"$T/$name.conf"
}
configure pipe
# deliver MESSAGE RECIPIENT [OPTION...]
deliver() { local m=$1 to=$2; shift 2; "$lda" -c "${conf:-$T/pipe.conf}" -f "${sender-dave@example.net}" -d "$to" "$@" <"$m"; }
box() { echo "$mail/example.com/$1/Maildir"; }
files() { find "$1" -type f 2>/dev/null | wc -l; }
only() { find "$1" -type f; } # the one file below a folder

$tool encrypted lf "$T/sealed.eml"
$tool ordinary lf 20000 "$T/plain.eml"
$tool ordinary crlf 20000 "$T/plain-crlf.eml"

# --- options and configuration
ok "--help" says "usage: recrypt-lda" "$lda" --help
ok "--version" says "recrypt-lda " "$lda" --version
ok "-n accepts a good configuration" status 0 "$lda" -c "$T/pipe.conf" -n
configure bad 'maildir = "../%n"'
ok "-n names the mistake" says "maildir" "$lda" -c "$T/bad.conf" -n
ok "-n fails with 78" status 78 "$lda" -c "$T/bad.conf" -n
ok "the sample configuration is good" says "no user 'vmail'" "$lda" -c "$SRC/contrib/recrypt-lda.conf" -n
sed 's/^user=vmail//' "$SRC/contrib/recrypt-lda.conf" >"$T/sample.conf"
ok "and without its user, accepted" status 0 "$lda" -c "$T/sample.conf" -n
ok "a wrong configuration keeps the message queued" status 75 "$lda" -c "$T/bad.conf" -d bob@example.com </dev/null
ok "so does a wrong option" status 75 "$lda" --pigeon </dev/null
ok "so does no recipient" status 75 "$lda" -c "$T/pipe.conf" </dev/null
if [ "$(id -u)" = 0 ]; then
  sed /^user/d "$T/pipe.conf" >"$T/root.conf"
  ok "refuses to deliver as root" status 75 "$lda" -c "$T/root.conf" -d bob@example.com <"$T/plain.eml"
  ok "another user than the configured one refuses" status 75 setpriv --reuid=nobody --regid=nogroup --clear-groups \
    "$lda" -c "$T/pipe.conf" -d bob@example.com <"$T/plain.eml"
fi

# --- recryptd away, then there
ok "recryptd stopped: 75" status 75 deliver "$T/plain.eml" bob@example.com
ok "and nothing is delivered" same "$(files "$mail")" 0
start service $tool serve "$T/recryptd.sock"
ok "the stand-in for recryptd answers" wait_for 5 test -S "$T/recryptd.sock"

# --- pipe
ok "an ordinary message is delivered" deliver "$T/plain.eml" frank@example.com
ok "octet for octet" cmp "$T/plain.eml" "$(only "$(box frank)/new")"
ok "by the mail user, private" same "$(stat -c '%U %a' "$(only "$(box frank)/new")" "$(box frank)" | tr '\n' ' ')" "$owner 600 $owner 700 "
ok "one with CRLF as well" deliver "$T/plain-crlf.eml" gina@example.com
ok "octet for octet again" cmp "$T/plain-crlf.eml" "$(only "$(box gina)/new")"
ok "an extension goes to its owner" deliver "$T/plain.eml" harry+news@example.com
ok "whose mailbox has it" same "$(files "$(box harry)/new")" 1
{ echo "From dave@example.net Mon Jan  1 00:00:00 2024"; cat "$T/plain.eml"; } >"$T/from.eml"
ok "a From_ line is not part of the message" deliver "$T/from.eml" ivan@example.com
ok "and is left out" cmp "$T/plain.eml" "$(only "$(box ivan)/new")"
for bad in ../../x@example.com a/b@example.com @example.com bob .x@example.com "a b@example.com"; do
  ok "no mailbox for '$bad'" status 67 deliver "$T/plain.eml" "$bad"
done
ok "what it says begins with a code and is one line" same "$(deliver "$T/plain.eml" a/b@example.com 2>&1)" "5.1.3 this address has no mailbox here"
# --- what a mail server passes to --fanout goes by the form of the address; the bounce of a large list's message names
# members
fan=fanout-bbbbbbbbbbbbbbbbbbbbbb
configure fan 'log = stderr'
fan() { conf=$T/fan.conf sender=$1 deliver "$T/$2.eml" "$3" --fanout; }
ok "--fanout: an extension of a person's that looks like it is hers" fan dave@example.net plain jack+$fan@example.com
ok "whose mailbox has it" same "$(files "$(box jack)/new")" 1
ok "--fanout: nobody's address is refused" status 67 fan dave@example.net plain "a/b+$fan@example.com"
ok "--fanout: another sender than the list's own waits" status 75 fan dave@example.net sealed list+$fan@example.com
ok "and the log says why" says "not the list's bounce address" fan dave@example.net sealed list+$fan@example.com
ok "nobody as sender waits, too" says "not the list's bounce address" fan "" sealed list+$fan@example.com
ok "another list's waits" says "not the list's bounce address" fan other+bounce@example.com sealed list+$fan@example.com
ok "the list's own passes" not says "not the list's bounce address" fan list+bounce@example.com sealed list+$fan@example.com

# --- other users of the host see who runs, and not for whom
overheard() {
  local p seen=
  start silent $tool silent "$T/silent.sock"
  wait_for 5 test -S "$T/silent.sock" || return
  sed "1s|.*|recryptd = \"unix:$T/silent.sock\"|" "$T/pipe.conf" >"$T/silent.conf"
  "$lda" -c "$T/silent.conf" -i QUEUED -f list+bounce@example.com -a team@example.com -d kate@example.com <"$T/plain.eml" 2>/dev/null &
  p=$!
  wait_for 5 test -e "$T/silent.sock.asked" && seen=$(tr '\0' ' ' <"/proc/$p/cmdline")
  kill $p "$pid"
  echo "$seen"
  case $seen in *list*|*team*|*kate*|"") return 1 ;; *QUEUED*) ;; *) return 1 ;; esac
}
ok "no address stands in the process's arguments" overheard

configure small 'max_message = 4k'
conf=$T/small.conf ok "a message over the limit is refused" status 69 deliver "$T/plain.eml" bob@example.com
ok "nothing came of all these" same "$(files "$mail")" 5

ok "a member's message is delivered" deliver "$T/sealed.eml" bob@example.com
ok "without a grant: they are made when it is read" same "$($tool grants "$(only "$(box bob)/new")")" "0"
rm -rf "$(box bob)"
configure embed 'grants = embed'
conf=$T/embed.conf ok "with grants = embed, delivered" deliver "$T/sealed.eml" bob@example.com
ok "with her own grant alone" same "$($tool grants "$(only "$(box bob)/new")")" "1 bobs.own.statement"
ok "a stranger's as well" deliver "$T/sealed.eml" eve@example.com
ok "without any grant" same "$($tool grants "$(only "$(box eve)/new")")" "0"
ok "the list itself: milter bypassed, 75" status 75 deliver "$T/sealed.eml" list@example.com
ok "also under an extension of no meaning" status 75 deliver "$T/sealed.eml" list+x@example.com -i X
ok "a false archive address: 67" status 67 deliver "$T/sealed.eml" list+archive-false@example.com
ok "the owner gets bounces" deliver "$T/plain.eml" list+bounce@example.com
ok "in her mailbox" same "$(files "$(box alice)/new")" 1
ok "plaintext for a person who takes encrypted mail only: 75" status 75 deliver "$T/plain.eml" paula@example.com
ok "also as a list's owner" status 75 deliver "$T/plain.eml" list+request@example.com
ok "encrypted mail is delivered to her" deliver "$T/sealed.eml" paula+x@example.com
ok "and nothing else was" same "$(files "$(box paula)")" 1

# --- archive
ok "the archive" deliver "$T/sealed.eml" list+archive-good@example.com
archive=$mail/archives/list@example.com
ok "holds the message without grants" same "$($tool grants "$(only "$archive/new")")" "0"
ok "readable by its group" same "$(stat -c %a "$(only "$archive/new")" "$archive" "$archive/new" | tr '\n' ' ')" "640 750 750 "
ok "plaintext never reaches an archive" status 75 deliver "$T/plain.eml" list+archive-good@example.com
ok "nor does it leave a file" same "$(files "$archive")" 1

# --- the same delivery again
ok "a queue id delivered again" deliver "$T/plain.eml" jane@example.com -i 4XyZ
ok "succeeds" deliver "$T/plain.eml" jane@example.com -i 4XyZ
mv "$(only "$(box jane)/new")" "$(box jane)/cur/$(basename "$(only "$(box jane)/new")"):2,S"
ok "also when it was read meanwhile" deliver "$T/plain.eml" jane@example.com -i 4XyZ
ok "and is there once" same "$(files "$(box jane)")" 1
ok "another message of that id" deliver "$T/sealed.eml" jane@example.com -i 4XyZ
ok "is another delivery" same "$(files "$(box jane)")" 2

# --- LMTP server
configure lmtp "lmtp_listen = \"unix:$T/run/lmtp.sock\"" "log = stderr" "lmtp_timeout = 3s" "lmtp_connections = 2"
start lmtpd "$lda" -c "$T/lmtp.conf" --lmtp
lmtpd=$pid
ok "serves LMTP" wait_for 5 sh -c "printf 'QUIT\r\n' | $tool raw $T/run/lmtp.sock"
ok "one answer for each recipient" same "$($tool lmtp "$T/run/lmtp.sock" "" "$T/sealed.eml" bob@example.com list@example.com \
  list+archive-false@example.com kate@example.com | cut -c1-9 | tr '\n' ' ')" "250 2.0.0 451 4.7.1 550 5.1.1 250 2.0.0 "
ok "grants by recipient" same "$($tool grants "$(only "$(box kate)/new")")" "0"
$tool lmtp "$T/run/lmtp.sock" dave@example.net "$T/plain-crlf.eml" leo@example.com >/dev/null
ok "an ordinary message, behind the trace fields" $tool rest "$T/plain-crlf.eml" "$(only "$(box leo)/new")"
ok "Return-Path and Delivered-To" same "$(head -n 2 "$(only "$(box leo)/new")" | tr '\n' '|')" "Return-Path: <dave@example.net>|Delivered-To: leo@example.com|"
swaks_lmtp() { # swaks ends its file with an empty line of its own
  swaks --socket "$T/run/lmtp.sock" --protocol LMTP --from dave@example.net --to mia@example.com,nina@example.com --data "$T/plain.eml"
}
ok "swaks delivers" says "250 2.0.0 delivered" swaks_lmtp
ok "to both" same "$(files "$(box mia)/new") $(files "$(box nina)/new")" "1 1"
smuggle() {
  printf 'LHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<olga@example.com>\r\nDATA\r\nA: b\r\n\r\nx\n.\r\nMAIL FROM:<>\r\nRCPT TO:<olga@example.com>\r\nDATA\r\n\r\n.\r\nQUIT\r\n' |
    $tool raw "$T/run/lmtp.sock"
}
ok "a bare LF before a dot: refused whole" says "554 5.5.2" smuggle
ok "and nothing smuggled in" same "$(files "$(box olga)")" 0
ok "a session that is silent is closed" says "421 4.4.2" sh -c "sleep 4 | $tool raw $T/run/lmtp.sock"
three() { # more than lmtp_connections at one time: the third waits and is served
  for i in 1 2 3 4; do $tool lmtp "$T/run/lmtp.sock" "" "$T/plain.eml" "p$i@example.com" >"$T/p$i.out" & w="${w:-} $!"; done
  wait $w
  cat "$T"/p?.out
  [ "$(cat "$T"/p?.out | grep -c '^250')" = 4 ]
}
ok "more clients than connections all get served" three
(printf 'LHLO x\r\n'; sleep 2) | $tool raw "$T/run/lmtp.sock" >"$T/term.out" 2>&1 &
waiting=$!
wait_for 5 grep -q ENHANCEDSTATUSCODES "$T/term.out"
kill "$lmtpd"
ok "SIGTERM ends it" wait_for 5 sh -c "! kill -0 $lmtpd 2>/dev/null"
wait "$waiting"
ok "and tells those who are connected" says "421 4.3.2" cat "$T/term.out"
stdio() { printf 'LHLO x\r\nQUIT\r\n' | "$lda" -c "$T/lmtp.conf" --lmtp-stdio; }
ok "one session on standard input and output" says "221 2.0.0" stdio

start manager $tool manager "$T/manager.sock" "$T/manager.out"
wait_for 5 test -S "$T/manager.sock"
start activated env NOTIFY_SOCKET="$T/manager.sock" $tool activate "$T/activated.sock" "$lda" -c "$T/lmtp.conf" --lmtp
ok "it tells the service manager that it serves" wait_for 5 grep -q "^READY=1" "$T/manager.out"
ok "a socket from systemd" wait_for 5 test -S "$T/activated.sock"
ok "is served" says "250 2.0.0" $tool lmtp "$T/activated.sock" "" "$T/plain.eml" quinn@example.com

# --- other servers
to_sink() { # KIND ANSWER MESSAGE RECIPIENT WANTED
  rm -f "$T/sink.port" "$T/sink.out"
  $tool sink "$T/sink.port" "$T/sink.out" "$2" & local p=$!
  wait_for 5 test -s "$T/sink.port" || return
  configure remote "deliver = \"$1:127.0.0.1:$(cat "$T/sink.port")\"" "grants = ${6:-on-fetch}"
  conf=$T/remote.conf status "$5" deliver "$3" "$4" || { kill $p; return 1; }
  wait $p
}
unstuffed() { sed -e 's/\r$//' -e '$d' -e 's/^\.//' "$T/sink.out"; }
ok "by LMTP" to_sink lmtp "250 ok" "$T/plain.eml" frank@example.com 0
unstuffed >"$T/unstuffed"
ok "octet for octet, dots doubled" cmp "$T/plain.eml" "$T/unstuffed"
ok "CRLF only" not grep -qv $'\r$' "$T/sink.out"
ok "LHLO, sender and recipient" same "$(tr -d '\r' <"$T/sink.out.commands" | cut -d' ' -f1,2 | grep -v -i lhlo | tr '\n' '|')" \
  "MAIL FROM:<dave@example.net>|RCPT TO:<frank@example.com>|DATA|QUIT|"
for sender in "" "<>" MAILER-DAEMON; do
  ok "the null sender, given as \"$sender\"" to_sink lmtp "250 ok" "$T/plain.eml" frank@example.com 0
  ok "is <>" says "MAIL FROM:<>" cat "$T/sink.out.commands"
done
unset sender
ok "by SMTP, to a member of this service" to_sink smtp "250 ok" "$T/sealed.eml" bob@example.com 0
unstuffed >"$T/unstuffed"
ok "without a grant" same "$($tool grants "$T/unstuffed")" "0"
ok "by SMTP, to a member of another one" to_sink smtp "250 ok" "$T/sealed.eml" rita@example.net 0
unstuffed >"$T/unstuffed"
ok "with her grant alone" same "$($tool grants "$T/unstuffed")" "1 ritas.own.statement"
ok "by SMTP, with grants = embed" to_sink smtp "250 ok" "$T/sealed.eml" bob@example.com 0 embed
unstuffed >"$T/unstuffed"
ok "is in it" same "$($tool grants "$T/unstuffed")" "1 bobs.own.statement"
ok "EHLO" says EHLO cat "$T/sink.out.commands"
ok "refused for good" to_sink smtp "554 5.7.1 no" "$T/plain.eml" frank@example.com 69
ok "a recipient refused for good" to_sink smtp 550rcpt "$T/plain.eml" frank@example.com 69
ok "refused for now" to_sink lmtp "451 4.2.0 later" "$T/plain.eml" frank@example.com 75
ok "connection lost before the answer" to_sink smtp drop "$T/plain.eml" frank@example.com 75
configure remote "deliver = \"smtp:127.0.0.1:1\""
conf=$T/remote.conf ok "nobody listens" status 75 deliver "$T/plain.eml" frank@example.com
printf 'Subject: x\n\none\r.\r\ntwo\n.\nthree' >"$T/stray.eml"
ok "stray CR and lone dots" to_sink smtp "250 ok" "$T/stray.eml" frank@example.com 0
ok "end nothing early" same "$(od -An -c "$T/sink.out" | tr -d ' \n')" 'Subject:x\r\n\r\none\r\n..\r\ntwo\r\n..\r\nthree\r\n.\r\n'

# --- a full disk
full_disk() {
  mkdir -p "$T/small" && mount -t tmpfs -o size=64k,mode=777 none "$T/small"
}
if full_disk 2>/dev/null; then
  $tool ordinary lf 200000 "$T/large.eml"
  configure full "mail_root = \"$T/small\""
  sed -i '2d' "$T/full.conf"
  conf=$T/full.conf ok "full disk: 75" status 75 deliver "$T/large.eml" bob@example.com -i F1
  ok "nothing is left" same "$(find "$T/small" -type f | wc -l)" 0
  conf=$T/full.conf ok "a smaller message fits" deliver "$T/plain.eml" bob@example.com -i F2
  mount -o remount,size=1m "$T/small"
  conf=$T/full.conf ok "with room again the first one is delivered" deliver "$T/large.eml" bob@example.com -i F1
  ok "both are there" same "$(find "$T/small" -path '*/new/*' -type f | wc -l)" 2
  umount "$T/small"
else
  skip "full disk" "no tmpfs can be mounted here"
fi

# --- killed between any two system calls that matter
# Each system call of a delivery, in its order, is the last one of a process once; the mail server then tries again.
kill_everywhere() {
  local calls n call k=0 killed=0 out
  rm -rf "$(box kim)"
  calls="mkdir chmod openat flock fstat newfstatat ftruncate write fchmod fsync renameat close exit_group"
  for call in $calls; do
    for n in $(seq 40); do
      k=$((k + 1))
      rm -rf "$mail/example.com/kim"
      strace -f -qq -o /dev/null -e trace="$call" -e inject="$call:signal=SIGKILL:when=$n" \
        "$lda" -c "$T/pipe.conf" -f dave@example.net -d kim@example.com -i "K$k" <"$T/plain.eml" 2>/dev/null
      out=$?
      [ "$out" = 0 ] && break # fewer such calls than n
      [ "$out" = 137 ] || { echo "$call $n: exit status $out"; return 1; }
      killed=$((killed + 1))
      # Not delivered, or complete in new/.
      case $(files "$(box kim)/new") in
        0) ;;
        1) cmp "$T/plain.eml" "$(only "$(box kim)/new")" || { echo "$call $n: torn"; return 1; } ;;
        *) echo "$call $n: twice"; return 1 ;;
      esac
      deliver "$T/plain.eml" kim@example.com -i "K$k" || { echo "$call $n: second try failed"; return 1; }
      [ "$(files "$(box kim)/new")" = 1 ] && cmp "$T/plain.eml" "$(only "$(box kim)/new")" ||
        { echo "$call $n: after the second try $(files "$(box kim)/new") messages"; return 1; }
      [ "$(files "$(box kim)/tmp")" = 0 ] || { echo "$call $n: a file stays in tmp"; return 1; }
    done
  done
  echo "# killed $killed times" >"$T/killed"
  [ "$killed" -gt 30 ]
}
if strace -qq -o /dev/null -e inject=exit_group:delay_enter=1 true 2>/dev/null; then
  ok "killed at any system call: delivered once, whole, or not at all" kill_everywhere
  cat "$T/killed" 2>/dev/null
else
  skip "killed at any system call" "strace cannot trace here"
fi

# Errors of the calls that put a message on disk.
# A call that strace makes fail reaches the kernel as none at all, which the sandbox forbids.
configure starve "sandbox = no"
starve() {
  local call err n=0
  for call in ftruncate:ENOSPC write:ENOSPC write:EIO fsync:EIO renameat:ENOSPC fchmod:EPERM; do
    err=${call#*:} call=${call%:*} n=$((n + 1))
    rm -rf "$mail/example.com/lea"
    deliver "$T/plain.eml" lea@example.com -i "before$n" || return
    rm -f "$(box lea)"/new/*
    strace -f -qq -o /dev/null -e trace="$call" -e inject="$call:error=$err" \
      "$lda" -c "$T/starve.conf" -f dave@example.net -d lea@example.com -i "S$n" <"$T/plain.eml" 2>"$T/starved"
    [ $? = 75 ] || { echo "$call $err: not 75"; cat "$T/starved"; return 1; }
    [ "$(files "$(box lea)")" = 0 ] || { echo "$call $err: left $(files "$(box lea)")"; return 1; }
    # With write failing there is no line either.
    [ "$call" = write ] || [ "$(wc -l <"$T/starved")" = 1 ] || { cat "$T/starved"; return 1; }
  done
}
if strace -qq -o /dev/null true 2>/dev/null; then
  ok "no space, no sync, no rename: 75 and nothing left" starve
else
  skip "errors of system calls" "strace cannot trace here"
fi

. "$SRC/test/integration/lda-service.sh"
. "$SRC/test/integration/lda-dovecot.sh"
tap_done
