# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# What the scripts of this folder share. Sourced, never run.
# shellcheck disable=SC2034 # used by the scripts that source this file

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
BUILD=$TOP/build
CACHE=${GOHEAP_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/goheap}
SOURCE_PACKAGE=linux-source-6.1
JOBS=$(nproc)

# Progress goes to stderr: the answer of a script, if it has one, to stdout.
say()
{
	printf '>> %s\n' "$*" >&2
}

die()
{
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 1
}

# Version of an installed package, or failure.
package_version()
{
	local status version

	read -r status version < <(dpkg-query -W -f '${db:Status-Abbrev} ${Version}\n' \
		"$1" 2>/dev/null) || return 1
	[[ $status == ii* ]] || return 1
	printf '%s\n' "$version"
}

# The name by which a kernel build folder's modules are told apart. Debian's
# include/config/kernel.release lacks the package's part of it.
kernel_release()
{
	sed -n 's/^#define UTS_RELEASE "\(.*\)"/\1/p' \
		"$1/include/generated/utsrelease.h"
}

# Take a lock for the rest of the script, so that two builds of one cache entry
# wait for each other instead of both doing the work.
lock_cache()
{
	mkdir -p "$CACHE"
	exec {CACHE_LOCK}>"$CACHE/$1.lock"
	flock -n "$CACHE_LOCK" || {
		say "waiting for another run that prepares $1"
		flock "$CACHE_LOCK"
	}
}
