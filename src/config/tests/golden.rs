//! Every kind of mistake, exactly as it is printed.
//! Knows nothing of what good files become.

use super::said;
use crate::config::load;

fn golden(text: &str, expected: &str) {
    let said = said(text);
    assert_eq!(said, expected.trim_start_matches('\n'), "\n{said}");
}

#[test]
fn an_unknown_key_of_the_file() {
    golden(
        r##"polcy = 1
"##,
        r##"
x.toml:2:1: error[unknown-key]: unknown key `polcy` in the file
 2 | polcy = 1
   | ^^^^^
   = help: did you mean `policy`?
"##,
    );
}

#[test]
fn an_unknown_key_of_a_door_and_no_policy() {
    golden(
        r##"[[door]]
listen = "unix:///run/d.sock"
polcy = "ping"
"##,
        r##"
x.toml:2:1: error[missing-key]: `[[door]]` has no `policy`
 2 | [[door]]
   | ^^^^^^^^
   = help: add `policy = "read-only"`: a door without a policy would be open to anything
x.toml:4:1: error[unknown-key]: unknown key `polcy` in `[[door]]`
 4 | polcy = "ping"
   | ^^^^^
   = help: did you mean `policy`?
"##,
    );
}

#[test]
fn an_unknown_operation() {
    golden(
        r##"[policy.p]
allow = ["ContainerLst"]
"##,
        r##"
x.toml:3:10: error[unknown-operation]: there is no operation `ContainerLst`
 3 | allow = ["ContainerLst"]
   |          ^^^^^^^^^^^^^^
   = help: did you mean `ContainerList`?
"##,
    );
}

#[test]
fn unknown_groups() {
    golden(
        r##"[policy.p]
allow = ["@reed", "read", "nope"]
"##,
        r##"
x.toml:3:10: error[unknown-group]: there is no group of operations `@reed`
 3 | allow = ["@reed", "read", "nope"]
   |          ^^^^^^^
   = help: did you mean `@read`?
x.toml:3:19: error[unknown-operation]: there is no operation `read`
 3 | allow = ["@reed", "read", "nope"]
   |                   ^^^^^^
   = help: did you mean the group `@read`?
x.toml:3:27: error[unknown-operation]: there is no operation `nope`
 3 | allow = ["@reed", "read", "nope"]
   |                           ^^^^^^
   = help: write an operation id (`ContainerList`), a pattern (`Container*`), a group (`@read`) or `METHOD /path`
"##,
    );
}

#[test]
fn a_pattern_of_nothing() {
    golden(
        r##"[policy.p]
allow = ["Contaner*"]
"##,
        r##"
x.toml:3:10: error[unknown-operation]: no operation fits the pattern `Contaner*`
 3 | allow = ["Contaner*"]
   |          ^^^^^^^^^^^
   = help: operation ids look like `ContainerList`; `dockgate preset show unrestricted` shows the groups
"##,
    );
}

#[test]
fn paths_that_are_no_operations() {
    golden(
        r##"[policy.p]
allow = ["GET /v1.43/containers/json", "get /containers/json", "GET /containers/create", "GET /containers/web/json", "GET /container/json", "/containers/json"]
"##,
        r##"
x.toml:3:10: error[unknown-operation]: `GET /v1.43/containers/json` is no operation of the Engine API
 3 | allow = ["GET /v1.43/containers/json", "get /containers/json", "GET /containers/create", "GET /containers/web/json", "GET /container/json", "/containers/json"]
   |          ^^^^^^^^^^^^^^^^^^^^^^^^^^^^
   = help: leave out the version, a rule holds for all of them: `GET /containers/json`
x.toml:3:40: error[unknown-operation]: `get /containers/json` is no operation of the Engine API
 3 | allow = ["GET /v1.43/containers/json", "get /containers/json", "GET /containers/create", "GET /containers/web/json", "GET /container/json", "/containers/json"]
   |                                        ^^^^^^^^^^^^^^^^^^^^^^
   = help: `/containers/json` takes `GET`: write `GET /containers/json`
x.toml:3:64: error[unknown-operation]: `GET /containers/create` is no operation of the Engine API
 3 | allow = ["GET /v1.43/containers/json", "get /containers/json", "GET /containers/create", "GET /containers/web/json", "GET /container/json", "/containers/json"]
   |                                                                ^^^^^^^^^^^^^^^^^^^^^^^^
   = help: `/containers/create` takes `POST`: write `POST /containers/create`
x.toml:3:90: error[unknown-operation]: `GET /containers/web/json` is no operation of the Engine API
 3 | allow = ["GET /v1.43/containers/json", "get /containers/json", "GET /containers/create", "GET /containers/web/json", "GET /container/json", "/containers/json"]
   |                                                                                          ^^^^^^^^^^^^^^^^^^^^^^^^^^
   = help: this is one object's path: write `{ method = "GET", path = "/containers/web/json" }` for it alone, or a placeholder for all
x.toml:3:118: error[unknown-operation]: `GET /container/json` is no operation of the Engine API
 3 | allow = ["GET /v1.43/containers/json", "get /containers/json", "GET /containers/create", "GET /containers/web/json", "GET /container/json", "/containers/json"]
   |                                                                                                                      ^^^^^^^^^^^^^^^^^^^^^
   = help: did you mean `GET /containers/json`?
x.toml:3:141: error[unknown-operation]: `/containers/json` is no operation of the Engine API
 3 | allow = ["GET /v1.43/containers/json", "get /containers/json", "GET /containers/create", "GET /containers/web/json", "GET /container/json", "/containers/json"]
   |                                                                                                                                             ^^^^^^^^^^^^^^^^^^
   = help: `/containers/json` takes `GET`: write `GET /containers/json`
"##,
    );
}

#[test]
fn a_string_instead_of_a_list() {
    golden(
        r##"[policy.p]
allow = "@read"
"##,
        r##"
x.toml:3:9: error[wrong-type]: `allow` must be a list, and this is a string
 3 | allow = "@read"
   |         ^^^^^^^
   = help: write `["@read"]`
"##,
    );
}

#[test]
fn an_unknown_preset_and_a_circle() {
    golden(
        r##"[policy.p]
extends = ["redonly", "b"]
[policy.b]
extends = ["p"]
"##,
        r##"
x.toml:3:12: error[unknown-policy]: there is no policy and no preset `redonly`
 3 | extends = ["redonly", "b"]
   |            ^^^^^^^^^
   = help: did you mean `read-only`?
x.toml:3:23: error[cycle]: `b` extends itself: b → p → b
 3 | extends = ["redonly", "b"]
   |                       ^^^
   = help: take one of these names out of its `extends`
x.toml:5:12: error[cycle]: `p` extends itself: p → b → p
 5 | extends = ["p"]
   |            ^^^
   = help: take one of these names out of its `extends`
"##,
    );
}

#[test]
fn a_door_open_to_the_network_with_an_unknown_policy() {
    golden(
        r##"[[door]]
listen = "tcp://0.0.0.0:2375"
policy = "pong"
"##,
        r##"
x.toml:3:10: error[plain-text]: `tcp://0.0.0.0:2375` is open to the network, and without TLS
 3 | listen = "tcp://0.0.0.0:2375"
   |          ^^^^^^^^^^^^^^^^^^^^
   = help: listen on loopback, add a `[door.tls]` with a `client-ca`, or write `plain-text = "i-know"`
x.toml:4:10: error[unknown-policy]: there is no policy and no preset `pong`
 4 | policy = "pong"
   |          ^^^^^^
   = help: did you mean `ping`?
"##,
    );
}

