#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# `make bench`: what goheap costs, and how that compares with what it may cost.
#
# 1. the core in user space on this machine (selftests/core/bench.c)
# 2. the library over the core in one process, side by side with other heaps:
#    malloc() of four kinds, libgc, Go (selftests/bench/host)
# 3. a loop of plain computing on this machine (selftests/bench/device.c)
# 4. the device and the same loop in a guest with Debian's own kernel
# 5. the library and the device beside the same heaps as in 2, in another guest
# 6. stops and handshakes of the module in User-mode Linux, at the machine's own
#    speed (selftests/bench/latency.c)
# 7. a table of targets and figures
#
#   bench.sh [uml]     all of it, or only 6
#
# The loop's time in the guest divided by its time here is the loop ratio: by
# that much plain computing in the guest is slower. With it a figure of the core
# becomes what the device may cost in the guest.
#
# Every figure is kept as a line of JSON in build/bench/: host.json, peers.json,
# loop.json, guest.json, guest-peers.json, uml.json. A target that is missed is no failure;
# the exit status is 1 only if something could not be measured.

set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

OUT=$BUILD/bench
LOGS=$BUILD/logs
failed=
mkdir -p "$OUT" "$LOGS"

# Something is missing; go on with the rest.
lacking()
{
	say "NOT MEASURED: $*"
	failed=1
}

heading()
{
	printf '\n== %s\n' "$*"
}

load_average()
{
	cut -d ' ' -f 1 /proc/loadavg
}

describe_host()
{
	printf 'machine: %s, %s CPUs, %s, load %s\n' \
		"$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)" \
		"$JOBS" "$(uname -sr)" "$(load_average)"
}

