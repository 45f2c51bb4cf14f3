#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Build goheap.ko against one kernel and print its path.
#
#   module.sh [-t] [-c] KERNEL_BUILD_DIR [MAKE_ARGUMENT...]
#
#   -t  with the unit suites linked in
#   -c  from scratch, so that every warning is seen once more
#
# kbuild writes beside the sources, so each kernel gets a copy of them, and one more
# for the tests. They are in the cache folder, where the next checkout finds them:
# files of other content are copied anew, and make sees by time stamp what has to be
# compiled again. ccache, which is asked then, takes files of other paths for others.
# The flags are always the same, W=1 for all warnings among them, because other flags
# would have it compile everything.

set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

tests=
clean=
while getopts tc opt; do
	case $opt in
	t)	tests=1 ;;
	c)	clean=1 ;;
	*)	die "usage: module.sh [-t] [-c] KERNEL_BUILD_DIR [MAKE_ARGUMENT...]" ;;
	esac
done
shift $((OPTIND - 1))
[[ $# -ge 1 ]] || die "which kernel?"
kernel=$1
shift

release=$(kernel_release "$kernel")
[[ $release ]] || die "$kernel is not a prepared kernel build folder"
# Kernels that only differ in their configuration have the same release.
hash=$(readlink -f "$kernel" | cat - "$kernel/include/generated/autoconf.h" |
	sha256sum | cut -c 1-12)
dir=$CACHE/modules/$release-$hash${tests:+-tests}
ko=$BUILD/$release${tests:+-tests}/goheap.ko
mkdir -p "$(dirname "$dir")" "$(dirname "$ko")"

# Two builds in one folder would trip over each other.
exec {LOCK}> "$dir.lock"
flock "$LOCK"
[[ ! $clean ]] || rm -rf "$dir"
mkdir -p "$dir"

# Excluded names are kbuild's products: neither copied from a tree where
# somebody ran kbuild by hand, nor deleted here.
rsync -rl --checksum --delete \
	--exclude='*.o' --exclude='.*' --exclude='*.ko' --exclude='*.mod' \
	--exclude='*.mod.c' --exclude=modules.order --exclude=Module.symvers \
	--exclude=mksizeclasses --exclude=gh_sizeclass_table.h \
	"$TOP/Kbuild" "$TOP/module" "$TOP/uapi" "$dir/"

# A build that fails must not leave an older module to be taken for its result.
rm -f "$dir/goheap.ko" "$ko"
arch=
if grep -q '^CONFIG_UML=y' "$kernel/.config" 2> /dev/null; then
	arch=ARCH=um
fi
make -C "$kernel" ${arch:+"$arch"} M="$dir" ${tests:+GOHEAP_TESTS=1} W=1 -j "$JOBS" \
	"$@" modules >&2
cp "$dir/goheap.ko" "$ko"
printf '%s\n' "$ko"