#[test]
fn doors_in_wrong_places() {
    golden(
        r##"[[door]]
listen = "/run/d.sock"
policy = "ping"
[[door]]
listen = "tcp://:2375"
policy = "ping"
[[door]]
listen = "unix:///run/a/d.sock"
policy = "ping"
[[door]]
listen = "unix:///run/a/d.sock"
policy = "ping"
hosts = []
"##,
        r##"
x.toml:3:10: error[bad-url]: `/run/d.sock` has no scheme
 3 | listen = "/run/d.sock"
   |          ^^^^^^^^^^^^^
   = help: write `unix:///run/d.sock`
x.toml:6:10: error[bad-url]: `tcp://:2375` names no address
 6 | listen = "tcp://:2375"
   |          ^^^^^^^^^^^^^
   = help: write `tcp://127.0.0.1:2375`
x.toml:12:10: error[duplicate-door]: another door listens on `unix:///run/a/d.sock` too
 12 | listen = "unix:///run/a/d.sock"
    |          ^^^^^^^^^^^^^^^^^^^^^^
    = help: change this one or the one of line 8
x.toml:14:1: error[conflicting-keys]: `hosts` is for tcp doors only
 14 | hosts = []
    | ^^^^^
    = help: leave it out
"##,
    );
}

#[test]
fn an_engine_behind_tls_that_nothing_verifies() {
    golden(
        r##"[upstream]
url = "https://engine:2376"
key = "/nowhere/key.pem"
"##,
        r##"
x.toml:2:2: error[missing-key]: `[upstream]` has no `ca`
 2 | [upstream]
   |  ^^^^^^^^
   = help: add `ca = "/etc/dockgate/engine/ca.pem"`: who signed the engine's certificate
x.toml:2:2: error[missing-key]: `[upstream]` has no `certificate`
 2 | [upstream]
   |  ^^^^^^^^
   = help: a certificate and its key go together
"##,
    );
}

#[test]
fn keys_of_tls_for_an_engine_without_it() {
    golden(
        r##"[upstream]
url = "tcp://engine:2375"
ca = "/nowhere/ca.pem"
"##,
        r##"
x.toml:4:1: error[conflicting-keys]: `ca` is for engines with https:// only
 4 | ca = "/nowhere/ca.pem"
   | ^^
   = help: leave it out, or write `url = "https://host:2376"`
"##,
    );
}

#[test]
fn an_engine_with_a_name_that_no_certificate_holds() {
    golden(
        r##"[upstream]
url = "https://engine:2376"
ca = "/nowhere/ca.pem"
server-name = "engine:2376"
"##,
        r##"
x.toml:4:6: error[bad-tls-file]: there is no file `/nowhere/ca.pem`
 4 | ca = "/nowhere/ca.pem"
   |      ^^^^^^^^^^^^^^^^^
   = help: make it (docs/tls.md shows how), or name the place where it is
x.toml:5:15: error[bad-value]: `engine:2376` is no name of a server
 5 | server-name = "engine:2376"
   |               ^^^^^^^^^^^^^
   = help: write a host's name or address, without scheme and port
"##,
    );
}

#[test]
fn a_door_with_tls_that_asks_nobody_who_it_is() {
    golden(
        r##"[[door]]
listen = "tcp://0.0.0.0:2376"
policy = "ping"
[door.tls]
certificate = "/nowhere/cert.pem"
key = "key.pem"
"##,
        r##"
x.toml:5:7: error[any-client]: `tcp://0.0.0.0:2376` is open to the network, and asks no client who it is
 5 | [door.tls]
   |       ^^^
   = help: add `client-ca = "/etc/dockgate/tls/ca.pem"`, or `any-client = "i-know"`
x.toml:7:7: error[bad-path]: `key.pem` is no plain path
 7 | key = "key.pem"
   |       ^^^^^^^^^
   = help: write an absolute path without `.`, `..`, doubled or final slashes
"##,
    );
}

#[test]
fn keys_of_tls_that_do_not_go_together() {
    golden(
        r##"[[door]]
listen = "tcp://127.0.0.1:2376"
policy = "ping"
plain-text = "iknow"
[door.tls]
certificate = "/nowhere/cert.pem"
client-crl = "/nowhere/crl.pem"
any-client = "yes"
min-version = "1.1"
client-cas = "/nowhere/ca.pem"
[[door]]
listen = "unix:///run/d/d.sock"
policy = "ping"
[door.tls]
"##,
        r##"
x.toml:5:1: error[conflicting-keys]: `plain-text` and `[door.tls]` exclude each other
 5 | plain-text = "iknow"
   | ^^^^^^^^^^
   = help: leave one of them out
x.toml:5:14: error[bad-value]: there is no value of `plain-text` `iknow`
 5 | plain-text = "iknow"
   |              ^^^^^^^
   = help: did you mean `i-know`?
x.toml:6:7: error[missing-key]: `[door.tls]` has no `key`
 6 | [door.tls]
   |       ^^^
   = help: add `key = "/etc/dockgate/tls/key.pem"`
x.toml:8:1: error[conflicting-keys]: `client-crl` takes back certificates that nobody is asked for
 8 | client-crl = "/nowhere/crl.pem"
   | ^^^^^^^^^^
   = help: add `client-ca`, or leave it out
x.toml:9:14: error[bad-value]: there is no value of `any-client` `yes`
 9 | any-client = "yes"
   |              ^^^^^
   = help: write `"i-know"`, or leave it out
x.toml:10:15: error[bad-value]: there is no version of TLS `1.1` here
 10 | min-version = "1.1"
    |               ^^^^^
    = help: write `"1.3"`, or `"1.2"` for old clients
x.toml:11:1: error[unknown-key]: unknown key `client-cas` in `[door.tls]`
 11 | client-cas = "/nowhere/ca.pem"
    | ^^^^^^^^^^
    = help: did you mean `client-ca`?
x.toml:15:7: error[conflicting-keys]: `tls` is for tcp doors only
 15 | [door.tls]
    |       ^^^
    = help: leave it out
"##,
    );
}

#[test]
fn conditions_that_cannot_hold() {
    golden(
        r##"[policy.p]
allow = [
    { operation = "ContainerStart", id = "(" },
    { operation = "ContainerList", id = "a" },
    { operation = "ContainerList", query = { al = "1" } },
    { operation = "ContainerList", query = { all = "true" } },
    { path = "/v1.43/containers/json" },
    { id = "a" },
    { operation = "ContainerList", path = "/x" },
    7,
]
"##,
        r##"
x.toml:4:42: error[bad-regex]: `(` is no regular expression
 4 |     { operation = "ContainerStart", id = "(" },
   |                                          ^^^
   = help: the syntax is that of Rust's regex crate, without look-around and back-references
   = note: unclosed group
x.toml:5:36: error[bad-condition]: `id` is no condition for `ContainerList`
 5 |     { operation = "ContainerList", id = "a" },
   |                                    ^^
   = help: leave it out: the path names no container, exec, network, volume or image
x.toml:6:46: error[bad-condition]: `al` is no condition for `ContainerList`
 6 |     { operation = "ContainerList", query = { al = "1" } },
   |                                              ^^
   = help: did you mean `all`?
x.toml:7:52: error[never-matches]: `all` is judged as `1` or `0`, and this matches neither
 7 |     { operation = "ContainerList", query = { all = "true" } },
   |                                                    ^^^^^^
   = help: write `"1"` for true and `"0"` for false
x.toml:8:14: error[never-matches]: no operation has a path like this
 8 |     { path = "/v1.43/containers/json" },
   |              ^^^^^^^^^^^^^^^^^^^^^^^^
   = help: leave out the version: it is not part of the path here
x.toml:9:5: error[missing-key]: this rule names no operation
 9 |     { id = "a" },
   |     ^^^^^^^^^^^^
   = help: add `operation = "ContainerStart"` or `path = "/containers/[^/]+/start"`
x.toml:10:36: error[conflicting-keys]: a rule has `operation` or `path`, not both
 10 |     { operation = "ContainerList", path = "/x" },
    |                                    ^^^^
    = help: leave one of them out
x.toml:11:5: error[wrong-type]: `allow` must be a string, and this is a whole number
 11 |     7,
    |     ^
    = help: write `"7"`
"##,
    );
}

