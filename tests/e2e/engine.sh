#!/bin/bash
# Real Docker Engines for tests: installs them, starts them, gives them an image, takes them down. Root, Debian.
# Everything of one engine lies under the folder DIR; nothing here touches an engine that it did not start.
#
#   engine.sh install [26] [28]     Debian's own engine and tools; 26 and 28 from trixie and sid, unpacked in the cache
#   engine.sh up DIR [20|26|28]     start an engine (20 = Debian's own, the default); prints its socket's path
#   engine.sh image DIR             make `busybox:latest` on it, without a registry
#   engine.sh down DIR              kill its containers, remove its networks, stop it, remove its data
#   engine.sh bin [20|26|28]        print the folder that holds that version's `docker` (and, for 26 and 28, compose)
#
# Environment:
#   DOCKGATE_TEST_CACHE   where 26 and 28 are unpacked; default /var/cache/dockgate-test
#   BRIDGE=1              `up` gives the engine the default bridge and its firewall rules; `down` takes both away again.
#                         One engine at a time, started last: an engine without a bridge deletes docker0
#   TLS, TLS_PORT         `up` lets the engine listen on this port of 127.0.0.1 too, with --tlsverify and the ca.pem, cert.pem
#                         and key.pem of this folder
#   STORAGE               storage driver; default: the engine chooses
#   UP_SECONDS            how long `up` waits for the engine; default 60
set -euo pipefail

cache=${DOCKGATE_TEST_CACHE:-/var/cache/dockgate-test}

say() { echo "engine.sh: $*" >&2; }
die() { say "$*"; exit 1; }

# ---- where things are ------------------------------------------------------------------------------------------------

# The Debian release that carries a version. sid moves: what `28` really is, `up` prints.
suite_of() {
  case $1 in
    26) echo trixie ;;
    28) echo sid ;;
    *) die "no release is known for engine \`$1\`" ;;
  esac
}

# The folder with the programs of a version.
bin_of() {
  case $1 in
    20) echo /usr/bin ;;
    26 | 28) echo "$cache/$1/bin" ;;
    *) die "unknown engine \`$1\`: 20, 26 or 28" ;;
  esac
}

# PATH for an engine: its own programs first; runc is always Debian stable's, since the newer ones want a newer libc.
path_of() { echo "$(bin_of "$1"):/usr/sbin:/usr/bin:/sbin:/bin"; }