# The lines of the core's benchmark as JSON. A line that is indented belongs to
# the one before.
host_json()
{
	awk '
	{
		name = substr($0, 1, 52)
		sub(/ +$/, "", name)
		if (name ~ /^  /)
			name = last "," substr(name, 2)
		else
			last = name
		rest = substr($0, 53)
		if (split(rest, field) < 2 || field[1] !~ /^[0-9.]+$/)
			next
		unit = rest
		sub(/^ *[0-9.]+ */, "", unit)
		sub(/ *\(.*/, "", unit)
		range = ""
		if (match(rest, /\([0-9.]+ \.\. [0-9.]+\)/)) {
			split(substr(rest, RSTART + 1, RLENGTH - 2), r, " .. ")
			range = ",\"min\":" r[1] ",\"max\":" r[2]
		}
		printf "{\"name\":\"%s\",\"unit\":\"%s\",\"median\":%s%s}\n",
			name, unit, field[1], range
	}'
}

bench_core()
{
	local status=0

	make -s -C "$TOP/selftests/core" -j "$JOBS" bench \
		2> "$LOGS/bench-core.log" | tee "$OUT/host.txt" || status=1
	[[ $status -eq 0 ]] ||
		lacking "the core's benchmark ended early, see build/logs/bench-core.log"
	host_json < "$OUT/host.txt" > "$OUT/host.json"
}

# The library, and whatever peers there are.
bench_library()
{
	local go folder=$OUT/host

	go=$("$TOP/scripts/go.sh") ||
		say "no tool chain of Go, go on without"
	make -s -C "$TOP/selftests/bench/host" -j "$JOBS" O="$folder" \
		GOROOT="$go" > "$LOGS/bench-library.log" 2>&1 || {
		lacking "the library's benchmark does not build," \
			"see build/logs/bench-library.log"
		return
	}
	"$TOP/selftests/bench/host/run.py" "$folder" \
		--json "$OUT/peers.json" 2>> "$LOGS/bench-library.log" ||
		lacking "the library beside its peers," \
			"see build/logs/bench-library.log"
}

build_device()
{
	make -s -C "$TOP/selftests/bench" O="$OUT" > "$LOGS/bench-build.log" 2>&1 ||
		die "selftests/bench does not build, see build/logs/bench-build.log"
}

bench_loop()
{
	GOHEAP_BENCH_JSON=$OUT/loop.json "$OUT/device" loop ||
		lacking "the loop on this machine"
}

# What both guests boot: sets kernel, headers and ko.
prepare_guests()
{
	local answer

	answer=$("$TOP/scripts/kernel.sh" stock)
	read -r kernel headers <<< "$answer"
	ko=$("$TOP/scripts/module.sh" "$headers" 2> "$LOGS/bench-module.log") ||
		die "the module does not build, see build/logs/bench-module.log"
}

# Boot, show the table as it comes and keep the JSON that is between its lines.
bench_guest()
{
	local status=0

	"$TOP/scripts/initramfs.sh" "$BUILD/bench.cpio" "/goheap.ko=$ko" \
		"/bench/device=$OUT/device"
	say "booting $(kernel_release "$headers"), up to 15 minutes"
	"$TOP/scripts/qemu.sh" -k "$kernel" -i "$BUILD/bench.cpio" \
		-l "$LOGS/bench.log" -o "$OUT/guest.txt" -t 900 -m 2048 \
		-a "gh_job=bench gh_limit=870 GOHEAP_BENCH_JSON=-" |
		tr -d '\r' | grep -avE '^([{#]|ok |goheap-guest:)' || status=1
	tr -d '\r' < "$OUT/guest.txt" | grep -a '^{.*}$' > "$OUT/guest.json" ||
		status=1
	if [[ $status -ne 0 ]] ||
	   ! grep -aq '^# suite end bench/device status 0' "$OUT/guest.txt"; then
		lacking "the run in the guest is not complete, see build/logs/bench.log"
	fi
}

# Put the programs of all heaps into one folder of the guest. Those of the peers
# are as bench_library() built them.
pack_heaps()
{
	make -s -C "$TOP/selftests/bench/guest" O="$OUT/guest" \
		LIB_O="$BUILD/userlib" > "$LOGS/bench-heaps-build.log" 2>&1 &&
	"$TOP/selftests/bench/host/run.py" "$OUT/host" --pack "$OUT/heaps" \
		--goheap "$OUT/guest/workload-goheap" \
		>> "$LOGS/bench-heaps-build.log" 2>&1
}

# The library and the device, and the peers. A peer that fails is named in the
# table.
bench_heaps()
{
	local status=0

	pack_heaps || {
		lacking "the heaps in the guest, see build/logs/bench-heaps-build.log"
		return
	}
	"$TOP/scripts/initramfs.sh" "$BUILD/bench-heaps.cpio" "/goheap.ko=$ko" \
		"/heaps=$OUT/heaps" \
		"/bench-heaps/compare=$TOP/selftests/bench/guest/compare"
	say "booting $(kernel_release "$headers"), up to 10 minutes"
	"$TOP/scripts/qemu.sh" -k "$kernel" -i "$BUILD/bench-heaps.cpio" \
		-l "$LOGS/bench-heaps.log" -o "$OUT/guest-peers.txt" -t 600 -m 2048 \
		-a "gh_job=heaps gh_limit=570 heaps_rounds=4 heaps_samples=3" \
		> /dev/null || status=1
	if [[ $status -ne 0 ]] || ! grep -aq \
	   '^# suite end heaps/compare status 0' "$OUT/guest-peers.txt"; then
		lacking "the run in the guest is not complete, see build/logs/bench-heaps.log"
	fi
	"$TOP/selftests/bench/host/run.py" "$OUT/host" \
		--read "$OUT/guest-peers.txt" --json "$OUT/guest-peers.json" \
		2>> "$LOGS/bench-heaps.log" ||
		lacking "the library in the guest, see build/logs/bench-heaps.log"
}

# The module where it runs at the machine's own speed, on the newest kernel.
bench_uml()
{
	local answer linux folder module status=0

	answer=$("$TOP/scripts/kernel.sh" uml) || {
		lacking "User-mode Linux, which could not be built"
		return
	}
	read -r linux folder <<< "$answer"
	module=$("$TOP/scripts/module.sh" "$folder" \
		2> "$LOGS/bench-uml-module.log") || {
		lacking "User-mode Linux, see build/logs/bench-uml-module.log"
		return
	}
	"$TOP/scripts/initramfs.sh" "$BUILD/bench-uml.cpio" "/goheap.ko=$module" \
		"/bench/latency=$OUT/latency"
	say "running $(kernel_release "$folder"), up to 5 minutes"
	"$TOP/scripts/uml.sh" -k "$linux" -i "$BUILD/bench-uml.cpio" \
		-l "$LOGS/bench-uml.log" -o "$OUT/uml.txt" -t 300 -m 3072 \
		-a "gh_job=bench gh_limit=290 GOHEAP_BENCH_JSON=-" |
		tr -d '\r' | grep -avE '^([{#]|ok |goheap-guest:)' || status=1
	tr -d '\r' < "$OUT/uml.txt" | grep -a '^{.*}$' > "$OUT/uml.json" ||
		status=1
	if [[ $status -ne 0 ]] ||
	   ! grep -aq '^# suite end bench/latency status 0' "$OUT/uml.txt"; then
		lacking "the run in User-mode Linux is not complete," \
			"see build/logs/bench-uml.log"
	fi
}

# figure FILE NAME [MEMBER]: its median, or another member, or nothing
figure()
{
	awk -v name="{\"name\":\"$2\"," -v member="${3:-median}" \
	    'index($0, name) == 1 {
		sub(".*\"" member "\":", "")
		sub(/[,}].*/, "")
		value = $0
	} END { print value }' "$OUT/$1.json" 2> /dev/null || true
}

# calc EXPRESSION: the result with two digits; nothing if an operand is missing
calc()
{
	awk "BEGIN { printf \"%.2f\", ($1) }" 2> /dev/null || true
}

# row WHAT most|least TARGET MEASURED UNIT
row()
{
	local sign='<=' verdict=missed

	[[ $2 == most ]] || sign='>='
	if [[ ! $3 || ! $4 ]]; then
		printf '%-52s %37s\n' "$1" "NOT MEASURED"
		failed=1
		return
	fi
	awk "BEGIN { exit !(($4) $sign ($3)) }" && verdict=met
	printf '%-52s %s %10s %10s %-5s %s\n' "$1" "$sign" "$3" "$4" "$5" "$verdict"
}

