# What the scripts beside this file share. Sourced, never run.
# shellcheck shell=bash

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"

say() { printf '%s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

# at_least WANTED GOT: whether a dotted version is high enough.
at_least() { [ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n 1)" = "$1" ]; }

need_go_and_node() {
	command -v go >/dev/null || die "Go 1.26 or later is needed: https://go.dev/dl/"
	local go_version node_version
	go_version=$(go env GOVERSION) && go_version=${go_version#go}
	at_least 1.26 "$go_version" || die "Go 1.26 or later is needed, this is $go_version: https://go.dev/dl/"
	command -v npm >/dev/null || die "Node 20.9 or later with npm is needed: https://nodejs.org/"
	node_version=$(node --version) && node_version=${node_version#v}
	at_least 20.9 "$node_version" || die "Node 20.9 or later is needed, this is $node_version: https://nodejs.org/"
}

# locked_modules FOLDER: installs exactly what its lock file says, when that was
# not done yet or the lock has changed since.
locked_modules() {
	local stamp="$1/node_modules/.locked"
	if [ -f "$stamp" ] && cmp -s "$stamp" "$1/package-lock.json" && { [ ! -d "$1/dist" ] || [ -f "$1/dist/nhsuk.css" ]; }; then
		return
	fi
	say "fetching what $1/package-lock.json names"
	(cd "$1" && npm ci --no-audit --no-fund --loglevel=error)
	cp "$1/package-lock.json" "$stamp"
}
