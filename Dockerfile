# The image of kube-iam: one static program, and a folder for its state.
#
#   docker build -t REGISTRY/kube-iam:0.1.0 .
#
# It runs as user 65532 with a read-only root; /var/lib/kube-iam is to be a volume then.

FROM rust:1.95.0-bookworm AS build
WORKDIR /src
COPY . .
# Statically with glibc, so that nothing has to lie beside it: not even its libraries. Names are resolved all the same.
RUN cargo rustc --locked --release --bin kube-iam -- -C target-feature=+crt-static
RUN install -D target/release/kube-iam /image/kube-iam
RUN install -d -m 0700 /state/lib/kube-iam

FROM scratch
COPY --from=build /image /
COPY --from=build --chown=65532:65532 /state /var
USER 65532:65532
ENV KUBE_IAM_STATE_DIR=/var/lib/kube-iam
EXPOSE 9443 9440
ENTRYPOINT ["/kube-iam"]
CMD ["serve"]