ratio_of()
{
	calc "$(figure guest "$1") / $(figure loop "$1")"
}

# What 256 objects may cost, in us: three empty ioctls, and the core's time
# scaled by the loop ratio. Both are measured with memory that the heap has had
# before, and without collecting.
alloc_row()
{
	local kind=$1 core allowed measured

	core=$(figure host "$2")
	allowed=$(calc "(3 * $(figure guest ioctl/enotty) + 256 * $core * $ratio) / 1000")
	measured=$(calc "$(figure guest "alloc/$kind/256/reused") / 1000")
	row "ALLOC of 256 x $kind" most "$allowed" "$measured" us
}

guest_rows()
{
	local size

	alloc_row 8/noscan 'allocate 8 B no references, 256 at a time'
	alloc_row 16/noscan 'allocate 16 B no references, 256 at a time'
	alloc_row 16/refs 'allocate 16 B references, 256 at a time'
	alloc_row 64/noscan 'allocate 64 B no references, 256 at a time'
	alloc_row 64/refs 'allocate 64 B references, 256 at a time'
	alloc_row 1024/noscan 'allocate 1024 B no references, 256 at a time'
	row "faults, 64 MiB touched when allocated" most 4096 \
		"$(figure guest touch/first/faults)" ""
	row "faults, 64 MiB touched batch by batch of 256 x 64 B" most 4096 \
		"$(figure guest touch/by-batch/faults)" ""
	for size in 64 256; do
		row "metadata of $size MiB of 32 B objects, $(calc \
			"$(figure guest "metadata/${size}MiB/bytes") / 1024") KiB" \
			most 4 "$(figure guest "metadata/${size}MiB/percent")" %
	done
}

host_rows()
{
	local kind

	for kind in 'no references' references; do
		row "allocate 16 B, $kind, 256 at a time" most 15 \
			"$(figure host "allocate 16 B $kind, 256 at a time")" ns
		row "allocate 16 B, $kind, one at a time" most 15 \
			"$(figure host "allocate 16 B $kind, one at a time")" ns
	done
	row "allocate a page, 64 GiB half full" most 100 \
		"$(figure host 'allocate a page, 64 GiB half full')" ns
	row "mark 10 M nodes linked at random" least 6 \
		"$(figure host 'mark 10 M nodes linked at random')" M/s
	row "mark a tree of 2^24 nodes" least 60 \
		"$(figure host 'mark a binary tree of 2^24 nodes')" M/s
	row "sweep 10 M nodes, all live" least 20 \
		"$(figure host 'mark 10 M nodes, two random edges each, sweeping it, all live')" GB/s
	row "metadata of 512 MiB of 32 B objects" most 4 \
		"$(figure host 'metadata, 512 MiB of 32 B objects')" %
}

uml_rows()
{
	local size

	row "read a running thread, p99" most 50 \
		"$(figure uml handshake/running p99)" us
	row "read 1000 sleeping threads" most 1000 \
		"$(figure uml handshake/sleeping/1000)" us
	for size in 1 64 1024; do
		row "stop at the start, $size MiB live, p99" most 100 \
			"$(figure uml "stop/${size}MiB/setup" p99)" us
		row "stop at the end, $size MiB live, p99" most 100 \
			"$(figure uml "stop/${size}MiB/term" p99)" us
	done
}

summary()
{
	local loop

	ratio=$(ratio_of loop/memory)
	heading "targets"
	describe_host
	tr -d '\r' < "$OUT/guest.txt" | sed -n 's/^machine: /guest:   /p'
	printf 'loop ratio: %s (the loop in memory)' "${ratio:-not measured}"
	for loop in arithmetic calls; do
		printf ', %s alone %s' "$loop" "$(ratio_of "loop/$loop")"
	done
	printf '\n\n%-52s %13s %10s\n' "in the guest" target measured
	guest_rows
	printf '\n%-52s\n' "the core on this machine"
	host_rows
	printf '\n%-52s\n' "the module in User-mode Linux"
	uml_rows
	printf '\nload average %s before, %s after, on %s CPUs' "$load_before" \
		"$(load_average)" "$JOBS"
	if [[ $(calc "$load_before > $JOBS / 2 || $(load_average) > $JOBS") != 0.00 ]]; then
		printf ': the machine has other work to do, the figures are noisy'
	fi
	printf '\n'
}

load_before=$(load_average)
describe_host
build_device
if [[ ${1:-} == uml ]]; then
	bench_uml
	printf '\n%-52s %13s %10s\n' "in User-mode Linux" target measured
	uml_rows
	[[ ! $failed ]]
	exit
fi
heading "the core on this machine"
bench_core
heading "the library over the core on this machine, and its peers"
bench_library
heading "plain computing on this machine"
bench_loop
heading "the device in the guest"
prepare_guests
bench_guest
heading "the library and the device in the guest, and their peers"
bench_heaps
heading "stops and handshakes in User-mode Linux"
bench_uml
ratio=
summary
[[ ! $failed ]]
