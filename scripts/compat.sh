#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# `make compat`: does the module build against the newer kernels that Debian
# packages? 6.12 from bookworm-backports (headers as they are) and the newest
# of trixie-backports (prepared from its source, because the host tools of its
# header package want a newer C library than ours).
#
# Packages come from the archive that the machine's own apt uses, through an
# apt state of our own in the cache folder: the machine's configuration and
# lists are only read. Nothing is installed, packages are only unpacked.
#
#   compat.sh [6.12|newest]...     default: both

set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

LOGS=$BUILD/logs
STATE=$CACHE/apt
mkdir -p "$LOGS"

APT=(-o "Dir::Etc::SourceList=$STATE/sources.list" -o Dir::Etc::SourceParts=-
     -o "Dir::State::Lists=$STATE/lists" -o "Dir::State::Status=$STATE/status"
     -o "Dir::Cache=$STATE/cache" -o APT::Sandbox::User=root
     -o Acquire::Languages=none -o APT::Get::List-Cleanup=true -qq)

# Write a sources.list with the suites we need at every place where the
# machine finds Debian's main section.
prepare_apt()
{
	local uri suite component codename
	local keyring=/usr/share/keyrings/debian-archive-keyring.gpg

	mkdir -p "$STATE"/{lists/partial,cache/archives/partial}
	: > "$STATE/status"
	# shellcheck disable=SC2016 # apt's own variables
	apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' \
		'Created-By: Packages' |
	while read -r uri suite component; do
		# The main suite only: updates and security lie elsewhere.
		[[ $suite == bookworm && $component == main ]] || continue
		for codename in bookworm trixie; do
			printf 'deb [signed-by=%s] %s %s-backports main\n' \
				"$keyring" "$uri" "$codename"
		done
	done | sort -u > "$STATE/sources.new"
	cmp -s "$STATE/sources.new" "$STATE/sources.list" ||
		mv "$STATE/sources.new" "$STATE/sources.list"
	[[ -s $STATE/sources.list ]] ||
		die "the machine's apt has no bookworm main section to start from"

	# Once a day is often enough.
	if [[ ! $(find "$STATE/updated" -newer "$STATE/sources.list" -mtime -1 \
		2>/dev/null) ]]; then
		say "reading the lists of the backports suites"
		apt-get "${APT[@]}" update >&2 || die "apt-get update failed"
		touch "$STATE/updated"
	fi
}

# field PACKAGE SUITE FIELD: from the package's entry in that suite
field()
{
	apt-cache "${APT[@]}" -t "$2" show --no-all-versions "$1" |
		sed -n "s/^$3: //p" | head -n 1
}

# fetch SUITE FOLDER PACKAGE...: unpack packages below FOLDER
fetch()
{
	local suite=$1 folder=$2 deb

	shift 2
	mkdir -p "$folder/debs"
	(cd "$folder/debs" && apt-get "${APT[@]}" -t "$suite" download "$@" >&2)
	for deb in "$folder"/debs/*.deb; do
		dpkg -x "$deb" "$folder"
	done
	rm -rf "$folder/debs"
}

new_tmp()
{
	TMP=$(mktemp -d "$CACHE/tmp.XXXXXX")
	chmod 755 "$TMP"
	trap 'rm -rf "$TMP"' EXIT
}

# The first dependency of PACKAGE in SUITE that matches a pattern.
depends_on()
{
	field "$1" "$2" Depends | tr ',|' '\n' | sed 's/^ *//; s/ .*//' |
		grep -E -m 1 "$3"
}

# The newest cloud headers of a Debian release's backports. (The package that
# should name them, linux-headers-cloud-amd64, lags behind.)
newest_headers()
{
	apt-cache "${APT[@]}" pkgnames linux-headers- |
		grep -E "^linux-headers-[0-9.]+\\+deb$1-cloud-amd64$" |
		sort -V | tail -n 1
}

