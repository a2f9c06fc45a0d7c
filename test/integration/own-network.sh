# own-network.sh - sourced in place of tap.sh by tests of recryptd's web service that need many addresses: the test runs in
# a network of its own, where this machine has as many as it wants.
if [ -z "${RECRYPT_OWN_NETWORK:-}" ] && unshare --net true 2>/dev/null; then
  RECRYPT_OWN_NETWORK=1 exec unshare --net "$0"
fi
. "$(dirname "$0")/tap.sh"

# own_network WHAT ADDRESS...: this machine has these; where that cannot be, WHAT is skipped and the test ends.
own_network() {
  local what=$1 a; shift
  [ -n "${RECRYPT_OWN_NETWORK:-}" ] && ip link set lo up 2>/dev/null && ip -6 addr add "$1/128" dev lo 2>/dev/null || {
    skip "$what" "no network of its own can be made (root, unshare, ip)"
    tap_done
  }
  shift
  for a; do ip -6 addr add "$a/128" dev lo; done
}

# own_recryptd ADDRESS LINE...: certificate and configuration of a recryptd for everybody who reaches ADDRESS, at $url.
own_recryptd() {
  url="https://[$1]:8443/.well-known/meshrecrypt"
  mkdir -m 755 "$T/run"
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=test -addext "subjectAltName=IP:$1" \
    -days 2 -keyout "$T/tls.key" -out "$T/tls.pem" 2>/dev/null
  shift
  printf '%s\n' 'domains = {"example.com"}' "url = \"$url\"" 'listen_web = "[::]:8443"' \
    "tls_certificate = \"$T/tls.pem\"" "tls_key = \"$T/tls.key\"" "listen_local = \"unix:$T/run/sock\"" \
    "state_directory = \"$T/run/state\"" 'user = "daemon"' "$@" >"$T/recryptd.conf"
  chown daemon "$T/run"
  install -d -o daemon -m 700 "$T/run/state"
}
