#!/usr/bin/env bash
# Puts prometheus and alertmanager (and, with --all, promtool and amtool) into the tools folder
# and prints that folder. A program on PATH that is recent enough is linked; otherwise it is built
# from the module pinned beside this script.
#   TIDEMARK_TOOLS  where they go (default: the user's cache folder)
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
dir=${TIDEMARK_TOOLS:-${XDG_CACHE_HOME:-$HOME/.cache}/tidemark/tools}
mkdir -p "$dir"

# at_least HAVE WANT: is version HAVE the same as WANT or newer?
at_least() { [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]; }

version_of() { "$1" --version 2>&1 | sed -n 's/^[a-z]*, version v\{0,1\}\([0-9][0-9.]*\).*/\1/p' | head -n 1; }

# provide NAME MODULE_DIR PACKAGE MIN_VERSION [BUILD_FLAG...]
provide() {
  local name=$1 module=$2 pkg=$3 min=$4
  shift 4
  local stamp="$dir/.$name.stamp" want found have
  want=$(cat "$here/$module/go.sum" "$0" | cksum)
  if [ -x "$dir/$name" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$want" ]; then return; fi
  found=$(command -v "$name" || true)
  if [ -n "$found" ] && [ "$found" != "$dir/$name" ]; then
    have=$(version_of "$found")
    if [ -n "$have" ] && at_least "$have" "$min"; then
      ln -sf "$found" "$dir/$name"
      printf '%s' "$want" >"$stamp"
      echo "tools: $name $have from PATH" >&2
      return
    fi
  fi
  echo "tools: building $name from its module (once; a few minutes)" >&2
  (cd "$here/$module" && CGO_ENABLED=0 go build -o "$dir/$name.new" "$@" "$pkg")
  mv "$dir/$name.new" "$dir/$name"
  printf '%s' "$want" >"$stamp"
}

provide prometheus prometheus github.com/prometheus/prometheus/cmd/prometheus 2.53.0 -tags remove_all_sd,netgo -ldflags "-s -w -X github.com/prometheus/common/version.Version=3.13.5"
provide alertmanager alertmanager github.com/prometheus/alertmanager/cmd/alertmanager 0.27.0 -tags netgo -ldflags "-s -w -X github.com/prometheus/common/version.Version=0.31.1"
if [ "${1:-}" = --all ]; then
  provide promtool prometheus github.com/prometheus/prometheus/cmd/promtool 2.42.0 -tags remove_all_sd,netgo -ldflags "-s -w"
  provide amtool alertmanager github.com/prometheus/alertmanager/cmd/amtool 0.25.0 -tags netgo -ldflags "-s -w"
fi
echo "$dir"
