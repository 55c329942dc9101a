# Static binary, no shell, not root. `docker build .` builds from source; a release takes the
# binaries that goreleaser made (--target=release).
FROM --platform=$BUILDPLATFORM golang:1.26 AS build
ARG TARGETOS TARGETARCH
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH \
    go build -trimpath -tags netgo -ldflags '-s -w' -o /out/ ./cmd/tidemark ./cmd/tidetool

# The image has no shell to make a folder with; state must be writable for its user.
FROM busybox:1.37 AS folders
RUN mkdir -p /tidemark/data

FROM gcr.io/distroless/static-debian12:nonroot AS base
LABEL org.opencontainers.image.source="https://github.com/tidemark/tidemark" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=folders --chown=nonroot:nonroot /tidemark /tidemark
WORKDIR /tidemark
VOLUME ["/tidemark/data"]
EXPOSE 9099
USER nonroot:nonroot
ENTRYPOINT ["/bin/tidemark"]
CMD ["--config.file=/etc/tidemark/tidemark.yml", "--storage.path=/tidemark/data"]

FROM base AS release
COPY LICENSE /LICENSE
COPY tidemark tidetool /bin/

FROM base
COPY LICENSE /LICENSE
COPY --from=build /out/tidemark /out/tidetool /bin/
