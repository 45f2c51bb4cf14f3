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
# kbuild writes beside the sources, so each kernel gets a copy of them in build/,
# and one more for the tests; make then sees by time stamp what has to be compiled
# again. The flags are always the same, W=1 for all warnings among them, because
# other flags would have it compile everything.

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
dir=$BUILD/$release${tests:+-tests}
mkdir -p "$BUILD"

# Two builds in one folder would trip over each other.
exec {LOCK}> "$dir.lock"
flock "$LOCK"
[[ ! $clean ]] || rm -rf "$dir"
mkdir -p "$dir"

# Excluded names are kbuild's products: neither copied from a tree where
# somebody ran kbuild by hand, nor deleted here.
rsync -a --delete \
	--exclude='*.o' --exclude='.*' --exclude='*.ko' --exclude='*.mod' \
	--exclude='*.mod.c' --exclude=modules.order --exclude=Module.symvers \
	--exclude=mksizeclasses --exclude=gh_sizeclass_table.h \
	"$TOP/Kbuild" "$TOP/module" "$TOP/uapi" "$dir/"

# A build that fails must not leave an older module to be taken for its result.
rm -f "$dir/goheap.ko"
arch=
if grep -q '^CONFIG_UML=y' "$kernel/.config" 2> /dev/null; then
	arch=ARCH=um
fi
make -C "$kernel" ${arch:+"$arch"} M="$dir" ${tests:+GOHEAP_TESTS=1} W=1 -j "$JOBS" \
	"$@" modules >&2
printf '%s\n' "$dir/goheap.ko"
