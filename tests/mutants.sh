#!/bin/sh
# Mutation tests of the judge (`src/docker`, `src/policy`) and of the readers of bytes, with unit and corpus tests only.
#
#   tests/mutants.sh judge|readers DIR [--shard K/N] [--jobs N] [--only TEXT]... [--switched-only]
#   tests/mutants.sh bed judge|readers DIR       makes the bed alone
#
# A mutant costs as much as building and testing the package, so this makes a bed in DIR: the folders that are mutated and what
# their tests need, as a package of its own. There most mutants stand in one build (tests/mutants/switched.py), the rest is built
# one after the other by cargo mutants. DIR/target is kept between runs; what became of each mutant is in DIR/results.
set -eu

repo=$(cd "$(dirname "$0")/.." && pwd)

# What both beds have.
bed() {
    mkdir -p "$2/.cargo"
    dir=$(cd "$2" && pwd)
    rm -rf "$dir/src" "$dir/tests" "$dir/config" "$dir/benches" "$dir/docs"
    mkdir -p "$dir/src" "$dir/tests" "$dir/benches"
    cp -r "$repo/config" "$repo/docs" "$repo/rust-toolchain.toml" "$dir"
    cp "$repo/benches/create.json" "$dir/benches"
    cp -r "$repo/tests/corpus" "$dir/tests"
    [ -e "$dir/Cargo.lock" ] || cp "$repo/Cargo.lock" "$dir"
    cp "$repo/tests/mutants/mutants.toml" "$dir/.cargo/mutants.toml"
    cp "$repo/tests/mutants/$1.rs" "$dir/src/lib.rs"
    cp -r "$repo/src/docker" "$repo/src/policy" "$repo/src/config" "$dir/src"
    # what is not mutated is not tested
    sed -i 's/^mod tests;$/mod tests {}/' "$dir/src/config/mod.rs"
    "$1"
}

# The judge needs no socket; its corpora are those parts of tests/it that run in process.
judge() {
    cp "$repo/tests/mutants/judge.toml" "$dir/Cargo.toml"
    ln -sfn tests/corpus "$dir/corpus"
    mkdir -p "$dir/src/support"
    for test in bodies corpus go_json go_routing peers readers; do
        cp "$repo/tests/it/$test.rs" "$dir/src"
        [ ! -d "$repo/tests/it/$test" ] || cp -r "$repo/tests/it/$test" "$dir/src"
    done
    cp "$repo/tests/it/support/client.rs" "$repo/tests/it/support/engine.rs" "$dir/src/support"
    # the binary does not exist here, and the third takes as long as all others together
    tests="--skip real_binary --skip reach_the_upstream --skip at_every_split"
    mutated="-f src/docker/** -f src/policy/**"
}

# The readers need the proxy, and so most of what the package depends on.
readers() {
    sed -e '/^\[\[bi\|^\[\[be/,/^$/d' -e '/^\[lints/,$d' -e '/^clap\|^saphyr\|^similar\|^tracing-sub\|^bollard/d' \
        -e 's/^\[lib\]/[lib]\ndoctest = false/' -e 's/^default-run.*/autotests = false\nautobenches = false/' "$repo/Cargo.toml" >"$dir/Cargo.toml"
    printf '[workspace]\n[profile.dev]\ndebug = 0\nincremental = true\n' >>"$dir/Cargo.toml"
    cp -r "$repo/src/audit" "$repo/src/proxy" "$dir/src"
    mkdir -p "$dir/tests/it"
    cp -r "$repo/tests/it/support" "$dir/tests/it"
    tests="proxy::input proxy::engine"
    mutated="-f src/proxy/input.rs -f src/proxy/engine/head.rs"
}

if [ "$1" = bed ]; then
    bed "$2" "$3"
    exit
fi
bed "$1" "$2"
shift 2
cd "$dir"
export CARGO_TARGET_DIR="$dir/target" CARGO_INCREMENTAL=1 RUSTFLAGS=--cap-lints=warn
set -f
# shellcheck disable=SC2086
cargo mutants --list --json $mutated >mutants.json
# shellcheck disable=SC2086
exec python3 "$repo/tests/mutants/switched.py" "$dir" mutants.json "$dir/results" "$@" -- $tests
