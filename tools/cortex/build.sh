#!/usr/bin/env bash
# Builds Cortex (Apache-2.0), a multi-tenant server of the remote read protocol, from its Go module into the tools folder,
# for `make e2e-cortex`. It is built inside a copy of the module, since its replacements of modules hold only there.
set -euo pipefail
version=v1.21.1
sum=h1:UvP5UCub39HI57hhhugsAYlm2N9J3LlJtiuj0UKOq8U=
dir=${TIDEMARK_TOOLS:-${XDG_CACHE_HOME:-$HOME/.cache}/tidemark/tools}
mkdir -p "$dir"
if [ -x "$dir/cortex" ] && [ "$(cat "$dir/.cortex.stamp" 2>/dev/null)" = "$version" ]; then exit 0; fi
cd /
got=$(go mod download -json "github.com/cortexproject/cortex@$version")
field() { printf '%s\n' "$got" | sed -n "s/^.*\"$1\": \"\([^\"]*\)\".*$/\1/p"; }
if [ "$(field Sum)" != "$sum" ]; then echo "cortex $version has the checksum $(field Sum), not $sum" >&2; exit 1; fi
copy=$(mktemp -d)
trap 'chmod -R u+w "$copy"; rm -rf "$copy"' EXIT
cp -r "$(field Dir)/." "$copy"
chmod -R u+w "$copy"
echo "tools: building cortex $version from its module (once; many minutes)" >&2
(cd "$copy" && GOFLAGS="${GOFLAGS:-} -mod=mod" CGO_ENABLED=0 go build -tags "netgo slicelabels" -trimpath -ldflags "-s -w -X main.Version=$version" -o "$dir/cortex.new" ./cmd/cortex)
mv "$dir/cortex.new" "$dir/cortex"
printf '%s' "$version" >"$dir/.cortex.stamp"
