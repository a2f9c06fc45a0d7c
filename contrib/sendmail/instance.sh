# instance.sh - sourced after world.sh: Sendmail as the mail server of a domain, from contrib/sendmail/sendmail.mc, in
# that domain's folder. Set SENDMAIL to the folder that contrib/sendmail/unpack.sh filled, and
# world_mta_DOMAIN=sendmail.
#
# Needs root, which starts the daemon; recrypt-lda runs as the mailboxes' user. Its own queue, tables and pid file:
# nothing of /etc/mail is read. Mail for elsewhere goes to the other domain's server, in place of DNS.

# world_sendmail DOMAIN PROGRAM ARGUMENT...: runs one of the unpacked programs. Sendmail waits a minute wherever the
# host's name has no dot; so it gets a host name of its own.
world_sendmail() { (world_sendmail_exec "$@"); }
world_sendmail_exec() {
  local d=$1 program=$SENDMAIL/usr/libexec/sendmail/$2; shift 2
  export LD_LIBRARY_PATH
  LD_LIBRARY_PATH=$SENDMAIL/usr/lib/$(gcc -print-multiarch)
  # shellcheck disable=SC2016
  exec unshare --uts sh -c 'hostname "$1"; shift; exec "$@"' sh "mail.$d" "$program" "$@"
}

# What differs from a real host: folders, no DNS, the other domain's server, nobody's user of Debian's installation.
world_sendmail_private() { # DOMAIN
  local w=$WORLD/$1/sendmail other
  other=$(world_other "$1")
  cat <<END
define(\`confPID_FILE', \`$w/pid')dnl
undefine(\`confCONTROL_SOCKET_NAME')dnl
define(\`STATUS_FILE', \`$w/statistics')dnl
undefine(\`confHOST_STATUS_DIRECTORY')dnl
define(\`QUEUE_DIR', \`$w/queue')dnl
define(\`ALIAS_FILE', \`$w/etc/aliases')dnl
define(\`HELP_FILE', \`$SENDMAIL/etc/mail/helpfile')dnl
define(\`confDEAD_LETTER_DROP', \`$w/dead.letter')dnl
define(\`confTRUSTED_USER', \`root')dnl
define(\`confCW_FILE', \`-o $w/etc/local-host-names %[^\\#]')dnl
define(\`confSERVICE_SWITCH_FILE', \`$w/etc/service.switch')dnl
define(\`confHOSTS_FILE', \`$w/etc/hosts')dnl
define(\`SMART_HOST', \`esmtp:[$(world_ip "$other")]')dnl
define(\`ESMTP_MAILER_ARGS', \`TCP \$h $(world_port "$other" smtp)')dnl
define(\`confMAX_RUNNERS_PER_QUEUE', \`2')dnl
define(\`confQUEUE_LA', \`1000')dnl
define(\`confREFUSE_LA', \`1000')dnl
CLIENT_OPTIONS(\`Family=inet, Addr=$(world_ip "$1")')dnl
FEATURE(\`accept_unresolvable_domains')dnl
END
}

world_sendmail_start() { # DOMAIN
  local d=$1 w=$WORLD/$1/sendmail
  install -d -m 755 "$w" "$w/etc"
  install -d -m 700 "$w/queue"
  printf 'hosts files\naliases files\npasswd files\n' >"$w/etc/service.switch"
  printf 'postmaster: root\nmailer-daemon: postmaster\nteam: bob@%s\n' "$d" >"$w/etc/aliases"
  : >"$w/statistics"
  # autoconf.m4 is Debian's; unless it is read before, others look for it in /usr.
  world_sendmail_private "$d" >"$w/etc/private.m4"
  world_config "$d" "$SRC/contrib/sendmail/sendmail.mc" |
    sed -e "/cf\.m4/a include(\`$SENDMAIL/usr/share/sendmail/cf/debian/autoconf.m4')dnl" \
      -e "s|/usr/share/sendmail/cf/m4/cf.m4|$SENDMAIL&|; s|Addr=0.0.0.0, Port=25|Addr=$(world_ip "$d"), Port=$(world_port "$d" smtp)|" \
      -e "s|Addr=127.0.0.1, Port=10026|Addr=$(world_ip "$d"), Port=$(world_port "$d" copies)|" \
      -e "/no_default_msa/r $w/etc/private.m4" >"$w/etc/sendmail.mc"
  m4 -DMAIL_SETTINGS_DIR="$w/etc/" "$w/etc/sendmail.mc" >"$w/etc/sendmail.cf" || return
  world_sendmail "$d" newaliases -C "$w/etc/sendmail.cf" >>"$WORLD/$d/log/sendmail" 2>&1
  world_sendmail_mailbox "$d" && world_sendmail_submission "$d" || return
  world_server "$d" sendmail world_sendmail_exec "$d" sendmail -bD -q2s -C "$w/etc/sendmail.cf"
}
# Debian's own configuration for sendmail(1), which hands over by SMTP; with this instance's port, and a user that is
# there.
world_sendmail_submission() { # DOMAIN
  local d=$1 w=$WORLD/$1/sendmail
  install -d -o mail -g mail -m 770 "$w/client"
  cat >"$w/etc/private-submit.m4" <<END
define(\`confPID_FILE', \`$w/client.pid')dnl
undefine(\`confCONTROL_SOCKET_NAME')dnl
define(\`STATUS_FILE', \`$w/client.statistics')dnl
define(\`MSP_QUEUE_DIR', \`$w/client')dnl
define(\`confRUN_AS_USER', \`mail')dnl
define(\`confTRUSTED_USER', \`mail')dnl
define(\`RELAY_MAILER_ARGS', \`TCP \$h $(world_port "$d" smtp)')dnl
END
  sed -e "/cf\.m4/a include(\`$SENDMAIL/usr/share/sendmail/cf/debian/autoconf.m4')dnl" \
    -e "s|/usr/share/sendmail/cf/m4/cf.m4|$SENDMAIL&|; /^DOMAIN/r $w/etc/private-submit.m4" \
    -e "s|\[127.0.0.1\]|[$(world_ip "$d")]|" \
    "$SENDMAIL/usr/share/sendmail/cf/debian/submit.mc" >"$w/etc/submit.mc"
  m4 -DMAIL_SETTINGS_DIR="$w/etc/" "$w/etc/submit.mc" >"$w/etc/submit.cf"
}
world_sendmail_stop() { world_kill "$WORLD/$1/sendmail.pid"; }

world_sendmail_mailbox() { # DOMAIN ADDRESS...
  local d=$1 w=$WORLD/$1/sendmail/etc a; shift
  for a in "$@"; do echo "$a recrypt" >>"$w/recrypt_mailboxes.txt"; done
  touch "$w/recrypt_mailboxes.txt"
  world_sendmail "$d" makemap -C "$w/sendmail.cf" hash "$w/recrypt_mailboxes" <"$w/recrypt_mailboxes.txt"
}
# world_sendmail_submit DOMAIN FROM TO: sendmail(1) with the message on standard input.
world_sendmail_submit() { world_sendmail "$1" sendmail -Ac -C "$WORLD/$1/sendmail/etc/submit.cf" -i -f "$2" "$3"; }
world_sendmail_queue() { find "$WORLD/$1/sendmail/queue" -name 'qf*' | wc -l; }
world_sendmail_flush() { world_sendmail "$1" sendmail -q -C "$WORLD/$1/sendmail/etc/sendmail.cf"; }