#[test]
fn a_pattern_that_does_not_open_what_passes_unread() {
    golden(
        r##"[policy.p]
allow = ["Image*"]
"##,
        r##"
x.toml:3:10: warning[opaque-operation]: `Image*` does not open `ImageBuild` and `ImageLoad`
 3 | allow = ["Image*"]
   |          ^^^^^^^^
   = help: name each one by its operation id, if it is meant
   = note: their bodies pass unread, so patterns and `path` never open them
"##,
    );
}

#[test]
fn rules_that_change_nothing() {
    golden(
        r##"[policy.p]
allow = ["ContainerLogs", "@read", "ContainerList", "ImageList"]
deny = ["@logs", "ImageList"]
"##,
        r##"
x.toml:3:10: warning[unreachable-rule]: `ContainerLogs` can never match: `@logs` denies all of it
 3 | allow = ["ContainerLogs", "@read", "ContainerList", "ImageList"]
   |          ^^^^^^^^^^^^^^^
   = help: take it out, or the deny at x.toml:4
x.toml:3:36: warning[unused-rule]: `ContainerList` adds nothing: `@read` at x.toml:3 allows it already
 3 | allow = ["ContainerLogs", "@read", "ContainerList", "ImageList"]
   |                                    ^^^^^^^^^^^^^^^
   = help: take it out
x.toml:3:53: warning[contradiction]: `ImageList` stands in `allow` and in `deny`
 3 | allow = ["ContainerLogs", "@read", "ContainerList", "ImageList"]
   |                                                     ^^^^^^^^^^^
   = help: take it out of one of them: the deny of line 4 wins
"##,
    );
}

#[test]
fn an_allowlist_with_a_way_around() {
    golden(
        r##"[policy.p]
allow = ["ContainerCreate", "ImageTag"]
[policy.p.create]
images = ["docker.io/library/*"]
"##,
        r##"
x.toml:5:1: error[allowlist-defeated]: `images` of policy `p` is defeated by `ImageTag`, which can give any image a listed name
 5 | images = ["docker.io/library/*"]
   | ^^^^^^
   = help: set `require-digest = true`, or deny what defeats it
"##,
    );
}

#[test]
fn grants_that_are_wrong() {
    golden(
        r##"[policy.p.create]
level = "restrictd"
images = ["nginx", "ghcr.io/a/b:1", "acme/x"]
ports = ["8080", "::1:80", "localhost:80", "127.0.0.1:0"]
networks = ["host", "container:x"]
cap-add = ["SYS_ADMN", "ALL"]
devices = ["fuse"]
binds = ["/srv:/srv:ro", { source = "/etc" }, { source = "/srv", mode = "wr" }, {}]
env = ["A"]
"##,
        r##"
x.toml:3:9: error[bad-value]: there is no level `restrictd`
 3 | level = "restrictd"
   |         ^^^^^^^^^^^
   = help: did you mean `restricted`?
x.toml:4:11: error[bad-value]: `nginx` names no registry
 4 | images = ["nginx", "ghcr.io/a/b:1", "acme/x"]
   |           ^^^^^^^
   = help: write `docker.io/library/nginx`: images are compared by their whole name
x.toml:4:20: error[bad-value]: `ghcr.io/a/b:1` has a tag or digest
 4 | images = ["nginx", "ghcr.io/a/b:1", "acme/x"]
   |                    ^^^^^^^^^^^^^^^
   = help: write `ghcr.io/a/b`: `images` matches the repository alone
x.toml:4:37: error[bad-value]: `acme/x` names no registry
 4 | images = ["nginx", "ghcr.io/a/b:1", "acme/x"]
   |                                     ^^^^^^^^
   = help: write `docker.io/acme/x`: images are compared by their whole name
x.toml:5:10: error[bad-value]: `8080` names no address
 5 | ports = ["8080", "::1:80", "localhost:80", "127.0.0.1:0"]
   |          ^^^^^^
   = help: write the address too: `127.0.0.1:8080`, or `0.0.0.0:8080` for every address
x.toml:5:18: error[bad-value]: `::1:80` has an IPv6 address without brackets
 5 | ports = ["8080", "::1:80", "localhost:80", "127.0.0.1:0"]
   |                  ^^^^^^^^
   = help: write `[::1]:80`
x.toml:5:28: error[bad-value]: `localhost:80` names no address
 5 | ports = ["8080", "::1:80", "localhost:80", "127.0.0.1:0"]
   |                            ^^^^^^^^^^^^^^
   = help: write the address too: `127.0.0.1:80`, or `0.0.0.0:80` for every address
x.toml:5:44: error[bad-value]: `127.0.0.1:0` names no port
 5 | ports = ["8080", "::1:80", "localhost:80", "127.0.0.1:0"]
   |                                            ^^^^^^^^^^^^^
   = help: write one like `127.0.0.1:8080` or `127.0.0.1:8000-8999`
x.toml:6:13: error[bad-value]: the network `host` cannot be granted
 6 | networks = ["host", "container:x"]
   |             ^^^^^^
   = help: set `level = "unrestricted"`, if containers may use the host's network
x.toml:6:21: error[bad-value]: `container:x` is no name of a network
 6 | networks = ["host", "container:x"]
   |                     ^^^^^^^^^^^^^
   = help: name a network; other containers' networks cannot be granted
x.toml:7:12: error[bad-value]: there is no capability `SYS_ADMN`
 7 | cap-add = ["SYS_ADMN", "ALL"]
   |            ^^^^^^^^^^
   = help: did you mean `SYS_ADMIN`?
x.toml:7:24: error[bad-value]: `ALL` capabilities amount to root on the host
 7 | cap-add = ["SYS_ADMN", "ALL"]
   |                        ^^^^^
   = help: name the ones that are needed, or set `level = "unrestricted"`
x.toml:8:12: error[bad-value]: `fuse` is no path of one device
 8 | devices = ["fuse"]
   |            ^^^^^^
   = help: write one like `/dev/fuse`, without stars
x.toml:9:10: error[wrong-type]: an entry of `binds` must be a table
 9 | binds = ["/srv:/srv:ro", { source = "/etc" }, { source = "/srv", mode = "wr" }, {}]
   |          ^^^^^^^^^^^^^^
   = help: write `{ source = "/srv", mode = "ro" }`
x.toml:9:37: error[host-path]: `/etc` amounts to root on the host
 9 | binds = ["/srv:/srv:ro", { source = "/etc" }, { source = "/srv", mode = "wr" }, {}]
   |                                     ^^^^^^
   = help: name the one folder that is needed, or set `level = "unrestricted"`
x.toml:9:73: error[bad-value]: there is no bind mode `wr`
 9 | binds = ["/srv:/srv:ro", { source = "/etc" }, { source = "/srv", mode = "wr" }, {}]
   |                                                                         ^^^^
   = help: write one of `rro`, `ro` and `rw`
x.toml:9:81: error[missing-key]: an entry of `binds` has no `source`
 9 | binds = ["/srv:/srv:ro", { source = "/etc" }, { source = "/srv", mode = "wr" }, {}]
   |                                                                                 ^^
   = help: write `{ source = "/srv/data", mode = "ro" }`
x.toml:10:7: error[wrong-type]: `env` must be a table
 10 | env = ["A"]
    |       ^^^^^
    = help: write `{ deny = ["NAME"] }`
"##,
    );
}

