# The image: one static binary, two empty folders, nothing else.
# deploy/Dockerfile.static builds the same final stage from a binary that exists already, without a registry.

FROM rust:1.95-bookworm AS build
# the image has the toolchain: none is fetched for the rust-toolchain.toml of the context
ENV RUSTUP_TOOLCHAIN=1.95.0
WORKDIR /src
COPY . .
# --target keeps the flags away from build scripts and procedural macros, which are loaded as libraries; packed relocations make the
# binary 5 % smaller, and need a glibc of 2.36 or later, which the image has
RUN set -eu; \
    target="$(uname -m)-unknown-linux-gnu"; \
    RUSTFLAGS="-C target-feature=+crt-static -C link-arg=-Wl,-z,pack-relative-relocs" cargo build --release --locked --features otlp --bin dockgate --target "$target"; \
    install -D -m 0755 "target/$target/release/dockgate" /out/dockgate; \
    ldd /out/dockgate 2>&1 | grep -Eq 'statically linked|not a dynamic executable'; \
    install -d -m 0755 /out/state/run /out/state/var/log; \
    install -d -m 0750 /out/state/run/dockgate /out/state/var/log/dockgate

FROM scratch
LABEL org.opencontainers.image.title="dockgate" \
      org.opencontainers.image.description="A gate in front of the Docker socket: every Engine API request parsed, judged against an allowlist, re-written and recorded" \
      org.opencontainers.image.licenses="Apache-2.0 OR MIT"
COPY --from=build --chown=0:0 /out/dockgate /dockgate
# The folders for sockets and for the trail belong to the user below, so that an empty named volume takes that ownership.
COPY --from=build --chown=65532:65532 /out/state/ /
# numbers: an image from scratch has no names
USER 65532:65532
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s --retries=3 CMD ["/dockgate", "healthcheck"]
ENTRYPOINT ["/dockgate"]
CMD ["serve"]
