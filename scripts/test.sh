#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# `make test`: every suite in every place where it runs. Each part writes a TAP
# log to build/logs/; scripts/tap.sh adds them up.
#
#   test.sh [PART...]     default: the first four
#
#   host    core and library in user space, under sanitizers
#   stock   the device and the load-time self-tests on Debian's own kernel
#   debug   the device and the KUnit suites on the debug kernel
#   races   the KUnit suites, and the device tests with many threads or failures, at
#           the machine's own speed, with a scan for leaks: on the newest kernel, as
#           User-mode Linux
#   uml     the same with all device tests
#   kunit   only the KUnit suites on the debug kernel
#   kcsan   the device and the KUnit suites on the kernel that looks for data races
#           in the module
#
# First all is built. Then the guests run, one after the other, since they have two
# processors and tests of time in them; the suites of the host take what guests
# leave of the machine.
#
# LENGTH=N in the environment: tests that take random steps, and the time they may
# take, are N times as long.

set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

LENGTH=${LENGTH:-1}
[[ $LENGTH =~ ^[1-9][0-9]*$ ]] || die "LENGTH must be a number from 1, not $LENGTH"
LOGS=$BUILD/logs
mkdir -p "$LOGS"

# suite LOG NAME COMMAND...: run a command that prints TAP, as the suite of a log
suite()
{
	local log=$1 name=$2 status=0 start=$SECONDS

	shift 2
	say "$name"
	{
		printf '# suite begin %s\n' "$name"
		timeout -k 10 $((900 * LENGTH)) "$@" 2>&1 || status=$?
		printf '\n# suite end %s status %s seconds %s\n' "$name" "$status" \
			"$((SECONDS - start))"
	} > "$log"
	if [[ $status -ne 0 ]]; then
		say "$name: FAILED, the end of its output:"
		tail -n 15 "$log" | cut -c -150 >&2
	fi
}

# step LOG NAME COMMAND...: a command that prints no TAP, as one test
step()
{
	local log=$1 name=$2 output start=$SECONDS

	output=${log%.tap}-${2//[^a-z0-9]/-}.log
	shift 2
	say "$name"
	{
		printf '# suite begin %s\n' "$name"
		if timeout -k 10 1800 "$@" > "$output" 2>&1; then
			printf 'ok 1 - %s\n' "$name"
		else
			printf 'not ok 1 - %s; see %s\n' "$name" "$output"
			say "$name: FAILED, the end of $output:"
			tail -n 15 "$output" | cut -c -150 >&2
		fi
		printf '# suite end %s status 0 seconds %s\n' "$name" \
			"$((SECONDS - start))"
	} >> "$log"
}

HOST_MAKE=(make -s -C "$TOP/selftests/core" "LENGTH=$LENGTH")
HOST_SUITES=(mutants-quick model fuzz-smoke barrier oblets check failnth tsan)

build_host()
{
	: > "$LOGS/host.tap"
	step "$LOGS/host.tap" "build the tests of the core" "${HOST_MAKE[@]}" \
		-j "$JOBS" programs
}

# in_turn NAME COMMAND...: a suite of the host, as soon as a processor is free.
# Guests have other things running in the background, and go first.
in_turn()
{
	wait_for_slot
	suite "$LOGS/host-${1#core }.tap" "$1" nice -n 19 "${@:2}" &
}

# The suites are programs of one thread, most of them, and run side by side.
run_host()
{
	local target

	for target in "${HOST_SUITES[@]}"; do
		in_turn "core $target" "${HOST_MAKE[@]}" "$target"
	done
	in_turn library make -s -C "$TOP/userlib" -j "$JOBS" O="$BUILD/userlib" check
}

end_host()
{
	local name

	for name in "${HOST_SUITES[@]}" library; do
		cat "$LOGS/host-$name.tap" >> "$LOGS/host.tap"
		rm -f "$LOGS/host-$name.tap"
	done
}

# Programs that guests run, all in build/selftests.
read -r -a PROGRAMS < <(make -s -C "$TOP/selftests/device" list)
PROGRAMS+=(library library-cache library-coroutines library-cpp library-dlopen)

# The kernel of each part, as find_kernel() has found it.
declare -A FOUND

# describe PART: what its guest is to do, as kernel, jobs, programs, seconds, memory
describe()
{
	kernel=$1
	jobs=unit,device
	programs=("${PROGRAMS[@]}")
	seconds=1500
	memory=2048
	case $1 in
	stock)	seconds=600 ;;
	debug)	memory=1024 ;;
	races)	kernel=uml
		programs=(alloc concurrent death fail_nth gc hostile leases map
			  marking mutator newcomers roots setup share storm
			  switching)
		seconds=600
		;;
	kunit)	kernel=debug
		jobs=unit
		programs=()
		;;
	uml | kcsan) ;;
	*)	die "unknown part $1" ;;
	esac
}

# build_guest PART: modules and device selftests for its kernel. A step that fails
# is a failed test, and the guest then reports what is missing.
build_guest()
{
	local part=$1 log=$LOGS/$1.tap
	local kernel jobs programs seconds memory

	: > "$log"
	describe "$part"
	if ! find_kernel "$kernel"; then
		[[ $part == races ]] || die "no kernel for $part"
		# Debian's archive, which its source comes from, may be out of reach.
		cat >> "$log" <<- 'SKIPPED'
			# suite begin User-mode Linux
			ok 1 - User-mode Linux # SKIP it could not be made; see above
			# suite end User-mode Linux status 0
		SKIPPED
		return
	fi
	FOUND[$part]="$KERNEL $KERNEL_DIR"
	step "$log" "build the module with tests" \
		"$TOP/scripts/module.sh" -t "$KERNEL_DIR"
	[[ $jobs == *device* ]] || return 0
	step "$log" "build the module" "$TOP/scripts/module.sh" "$KERNEL_DIR"
	step "$log" "build the device selftests" make -s -C "$TOP/selftests/device" \
		-j "$JOBS" O="$BUILD/selftests" \
		KSELFTEST_INC="$("$TOP/scripts/kernel.sh" source)/tools/testing/selftests"
	step "$log" "build the library's device tests" make -s -C "$TOP/userlib" \
		-j "$JOBS" O="$BUILD/userlib" TEST_DIR="$BUILD/selftests" \
		device-test
}

