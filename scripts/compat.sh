#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# `make compat`: does the module build against the newer kernels that Debian
# packages? 6.12 from bookworm-backports (headers as they are) and the newest
# of trixie-backports (prepared from its source, because the host tools of its
# header package want a newer C library than ours). Both come with the list of what
# these kernels export, and a symbol that is not on it is an error; as is one that
# Debian's kernels alone export (imports.deny).
#
#   compat.sh [6.12|newest]...     default: both

set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=scripts/backports.sh
. "$(dirname "$0")/backports.sh"

LOGS=$BUILD/logs
mkdir -p "$LOGS"

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

# built_against KERNEL_BUILD_DIR: does the module build, and find its symbols?
built_against()
{
	local ko

	[[ -s $1/Module.symvers ]] || {
		echo "error: $1 does not say what the kernel exports"
		return 1
	}
	# In the environment it would make warnings of undefined symbols.
	ko=$(env -u KBUILD_MODPOST_WARN "$TOP/scripts/module.sh" "$1") || return 1
	only_common_imports "$ko" || {
		echo "error: imports that other kernels do not have"
		return 1
	}
	printf '%s\n' "$ko"
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
	if built_against "$dir" > "$log" 2>&1; then
		say "$kernel: builds ($(basename "$(dirname "$(tail -n 1 "$log")")"))"
		grep -E 'warning:|WARNING' "$log" >&2 || true
	else
		say "$kernel: FAILED, see $log"
		grep -iE '(error|warning):' "$log" | head -n 20 >&2
		status=1
	fi
done
exit "$status"