#[test]
fn checks_that_cannot_be_switched() {
    golden(
        r##"[policy.p.create]
warn-level = "strict"
checks = { latst-tag = "deny", nonsense = "off", not-allowed = "off", self-protection = "warn", socket-mount = "off", env = "of", oom = false }
"##,
        r##"
x.toml:3:14: error[bad-value]: there is no level `strict`
 3 | warn-level = "strict"
   |              ^^^^^^^^
   = help: write one of `restricted`, `baseline` and `unrestricted`
x.toml:4:12: error[unknown-check]: there is no check `latst-tag`
 4 | checks = { latst-tag = "deny", nonsense = "off", not-allowed = "off", self-protection = "warn", socket-mount = "off", env = "of", oom = false }
   |            ^^^^^^^^^
   = help: did you mean `latest-tag`?
x.toml:4:32: error[unknown-check]: there is no check `nonsense`
 4 | checks = { latst-tag = "deny", nonsense = "off", not-allowed = "off", self-protection = "warn", socket-mount = "off", env = "of", oom = false }
   |                                ^^^^^^^^
   = help: write the id that stands in brackets in a refusal, such as `host-path`
x.toml:4:50: error[unknown-check]: `not-allowed` is no check, and nothing switches it
 4 | checks = { latst-tag = "deny", nonsense = "off", not-allowed = "off", self-protection = "warn", socket-mount = "off", env = "of", oom = false }
   |                                                  ^^^^^^^^^^^
   = help: add the operation to `allow`
x.toml:4:71: error[unknown-check]: `self-protection` is no check, and nothing switches it
 4 | checks = { latst-tag = "deny", nonsense = "off", not-allowed = "off", self-protection = "warn", socket-mount = "off", env = "of", oom = false }
   |                                                                       ^^^^^^^^^^^^^^^
   = help: leave it out: it always holds below level `unrestricted`
x.toml:4:97: error[bad-value]: `socket-mount` cannot be switched below level `unrestricted`
 4 | checks = { latst-tag = "deny", nonsense = "off", not-allowed = "off", self-protection = "warn", socket-mount = "off", env = "of", oom = false }
   |                                                                                                 ^^^^^^^^^^^^
   = help: leave it out: the engine's socket is root on the host, so give the client a door of its own
x.toml:4:125: error[bad-value]: there is no switch `of`
 4 | checks = { latst-tag = "deny", nonsense = "off", not-allowed = "off", self-protection = "warn", socket-mount = "off", env = "of", oom = false }
   |                                                                                                                             ^^^^
   = help: did you mean `off`?
x.toml:4:137: error[wrong-type]: a switch of `oom` must be a string
 4 | checks = { latst-tag = "deny", nonsense = "off", not-allowed = "off", self-protection = "warn", socket-mount = "off", env = "of", oom = false }
   |                                                                                                                                         ^^^^^
   = help: write `"deny"`, `"warn"` or `"off"`
"##,
    );
}

#[test]
fn a_warning_level_that_is_not_stricter() {
    golden(
        r##"[policy.p.create]
level = "restricted"
warn-level = "baseline"
[policy.q.create]
warn-level = "baseline"
"##,
        r##"
x.toml:4:1: warning[no-effect]: `warn-level` changes nothing: `baseline` is not stricter than level `restricted`
 4 | warn-level = "baseline"
   | ^^^^^^^^^^
   = help: take it out: no level is stricter
x.toml:6:1: warning[no-effect]: `warn-level` changes nothing: `baseline` is not stricter than level `baseline`
 6 | warn-level = "baseline"
   | ^^^^^^^^^^
   = help: write `warn-level = "restricted"`, or take it out
"##,
    );
}

#[test]
fn hardening_at_a_level_that_checks_nothing() {
    golden(
        r##"[policy.p.create]
level = "unrestricted"
checks = { latest-tag = "deny" }
users = ["1000"]
"##,
        r##"
x.toml:2:9: warning[no-effect]: `checks` and `users` of policy `p` change nothing at level `unrestricted`
 2 | [policy.p.create]
   |         ^
   = help: take them out, or use `level = "baseline"`
"##,
    );
}

#[test]
fn profiles_and_names_that_are_wrong() {
    golden(
        r##"[policy.p.create]
sysctls = ["net.*", "kernel.core_pattern", "kernel.shmmx", "net.ipv4.ip_forward=1"]
runtimes = ["/usr/bin/runc", ""]
security-opt = ["secomp=sha256:00", "seccomp=unconfined", "apparmor=unconfined", "label=disable", "no-new-privileges"]
secrets = ["a/b"]
log-drivers = ["*"]
users = []
exec = { commands = ["", "sh -c 'ls x'"], user = ["1"] }
"##,
        r##"
x.toml:3:12: error[bad-value]: `net.*` is no name of a kernel parameter
 3 | sysctls = ["net.*", "kernel.core_pattern", "kernel.shmmx", "net.ipv4.ip_forward=1"]
   |            ^^^^^^^
   = help: write one name, such as `net.core.somaxconn`, without stars
x.toml:3:21: error[bad-value]: `kernel.core_pattern` is no kernel parameter that a container has of its own
 3 | sysctls = ["net.*", "kernel.core_pattern", "kernel.shmmx", "net.ipv4.ip_forward=1"]
   |                     ^^^^^^^^^^^^^^^^^^^^^
   = help: only `net.…`, `fs.mqueue.…` and those of System V IPC can be set for one container
x.toml:3:44: error[bad-value]: `kernel.shmmx` is no kernel parameter that a container has of its own
 3 | sysctls = ["net.*", "kernel.core_pattern", "kernel.shmmx", "net.ipv4.ip_forward=1"]
   |                                            ^^^^^^^^^^^^^^
   = help: did you mean `kernel.shmmax`?
x.toml:3:60: error[bad-value]: `net.ipv4.ip_forward=1` is no name of a kernel parameter
 3 | sysctls = ["net.*", "kernel.core_pattern", "kernel.shmmx", "net.ipv4.ip_forward=1"]
   |                                                            ^^^^^^^^^^^^^^^^^^^^^^^
   = help: write `net.ipv4.ip_forward`: values are not looked at
x.toml:4:13: error[bad-value]: `/usr/bin/runc` is no name of a runtime
 4 | runtimes = ["/usr/bin/runc", ""]
   |             ^^^^^^^^^^^^^^^
   = help: write one name, such as `runsc`, without stars
x.toml:4:30: error[bad-value]: `` is no name of a runtime
 4 | runtimes = ["/usr/bin/runc", ""]
   |                              ^^
   = help: write one name, such as `runsc`, without stars
x.toml:5:17: error[bad-value]: `secomp=sha256:00` is no profile
 5 | security-opt = ["secomp=sha256:00", "seccomp=unconfined", "apparmor=unconfined", "label=disable", "no-new-privileges"]
   |                 ^^^^^^^^^^^^^^^^^^
   = help: did you mean `seccomp`?
x.toml:5:37: error[bad-value]: `seccomp=unconfined` names no seccomp profile
 5 | security-opt = ["secomp=sha256:00", "seccomp=unconfined", "apparmor=unconfined", "label=disable", "no-new-privileges"]
   |                                     ^^^^^^^^^^^^^^^^^^^^
   = help: write `seccomp=sha256:` and the 64 hexadecimal digits of the SHA-256 of the JSON that clients send
x.toml:5:59: error[bad-value]: `apparmor=unconfined` is no profile: it turns AppArmor off
 5 | security-opt = ["secomp=sha256:00", "seccomp=unconfined", "apparmor=unconfined", "label=disable", "no-new-privileges"]
   |                                                           ^^^^^^^^^^^^^^^^^^^^^
   = help: name a profile that the engine's host has loaded
x.toml:5:82: error[bad-value]: `label=disable` is no profile
 5 | security-opt = ["secomp=sha256:00", "seccomp=unconfined", "apparmor=unconfined", "label=disable", "no-new-privileges"]
   |                                                                                  ^^^^^^^^^^^^^^^
   = help: write `seccomp=sha256:DIGEST` or `apparmor=NAME`; nothing else can be granted
x.toml:5:99: error[bad-value]: `no-new-privileges` is no profile
 5 | security-opt = ["secomp=sha256:00", "seccomp=unconfined", "apparmor=unconfined", "label=disable", "no-new-privileges"]
   |                                                                                                   ^^^^^^^^^^^^^^^^^^^
   = help: write `seccomp=sha256:DIGEST` or `apparmor=NAME`; nothing else can be granted
x.toml:6:12: error[bad-value]: `a/b` is no name of a secret or config
 6 | secrets = ["a/b"]
   |            ^^^^^
   = help: write names or patterns such as `ci-*`
x.toml:7:16: error[bad-value]: `*` is no name of a log driver
 7 | log-drivers = ["*"]
   |                ^^^
   = help: write one name, such as `journald`, without stars
x.toml:8:9: error[bad-value]: `users` is empty, and would not limit anything
 8 | users = []
   |         ^^
   = help: name what is allowed, or leave the key out
x.toml:9:22: error[bad-value]: a command must not be empty
 9 | exec = { commands = ["", "sh -c 'ls x'"], user = ["1"] }
   |                      ^^
   = help: write one like `pg_dump **`
x.toml:9:26: error[bad-value]: this command has quotes, and they would stand for themselves
 9 | exec = { commands = ["", "sh -c 'ls x'"], user = ["1"] }
   |                          ^^^^^^^^^^^^^^
   = help: words are what stands between blanks: write `**` for one that holds blanks itself
x.toml:9:43: error[unknown-key]: unknown key `user` in `exec`
 9 | exec = { commands = ["", "sh -c 'ls x'"], user = ["1"] }
   |                                           ^^^^
   = help: did you mean `users`?
"##,
    );
}

