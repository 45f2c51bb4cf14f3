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

# Compilers are asked through ccache, where it is installed. Paths below this checkout
# count as relative ones, and the checkout itself does not count, so that a fresh
# clone finds what another one has compiled. Warnings are remembered as well.
if [[ -d /usr/lib/ccache ]]; then
	export PATH=/usr/lib/ccache:$PATH
	export CCACHE_DIR=$CACHE/ccache CCACHE_MAXSIZE=1G
	export CCACHE_BASEDIR=$TOP CCACHE_NOHASHDIR=1
fi

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

# Wait until a processor is free of background jobs of this script.
wait_for_slot()
{
	while [[ $(jobs -rp | wc -l) -ge $JOBS ]]; do
		wait -n || true
	done
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

# find_kernel KIND: what kernel.sh says, as KERNEL, to boot, and KERNEL_DIR, to
# build against
find_kernel()
{
	local answer

	answer=$("$TOP/scripts/kernel.sh" "$1") || return
	read -r KERNEL KERNEL_DIR <<< "$answer"
}

# only_common_imports KO: say which symbols a module imports that imports.deny has;
# fails if there is one, and if that cannot be told
only_common_imports()
{
	local deny undefined bad status=0

	deny=$(grep -v '^#' "$TOP/scripts/imports.deny") || return 1
	undefined=$(nm -u "$1") || return 1
	undefined=$(awk '{ print $2 }' <<< "$undefined")
	if ! grep -qx _printk <<< "$undefined"; then
		echo "$1 imports nothing, not even _printk"
		return 1
	fi
	bad=$(grep -xE "$deny" <<< "$undefined") || status=$?
	[[ $status -ne 1 ]] || return 0
	printf 'exported by Debian only: %s\n' "$bad"
	return 1
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

# A folder inside the cache, so that the finished work is put in place by one
# rename; gone when the script ends early.
new_tmp()
{
	mkdir -p "$CACHE"
	TMP=$(mktemp -d "$CACHE/tmp.XXXXXX")
	chmod 755 "$TMP"
	trap 'rm -rf "$TMP"' EXIT
}

# Complaints of a kernel. Case matters: the boot messages name KASAN and lockdep
# harmlessly in other words.
COMPLAINTS='WARNING:|BUG:|KASAN:|UBSAN:|KFENCE:|KCSAN:|ODEBUG:|Oops|Call Trace'
COMPLAINTS+='|Kernel panic|general protection fault, |unreferenced object'
COMPLAINTS+='|possible (circular|recursive|irq lock|deadlock)|INFO: lockdep'
COMPLAINTS+='|inconsistent lock state|suspicious RCU usage|bad unlock balance'
COMPLAINTS+='|DEBUG_LOCKS_WARN_ON|turning off the locking correctness validator'
COMPLAINTS+='|INFO: trying to register|blocked for more than|soft lockup'
COMPLAINTS+='|detected stalls|self-detected stall|hung task|refcount_t: '
COMPLAINTS+='|corruption|Bad page state|still has [0-9]* objects|Objects remaining'
COMPLAINTS+='|invoked oom-killer|page allocation failure'

# guest_options ARGUMENT...: read what qemu.sh and uml.sh are called with into the
# variables below, and make way for the logs.
guest_options()
{
	local opt

	kernel=
	initramfs=
	log=
	output=
	seconds=120
	memory=2048
	append=
	shell=
	which=
	while getopts k:i:l:o:t:m:a:sw opt; do
		case $opt in
		k)	kernel=$OPTARG ;;
		i)	initramfs=$OPTARG ;;
		l)	log=$OPTARG ;;
		o)	output=$OPTARG ;;
		t)	seconds=$OPTARG ;;
		m)	memory=$OPTARG ;;
		a)	append=$OPTARG ;;
		s)	shell=1 ;;
		w)	which=1 ;;
		*)	die "wrong option; see the top of this file" ;;
		esac
	done
	[[ $kernel && ( $which || $initramfs && $log ) ]] ||
		die "-k, -i and -l are needed"
	if [[ $log ]]; then
		mkdir -p "$(dirname "$log")"
		rm -f "$log" ${output:+"$output"}
	fi
}

# judge_guest STATUS: what came of a guest with these options that ended with
# STATUS. Ends the script, with the exit statuses that qemu.sh names.
judge_guest()
{
	local status=$1 result

	if [[ $status -eq 124 || $status -eq 137 ]]; then
		say "FAILED: the guest hung and was killed after $seconds s; log: $log"
		exit 124
	fi
	if grep -aqE "$COMPLAINTS" "$log"; then
		say "FAILED: the kernel complained; log: $log"
		grep -aE -m 5 "$COMPLAINTS" "$log" >&2
		exit 2
	fi
	if [[ $status -ne 0 ]]; then
		say "FAILED: the machine ended with status $status; log: $log"
		exit 3
	fi
	result=$(tr -d '\r' < "${output:-$log}" |
		sed -n 's/^goheap-guest: result \([0-9]*\)$/\1/p' | tail -n 1)
	if [[ ! $result ]]; then
		say "FAILED: the guest ended without a result; log: $log"
		exit 3
	fi
	if [[ $result -ne 0 ]]; then
		say "FAILED: the job in the guest; log: $log"
		exit 1
	fi
	exit 0
}
