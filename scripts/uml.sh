#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Run User-mode Linux as a guest, let it do the job that its command line names,
# and judge it: what qemu.sh does for a kernel of its own machine.
#
#   uml.sh -k LINUX -i INITRAMFS -l LOG [-o OUTPUT] [-t SECONDS] [-m MIB]
#          [-a APPEND] [-s]
#
# Options, without -w, and exit status are those of qemu.sh.
#
# The kernel is a program of this machine, so it and the programs in it compute
# at the machine's own speed, and kernel threads run on two processors. What
# does not: a system call or a page fault of a program in it costs tens of
# microseconds, and the threads of one process take turns.

set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

guest_options "$@"
[[ ! $which ]] || die "-w is for qemu.sh"

# Sockets and the like of the running instance; gone with it.
state=$(mktemp -d)
trap 'rm -rf "$state"' EXIT

# Its memory is a file that is mapped, which must not go to a disk.
[[ -w /dev/shm ]] && export TMPDIR=/dev/shm

# A panic ends the program; with panic= it would start itself again.
ARGS=("mem=${memory}M" "initrd=$initramfs" ncpus=2 seccomp=on con=null
      "uml_dir=$state" oops=panic)
read -r -a words <<< "$append"
ARGS+=("${words[@]}")

if [[ $shell ]]; then
	say "a shell in the guest; leave it with 'exit'"
	"$kernel" "${ARGS[@]}" con0=fd:0,fd:1
	exit
fi

ARGS+=("con0=null,fd:1")
if [[ $output ]]; then
	ARGS+=("ssl1=null,fd:3" gh_out=ttyS1)
fi

# It waits for its lines to take what it writes, which it cannot do for a file:
# so both are pipes.
status=0
{
	timeout --foreground -k 5 "$seconds" "$kernel" "${ARGS[@]}" \
		3>&1 > >(cat > "$log") 2>&1 < /dev/null || status=$?
} > >(tee ${output:+"$output"})
wait
judge_guest "$status"
