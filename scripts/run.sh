#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# `make run`: boot Debian's own kernel, load goheap.ko and show it at work.
# Returns 0 only if everything in the guest came out right.
#
#   run.sh [demo|cache|shell]
#
# `cache` is `make run-cache`; what can be set stands in selftests/qemu/cache,
# and is taken from the environment. It draws build/cache.svg.

set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

job=${1:-demo}

find_kernel stock

say "building the module, the library and the programs"
log=$BUILD/logs/build-$job.log
mkdir -p "$BUILD/logs"
{
	ko=$("$TOP/scripts/module.sh" "$KERNEL_DIR") &&
	make -C "$TOP/userlib" -j "$JOBS" O="$BUILD/userlib" library examples >&2
} 2> "$log" || {
	tail -n 20 "$log" >&2
	die "the build failed, see $log"
}

files=("/goheap.ko=$ko")
for program in hello wordindex binarytrees gcbench coroutines lru cache; do
	files+=("/bin/$program=$BUILD/userlib/examples/$program")
done

# What wordindex and cache read. GPL, for example, is a link to GPL-3 and would
# be counted twice; that is as good as any text.
add_texts()
{
	local readme

	files+=(/usr/share/common-licenses=/usr/share/common-licenses
		"/usr/share/doc/goheap/Documentation=$TOP/Documentation")
	for readme in "$TOP"/README*; do
		files+=("/usr/share/doc/goheap/${readme##*/}=$readme")
	done
}

# Settings of the cache as words of the kernel's command line, which takes what
# stands in quotation marks as one.
cache_settings()
{
	local name

	for name in CACHE_SECONDS CACHE_HIGH CACHE_LOW CACHE_LIVE CACHE_STEPS \
		    CACHE_OPTIONS GOGC GODEBUG; do
		if [[ ${!name:-} ]]; then
			printf ' %s="%s"' "$name" "${!name}"
		fi
	done
}

# The lines for programs, out of what the guest printed, and a drawing of them.
draw_cache()
{
	tr -d '\r' < "$BUILD/logs/cache.guest.txt" |
		sed -n 's/^tsv\t//p' > "$BUILD/cache.tsv"
	[[ $(wc -l < "$BUILD/cache.tsv") -gt 2 ]] ||
		die "the guest has measured nothing; log: $BUILD/logs/cache.log"
	gnuplot -e "tsv='$BUILD/cache.tsv'; svg='$BUILD/cache.svg'" \
		"$TOP/scripts/cache.gnuplot"
}

case $job in
demo)
	add_texts
	"$TOP/scripts/initramfs.sh" "$BUILD/demo.cpio" "${files[@]}"
	say "booting $(kernel_release "$KERNEL_DIR")"
	"$TOP/scripts/qemu.sh" -k "$KERNEL" -i "$BUILD/demo.cpio" \
		-l "$BUILD/logs/run.log" -t 300 -a "gh_job=demo"
	say "all was right; the log is build/logs/run.log"
	;;
cache)
	add_texts
	files+=("/cache=$TOP/selftests/qemu/cache")
	seconds=${CACHE_SECONDS:-60}
	high=${CACHE_HIGH:-2048}
	"$TOP/scripts/initramfs.sh" "$BUILD/cache.cpio" "${files[@]}"
	say "booting $(kernel_release "$KERNEL_DIR"), $seconds seconds and some more"
	status=0
	"$TOP/scripts/qemu.sh" -k "$KERNEL" -i "$BUILD/cache.cpio" \
		-l "$BUILD/logs/cache.log" -o "$BUILD/logs/cache.guest.txt" \
		-t $((seconds * 2 + 180)) -m $((high + 1024)) \
		-a "gh_job=cache$(cache_settings)" |
		sed -u 's/\r$//; /^tsv\t/d' || status=$?
	draw_cache
	say "the figures are build/cache.tsv, the drawing build/cache.svg"
	[[ $status -eq 0 ]] || exit "$status"
	say "all was right; the log is build/logs/cache.log"
	;;
shell)
	if [[ -d $BUILD/selftests ]]; then
		files+=("/selftests=$BUILD/selftests")
	fi
	"$TOP/scripts/initramfs.sh" "$BUILD/shell.cpio" "${files[@]}"
	"$TOP/scripts/qemu.sh" -s -k "$KERNEL" -i "$BUILD/shell.cpio" \
		-l "$BUILD/logs/shell.log" -a "gh_job=shell quiet"
	;;
*)
	die "usage: run.sh [demo|cache|shell]"
	;;
esac
