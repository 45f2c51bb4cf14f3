#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# `make run`: boot Debian's own kernel, load goheap.ko and show it at work.
# Returns 0 only if everything in the guest came out right.
#
#   run.sh [demo|shell]

set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

job=${1:-demo}

stock=$("$TOP/scripts/kernel.sh" stock)
read -r kernel headers <<< "$stock"

say "building the module, the library and the programs"
log=$BUILD/logs/build-$job.log
mkdir -p "$BUILD/logs"
{
	ko=$("$TOP/scripts/module.sh" "$headers") &&
	make -C "$TOP/userlib" -j "$JOBS" O="$BUILD/userlib" library examples >&2
} 2> "$log" || {
	tail -n 20 "$log" >&2
	die "the build failed, see $log"
}

files=("/goheap.ko=$ko")
for program in hello wordindex binarytrees gcbench coroutines lru; do
	files+=("/bin/$program=$BUILD/userlib/examples/$program")
done

case $job in
demo)
	# What wordindex reads. GPL, for example, is a link to GPL-3 and would
	# be counted twice; that is as good as any text.
	files+=(/usr/share/common-licenses=/usr/share/common-licenses
		"/usr/share/doc/goheap/Documentation=$TOP/Documentation")
	for readme in "$TOP"/README*; do
		files+=("/usr/share/doc/goheap/${readme##*/}=$readme")
	done
	"$TOP/scripts/initramfs.sh" "$BUILD/demo.cpio" "${files[@]}"
	say "booting $(kernel_release "$headers")"
	"$TOP/scripts/qemu.sh" -k "$kernel" -i "$BUILD/demo.cpio" \
		-l "$BUILD/logs/run.log" -t 300 -a "gh_job=demo"
	say "all was right; the log is build/logs/run.log"
	;;
shell)
	if [[ -d $BUILD/selftests ]]; then
		files+=("/selftests=$BUILD/selftests")
	fi
	"$TOP/scripts/initramfs.sh" "$BUILD/shell.cpio" "${files[@]}"
	"$TOP/scripts/qemu.sh" -s -k "$kernel" -i "$BUILD/shell.cpio" \
		-l "$BUILD/logs/shell.log" -a "gh_job=shell quiet"
	;;
*)
	die "usage: run.sh [demo|shell]"
	;;
esac
