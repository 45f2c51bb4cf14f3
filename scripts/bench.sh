#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# `make bench`: what goheap costs, and how that compares with what it may cost.
#
#   bench.sh [-a] [-r ROUNDS] [PART...]     default: core host loop guest heaps share uml
#   bench.sh quick|report
#   bench.sh compare [BASE [FILE...]]
#
#   core    the core in user space on this machine (selftests/core/bench.c)
#   host    the library over the core in one process, side by side with other
#           heaps: malloc() of four kinds, libgc, Go (selftests/bench/host)
#   loop    plain computing on this machine (selftests/bench/device.c)
#   guest   the device and the same loop in a guest with Debian's own kernel
#   heaps   the library and the device beside the same heaps as in host, in
#           another such guest
#   share   one heap of several processes beside a heap for each, and for each
#           in the other heaps; in another such guest, and in User-mode Linux,
#           there with the ring test of host as well
#   uml     stops and handshakes of the module in User-mode Linux, at the machine's
#           own speed (selftests/bench/latency.c)
#   quick   host only: fewer workloads, three rounds; two minutes, of which half a
#           minute is for building its programs
#   report  no run: tables and page of the results that are there
#   compare no run: what has changed beyond noise from BASE to FILE, both results.
#           Without a BASE, or if it is empty: from the committed ones; without a
#           FILE: to those of the last run. Status 1 if something has regressed
#   -a      add to the results that are there, if machine and commit are the same:
#           a long run can be made in pieces
#   -r      rounds of host (default 10); heaps are four, each other part is one
#
# The loop's time in the guest divided by its time here is the loop ratio: by
# that much plain computing in the guest is slower. With it a figure of the core
# becomes what the device may cost in the guest. A run ends with tables, a page, and
# what has changed since the committed results; one of all parts with a table of
# targets and figures too.
#
# Results are in build/bench/results, a document of selftests/bench/report for each
# environment; those of quick are in build/bench/quick. What programs have printed
# is beside them as lines of JSON: core.json, loop.json, guest.json, uml.json. A
# target that is missed is no failure; the exit status is 1 only if something could
# not be measured.

set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

OUT=$BUILD/bench
RESULTS=$OUT/results
REFERENCES=$TOP/Documentation/bench
UML_MIB=${UML_MIB:-3072}	# memory of User-mode Linux
LOGS=$BUILD/logs
failed=
ratio=
declare -A kept	# environments with a result of this run: its parts are one result
mkdir -p "$RESULTS" "$LOGS"

report()
{
	PYTHONPATH=$TOP/selftests/bench python3 -B -m report "$@"
}

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
core_json()
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

# add_round ENVIRONMENT LINES [GUEST]: what a program has measured, as one round
add_round()
{
	report add "$RESULTS/$1.json" "$2" --environment "$1" \
		${append:+--append} ${kept[$1]:+--append} ${3:+--guest "$3"} || {
		lacking "a result of $1: it was not kept"
		return 0
	}
	kept[$1]=1
}

bench_core()
{
	local status=0

	make -s -C "$TOP/selftests/core" -j "$JOBS" bench \
		2> "$LOGS/bench-core.log" | tee "$OUT/core.txt" || status=1
	[[ $status -eq 0 ]] ||
		lacking "the core's benchmark ended early, see build/logs/bench-core.log"
	core_json < "$OUT/core.txt" > "$OUT/core.json"
	[[ $status -ne 0 ]] || add_round core "$OUT/core.json"
}

# build_heaps FOLDER: programs of all heaps. One that does not build is a missing
# one, and one of an older version must not be taken for it.
build_heaps()
{
	local go name
	local -a make=(make -s -k -C "$TOP/selftests/bench/host" O="$1")

	go=$("$TOP/scripts/go.sh") ||
		say "no tool chain of Go, go on without"
	make+=(GOROOT="$go")
	"${make[@]}" -j "$JOBS" > "$LOGS/bench-library.log" 2>&1 && return
	say "not all heaps build, see build/logs/bench-library.log"
	for name in $(< "$1/programs"); do
		"${make[@]}" -q "$1/workload-$name" || rm -f "$1/workload-$name"
	done
}

