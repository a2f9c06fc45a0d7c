#!/bin/sh
# packages.sh [build] [servers] [test] [bench]: installs, on Debian 12 and as root, what is missing of
#   build    what the build needs        servers  Postfix and Dovecot for the demonstration
#   test     what the tests need besides
#   bench    what the benchmark needs besides build and servers
# Asks for nothing, removes nothing, starts no service. Without root it prints the command to run.
set -eu
build="autoconf automake make gcc libc6-dev pkg-config libssl-dev libjson-c-dev libdb5.3-dev libmilter-dev libetpan-dev
  libmicrohttpd-dev libcurl4-gnutls-dev libconfuse-dev libevent-dev libseccomp-dev"
servers="postfix dovecot-imapd dovecot-lmtpd python3 python3-jwcrypto curl procps"
test="libcunit1-dev openssl gdb valgrind miltertest swaks strace mandoc clang libclang-rt-14-dev db5.3-util xz-utils mutt isync
  systemd iproute2"
bench="gnupg openssl"
want=
for group in "$@"; do
  case $group in
    build) want="$want $build" ;;
    servers) want="$want $servers" ;;
    test) want="$want $test" ;;
    bench) want="$want $bench" ;;
    *) echo "packages.sh: no such group: $group (build, servers, test, bench)" >&2; exit 64 ;;
  esac
done
missing=
for p in $want; do
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null)" = installed ] || missing="$missing $p"
done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" != 0 ]; then
  echo "Missing packages. As root:  apt-get install --no-install-recommends$missing" >&2
  exit 77
fi

# A package's installation script must start no server: the answer to invoke-rc.d is no, while we install.
policy=/usr/sbin/policy-rc.d made=
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 755 "$policy"
  made=$policy
fi
log=$(mktemp)
trap 'rm -f "$log" $made' EXIT
trap 'exit 130' INT TERM
export DEBIAN_FRONTEND=noninteractive
# Postfix comes without a configuration of its own: the private instances bring theirs.
case " $missing " in *" postfix "*)
  echo "postfix postfix/main_mailer_type select No configuration" | debconf-set-selections ;;
esac
echo "Installing:$missing"
install() {
  # --no-remove: another mail server on this machine stays, and the script says so instead.
  # shellcheck disable=SC2086
  apt-get install -y -q --no-install-recommends --no-remove $missing >"$log" 2>&1
}
install || { apt-get update -q >>"$log" 2>&1 && install; } || {
  tail -n 15 "$log" >&2
  echo "packages.sh: could not install:$missing" >&2
  grep -q 'remove' "$log" && echo "(Another mail server is installed? Postfix would replace it; use another machine.)" >&2
  exit 69
}
