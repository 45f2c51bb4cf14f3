#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The newest Go that Debian's backports package, for benchmarks: prints the
# folder of its tool chain (GOROOT), unpacked once into the cache folder.
#
#   go.sh

set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=scripts/backports.sh
. "$(dirname "$0")/backports.sh"

# newest: "VERSION SUITE" of the newest golang-VERSION-go
newest()
{
	local suite version

	for suite in bookworm-backports trixie-backports; do
		apt-cache "${APT[@]}" pkgnames golang-1. |
		sed -n 's/^golang-\(1\.[0-9]*\)-go$/\1/p' |
		while read -r version; do
			[[ ! $(field "golang-$version-go" "$suite" Version) ]] ||
				printf '%s %s\n' "$version" "$suite"
		done
	done | sort -V | tail -n 1
}

# A tool chain fetched before does, also where there is no network.
root=$(printf '%s\n' "$CACHE"/go-*/usr/lib/go-* | sort -V | tail -n 1)
if [[ ! -x $root/bin/go ]]; then
	lock_cache go
	prepare_apt
	answer=$(newest)
	read -r version suite <<< "$answer"
	[[ $version ]] || die "no backports suite packages golang"
	say "fetching golang-$version of $suite"
	new_tmp
	fetch "$suite" "$TMP" "golang-$version-go" "golang-$version-src"
	root=$CACHE/go-$version/usr/lib/go-$version
	rm -rf "$CACHE/go-$version"
	mv -T "$TMP" "$CACHE/go-$version"
	[[ -x $root/bin/go ]] || die "the package has no tool chain"
fi
printf '%s\n' "$root"