#[test]
fn injected_values_that_are_wrong() {
    golden(
        r##"[policy.p.create.inject]
no-new-privilege = true
cap-drop-all = "true"
pids-limit = 0
memory = "4MiB"
cpus = "1,5"
user = "root"
log-max-file = 3
labels = ["owner=ci"]
host-ip = "localhost"
"##,
        r##"
x.toml:3:1: error[unknown-key]: unknown key `no-new-privilege` in `inject`
 3 | no-new-privilege = true
   | ^^^^^^^^^^^^^^^^
   = help: did you mean `no-new-privileges`?
x.toml:4:16: error[wrong-type]: `cap-drop-all` must be `true` or `false`, and this is a string
 4 | cap-drop-all = "true"
   |                ^^^^^^
   = help: write `true` without quotes
x.toml:5:14: error[bad-value]: `pids-limit` is out of range
 5 | pids-limit = 0
   |              ^
   = help: write a value from 1 to 4194304
x.toml:6:10: error[bad-value]: `memory` is out of range
 6 | memory = "4MiB"
   |          ^^^^^^
   = help: write a value from `6MiB`, less is refused by the engine, to `1048576GiB`
x.toml:7:8: error[bad-value]: `1,5` is no number of CPUs
 7 | cpus = "1,5"
   |        ^^^^^
   = help: write one like `"1.5"`, with at most nine digits after the point
x.toml:8:8: error[bad-value]: `root` is no user and group other than root, by number
 8 | user = "root"
   |        ^^^^^^
   = help: write one like `65532:65532`, both from 1 to 2147483647
x.toml:9:1: error[missing-key]: `inject` has `log-max-file` and no `log-max-size`
 9 | log-max-file = 3
   | ^^^^^^^^^^^^
   = help: add `log-max-size = "10m"`: the engine takes the number only with it
x.toml:10:10: error[wrong-type]: `labels` must be a table
 10 | labels = ["owner=ci"]
    |          ^^^^^^^^^^^^
    = help: write `{ owner = "ci" }`
x.toml:11:11: error[bad-value]: `localhost` is no address
 11 | host-ip = "localhost"
    |           ^^^^^^^^^^^
    = help: write one like `127.0.0.1` or `::1`, without brackets and port
"##,
    );
}

#[test]
fn injected_values_that_the_policy_refuses() {
    golden(
        r##"[policy.p.create]
labels = { deny = ["team.*"] }
users = ["1000:*"]
ports = ["127.0.0.1:80"]
inject = { labels = { "team.x" = "1" }, user = "65532:65532", host-ip = "::1" }
"##,
        r##"
x.toml:6:1: warning[contradiction]: `inject` sets the label `team.x`, which `labels.deny` refuses
 6 | inject = { labels = { "team.x" = "1" }, user = "65532:65532", host-ip = "::1" }
   | ^^^^^^
   = help: take it out of one of them
x.toml:6:1: warning[contradiction]: `inject` sets the user `65532:65532`, which `users` does not name
 6 | inject = { labels = { "team.x" = "1" }, user = "65532:65532", host-ip = "::1" }
   | ^^^^^^
   = help: add it to `users`, or inject one that is named there
x.toml:6:1: warning[contradiction]: `inject` publishes at `::1`, where `ports` grants nothing
 6 | inject = { labels = { "team.x" = "1" }, user = "65532:65532", host-ip = "::1" }
   | ^^^^^^
   = help: grant ports of this address, or inject one that has some
"##,
    );
}

#[test]
fn guards_that_are_switched() {
    golden(
        r##"[policy.p]
allow = ["ContainerCreate"]
[policy.p.create.checks]
privileged = "warn"
host-path = "off"
latest-tag = "deny"
"##,
        r##"
x.toml:2:9: warning[as-good-as-root]: policy `p` is as good as root on the host
 2 | [policy.p]
   |         ^
   = help: give it only to clients that you would give the docker socket itself
   = note: `checks` lets through what `privileged` and `host-path` would refuse
"##,
    );
}

#[test]
fn a_mode_a_group_and_a_policy_that_do_not_exist() {
    golden(
        r##"[[door]]
listen = "unix:///run/a/d.sock"
policy = "p"
mode = 660
group = "no-such-group"
[policy.p]
mode = "obsrve"
[policy.q]
allow = ["@ping"]
"##,
        r##"
x.toml:5:8: error[bad-value]: `mode` is no number of access bits
 5 | mode = 660
   |        ^^^
   = help: write it in octal, as `"0660"`
x.toml:6:9: error[unknown-id]: `/etc/group` has no group `no-such-group`
 6 | group = "no-such-group"
   |         ^^^^^^^^^^^^^^^
   = help: write its number instead, if the name exists only elsewhere
x.toml:8:8: error[bad-value]: there is no mode `obsrve`
 8 | mode = "obsrve"
   |        ^^^^^^^^
   = help: did you mean `observe`?
"##,
    );
}

#[test]
fn a_preset_that_is_as_good_as_root() {
    golden(
        r##"[[door]]
listen = "unix:///run/a/d.sock"
policy = "unrestricted"
"##,
        r##"
x.toml:4:10: warning[as-good-as-root]: policy `unrestricted` is as good as root on the host
 4 | policy = "unrestricted"
   |          ^^^^^^^^^^^^^^
   = help: give it only to clients that you would give the docker socket itself
   = note: level `unrestricted` checks nothing of `ContainerCreate`, `ContainerUpdate`, `ContainerExec`, `ServiceCreate` and `ServiceUpdate`
   = note: `PutContainerArchive` writes any file into containers, mounted folders included
   = note: `PluginPull`, `PluginDelete`, `PluginEnable`, `PluginDisable`, `PluginUpgrade` and 3 more allowed: plugins run as root on the host
   = note: `NodeDelete`, `NodeUpdate`, `SwarmInit`, `SwarmJoin`, `SwarmLeave` and 5 more allowed: whoever governs a swarm runs anything on all of its nodes
"##,
    );
}

