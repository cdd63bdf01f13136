#!/bin/sh
# Line coverage of the judge and of the readers of bytes by the same tests as in tests/mutants.sh; fails below 95 %.
#
#   tests/coverage.sh judge|readers DIR [cargo tarpaulin's own arguments]
set -eu

repo=$(cd "$(dirname "$0")/.." && pwd)
kind=$1 dir=$2
shift 2
"$repo/tests/mutants.sh" bed "$kind" "$dir"
cd "$dir"
case $kind in
    judge)
        set -- --include-files 'src/docker/*' --include-files 'src/policy/*' --exclude-files '*/tests.rs' "$@" -- --skip real_binary --skip reach_the_upstream
        ;;
    readers) set -- --include-files src/proxy/input.rs --include-files src/proxy/engine/head.rs "$@" -- proxy::input proxy::engine ;;
esac
exec cargo tarpaulin --engine llvm --lib --target-dir target/coverage --skip-clean --fail-under 95 --out stdout "$@"
