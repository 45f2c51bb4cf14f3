#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Make an initramfs: busybox, selftests/qemu as / and what is named.
#
#   initramfs.sh OUTPUT [GUEST_PATH=FILE_OR_FOLDER]...
#
# Symbolic links are followed, and a program's shared libraries come along.
# The archive is not compressed: copying it is faster than unpacking it would
# be in an emulated machine.

set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

[[ $# -ge 1 ]] || die "usage: initramfs.sh OUTPUT [GUEST_PATH=FILE_OR_FOLDER]..."
output=$1
shift

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
chmod 755 "$root"

# Copy the shared libraries of a program to the same path in the guest.
copy_libraries()
{
	local lib

	[[ $(head -c 4 "$1" | tr -d '\0') == $'\x7fELF' ]] || return 0
	while read -r lib; do
		[[ -e $root$lib ]] || install -D "$lib" "$root$lib"
	done < <(ldd "$1" 2>/dev/null | grep -o '/[^ ]*')
}

mkdir -p "$root"/{bin,dev,etc,proc,sys,tmp}
busybox=$(command -v busybox) || die "busybox not found; run scripts/deps.sh run"
install "$busybox" "$root/bin/busybox"
ln -s busybox "$root/bin/sh"
install "$TOP/selftests/qemu/init" "$root/init"
install "$TOP/selftests/qemu/demo" "$root/demo"

for arg; do
	guest=${arg%%=*}
	host=${arg#*=}
	[[ -e $host ]] || die "$host does not exist"
	mkdir -p "$root$(dirname "$guest")"
	cp -rL --no-target-directory "$host" "$root$guest"
	if [[ -d $host ]]; then
		while IFS= read -r -d '' file; do
			copy_libraries "$file"
		done < <(find "$root$guest" -type f -perm -100 -print0)
	elif [[ -x $host ]]; then
		copy_libraries "$root$guest"
	fi
done

mkdir -p "$(dirname "$output")"
(cd "$root" && find . -print0 | sort -z |
	cpio --null --create --quiet --format=newc --owner=0:0) > "$output.tmp"
mv "$output.tmp" "$output"