#[test]
fn limits_without_units() {
    golden(
        r##"[limits]
head-timeout = 10
connections = "5"
max-json-body = "4MB"
"##,
        r##"
x.toml:3:16: error[wrong-type]: `head-timeout` has no unit
 3 | head-timeout = 10
   |                ^^
   = help: write `"10s"`
x.toml:4:15: error[wrong-type]: `connections` must be a whole number, and this is a string
 4 | connections = "5"
   |               ^^^
   = help: write `5` without quotes
x.toml:5:17: error[bad-value]: `4MB` is no number with a unit
 5 | max-json-body = "4MB"
   |                 ^^^^^
   = help: write one like `4MiB`; units are `KiB`, `MiB`, `GiB` and `B`
"##,
    );
}

#[test]
fn a_door_that_is_no_list() {
    golden(
        r##"[door]
listen = "x"
"##,
        r##"
x.toml:2:2: error[wrong-type]: `[door]` is one table, and doors are a list of them
 2 | [door]
   |  ^^^^
   = help: write `[[door]]`
"##,
    );
}

#[test]
fn a_door_without_a_policy() {
    golden(
        r##"[[door]]
listen = "unix:///a/b"
"##,
        r##"
x.toml:2:1: error[missing-key]: `[[door]]` has no `policy`
 2 | [[door]]
   | ^^^^^^^^
   = help: add `policy = "read-only"`: a door without a policy would be open to anything
"##,
    );
}

