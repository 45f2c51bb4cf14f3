#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Boot one guest, let it do the job that its command line names, and judge it.
#
#   qemu.sh -k KERNEL -i INITRAMFS -l LOG [-o OUTPUT] [-t SECONDS] [-m MIB]
#           [-a APPEND] [-s]
#
#   -l LOG     kernel log (the first serial port)
#   -o OUTPUT  what the job prints goes to the second serial port and to this
#              file, so that kernel messages do not cut into it; without -o
#              both go to the first port and to LOG
#   -t         the guest is killed after so many seconds (default 120)
#   -s         interactive: the terminal is the guest's console
#
# GOHEAP_ACCEL=auto|tcg|kvm chooses how the processor is made. `auto` takes KVM
# only if a short trial boot of this kernel comes through: a /dev/kvm that can
# be opened but does not run guests is common on virtual hosts.
#
# Exit status: 0 all was well; 1 the job failed; 2 the kernel complained (oops,
# warning, KASAN, lockdep, leak ...); 3 the guest died without a result;
# 124 it was killed by the watchdog.

set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

kernel=
initramfs=
log=
output=
seconds=120
memory=2048
append=
shell=
while getopts k:i:l:o:t:m:a:s opt; do
	case $opt in
	k)	kernel=$OPTARG ;;
	i)	initramfs=$OPTARG ;;
	l)	log=$OPTARG ;;
	o)	output=$OPTARG ;;
	t)	seconds=$OPTARG ;;
	m)	memory=$OPTARG ;;
	a)	append=$OPTARG ;;
	s)	shell=1 ;;
	*)	die "wrong option; see the top of this file" ;;
	esac
done
[[ $kernel && $initramfs && $log ]] || die "-k, -i and -l are needed"

QEMU=qemu-system-x86_64
command -v "$QEMU" > /dev/null || die "$QEMU not found; run scripts/deps.sh run"

# The arguments that every boot has. panic=-1 with -no-reboot ends QEMU when
# the guest panics instead of leaving it standing.
machine_arguments()
{
	local accel=$1

	ARGS=(-nodefaults -no-user-config -display none -no-reboot
	      -smp 2 -m "$memory" -kernel "$kernel")
	case $accel in
	kvm)	ARGS+=(-accel kvm -cpu host) ;;
	tcg)	ARGS+=(-accel "tcg,thread=multi" -cpu "max,erms=off,fsrm=off") ;;
	*)	die "GOHEAP_ACCEL must be auto, tcg or kvm, not $accel" ;;
	esac
	CMDLINE="console=ttyS0 panic=-1 oops=panic $append"
}

# Does KVM run this kernel? The answer holds until the host is rebooted.
probe_kvm()
{
	local key answer

	[[ -w /dev/kvm ]] || return 1
	key=$(printf '%s\n' "$kernel" "$(cat /proc/sys/kernel/random/boot_id)" |
		sha256sum | cut -c 1-12)
	answer=$CACHE/kvm-$key
	if [[ ! -f $answer ]]; then
		mkdir -p "$CACHE"
		say "trying KVM, up to 15 seconds"
		"$TOP/scripts/initramfs.sh" "$CACHE/kvm-$key.cpio"
		machine_arguments kvm
		if timeout --foreground -k 2 15 "$QEMU" "${ARGS[@]}" -serial stdio \
			-initrd "$CACHE/kvm-$key.cpio" -append "$CMDLINE gh_job=nothing" \
			< /dev/null 2>&1 | grep -q '^goheap-guest: result 0'; then
			echo yes > "$answer"
		else
			echo no > "$answer"
		fi
		rm -f "$CACHE/kvm-$key.cpio"
	fi
	[[ $(cat "$answer") == yes ]]
}

accel=${GOHEAP_ACCEL:-auto}
if [[ $accel == auto ]]; then
	if probe_kvm; then accel=kvm; else accel=tcg; fi
fi

mkdir -p "$(dirname "$log")"
rm -f "$log" ${output:+"$output"}
machine_arguments "$accel"
ARGS+=(-initrd "$initramfs")

if [[ $shell ]]; then
	say "a shell in the guest; leave it with 'exit', or kill QEMU with ctrl-a x"
	ARGS+=(-chardev "stdio,id=tty,mux=on,signal=off,logfile=$log"
	       -serial chardev:tty -mon chardev=tty)
	"$QEMU" "${ARGS[@]}" -append "$CMDLINE"
	exit
fi

if [[ $output ]]; then
	ARGS+=(-serial "file:$log"
	       -chardev "stdio,id=job,signal=off,logfile=$output" -serial chardev:job)
	CMDLINE+=" gh_out=ttyS1"
	result_file=$output
else
	ARGS+=(-chardev "stdio,id=job,signal=off,logfile=$log" -serial chardev:job)
	result_file=$log
fi

status=0
timeout --foreground -k 5 "$seconds" "$QEMU" "${ARGS[@]}" -append "$CMDLINE" < /dev/null ||
	status=$?

# Complaints of the kernel. Case matters: the boot messages name KASAN and
# lockdep harmlessly in other words.
complaints='WARNING:|BUG:|KASAN:|UBSAN:|KFENCE:|KCSAN:|ODEBUG:|Oops|Call Trace'
complaints+='|Kernel panic|general protection fault, |unreferenced object'
complaints+='|possible (circular|recursive|irq lock|deadlock)|INFO: lockdep'
complaints+='|inconsistent lock state|suspicious RCU usage|bad unlock balance'
complaints+='|DEBUG_LOCKS_WARN_ON|turning off the locking correctness validator'
complaints+='|INFO: trying to register|blocked for more than|soft lockup'
complaints+='|detected stalls|self-detected stall|hung task|refcount_t: '
complaints+='|corruption|Bad page state|still has [0-9]* objects|Objects remaining'
complaints+='|invoked oom-killer|page allocation failure'

if [[ $status -eq 124 || $status -eq 137 ]]; then
	say "FAILED: the guest hung and was killed after $seconds s; log: $log"
	exit 124
fi
if grep -aqE "$complaints" "$log"; then
	say "FAILED: the kernel complained; log: $log"
	grep -aE -m 5 "$complaints" "$log" >&2
	exit 2
fi
if [[ $status -ne 0 ]]; then
	say "FAILED: QEMU ended with status $status; log: $log"
	exit 3
fi
result=$(tr -d '\r' < "$result_file" |
	sed -n 's/^goheap-guest: result \([0-9]*\)$/\1/p' | tail -n 1)
if [[ ! $result ]]; then
	say "FAILED: the guest ended without a result; log: $log"
	exit 3
fi
if [[ $result -ne 0 ]]; then
	say "FAILED: the job in the guest; log: $log"
	exit 1
fi
