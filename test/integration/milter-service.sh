# milter-service.sh - sourced after tap.sh by tests of recrypt-milter without a mail server: recryptd and the milter,
# run as an unprivileged user when we are root; alice owns list@ (reject) and door@ (encrypt) with bob and carol in
# them; all example.com.
milter=$BUILD/recrypt-milter recryptd=$BUILD/recryptd recrypt=$BUILD/recrypt/recrypt
socket=$T/milter.sock port=$(free_port)
export RECRYPT_HOME=$T/home
url=http://127.0.0.1:$port/.well-known/meshrecrypt
user=$([ "$(id -u)" != 0 ] || echo nobody)
as_tool() { "$recrypt" "$@" --service "$url" </dev/null; }
mkdir -p -m 700 "$RECRYPT_HOME" && service_folder "$T/state"
cat >"$T/recryptd.conf" <<END
domains = {"example.com", "example.net"}
administrators = {"alice@example.com"}
url = "$url"
listen_web = "127.0.0.1:$port"
listen_local = "$T/recryptd.sock"
state_directory = "$T/state"
registration = "open"
list_max_size = "50M"
milter_users = {"${user:-$(id -un)}"}
$(service_line)
END

milter_config() { # LINE...
  {
    echo "socket = \"unix:$socket\""; echo "recryptd = \"unix:$T/recryptd.sock\""
    [ -z "$user" ] || echo "user = \"$user\""
    printf '%s\n' "$@"
  } >"$T/milter.conf"
}
milter_start() {
  start milter "$milter" -f -c "$T/milter.conf"; milter_pid=$pid
  wait_for 10 python3 -c 'import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])' "$socket"
}
milter_stop() { kill -TERM "$milter_pid"; wait "$milter_pid"; }
recryptd_start() {
  start recryptd "$recryptd" -f -c "$T/recryptd.conf"; recryptd_pid=$pid
  wait_for 10 listens "$port"
}
milter_people() {
  local who l
  for who in alice bob carol; do as_tool personal $who@example.com || return; done
  for l in list door; do
    as_tool newgroup $l@example.com --account alice@example.com --plaintext "$([ $l = list ] && echo reject || echo encrypt)" &&
      as_tool add $l@example.com bob@example.com carol@example.com --account alice@example.com || return
  done
}
milter_service() { # LINE... of the milter's configuration
  milter_config 'socket_mode = "0666"' "$@" && recryptd_start && milter_start && milter_people
}