#[test]
fn what_is_no_toml() {
    golden(
        r##"x = 
[policy
"##,
        r##"
x.toml:2:5: error[syntax]: string values must be quoted, expected literal string
 2 | x = 
   |     ^
   = help: the file must be TOML, as on https://toml.io
x.toml:3:8: error[syntax]: unclosed table, expected `]`
 3 | [policy
   |        ^
   = help: the file must be TOML, as on https://toml.io
"##,
    );
}

#[test]
fn a_place_after_tabs() {
    golden(
        r##"	[audit]
	file = "trail"
"##,
        r##"
x.toml:3:9: error[bad-path]: `trail` is no plain path
 3 | 	file = "trail"
   | 	       ^^^^^^^
   = help: write an absolute path without `.`, `..`, doubled or final slashes
"##,
    );
}

#[test]
fn a_policy_that_extends_itself() {
    golden(
        r##"[policy.p]
extends = ["p"]
"##,
        r##"
x.toml:3:12: error[cycle]: `p` extends itself
 3 | extends = ["p"]
   |            ^^^
   = help: take its name out of its `extends`
"##,
    );
}

#[test]
fn a_door_for_everyone_and_two_in_one_folder() {
    golden(
        r##"[[door]]
listen = "unix:///run/d/a.sock"
policy = "ping"
mode = "0666"
[[door]]
listen = "unix:///run/d/b.sock"
policy = "ping"
"##,
        r##"
x.toml:5:8: warning[open-door]: every user of this host may connect to this door
 5 | mode = "0666"
   |        ^^^^^^
   = help: use `"0660"` and `group = "..."`
x.toml:7:10: warning[shared-folder]: another door is in the same folder, so who mounts it has both
 7 | listen = "unix:///run/d/b.sock"
   |          ^^^^^^^^^^^^^^^^^^^^^^
   = help: give each door a folder of its own; the other one is in line 2
"##,
    );
}

#[test]
fn every_way_to_root() {
    golden(
        r##"[policy.p]
allow = ["ContainerCreate", "ExecStart", "PutContainerArchive"]
mode = "observe"
[policy.p.create]
targets = "any"
binds = [{ source = "/srv/**", mode = "rw" }]
cap-add = ["SYS_ADMIN"]
devices = ["/dev/sda"]
"##,
        r##"
x.toml:2:9: warning[as-good-as-root]: policy `p` is as good as root on the host
 2 | [policy.p]
   |         ^
   = help: give it only to clients that you would give the docker socket itself
   = note: mode `observe` forwards what the policy denies
   = note: `targets = "any"` lets `ExecStart` reach privileged containers
   = note: the bind `/srv/**` is writable: a container can plant a link there that leads out of it
   = note: `cap-add` grants `SYS_ADMIN`
   = note: `devices` grants `/dev/sda`
   = note: `PutContainerArchive` writes any file into containers, mounted folders included
"##,
    );
}

#[test]
fn a_path_that_is_not_absolute() {
    golden(
        r##"protected = ["var/lib"]
"##,
        r##"
x.toml:2:14: error[bad-path]: `var/lib` is no plain path
 2 | protected = ["var/lib"]
   |              ^^^^^^^^^
   = help: write an absolute path without `.`, `..`, doubled or final slashes
"##,
    );
}

#[test]
fn a_file_without_version() {
    let found = load("x.toml", "[audit]\n").diagnostics;
    let said: Vec<String> = found.iter().map(|diagnostic| diagnostic.render("[audit]\n", false)).collect();
    let expected = r##"
x.toml:1:1: error[missing-key]: the file has no `version`
 1 | [audit]
   | ^
   = help: add `version = 1` as the first line: it pins what defaults mean
"##;
    assert_eq!(said.join(""), expected.trim_start_matches('\n'));
}

#[test]
fn a_version_that_does_not_exist_yet() {
    let found = load("x.toml", "version = 2").diagnostics;
    let expected = r##"
x.toml:1:11: error[unsupported-version]: this dockgate does not know version 2 of the configuration
 1 | version = 2
   |           ^
   = help: write `version = 1`
"##;
    assert_eq!(found[0].render("version = 2", false), expected.trim_start_matches('\n'));
}

#[test]
fn colours_are_only_there_when_asked_for_and_control_characters_never() {
    let text = "version = 1\nx\u{7f} = 1\n";
    let found = load("x.toml", text).diagnostics;
    assert!(found[0].render(text, true).contains("\x1b[1;31m"));
    assert!(!found[0].render(text, false).contains(['\x1b', '\x7f']));
}

#[test]
fn the_trail_with_mistakes_in_every_key() {
    golden(
        r##"[audit]
file = "/var/log/audit.key"
sync = "change"
on-failure = "stop"
checkpoint-records = 0
checkpoint-interval = 60
rotate-size = "1KiB"
rotate-interval = "10s"
keep-files = 0
fold-above = -1
reconcile = "yes"
rotate = 1
sink = [{ to = "syslog://host" }, {}, { to = "journald" }, { to = "journald" }]
"##,
        r##"
x.toml:3:8: error[bad-path]: `.key` is the name of a file beside the trail
 3 | file = "/var/log/audit.key"
   |        ^^^^^^^^^^^^^^^^^^^^
   = help: call the trail `audit.jsonl`
x.toml:4:8: error[bad-value]: there is no value of `sync` `change`
 4 | sync = "change"
   |        ^^^^^^^^
   = help: did you mean `changes`?
x.toml:5:14: error[bad-value]: there is no value of `on-failure` `stop`
 5 | on-failure = "stop"
   |              ^^^^^^
   = help: known are `deny-changes`, `deny-all` and `continue-unaudited`
x.toml:6:22: error[bad-value]: `checkpoint-records` is out of range
 6 | checkpoint-records = 0
   |                      ^
   = help: write a value from 1 to 1000000
x.toml:7:23: error[wrong-type]: `checkpoint-interval` has no unit
 7 | checkpoint-interval = 60
   |                       ^^
   = help: write `"60s"`
x.toml:8:15: error[bad-value]: `rotate-size` is out of range
 8 | rotate-size = "1KiB"
   |               ^^^^^^
   = help: write a value from `4KiB` to `4GiB`
x.toml:9:19: error[bad-value]: `rotate-interval` is out of range
 9 | rotate-interval = "10s"
   |                   ^^^^^
   = help: write a value from `1m` to `8784h`
x.toml:10:14: error[bad-value]: `keep-files` is out of range
 10 | keep-files = 0
    |              ^
    = help: write a value from 1 to 1000000; all are kept where it is left out
x.toml:11:14: error[bad-value]: `fold-above` is out of range
 11 | fold-above = -1
    |              ^^
    = help: write a value from 0, for never, to 1000000
x.toml:12:13: error[wrong-type]: `reconcile` must be `true` or `false`, and this is a string
 12 | reconcile = "yes"
    |             ^^^^^
    = help: write `yes` without quotes
x.toml:13:1: error[unknown-key]: unknown key `rotate` in `[audit]`
 13 | rotate = 1
    | ^^^^^^
    = help: known keys are `file`, `sync`, `on-failure`, `key`, `checkpoint-records`, `checkpoint-interval`, `checkpoints-to`, `rotate-size`, `rotate-interval`, `keep-files`, `fold-above`, `reconcile` and `sink`
x.toml:14:16: error[bad-url]: `syslog://host` does not say how
 14 | sink = [{ to = "syslog://host" }, {}, { to = "journald" }, { to = "journald" }]
    |                ^^^^^^^^^^^^^^^
    = help: write `syslog+udp://host` or `syslog+tcp://host`
x.toml:14:35: error[missing-key]: `[[audit.sink]]` has no `to`
 14 | sink = [{ to = "syslog://host" }, {}, { to = "journald" }, { to = "journald" }]
    |                                   ^^
    = help: add `to = "syslog+unix:///dev/log"`
x.toml:14:67: error[duplicate-sink]: another sink goes to `journald` too
 14 | sink = [{ to = "syslog://host" }, {}, { to = "journald" }, { to = "journald" }]
    |                                                                   ^^^^^^^^^^
    = help: take one of them out
"##,
    );
}

#[test]
fn settings_of_the_trail_that_weaken_it() {
    golden(
        r##"[audit]
file = "/var/log/audit.jsonl"
sync = "none"
on-failure = "continue-unaudited"
checkpoints-to = "/var/log/copy"
"##,
        r##"
x.toml:4:8: warning[unsafe-sync]: a power cut can take the records of changes that were made
 4 | sync = "none"
   |        ^^^^^^
   = help: use `"changes"`, the default
x.toml:5:14: warning[unaudited]: whoever fills the disk can change anything without a record
 5 | on-failure = "continue-unaudited"
   |              ^^^^^^^^^^^^^^^^^^^^
   = help: use `"deny-changes"`, the default
x.toml:6:18: warning[same-place]: who can change the trail can change this copy of its checkpoints too
 6 | checkpoints-to = "/var/log/copy"
   |                  ^^^^^^^^^^^^^^^
   = help: name a file on another disk or host, or `"stdout"` where something else keeps it
"##,
    );
}

#[test]
fn checkpoints_in_the_file_that_they_vouch_for() {
    golden(
        r##"[audit]
file = "/var/log/audit.jsonl"
checkpoints-to = "/var/log/audit.checkpoints"
"##,
        r##"
x.toml:4:18: error[conflicting-keys]: this is a file of the trail itself
 4 | checkpoints-to = "/var/log/audit.checkpoints"
   |                  ^^^^^^^^^^^^^^^^^^^^^^^^^^^^
   = help: name a file in another place, or `"stdout"`
"##,
    );
}

#[test]
fn settings_of_files_without_a_file() {
    golden(
        r##"[audit]
rotate-size = "1MiB"
checkpoints-to = "stdout"
"##,
        r##"
x.toml:3:1: warning[no-effect]: `rotate-size` changes nothing: the trail goes to standard output
 3 | rotate-size = "1MiB"
   | ^^^^^^^^^^^
   = help: add `file = "/var/log/dockgate/audit.jsonl"`, or take it out
x.toml:4:1: warning[no-effect]: `checkpoints-to` changes nothing: the trail goes to standard output
 4 | checkpoints-to = "stdout"
   | ^^^^^^^^^^^^^^
   = help: add `file = "/var/log/dockgate/audit.jsonl"`, or take it out
"##,
    );
}

#[test]
fn a_sink_that_is_no_list() {
    golden(
        r##"[audit]
file = "/var/log/audit.jsonl"
[audit.sink]
to = "stdout"
"##,
        r##"
x.toml:4:8: error[wrong-type]: `[audit.sink]` is one table, and sinks are a list of them
 4 | [audit.sink]
   |        ^^^^
   = help: write `[[audit.sink]]`
"##,
    );
}

#[test]
fn approved_images_that_are_wrong() {
    golden(
        r##"[policy.p.create]
approved = { digests = ["nginx"], files = ["approved.json", "/dev/null", "/nowhere/approved.json"], max-age = 30, max-severity = "severe" }
"##,
        r##"
x.toml:3:25: error[bad-value]: `nginx` is no digest
 3 | approved = { digests = ["nginx"], files = ["approved.json", "/dev/null", "/nowhere/approved.json"], max-age = 30, max-severity = "severe" }
   |                         ^^^^^^^
   = help: write `sha256:` and 64 hex digits
x.toml:3:44: error[bad-path]: `approved.json` is no plain path
 3 | approved = { digests = ["nginx"], files = ["approved.json", "/dev/null", "/nowhere/approved.json"], max-age = 30, max-severity = "severe" }
   |                                            ^^^^^^^^^^^^^^^
   = help: write an absolute path without `.`, `..`, doubled or final slashes
x.toml:3:61: error[bad-list]: `/dev/null` is no regular file
 3 | approved = { digests = ["nginx"], files = ["approved.json", "/dev/null", "/nowhere/approved.json"], max-age = 30, max-severity = "severe" }
   |                                                             ^^^^^^^^^^^
   = help: give a report of `trivy image --format json` or `grype -o json`, or objects with `digest`, `scanned` and `severity`
x.toml:3:74: error[bad-list]: `/nowhere/approved.json` cannot be read: No such file or directory (os error 2)
 3 | approved = { digests = ["nginx"], files = ["approved.json", "/dev/null", "/nowhere/approved.json"], max-age = 30, max-severity = "severe" }
   |                                                                          ^^^^^^^^^^^^^^^^^^^^^^^^
   = help: give a report of `trivy image --format json` or `grype -o json`, or objects with `digest`, `scanned` and `severity`
x.toml:3:111: error[wrong-type]: `max-age` has no unit
 3 | approved = { digests = ["nginx"], files = ["approved.json", "/dev/null", "/nowhere/approved.json"], max-age = 30, max-severity = "severe" }
   |                                                                                                               ^^
   = help: write `"30d"`
x.toml:3:130: error[bad-value]: there is no severity `severe`
 3 | approved = { digests = ["nginx"], files = ["approved.json", "/dev/null", "/nowhere/approved.json"], max-age = 30, max-severity = "severe" }
   |                                                                                                                                  ^^^^^^^^
   = help: write one of `none`, `negligible`, `low`, `medium`, `high` and `critical`
"##,
    );
}

#[test]
fn clients_on_the_wrong_kind_of_door() {
    golden(
        r##"[[door]]
listen = "unix:///run/a/d.sock"
policy = "ping"
[[door.client]]
from = ["10.0.0.0/8"]
tls-name = "a.internal"
policy = "read-only"
[[door]]
listen = "tcp://127.0.0.1:2375"
[[door.client]]
uid = 0
container = "web"
policy = "ping"
"##,
        r##"
x.toml:6:1: error[conflicting-keys]: `from` is for clients of tcp doors only
 6 | from = ["10.0.0.0/8"]
   | ^^^^
   = help: leave it out
x.toml:7:1: error[conflicting-keys]: `tls-name` matches nobody: this door asks for no client certificates
 7 | tls-name = "a.internal"
   | ^^^^^^^^
   = help: leave it out
x.toml:12:1: error[conflicting-keys]: `uid` is for clients of unix doors only
 12 | uid = 0
    | ^^^
    = help: leave it out
x.toml:13:1: error[conflicting-keys]: `container` is for clients of unix doors only
 13 | container = "web"
    | ^^^^^^^^^
    = help: leave it out
"##,
    );
}

#[test]
fn clients_that_are_known_by_nothing_or_come_too_late() {
    golden(
        r##"[[door]]
listen = "unix:///run/a/d.sock"
[[door.client]]
policy = "read-only"
[[door.client]]
uid = [0, 1]
policy = "read-only"
[[door.client]]
container = "web"
uid = 1
policy = "png"
[[door.client]]
uid = 7
"##,
        r##"
x.toml:4:1: error[empty-client]: this client is known by nothing
 4 | [[door.client]]
   | ^^^^^^^^^^^^^^^
   = help: add one of `uid`, `gid`, `group`, `container` and `container-label`; clients that no entry means have the door's own `policy`
x.toml:9:1: warning[unreachable-client]: this client never matches: the one of line 6 comes first
 9 | [[door.client]]
   | ^^^^^^^^^^^^^^^
   = help: put it before that one, or take it out
x.toml:12:10: error[unknown-policy]: there is no policy and no preset `png`
 12 | policy = "png"
    |          ^^^^^
    = help: did you mean `ping`?
x.toml:13:1: error[missing-key]: `[[door.client]]` has no `policy`
 13 | [[door.client]]
    | ^^^^^^^^^^^^^^^
    = help: add `policy = "read-only"`, or the name of another policy
"##,
    );
}

#[test]
fn values_that_mean_no_client() {
    golden(
        r##"[[door]]
listen = "unix:///run/a/d.sock"
[[door.client]]
uid = 65534
gid = []
group = -1
container = ["web/1", "0123456789AB"]
container-label = { a = 1 }
policy = "ping"
[[door.client]]
container-label = {}
policy = "ping"
"##,
        r##"
x.toml:5:7: error[bad-value]: `65534` is what everybody of another namespace is shown as, so it matches nobody
 5 | uid = 65534
   |       ^^^^^
   = help: let the client run as another user and group
x.toml:6:7: error[bad-value]: `gid` is empty, so nobody matches
 6 | gid = []
   |       ^^
   = help: name a group, or leave the key out
x.toml:7:9: error[bad-value]: `-1` is no number of a group
 7 | group = -1
   |         ^^
   = help: write a number from 0 to 4294967294
x.toml:8:14: error[bad-value]: `web/1` is no name of a container
 8 | container = ["web/1", "0123456789AB"]
   |              ^^^^^^^
   = help: write its name, a pattern of names (`ci-*`), or at least 12 digits of its id
x.toml:9:25: error[wrong-type]: `a` must be a string, and this is a whole number
 9 | container-label = { a = 1 }
   |                         ^
   = help: write `"1"`
x.toml:12:19: error[bad-value]: `container-label` is empty, so nobody matches
 12 | container-label = {}
    |                   ^^
    = help: name a label, or leave the key out
"##,
    );
}

#[test]
fn limits_of_a_door_out_of_range() {
    golden(
        r##"[[door]]
listen = "unix:///run/a/d.sock"
policy = "ping"
[door.limits]
connections = 0
requests-per-second = "many"
max-upload = "1B"
head-timeout = 10
chnges = 4
"##,
        r##"
x.toml:6:15: error[bad-value]: `connections` is out of range
 6 | connections = 0
   |               ^
   = help: write a value from 1 to 1000000
x.toml:7:23: error[wrong-type]: `requests-per-second` must be a whole number, and this is a string
 7 | requests-per-second = "many"
   |                       ^^^^^^
   = help: write `many` without quotes
x.toml:8:14: error[bad-value]: `max-upload` is out of range
 8 | max-upload = "1B"
   |              ^^^^
   = help: write a value from `1KiB` to `1024GiB`
x.toml:9:16: error[wrong-type]: `head-timeout` has no unit
 9 | head-timeout = 10
   |                ^^
   = help: write `"10s"`
x.toml:10:1: error[unknown-key]: unknown key `chnges` in `[door.limits]`
 10 | chnges = 4
    | ^^^^^^
    = help: did you mean `changes`?
"##,
    );
}

#[test]
fn a_client_that_is_no_list_and_addresses_that_prove_little() {
    golden(
        r##"[[door]]
listen = "unix:///run/a/d.sock"
[door.client]
uid = 1
policy = "ping"
[[door]]
listen = "tcp://127.0.0.1:2375"
policy = "ping"
[[door.client]]
from = "10.0.0.1/8"
policy = "ping"
[[door.client]]
from = "10.0.0.0/8"
policy = "ping"
"##,
        r##"
x.toml:4:7: error[wrong-type]: `[door.client]` is one table, and clients are a list of them
 4 | [door.client]
   |       ^^^^^^
   = help: write `[[door.client]]`
x.toml:11:1: warning[advisory]: an address says little about who asks: others on the same network or host can have it
 11 | from = "10.0.0.1/8"
    | ^^^^
    = help: use a unix door or client certificates where it matters who asks
x.toml:11:8: error[bad-value]: `10.0.0.1/8` is no range of addresses
 11 | from = "10.0.0.1/8"
    |        ^^^^^^^^^^^^
    = help: the address has bits beyond the range; write the first address of the range
x.toml:14:1: warning[advisory]: an address says little about who asks: others on the same network or host can have it
 14 | from = "10.0.0.0/8"
    | ^^^^
    = help: use a unix door or client certificates where it matters who asks
"##,
    );
}

#[test]
fn a_door_that_gives_most_to_those_of_whom_it_knows_least() {
    golden(
        r##"[[door]]
listen = "unix:///run/a/d.sock"
policy = "unrestricted"
[[door.client]]
container = "ci-*"
policy = "ping"
"##,
        r##"
x.toml:4:10: warning[as-good-as-root]: policy `unrestricted` is as good as root on the host
 4 | policy = "unrestricted"
   |          ^^^^^^^^^^^^^^
   = help: give it only to clients that you would give the docker socket itself
   = note: level `unrestricted` checks nothing of `ContainerCreate`, `ContainerUpdate`, `ContainerExec`, `ServiceCreate` and `ServiceUpdate`
   = note: `PutContainerArchive` writes any file into containers, mounted folders included
   = note: `PluginPull`, `PluginDelete`, `PluginEnable`, `PluginDisable`, `PluginUpgrade` and 3 more allowed: plugins run as root on the host
   = note: `NodeDelete`, `NodeUpdate`, `SwarmInit`, `SwarmJoin`, `SwarmLeave` and 5 more allowed: whoever governs a swarm runs anything on all of its nodes
x.toml:4:10: warning[wide-default]: clients of whom nothing is known have this policy, which is as good as root
 4 | policy = "unrestricted"
   |          ^^^^^^^^^^^^^^
   = help: name the wide policy in a `[[door.client]]`, and give the door a narrow one or none
"##,
    );
}

#[test]
fn a_door_with_an_empty_list_of_clients_and_no_policy() {
    golden(
        r##"[[door]]
listen = "unix:///run/a/d.sock"
client = []
"##,
        r##"
x.toml:2:1: error[missing-key]: `[[door]]` has no `policy`
 2 | [[door]]
   | ^^^^^^^^
   = help: add `policy = "read-only"`: a door without a policy would be open to anything
"##,
    );
}
