#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Boot one guest, let it do the job that its command line names, and judge it.
#
#   qemu.sh -k KERNEL -i INITRAMFS -l LOG [-o OUTPUT] [-t SECONDS] [-m MIB]
#           [-a APPEND] [-s]
#   qemu.sh -k KERNEL -w
#
#   -l LOG     kernel log (the first serial port)
#   -o OUTPUT  what the job prints goes to the second serial port and to this
#              file, so that kernel messages do not cut into it; without -o
#              both go to the first port and to LOG
#   -t         the guest is killed after so many seconds (default 120)
#   -s         interactive: the terminal is the guest's console
#   -w         print which processor it would be, tcg or kvm, and boot nothing
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

guest_options "$@"

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
if [[ $which ]]; then
	printf '%s\n' "$accel"
	exit
fi

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
else
	ARGS+=(-chardev "stdio,id=job,signal=off,logfile=$log" -serial chardev:job)
fi

status=0
timeout --foreground -k 5 "$seconds" "$QEMU" "${ARGS[@]}" -append "$CMDLINE" < /dev/null ||
	status=$?

judge_guest "$status"
