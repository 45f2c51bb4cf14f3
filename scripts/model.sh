#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Check the models of Documentation/model, and that each of their rules is
# needed: without it spin must find an error. TAP on stdout; what they mean is
# told in Documentation/model.rst.
#
#   model.sh [-k] [TEXT]   only what has TEXT in its line below; -k: keep the
#                          trail of an error, in build/model, for spin -t

set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

MODELS=$TOP/Documentation/model
OUT=$BUILD/model
MEMORY=2000	# MiB that a search may take; most takes 900

# expected :: model :: macros :: what is checked, or the rule that is missing
runs()
{
	cat << 'RUNS'
ok    :: barrier :: CYCLES=2 FULL :: the barrier, threads that do not store to one slot at a time
ok    :: barrier :: CYCLES=1 DEATH :: the barrier, a thread that ends
ok    :: barrier :: CYCLES=1 RACY ANNOUNCE :: the barrier with announced slots, any threads
ok    :: barrier :: CYCLES=2 FULL STATIC RACY ANNOUNCE :: the same, and two cycles
live  :: barrier :: CYCLES=1 FULL STATIC :: a cycle ends, and so does every store
ok    :: barrier :: CYCLES=1 NO_IPI_AT_END :: no interrupt is needed before buffers are drained at the end
error :: barrier :: CYCLES=1 NO_DELETION :: the reference that is replaced is reported
error :: barrier :: CYCLES=1 NO_INSERTION :: the reference that is stored is reported
error :: barrier :: CYCLES=1 OLD_AFTER_TEST :: the old reference is loaded before the first test
error :: barrier :: CYCLES=1 NO_SECOND_TEST :: marking is tested again after the store
error :: barrier :: CYCLES=2 NO_RECHECK :: a cycle that began during the store gets its report
error :: barrier :: CYCLES=2 FULL CYCLE_COUNTS_ENDS :: the number of the cycle moves when it begins
error :: barrier :: CYCLES=1 NO_IPI_AT_SETUP :: stores before marking are visible when roots are read
error :: barrier :: CYCLES=1 NO_DRAIN_AT_END :: buffers are drained before marking ends
error :: barrier :: CYCLES=1 NO_LOOP :: what buffers had is marked through
error :: barrier :: CYCLES=1 DEATH NO_DRAIN_AT_DEATH :: the buffer of a thread that ends is drained
error :: barrier :: CYCLES=1 DEATH NO_SCAN_AT_DEATH :: the registers of a thread that ends are roots
error :: barrier :: CYCLES=1 RACY :: threads store to one slot at a time
error :: barrier :: CYCLES=1 RACY ANNOUNCE NO_ANNOUNCEMENT :: or they announce the slot
cycle :: barrier :: CYCLES=1 FULL STATIC LOOP_ON_ENTRIES :: marking goes on for new objects only, not for any entry
ok    :: lease :: CYCLES=2 :: leases
live  :: lease :: CYCLES=1 :: a cycle ends, and so does the taking of a slot
ok    :: lease :: CYCLES=1 NO_IPI_AT_SETUP :: nor one at setup for the sake of leases
error :: lease :: CYCLES=1 NO_BLACK_GRANT :: slots granted while marking are black
error :: lease :: CYCLES=1 NO_BLACK_LEASES :: slots granted before and not taken become black
error :: lease :: CYCLES=1 SCAN_FIRST :: they do before any stack is read
error :: lease :: CYCLES=1 NO_PICK_SCANNED :: the reference is in a register before the slot is taken
error :: lease :: CYCLES=1 NO_COMPARE :: the generation is compared after the mask is stored
error :: lease :: CYCLES=1 READ_LATE :: the generation it is compared with is what the last call returned
error :: lease :: CYCLES=1 GENERATION_LATE :: the generation moves before masks are read
error :: lease :: CYCLES=1 NO_IPI_AFTER_GENERATION :: a store to a mask is seen if the new generation was not
error :: lease :: CYCLES=1 NO_SETTLE :: leases are settled when marking ends
RUNS
}

# Search all states. What pan says is in $log.
search()
{
	local kind=$1 model=$2 optimize=-O2 macro
	local -a defines=(-DSTORES0=1 -DSTORES1=1) safety=(-DSAFETY) how=(-n)

	if [[ $kind == live || $kind == cycle ]]; then
		defines=(-DSTORES0=1 -DSTORES1=0 -DLIVENESS)
		safety=()
		how=(-n -a -f)
	fi
	# Most of the time of a search that finds an error is the compiler's.
	[[ $kind == ok || $kind == live ]] || optimize=-O0
	for macro in $3; do
		defines+=("-D$macro")
	done
	spin "${defines[@]}" -a "$MODELS/$model.pml" &&
	gcc "$optimize" -w -DMEMLIM=$MEMORY "${safety[@]}" -o pan pan.c &&
	./pan -m1000000 "${how[@]}"
}

# A search that was cut short has proved nothing.
judge()
{
	local kind=$1

	! grep -qE 'max search depth too small|reached -DMEMLIM|out of memory' "$log" ||
		return 1
	case $kind in
	ok | live)	grep -q 'errors: 0$' "$log" ;;
	error)		grep -q 'pan:1: assertion violated' "$log" ;;
	cycle)		grep -q 'pan:1: acceptance cycle' "$log" ;;
	esac
}

keep=
if [[ ${1:-} == -k ]]; then
	keep=1
	shift
fi

# run N LINE: one of the runs, in a folder of its own; its line of TAP is the
# file result there.
run()
{
	local n=$1 kind=${2%% *} title=${2##* :: } rest=${2#* :: }
	local model=${rest%% *} macros=${rest#* :: } result states log=pan.log

	macros=${macros% :: *}
	mkdir "$OUT/$n"
	cd "$OUT/$n"
	search "$kind" "$model" "$macros" > "$log" 2>&1 || true
	states=$(sed -n 's/^ *\([0-9.e+]*\) states, stored.*/\1/p' "$log")
	result="$model $macros: $title"
	[[ $kind == ok || $kind == live ]] || result+=" (an error without it)"
	if judge "$kind"; then
		echo "ok $n - $result # ${states:-no} states"
	else
		echo "not ok $n - $result # expected: $kind"
		sed 's/^/# /' "$log"
	fi > result
	if [[ $keep && -f $model.pml.trail ]]; then
		mv "$model.pml.trail" "../$n-$model.trail"
	fi
	rm -f pan pan.?
}

rm -rf "$OUT"
mkdir -p "$OUT"
mapfile -t lines < <(runs | grep -F -- "${1:-}")
for i in "${!lines[@]}"; do
	wait_for_slot
	run $((i + 1)) "${lines[i]}" &
done
wait
n=${#lines[@]}
[[ $n -gt 0 ]] || die "nothing has ${1:-} in its line"
for ((i = 1; i <= n; i++)); do
	cat "$OUT/$i/result"
done | tee "$OUT/results"
echo "1..$n"
! grep -q '^not ok' "$OUT/results"