# bench_library RESULT [OPTION...]: the library, and whatever peers there are.
bench_library()
{
	local folder=$OUT/host result=$1

	shift
	build_heaps "$folder"
	if [[ ! -x $folder/workload-goheap ]]; then
		lacking "the library's benchmark does not build"
		return
	fi
	"$TOP/selftests/bench/host/run.py" "$folder" --result "$result" "$@" ||
		lacking "the library beside its peers"
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

# prepare KIND: a kernel to boot, and the module for it as ko
prepare()
{
	find_kernel "$1" &&
	ko=$("$TOP/scripts/module.sh" "$KERNEL_DIR" 2> "$LOGS/bench-module-$1.log")
}

# boot MACHINE NAME SECONDS MIB WORDS FILE...: a guest with the module and these
# files; what it prints is kept as NAME.txt
boot()
{
	local machine=$1 name=$2 seconds=$3 memory=$4 words=$5

	shift 5
	"$TOP/scripts/initramfs.sh" "$BUILD/bench-$name.cpio" "/goheap.ko=$ko" "$@"
	say "booting $(kernel_release "$KERNEL_DIR"), up to $((seconds / 60)) minutes"
	"$TOP/scripts/$machine.sh" -k "$KERNEL" -i "$BUILD/bench-$name.cpio" \
		-l "$LOGS/bench-$name.log" -o "$OUT/$name.txt" -t "$seconds" \
		-m "$memory" -a "gh_limit=$((seconds - 30)) $words"
}

# complete NAME SUITE STATUS: did the suite come to its end, and the guest?
complete()
{
	[[ $3 -eq 0 ]] &&
	grep -aq "^# suite end $2 status 0" "$OUT/$1.txt" && return
	lacking "the run of $2 is not complete, see build/logs/bench-$1.log"
	return 1
}

# measure MACHINE NAME SECONDS MIB PROGRAM: boot it with one of our programs, show
# its table as it comes and keep the JSON that is between the lines
measure()
{
	local machine=$1 name=$2 seconds=$3 memory=$4 program=$5 status=0

	boot "$machine" "$name" "$seconds" "$memory" \
		"gh_job=bench GOHEAP_BENCH_JSON=-" "/bench/$program=$OUT/$program" |
		tr -d '\r' | grep -avE '^([{#]|ok |goheap-guest:)' || status=1
	tr -d '\r' < "$OUT/$name.txt" | grep -a '^{.*}$' > "$OUT/$name.json" ||
		status=1
	complete "$name" "bench/$program" "$status"
}

# What both guests boot, and what machine that is.
prepare_guests()
{
	build_device
	prepare stock ||
		die "the module does not build, see build/logs/bench-module-stock.log"
	machine=$("$TOP/scripts/qemu.sh" -k "$KERNEL" -w)
	guest="QEMU $machine, 2 CPUs, 2048 MiB, $(kernel_release "$KERNEL_DIR")"
}

bench_guest()
{
	measure qemu guest 900 2048 device || return 0
	add_round "$machine" "$OUT/guest.json" "$guest"
}

# compare_heaps MACHINE NAME SECONDS MIB WORDS ENVIRONMENT GUEST [OPTION...]: boot
# the library and the device, and the peers, with the programs that host has for them,
# and take what they print into the result of that environment. A peer that fails is
# named in the table.
compare_heaps()
{
	local boots=$1 name=$2 seconds=$3 memory=$4 words=$5 environment=$6
	local guest=$7 log=$LOGS/bench-$2-build.log status=0
	local -a run=("$TOP/selftests/bench/host/run.py" "$OUT/host" "${@:8}")

	build_heaps "$OUT/host"
	if ! make -s -C "$TOP/selftests/bench/guest" O="$OUT/guest" \
		LIB_O="$BUILD/userlib" > "$log" 2>&1 ||
	   ! "${run[@]}" --pack "$OUT/$name" \
		--goheap "$OUT/guest/workload-goheap" >> "$log" 2>&1; then
		lacking "the heaps in the guest, see build/logs/${log##*/}"
		return
	fi
	boot "$boots" "$name" "$seconds" "$memory" "gh_job=heaps $words" \
		"/heaps=$OUT/$name" \
		"/bench-heaps/compare=$TOP/selftests/bench/guest/compare" \
		> /dev/null || status=1
	complete "$name" heaps/compare "$status" || true
	"${run[@]}" --read "$OUT/$name.txt" ${append:+--append} \
		${kept[$environment]:+--append} \
		--result "$RESULTS/$environment.json" \
		--environment "$environment" --guest "$guest" || {
		lacking "the library in the guest"
		return
	}
	kept[$environment]=1
}

bench_heaps()
{
	compare_heaps qemu guest-peers 600 2048 "heaps_rounds=4 heaps_samples=3" \
		"$machine" "$guest"
}

# The newest kernel, and the module for it.
prepare_uml()
{
	prepare uml || {
		lacking "User-mode Linux could not be built, or not the module" \
			"for it, see build/logs/bench-module-uml.log"
		return 1
	}
	uml_guest="User-mode Linux, 2 CPUs, $UML_MIB MiB, $(kernel_release "$KERNEL_DIR")"
}

bench_share()
{
	prepare_guests
	compare_heaps qemu share-guest 1800 2048 "heaps_set=share heaps_rounds=6" \
		"$machine" "$guest" --private
	prepare_uml || return 0
	compare_heaps uml share-uml 1800 "$UML_MIB" "heaps_set=uml heaps_rounds=6" \
		uml "$uml_guest" --private
}

# The module where it runs at the machine's own speed.
bench_uml()
{
	prepare_uml || return 0
	measure uml uml 1800 "$UML_MIB" latency || return 0
	add_round uml "$OUT/uml.json" "$uml_guest"
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

	core=$(figure core "$2")
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
			"$(figure core "allocate 16 B $kind, 256 at a time")" ns
		row "allocate 16 B, $kind, one at a time" most 15 \
			"$(figure core "allocate 16 B $kind, one at a time")" ns
	done
	row "allocate a page, 64 GiB half full" most 100 \
		"$(figure core 'allocate a page, 64 GiB half full')" ns
	row "mark 10 M nodes linked at random" least 6 \
		"$(figure core 'mark 10 M nodes linked at random')" M/s
	row "mark a tree of 2^24 nodes" least 60 \
		"$(figure core 'mark a binary tree of 2^24 nodes')" M/s
	row "sweep 10 M nodes, all live" least 20 \
		"$(figure core 'mark 10 M nodes, two random edges each, sweeping it, all live')" GB/s
	row "metadata of 512 MiB of 32 B objects" most 4 \
		"$(figure core 'metadata, 512 MiB of 32 B objects')" %
}

uml_rows()
{
	local size

	row "read a running thread, p99" most 50 \
		"$(figure uml handshake/running p99)" us
	row "  of it on the collector's CPU, p99" most 50 \
		"$(figure uml handshake/preempted p99)" us
	row "  move to a CPU that computes, p99" most 50 \
		"$(figure uml move p99)" us
	row "read 1000 sleeping threads" most 1000 \
		"$(figure uml handshake/sleeping/1000)" us
	for size in 1 64 1024; do
		row "stop at the start, $size MiB live, p99" most 100 \
			"$(figure uml "stop/${size}MiB/setup" p99)" us
		row "stop at the end, $size MiB live, p99" most 100 \
			"$(figure uml "stop/${size}MiB/term" p99)" us
		row "the longer one of both, $size MiB live, p99" most 100 \
			"$(figure uml "stop/${size}MiB/longest" p99)" us
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

# What the parts have left: tables, plots and the page.
show_results()
{
	local -a files=("$1"/*.json)
	[[ -f ${files[0]} ]] || die "there are no results"
	report table "${files[@]}" | tee "$1/tables.txt"
	say "page: $(report page "$1/page" "${files[@]}")"
}

# compare_results BASE FILE...: each with the committed result of its
# environment, or with BASE if that is not empty
compare_results()
{
	local -a bases=("$1")

	shift
	[[ ${bases[0]} ]] || bases=("$REFERENCES"/reference-*.json)
	[[ -f $1 ]] ||
		die "no results: make bench or make bench-quick has some"
	report compare "$@" --base "${bases[@]}"
}

quick()
{
	mkdir -p "$OUT/quick"
	bench_library "$OUT/quick/host.json" --quick --rounds 3
	[[ ! $failed ]] || exit 1
	show_results "$OUT/quick"
	heading "since the committed result"
	compare_results "" "$OUT/quick/host.json" || true
}

part()
{
	case $1 in
	core)	heading "the core on this machine"
		bench_core ;;
	host)	heading "the library over the core on this machine, and its peers"
		bench_library "$RESULTS/host.json" --rounds "$rounds" \
			${append:+--append} ;;
	loop)	heading "plain computing on this machine"
		build_device
		bench_loop ;;
	guest)	heading "the device in the guest"
		prepare_guests
		bench_guest ;;
	heaps)	heading "the library and the device in the guest, and their peers"
		prepare_guests
		bench_heaps ;;
	share)	heading "one heap of several processes, and a heap for each"
		bench_share ;;
	uml)	heading "stops and handshakes in User-mode Linux"
		build_device
		bench_uml
		printf '\n%-52s %13s %10s\n' "in User-mode Linux" target measured
		uml_rows ;;
	*)	die "unknown part $1; see the top of this file" ;;
	esac
}

append=
rounds=10
while getopts ar: opt; do
	case $opt in
	a)	append=1 ;;
	r)	rounds=$OPTARG ;;
	*)	die "wrong option; see the top of this file" ;;
	esac
done
shift $((OPTIND - 1))

case ${1:-} in
quick)
	quick
	exit
	;;
report)
	show_results "$RESULTS"
	exit
	;;
compare)
	base=${2:-}
	shift $(($# < 2 ? $# : 2))
	[[ $# -gt 0 ]] || set -- "$RESULTS"/*.json
	compare_results "$base" "$@"
	exit
	;;
esac

load_before=$(load_average)
describe_host
parts=("$@")
[[ ${#parts[@]} -gt 0 ]] || parts=(core host loop guest heaps share uml)
for name in "${parts[@]}"; do
	part "$name"
done
heading "results"
show_results "$RESULTS"
heading "since the committed results"
compare_results "" "$RESULTS"/*.json || true
[[ $# -gt 0 ]] || summary
[[ ! $failed ]]
