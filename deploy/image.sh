#!/bin/bash
# Builds the image around a static binary, without a registry: deploy/image.sh BINARY TAG
# The binary:  RUSTFLAGS="-C target-feature=+crt-static" cargo build --release --target "$(uname -m)-unknown-linux-gnu"
# The engine:  the docker CLI's own settings (DOCKER_HOST); DOCKER_BUILDKIT=0 chooses the classic builder
set -euo pipefail

die() { echo "image.sh: $*" >&2; exit 1; }
[ $# = 2 ] || die "usage: deploy/image.sh BINARY TAG"
binary=$1 tag=$2
[ -x "$binary" ] || die "\`$binary\` is not a program"
# ldd's words and exit code differ between static and static-pie: either is fine here
{ ldd "$binary" 2>&1 || true; } | grep -Eq 'statically linked|not a dynamic executable' ||
  die "\`$binary\` needs shared libraries: build it with -C target-feature=+crt-static"

context=$(mktemp -d)
trap 'rm -rf "$context"' EXIT
files=$context/rootfs
mkdir -p "$files/run/dockgate" "$files/var/log/dockgate"
install -m 0755 "$binary" "$files/dockgate"
# Owners are written into the archive, so this needs no root: first what belongs to root, then what belongs to the gate.
archive() { tar --file "$context/rootfs.tar" -C "$files" --format=ustar --numeric-owner --no-recursion "$@"; }
archive --create --owner=0 --group=0 --mode=0755 dockgate run var var/log
archive --append --owner=65532 --group=65532 --mode=0750 run/dockgate var/log/dockgate
rm -r "$files"
cp "$(dirname "$0")/Dockerfile.static" "$context/Dockerfile"
docker build --tag "$tag" "$context"
