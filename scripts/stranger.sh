#!/usr/bin/env bash
# The stranger's test: does a bare clone of HEAD work on a machine that has never seen the project?
#
#   scripts/stranger.sh                        clone, `npm test` with every cache empty
#   scripts/stranger.sh --start                … and `npm start`
#   scripts/stranger.sh --node <path to node>  … with that Node first on PATH
#   scripts/stranger.sh --warm                 … and a second set-up and a second clone, for the warm times
#   scripts/stranger.sh --no-test              leave `npm test` out
#   scripts/stranger.sh --keep                 leave the folder and name it
#
# HOME and all caches (npm, pip, Go, ours) are empty folders of its own, removed at the end. The user's registry and proxy
# settings are carried over through the environment only, so that the downloads work as they do for the user.
set -euo pipefail

repository="$(git -C "$(dirname "${BASH_SOURCE[0]}")" rev-parse --show-toplevel)"
node='' start=no warm=no tests=yes keep=no
while [ $# -gt 0 ]; do
  case "$1" in
    --node) node="$(cd "$(dirname "$2")" && pwd)/$(basename "$2")"; shift ;;
    --start) start=yes ;;
    --warm) warm=yes ;;
    --no-test) tests=no ;;
    --keep) keep=yes ;;
    *) echo "stranger: unknown option $1; see the head of $0" >&2; exit 2 ;;
  esac
  shift
done

place="$(mktemp -d)"
finish() {
  if [ "$keep" = yes ]; then echo "stranger: kept $place"; return; fi
  chmod -R u+w "$place" 2>/dev/null || true # Go's module cache is read-only
  rm -rf "$place"
}
trap finish EXIT

# Where the user's npm and pip look for packages, before HOME changes. A python3 that a version manager puts before the real one
# looks for itself under HOME, so the real one is named.
user_npmrc="$(npm config get userconfig 2>/dev/null || true)"
[ -f "$user_npmrc" ] && export NPM_CONFIG_USERCONFIG="$user_npmrc"
for file in "$HOME/.config/pip/pip.conf" "$HOME/.pip/pip.conf"; do
  if [ -z "${PIP_CONFIG_FILE:-}" ] && [ -f "$file" ]; then export PIP_CONFIG_FILE="$file"; fi
done
python="$(python3 -c 'import sys; print(sys.executable)' 2>/dev/null || true)"

mkdir -p "$place/home" "$place/cache" "$place/npm" "$place/pip" "$place/tmp" "$place/bin"
export HOME="$place/home" XDG_CACHE_HOME="$place/cache" NPM_CONFIG_CACHE="$place/npm" PIP_CACHE_DIR="$place/pip"
export GOPATH="$place/go" GOCACHE="$place/gocache" TMPDIR="$place/tmp"
unset STARTRAIL_TEMPORAL STARTRAIL_TENSORFLOW STARTRAIL_HOME XDG_CONFIG_HOME XDG_DATA_HOME 2>/dev/null || true
[ -n "$node" ] && ln -s "$node" "$place/bin/node"
[ -n "$python" ] && ln -s "$python" "$place/bin/python3"
export PATH="$place/bin:$PATH"

summary=()
failed=0
# timed <name> <command …>
timed() {
  local name="$1" began code=0 took
  shift
  echo "== $name: $*"
  began="$(date +%s%N)"
  "$@" || code=$?
  took="$(awk "BEGIN { printf \"%.1f\", ($(date +%s%N) - $began) / 1e9 }")"
  summary+=("$(printf '%-28s %8s s   exit code %s' "$name" "$took" "$code")")
  [ "$code" -eq 0 ] || failed=1
}

echo "== Node $(node --version), npm $(npm --version 2>/dev/null), commit $(git -C "$repository" rev-parse --short HEAD)"
git clone --quiet --no-hardlinks "$repository" "$place/startrail"
git -C "$place/startrail" checkout --quiet "$(git -C "$repository" rev-parse HEAD)"
cd "$place/startrail"

if [ "$tests" = yes ]; then timed 'npm test, cold' npm test; fi
if [ "$start" = yes ]; then timed "npm start$([ "$tests" = yes ] || echo ', cold')" npm start; fi
if [ "$tests" = no ] && [ "$start" = no ]; then timed 'set-up, cold' npm run setup; fi
if [ "$warm" = yes ]; then
  timed 'set-up, warm' node scripts/setup.mjs
  git clone --quiet --no-hardlinks "$repository" "$place/second"
  git -C "$place/second" checkout --quiet "$(git -C "$repository" rev-parse HEAD)"
  timed 'set-up, second clone' node "$place/second/scripts/setup.mjs"
fi
timed 'report' node scripts/setup.mjs --report >/dev/null

left="$(git status --short)"
if [ -n "$left" ]; then
  echo "== the clone has changed:"; echo "$left"; failed=1
fi
if [ -n "$(ls -A "$XDG_CACHE_HOME/startrail/tmp" 2>/dev/null)" ]; then
  echo "== left in the cache's tmp:"; ls -A "$XDG_CACHE_HOME/startrail/tmp"; failed=1
fi
echo
echo "== summary, Node $(node --version), $(uname -sm), commit $(git rev-parse --short HEAD)"
printf '%s\n' "${summary[@]}"
echo "cache: $(du -sh "$XDG_CACHE_HOME/startrail" 2>/dev/null | cut -f1), node_modules: $(du -sh node_modules 2>/dev/null | cut -f1)"
exit "$failed"