# Makes DIR absolute and refuses what a socket path or a mount table cannot hold.
folder() {
  local dir
  [ -n "${1:-}" ] || die "a folder is needed"
  dir=$(realpath -m -- "$1")
  [[ $dir =~ ^/[A-Za-z0-9._/-]+$ ]] || die "use a plain folder name, not \`$dir\`"
  # the longest socket below it is exec/containerd/containerd.sock.ttrpc; a unix path ends at 107 bytes
  [ ${#dir} -le 65 ] || die "the folder name is too long for unix sockets: \`$dir\`"
  echo "$dir"
}

# One call to the engine's API: api DIR METHOD PATH
api() { curl --silent --fail --max-time 20 --unix-socket "$1/docker.sock" --request "$2" "http://engine$3"; }

# Polls a command every 0.1 s until it succeeds: within SECONDS COMMAND...
within() {
  local end=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    [ $SECONDS -lt $end ] || return 1
    sleep 0.1
  done
}

# ---- install ---------------------------------------------------------------------------------------------------------

install_engines() {
  local version
  for version in "$@"; do [ "$version" = 20 ] || suite_of "$version" >/dev/null; done
  install_base
  for version in "$@"; do
    [ "$version" = 20 ] || [ -x "$(bin_of "$version")/dockerd" ] || unpack "$version"
  done
}

# Debian's own engine (20.10 on bookworm) and the tools that this script and the tests use.
install_base() {
  local package missing=()
  for package in docker.io busybox-static iptables iproute2 procps runc curl jq ca-certificates; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  say "installing ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# The Debian mirror that this machine uses, as apt itself understands its sources.
mirror() {
  # shellcheck disable=SC2016 # the words in $(…) are apt's fields
  apt-get indextargets --format '$(LABEL) $(REPO_URI)' 'Created-By: Packages' | awk '$1 == "Debian" { print $2; exit }'
}

# Unpacks a version's packages without installing them, with an apt state of its own: the machine's apt is left alone.
unpack() {
  local version=$1 suite uri work key=/usr/share/keyrings/debian-archive-keyring.gpg
  suite=$(suite_of "$version")
  [ -n "$(mirror)" ] || apt-get update -qq
  uri=$(mirror)
  [ -n "$uri" ] || die "apt's sources name no Debian mirror: engine $version cannot be unpacked"
  [ -r "$key" ] || die "no \`$key\`: install debian-archive-keyring"
  mkdir -p "$cache"
  work=$(mktemp -d "$cache/unpack.XXXXXX")
  mkdir -p "$work"/{lists,cache/archives}/partial "$work/done/"{bin,config/cli-plugins} "$work/root"
  : >"$work/status"
  echo "deb [signed-by=$key] $uri $suite main" >"$work/sources.list"
  local apt=(apt-get -qq -o "Dir::Etc::sourcelist=$work/sources.list" -o Dir::Etc::sourceparts=/dev/null
    -o "Dir::State::Lists=$work/lists" -o "Dir::State::status=$work/status" -o "Dir::Cache=$work/cache"
    -o APT::Sandbox::User=root -o Acquire::Retries=3)
  say "unpacking engine $version from $suite"
  if ! { "${apt[@]}" update && (cd "$work" && "${apt[@]}" download docker.io docker-cli containerd docker-buildx docker-compose); }; then
    rm -rf "$work"
    die "the packages of $suite cannot be downloaded: no engine $version"
  fi
  local package program
  for package in "$work"/*.deb; do dpkg-deb -x "$package" "$work/root"; done
  for program in dockerd docker-proxy docker containerd containerd-shim-runc-v2 docker-compose; do
    pick "$work/root" "$program" "$work/done/bin" || { rm -rf "$work"; die "$suite has no \`$program\` in its packages"; }
  done
  cp -L "$work"/root/usr/libexec/docker/cli-plugins/* "$work/done/config/cli-plugins/"
  rm -rf "${cache:?}/$version"
  mv "$work/done" "$cache/$version"
  rm -rf "$work"
}

# Copies one program out of unpacked packages: pick ROOT NAME TO
pick() {
  local from
  for from in "$1/usr/bin/$2" "$1/usr/sbin/$2" "$1/usr/libexec/docker/cli-plugins/$2"; do
    if [ -e "$from" ]; then cp -L "$from" "$3/" && return 0; fi
  done
  return 1
}

# ---- up --------------------------------------------------------------------------------------------------------------

up() {
  local dir version=${2:-20} name pid
  dir=$(folder "$1")
  [ "$(id -u)" = 0 ] || die "an engine needs root"
  [ ! -e "$dir/engine" ] || die "\`$dir\` has an engine already: \`engine.sh down $dir\`"
  bin_of "$version" >/dev/null
  PATH=$(path_of "$version")
  [ "$version" = 20 ] || [ -x "$(bin_of "$version")/dockerd" ] || die "engine $version is not installed: \`engine.sh install $version\`"
  command -v dockerd >/dev/null || die "no engine is installed: \`engine.sh install\`"
  [ "${BRIDGE:-0}" != 1 ] || [ ! -e /sys/class/net/docker0 ] || die "there is a docker0 already: only one engine can have it"
  mkdir -p "$dir"
  echo "$version" >"$dir/engine"
  settings "$dir" "$version" >"$dir/daemon.json"
  local network=(--bridge=none --iptables=false --ip6tables=false --ip-forward=false)
  if [ "${BRIDGE:-0}" = 1 ]; then
    network=()
    { cat /proc/sys/net/ipv4/ip_forward; iptables -S FORWARD | head -n 1; } >"$dir/bridge"
  fi
  local tls=()
  if [ -n "${TLS:-}" ]; then
    tls=(--host "tcp://127.0.0.1:$TLS_PORT" --tlsverify --tlscacert "$TLS/ca.pem" --tlscert "$TLS/cert.pem" --tlskey "$TLS/key.pem")
  fi
  # A containerd of the machine, where one runs, is shared by all engines: each has a namespace of its own in it.
  name=dockgate-$(echo "$dir" | cksum | cut -d' ' -f1)
  setsid nohup dockerd --host "unix://$dir/docker.sock" --config-file "$dir/daemon.json" --pidfile "$dir/dockerd.pid" \
    --data-root "$dir/data" --exec-root "$dir/exec" --containerd-namespace "$name" --containerd-plugins-namespace "$name-plugins" \
    ${STORAGE:+--storage-driver="$STORAGE"} "${network[@]}" "${tls[@]}" >"$dir/dockerd.log" 2>&1 </dev/null &
  pid=$!
  if ! within "${UP_SECONDS:-60}" answers_or_dead "$dir" "$pid" || ! kill -0 "$pid" 2>/dev/null; then
    say "engine $version did not come up; the end of its log:"
    tail -n 30 "$dir/dockerd.log" >&2
    down "$dir"
    exit 1
  fi
  say "engine $(api "$dir" GET /version | jq -r '"\(.Version), API \(.ApiVersion)"') is up in $dir"
  echo "$dir/docker.sock"
}

# What has no flag: 20.10 would write a key into /etc/docker.
settings() {
  if [ "$2" = 20 ] && dockerd --version | grep -q 'version 20\.'; then
    jq -n --arg key "$1/key.json" '{"deprecated-key-path": $key}'
  else
    echo '{}'
  fi
}

answers_or_dead() { ! kill -0 "$2" 2>/dev/null || [ "$(api "$1" GET /_ping)" = OK ]; }

# ---- image -----------------------------------------------------------------------------------------------------------

image() {
  local dir root busybox=/bin/busybox applet
  dir=$(folder "$1")
  [ -S "$dir/docker.sock" ] || die "no engine is up in \`$dir\`"
  [ -x $busybox ] && ! ldd $busybox >/dev/null 2>&1 || die "no static busybox: \`engine.sh install\`"
  root=$(mktemp -d)
  mkdir -p "$root"/{bin,sbin,dev,etc,home,proc,root,sys,tmp,usr/bin,var/log}
  chmod 755 "$root"
  chmod 1777 "$root/tmp"
  cp $busybox "$root/bin/busybox"
  for applet in $($busybox --list); do
    [ "$applet" = busybox ] || ln -s busybox "$root/bin/$applet"
  done
  printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n' >"$root/etc/passwd"
  printf 'root:x:0:\nnogroup:x:65534:\n' >"$root/etc/group"
  PATH=$(path_of "$(cat "$dir/engine")")
  tar --create --numeric-owner --owner=0 --group=0 -C "$root" . |
    docker --host "unix://$dir/docker.sock" import --change 'CMD ["/bin/sh"]' --change 'ENV PATH=/bin:/sbin:/usr/bin' \
      - busybox:latest >/dev/null
  rm -rf "$root"
}

# ---- down ------------------------------------------------------------------------------------------------------------

down() {
  local dir id pid
  dir=$(folder "$1")
  [ -e "$dir/engine" ] || { say "no engine in \`$dir\`"; return 0; }
  if api "$dir" GET /_ping >/dev/null 2>&1; then
    for id in $(api "$dir" GET '/containers/json?all=1' | jq -r '.[].Id'); do
      api "$dir" DELETE "/containers/$id?force=1&v=1" >/dev/null || true # it may have ended by itself
    done
    api "$dir" POST /networks/prune >/dev/null || true # else their bridges stay on the machine
  fi
  stop "$dir/dockerd.pid" dockerd 30
  stop "$dir/exec/containerd/containerd.pid" containerd 10 # goes with dockerd, unless dockerd was killed
  for pid in $(shims "$dir"); do
    pkill -KILL -P "$pid" || true # the container
    within 5 gone "$pid" || kill -KILL "$pid" 2>/dev/null || true
  done
  unmount "$dir"
  if [ -s "$dir/bridge" ]; then unbridge "$dir/bridge"; fi
  rm -rf "$dir"/{data,exec,docker.sock,dockerd.pid,dockerd.log,daemon.json,key.json,bridge,engine}
  rmdir "$dir" 2>/dev/null || true # a folder that holds more than the engine stays
}

# Takes away what `up` with BRIDGE=1 brought: docker0, the firewall's DOCKER chains, forwarding.
unbridge() {
  local tool table policy
  ip link delete docker0 2>/dev/null || true
  for tool in iptables ip6tables; do
    for table in filter nat; do clear_docker "$tool" -t "$table"; done
  done
  sed -n 1p "$1" >/proc/sys/net/ipv4/ip_forward || true
  read -ra policy < <(sed -n 2p "$1")
  iptables "${policy[@]}" || true
}

# Rules that name a DOCKER chain or docker0 go first, then the chains, which nothing refers to by then.
clear_docker() {
  local rule chain
  "$@" -S 2>/dev/null | grep -E '^-A .*(DOCKER|docker0)' | while read -ra rule; do
    "$@" -D "${rule[@]:1}" || true
  done || true
  "$@" -S 2>/dev/null | grep -E '^-N DOCKER' | while read -r _ chain; do
    "$@" -X "$chain" || true
  done || true
}

# Ends the process of a pid file, if it still is the program it was: stop PIDFILE PROGRAM SECONDS
stop() {
  local pid
  pid=$(cat "$1" 2>/dev/null) || return 0
  [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = "$2" ] || return 0
  kill -TERM "$pid" 2>/dev/null || return 0
  within "$3" gone "$pid" || { say "$2 ($pid) does not end: killed"; kill -KILL "$pid" 2>/dev/null; within 5 gone "$pid"; } || true
}

# A process that nobody waited for stays as a zombie where no init collects it: that counts as gone.
gone() { ! grep -qs '^State:[[:space:]]*[^ZX]' "/proc/$1/status"; }

# The shims that serve this folder's containerd; there are none unless dockerd died before its containers.
shims() {
  local command
  for command in /proc/[0-9]*/cmdline; do
    if tr '\0' ' ' 2>/dev/null <"$command" | grep -q "^[^ ]*containerd-shim[^ ]* .*-address $1/exec/"; then
      command=${command#/proc/}
      echo "${command%/cmdline}"
    fi
  done
}

unmount() {
  local point
  awk -v below="$1/" 'index($2, below) == 1 { print $2 }' /proc/self/mounts | sort -r | while read -r point; do
    umount "$point" 2>/dev/null || umount --lazy "$point"
  done
}

# ---- arguments -------------------------------------------------------------------------------------------------------

case ${1:-} in
  install) install_engines "${@:2}" ;;
  up | image | down) [ $# -ge 2 ] || die "usage: engine.sh $1 DIR"; "$@" ;;
  bin) bin_of "${2:-20}" ;;
  *) sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0"; exit 2 ;;
esac
