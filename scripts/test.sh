#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# `make test`: every suite in every place where it runs. Each part writes a TAP
# log to build/logs/; scripts/tap.sh adds them up.
#
#   test.sh [PART...]     default: all of them
#
#   host    core and library in user space, under sanitizers
#   stock   the device and the load-time self-tests on Debian's own kernel
#   debug   the device and the KUnit suites on the debug kernel
#   uml     the device and the KUnit suites on the newest kernel, as User-mode
#           Linux (not part of the default)
#   kunit   only the KUnit suites on the debug kernel (not part of the default)
#   kcsan   the device and the KUnit suites on the kernel that looks for data races
#           in the module (not part of the default)
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

# The suites are programs of one thread, most of them, and run side by side.
host()
{
	local log=$LOGS/host.tap target
	local -a core=(make -s -C "$TOP/selftests/core" "LENGTH=$LENGTH") targets

	targets=(mutants-quick model fuzz-smoke barrier check failnth tsan)
	: > "$log"
	step "$log" "build the tests of the core" "${core[@]}" -j "$JOBS" programs
	for target in "${targets[@]}"; do
		wait_for_slot
		suite "$LOGS/host-$target.tap" "core $target" "${core[@]}" "$target" &
	done
	wait_for_slot
	suite "$LOGS/host-library.tap" "library" \
		make -s -C "$TOP/userlib" -j "$JOBS" O="$BUILD/userlib" check &
	wait
	for target in "${targets[@]}" library; do
		cat "$LOGS/host-$target.tap" >> "$log"
		rm -f "$LOGS/host-$target.tap"
	done
}

# Programs that a guest runs, in their order; all in build/selftests.
device_programs()
{
	make -s -C "$TOP/selftests/device" list
	echo library library-cache library-cpp library-dlopen
}

# build LOG: modules and device selftests for one kernel. A step that fails is a
# failed test, and the guest then reports what is missing.
build()
{
	step "$1" "build the module" "$TOP/scripts/module.sh" "$KERNEL_DIR"
	step "$1" "build the module with tests" \
		"$TOP/scripts/module.sh" -t "$KERNEL_DIR"
	step "$1" "build the device selftests" make -s -C "$TOP/selftests/device" \
		-j "$JOBS" O="$BUILD/selftests" \
		KSELFTEST_INC="$("$TOP/scripts/kernel.sh" source)/tools/testing/selftests"
	step "$1" "build the library's device tests" make -s -C "$TOP/userlib" \
		-j "$JOBS" O="$BUILD/userlib" TEST_DIR="$BUILD/selftests" \
		device-test
}

# guest NAME JOBS SECONDS MIB: boot, take the results, judge
guest()
{
	local name=$1 jobs=$2 seconds=$3 memory=$4
	local log=$LOGS/$name.tap release status=0 program limit=120
	local append="gh_job=$2 gh_length=$LENGTH"
	local -a files=()
	local machine=qemu

	release=$(kernel_release "$KERNEL_DIR")
	if [[ -f $BUILD/$release/goheap.ko ]]; then
		files+=("/goheap.ko=$BUILD/$release/goheap.ko")
	fi
	if [[ -f $BUILD/$release-tests/goheap.ko ]]; then
		files+=("/goheap-tests.ko=$BUILD/$release-tests/goheap.ko")
	fi
	if [[ $jobs == *device* ]]; then
		for program in $(device_programs); do
			if [[ -x $BUILD/selftests/$program ]]; then
				files+=("/selftests/$program=$BUILD/selftests/$program")
			fi
		done
	fi
	if [[ $release == *-debug ]]; then
		append+=" panic_on_warn=1"
		limit=400
	fi
	if [[ $release == *-kcsan ]]; then
		# A report is told by the log, so that one run finds them all.
		limit=400
	fi
	if [[ $release == *-uml ]]; then
		# Threads that spin make others wait for their turn.
		limit=400
		machine=uml
	fi

	append+=" gh_limit=$((limit * LENGTH))"

	say "$name: booting $release"
	"$TOP/scripts/initramfs.sh" "$BUILD/$name.cpio" "${files[@]}"
	"$TOP/scripts/$machine.sh" -k "$KERNEL" -i "$BUILD/$name.cpio" \
		-l "$LOGS/$name.log" -o "$LOGS/$name.guest.tap" \
		-t $((seconds * LENGTH)) -m "$memory" -a "$append" || status=$?

	cat "$LOGS/$name.guest.tap" >> "$log" || true
	verdict "$status" "$LOGS/$name.log" >> "$log"
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

# Every program that selftests/device lists must have run: one that could not be
# built would leave no trace otherwise.
all_ran()
{
	local name=$1 program n=0 bad

	{
		printf '# suite begin every device program ran\n'
		for program in $(device_programs); do
			n=$((n + 1))
			bad=
			grep -aq "^# suite begin device/$program" \
				"$LOGS/$name.guest.tap" 2>/dev/null || bad=1
			printf '%sok %d - %s\n' "${bad:+not }" "$n" "$program"
		done
		printf '# suite end every device program ran status 0\n'
	} >> "$LOGS/$name.tap"
}

# device NAME SECONDS MIB: the device and the module's suites on the kernel of
# that name
device()
{
	local name=$1

	: > "$LOGS/$name.tap"
	find_kernel "$name"
	build "$LOGS/$name.tap"
	guest "$name" unit,device "$2" "$3"
	all_ran "$name"
}

kunit()
{
	: > "$LOGS/kunit.tap"
	find_kernel debug
	step "$LOGS/kunit.tap" "build the module with tests" \
		"$TOP/scripts/module.sh" -t "$KERNEL_DIR"
	guest kunit unit 300 1024
}

parts=("$@")
if [[ ${#parts[@]} -eq 0 ]]; then
	parts=(host stock debug)
fi

logs=()
for part in "${parts[@]}"; do
	case $part in
	host)	host ;;
	stock)	device stock 600 2048 ;;
	debug)	device debug 1500 1024 ;;
	uml)	device uml 1500 2048 ;;
	kcsan)	device kcsan 1500 2048 ;;
	kunit)	kunit ;;
	*)	die "unknown part $part" ;;
	esac
	logs+=("$LOGS/$part.tap")
done

say "logs are in $LOGS"
"$TOP/scripts/tap.sh" "${logs[@]}"