# headers SUITE PACKAGE: unpack header packages, print their build folder
headers()
{
	local suite=$1 package=$2 common kbuild version dir base

	common=$(depends_on "$package" "$suite" '^linux-headers-.*-common')
	kbuild=$(depends_on "$package" "$suite" '^linux-kbuild-')
	version=$(field "$package" "$suite" Version)
	dir=$CACHE/headers-$version
	if [[ ! -d $dir ]]; then
		say "fetching $package $version"
		new_tmp
		fetch "$suite" "$TMP" "$package" "$common" "$kbuild"
		# The packaged makefiles name their installed places.
		base=$TMP/usr/src/$package
		grep -rlI --include=Makefile --include=.kernelvariables /usr/ "$base" \
			2>/dev/null | while read -r file; do
			sed -i "s#/usr/src/linux-headers#$dir/usr/src/linux-headers#g;
				s#/usr/lib/linux-kbuild#$dir/usr/lib/linux-kbuild#g" "$file"
		done
		# With it kbuild would make BTF, for which it needs pahole.
		rm -f "$base/vmlinux"
		mv -T "$TMP" "$dir"
	fi
	printf '%s\n' "$dir/usr/src/$package"
}

# newest: prepare the newest packaged source with the configuration and the
# symbol versions of its header package, print the build folder
newest()
{
	local suite=trixie-backports package packaged source version dir tarball

	package=$(newest_headers 13)
	packaged=$(headers "$suite" "$package")
	source=$(sed -E 's/^linux-headers-([0-9]+\.[0-9]+).*/linux-source-\1/' \
		<<< "$package")
	version=$(field "$source" "$suite" Version)
	dir=$CACHE/prepared-$version
	if [[ ! -d $dir ]]; then
		say "fetching $source $version"
		new_tmp
		fetch "$suite" "$TMP" "$source"
		tarball=$(printf '%s\n' "$TMP"/usr/src/linux-source-*.tar.xz)
		say "unpacking it and building its host tools, about a minute"
		mkdir "$TMP/tree"
		tar -C "$TMP/tree" --strip-components=1 -xf "$tarball"
		rm -rf "${TMP:?}/usr"
		cp "$packaged/.config" "$TMP/tree/.config"
		# Options for which this machine has no tool change nothing in
		# whether we compile.
		"$TMP/tree/scripts/config" --file "$TMP/tree/.config" \
			-d DEBUG_INFO_BTF -d MODULE_SIG -d SYSTEM_TRUSTED_KEYRING \
			-d RUST -d GENDWARFKSYMS \
			-e DEBUG_INFO_NONE -d DEBUG_INFO_DWARF_TOOLCHAIN_DEFAULT \
			-d DEBUG_INFO_DWARF5
		make -C "$TMP/tree" -j "$JOBS" olddefconfig modules_prepare \
			> "$LOGS/compat-prepare.log" 2>&1 || {
			tail -n 20 "$LOGS/compat-prepare.log" >&2
			die "cannot prepare $source, see build/logs/compat-prepare.log"
		}
		cp "$packaged/Module.symvers" "$TMP/tree/"
		# The bulk of it, which no external module reads.
		rm -rf "${TMP:?}"/tree/{Documentation,drivers,fs,net,samples,sound}
		mv -T "$TMP/tree" "$dir"
		rm -rf "$TMP"
	fi
	printf '%s\n' "$dir"
}

prepare_apt
status=0
kernels=("$@")
[[ $# -gt 0 ]] || kernels=(6.12 newest)
for kernel in "${kernels[@]}"; do
	case $kernel in
	6.12)	dir=$(headers bookworm-backports "$(newest_headers 12)") ;;
	newest)	dir=$(newest) ;;
	*)	die "usage: compat.sh [6.12|newest]..." ;;
	esac
	log=$LOGS/compat-$kernel.log
	if "$TOP/scripts/module.sh" "$dir" > "$log" 2>&1; then
		say "$kernel: builds ($(basename "$(dirname "$(tail -n 1 "$log")")"))"
		grep -E 'warning:|WARNING' "$log" >&2 || true
	else
		say "$kernel: FAILED, see $log"
		grep -E 'error|warning:' "$log" | head -n 20 >&2
		status=1
	fi
done
exit "$status"