# run_guest PART: boot, take the results, judge
run_guest()
{
	local part=$1 log=$LOGS/$1.tap release status=0 program limit=120
	local append="gh_length=$LENGTH"
	local -a files=()
	local machine=qemu
	local kernel jobs programs seconds memory

	describe "$part"
	read -r KERNEL KERNEL_DIR <<< "${FOUND[$part]}"
	release=$(kernel_release "$KERNEL_DIR")
	if [[ -f $BUILD/$release/goheap.ko ]]; then
		files+=("/goheap.ko=$BUILD/$release/goheap.ko")
	fi
	if [[ -f $BUILD/$release-tests/goheap.ko ]]; then
		files+=("/goheap-tests.ko=$BUILD/$release-tests/goheap.ko")
	fi
	for program in "${programs[@]}"; do
		if [[ -x $BUILD/selftests/$program ]]; then
			files+=("/selftests/$program=$BUILD/selftests/$program")
		fi
	done
	# On the others a report is told by the log, so that one run finds them all.
	[[ $release != *-debug ]] || append+=" panic_on_warn=1"
	# Checks take time, and threads that spin in User-mode Linux make others wait
	# for their turn.
	[[ $part == stock ]] || limit=400
	# Looking for leaks takes a third of the time in an emulated machine.
	case $kernel in
	uml)	machine=uml
		append+=" kmemleak=on"
		;;
	debug)	[[ $LENGTH -gt 1 ]] || append+=" kmemleak=off" ;;
	esac

	append+=" gh_job=$jobs gh_limit=$((limit * LENGTH))"

	say "$part: booting $release"
	"$TOP/scripts/initramfs.sh" "$BUILD/$part.cpio" "${files[@]}"
	"$TOP/scripts/$machine.sh" -k "$KERNEL" -i "$BUILD/$part.cpio" \
		-l "$LOGS/$part.log" -o "$LOGS/$part.guest.tap" \
		-t $((seconds * LENGTH)) -m "$memory" -a "$append" |
		progress "$part" || status=$?

	cat "$LOGS/$part.guest.tap" >> "$log" || true
	verdict "$status" "$LOGS/$part.log" >> "$log"
	all_ran "${programs[@]}" >> "$log"
}

# Of what a guest prints, that on which somebody waits.
progress()
{
	sed -u -n -e "s/^ *not ok/>> $1: &/p" \
		-e "s/^# suite end \(.*\) status [0-9]* seconds \([1-9][0-9]*\)\r*$/>> $1: \1, \2 s/p" >&2
}

# The guest run as a whole, in the words of qemu.sh's exit status.
verdict()
{
	local status=$1 log=$2 bad=

	printf '\n# suite begin the guest as a whole\n'
	[[ $status -ne 124 ]] || bad="it hung"
	[[ $status -ne 3 ]] || bad="it died without a result"
	if [[ $status -gt 3 && $status -ne 124 ]]; then
		bad="its script ended with $status"
	fi
	printf '%sok 1 - ran to its end%s\n' "${bad:+not }" \
		"${bad:+: $bad; see $log}"
	bad=
	[[ $status -ne 2 ]] || bad=1
	printf '%sok 2 - kernel log has no complaints%s\n' "${bad:+not }" \
		"${bad:+; see $log}"
	printf '# suite end the guest as a whole status 0\n'
}

# all_ran PROGRAM...: those that were meant to run must have, according to $log: one
# that could not be built would leave no trace otherwise.
all_ran()
{
	local program n=0 bad ran

	[[ $# -gt 0 ]] || return 0
	ran=" $(tr -d '\0\r' < "$log" |
		sed -n 's|^# suite begin device/||p' | tr '\n' ' ')"
	printf '# suite begin every device program ran\n'
	for program; do
		n=$((n + 1))
		bad=
		[[ $ran == *" $program "* ]] || bad=1
		printf '%sok %d - %s\n' "${bad:+not }" "$n" "$program"
	done
	printf '# suite end every device program ran status 0\n'
}

parts=("$@")
if [[ ${#parts[@]} -eq 0 ]]; then
	parts=(host stock debug races)
fi

# What runs in the background would stay when this script is interrupted.
trap 'trap - TERM; kill 0' INT TERM

guests=()
logs=()
for part in "${parts[@]}"; do
	if [[ $part == host ]]; then
		build_host
	else
		build_guest "$part"
		[[ ! ${FOUND[$part]:-} ]] || guests+=("$part")
	fi
	logs+=("$LOGS/$part.tap")
done

if [[ ${#guests[@]} -gt 0 ]]; then
	for part in "${guests[@]}"; do
		run_guest "$part"
	done &
fi
[[ " ${parts[*]} " != *" host "* ]] || run_host
wait
[[ " ${parts[*]} " != *" host "* ]] || end_host

say "logs are in $LOGS"
"$TOP/scripts/tap.sh" "${logs[@]}"
