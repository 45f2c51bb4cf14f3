#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Kernels to build against and to boot. Everything is made once and kept in the
# cache folder, outside the tree; the answer is one line on stdout.
#
#   kernel.sh stock    "VMLINUZ HEADERS": Debian's cloud kernel of exactly the
#                      version of the installed headers
#   kernel.sh debug    "BZIMAGE BUILDDIR": the kernel of selftests/qemu/debug.config
#   kernel.sh kcsan    "BZIMAGE BUILDDIR": the same with selftests/qemu/kcsan.config
#                      instead of KASAN
#   kernel.sh uml      "LINUX BUILDDIR": User-mode Linux of selftests/qemu/uml.config,
#                      from the newest kernel source that Debian packages
#   kernel.sh source   SOURCEDIR: the unpacked kernel source (checkpatch, kselftest)
#   kernel.sh headers  BUILDDIR: what `make` builds against, that is the running
#                      kernel's headers if installed, else those of `stock`

set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=scripts/backports.sh
. "$(dirname "$0")/backports.sh"

# Newest installed header package of the flavour we test.
stock_headers()
{
	local dir

	dir=$(printf '%s\n' /usr/src/linux-headers-6.1.*-cloud-amd64 | sort -V | tail -n 1)
	[[ -f $dir/Makefile ]] ||
		die "no 6.1 cloud headers found; run scripts/deps.sh run"
	printf '%s\n' "$dir"
}

stock()
{
	local headers release version dir

	headers=$(stock_headers)
	release=${headers#/usr/src/linux-headers-}
	version=$(package_version "linux-headers-$release") ||
		die "package linux-headers-$release is not installed"
	dir=$CACHE/stock-$release-$version
	if [[ ! -f $dir/vmlinuz ]]; then
		lock_cache stock
	fi
	if [[ ! -f $dir/vmlinuz ]]; then
		say "fetching linux-image-$release $version"
		new_tmp
		# Downloading as another user than root would need a folder that
		# this user may write to.
		(cd "$TMP" && apt-get -qq -o APT::Sandbox::User=root download \
			"linux-image-$release=$version" >&2) ||
			die "cannot fetch linux-image-$release=$version; upgrade the" \
			    "headers with: apt-get install linux-headers-cloud-amd64"
		dpkg -x "$TMP"/*.deb "$TMP/root"
		mkdir "$TMP/done"
		mv "$TMP/root/boot/vmlinuz-$release" "$TMP/done/vmlinuz"
		mv "$TMP/root/boot/config-$release" "$TMP/done/config"
		mv -T "$TMP/done" "$dir"
		rm -rf "$TMP"
	fi
	printf '%s %s\n' "$dir/vmlinuz" "$headers"
}

source_tree()
{
	local version dir

	version=$(package_version "$SOURCE_PACKAGE") ||
		die "package $SOURCE_PACKAGE is not installed; run scripts/deps.sh test"
	dir=$CACHE/source-$version
	if [[ ! -d $dir ]]; then
		lock_cache source
	fi
	if [[ ! -d $dir ]]; then
		say "unpacking $SOURCE_PACKAGE $version"
		new_tmp
		tar -C "$TMP" --strip-components=1 \
			-xf "/usr/src/$SOURCE_PACKAGE.tar.xz"
		mv -T "$TMP" "$dir"
	fi
	printf '%s\n' "$dir"
}

# debug_kernel NAME CONFIG [MAKE_ARGUMENT...]: from the source of Debian's release
debug_kernel()
{
	local name=$1 config=$2 version hash dir src log

	shift 2
	version=$(package_version "$SOURCE_PACKAGE") ||
		die "package $SOURCE_PACKAGE is not installed; run scripts/deps.sh test"
	hash=$(sha256sum <<< "$config" | cut -c 1-12)
	dir=$CACHE/$name-$version-$hash
	if [[ ! -f $dir/arch/x86/boot/bzImage ]]; then
		src=$(source_tree)
		lock_cache "$name"
	fi
	if [[ ! -f $dir/arch/x86/boot/bzImage ]]; then
		say "building the $name kernel, once; about 5 minutes on two cores"
		new_tmp
		log=$CACHE/$name-build.log
		build_kernel "$src" "$TMP" "$log" "$config" bzImage ARCH=x86 "$@" ||
			die "building the $name kernel failed, see $log"
		mv -T "$TMP" "$dir"
	fi
	printf '%s %s\n' "$dir/arch/x86/boot/bzImage" "$dir"
}

debug()
{
	debug_kernel debug "$(cat "$TOP/selftests/qemu/debug.config")"
}

# Nothing of the kernel itself is instrumented, only the module will be.
kcsan()
{
	debug_kernel kcsan "$(cd "$TOP/selftests/qemu" &&
		grep -vE 'KASAN|LOCALVERSION' debug.config && cat kcsan.config)" \
		KCSAN_SANITIZE=n
}

# newest_source PACKAGE VERSION: unpack kernel source of the backports
newest_source()
{
	local package=$1 version=$2 dir=$CACHE/source-$2 tarball

	if [[ ! -d $dir ]]; then
		lock_cache source-newest
	fi
	if [[ ! -d $dir ]]; then
		say "fetching $package $version"
		new_tmp
		fetch trixie-backports "$TMP" "$package"
		tarball=$(printf '%s\n' "$TMP"/usr/src/linux-source-*.tar.xz)
		say "unpacking it"
		mkdir "$TMP/tree"
		tar -C "$TMP/tree" --strip-components=1 -xf "$tarball"
		mv -T "$TMP/tree" "$dir"
		rm -rf "$TMP"
	fi
	printf '%s\n' "$dir"
}

uml()
{
	local hash package version dir src log

	hash=$(sha256sum < "$TOP/selftests/qemu/uml.config" | cut -c 1-12)
	# Without the archive, the newest that has been made will do.
	if (prepare_apt); then
		package=$(apt-cache "${APT[@]}" pkgnames linux-source- |
			grep -E '^linux-source-[0-9.]+$' | sort -V | tail -n 1)
		version=$(field "$package" trixie-backports Version)
		[[ $version ]] || die "no linux-source in trixie-backports"
		dir=$CACHE/uml-$version-$hash
	else
		dir=$(printf '%s\n' "$CACHE"/uml-*-"$hash" | sort -V | tail -n 1)
		[[ -x $dir/linux ]] || die "no User-mode Linux in the cache"
	fi
	if [[ ! -x $dir/linux ]]; then
		src=$(newest_source "$package" "$version")
		lock_cache uml
	fi
	if [[ ! -x $dir/linux ]]; then
		say "building User-mode Linux $version, once; about 3 minutes on two cores"
		new_tmp
		log=$CACHE/uml-build.log
		build_kernel "$src" "$TMP" "$log" \
			"$(cat "$TOP/selftests/qemu/uml.config")" linux ARCH=um ||
			die "building User-mode Linux failed, see $log"
		# It names the folder that it is in.
		sed -i "s#$TMP#$dir#g" "$TMP/Makefile"
		mv -T "$TMP" "$dir"
	fi
	printf '%s %s\n' "$dir/linux" "$dir"
}

# build_kernel SOURCE FOLDER LOG CONFIG TARGET MAKE_ARGUMENT...: CONFIG is text
build_kernel()
{
	local src=$1 out=$2 log=$3 config=$4 target=$5 line want n=0
	local bad=''
	local -a make=(make -C "$src" O="$out" "${@:6}")

	# It is made once.
	export CCACHE_DISABLE=1
	{
		"${make[@]}" tinyconfig &&
		printf '%s\n' "$config" > "$out/.config.wanted" &&
		"$src/scripts/kconfig/merge_config.sh" -m -O "$out" \
			"$out/.config" "$out/.config.wanted" &&
		"${make[@]}" olddefconfig
	} > "$log" 2>&1 || return 1

	# An option with a missing dependency is dropped in silence.
	while read -r line; do
		want=$line
		if ! grep -qxF -- "$want" "$out/.config" &&
		   ! { [[ $want == "# CONFIG_"* ]] &&
		       ! grep -q "^${want:2:-11}=" "$out/.config"; }; then
			say "not taken over: $want"
			bad=1
		fi
	done < <(grep -E '^CONFIG_|^# CONFIG_.* is not set$' <<< "$config")
	[[ -z $bad ]] || return 1

	# `modules` only for Module.symvers, which external modules need.
	"${make[@]}" -j "$JOBS" "$target" modules 2>> "$log" |
	while read -r line; do
		printf '%s\n' "$line" >> "$log"
		n=$((n + 1))
		((n % 250)) || say "  $n steps: ${line:0:60}"
	done || return 1

	# Keep what external modules, addr2line and a debugger need.
	find "$out" \( -path "$out/scripts" -o -path "$out/tools" \) -prune -o \
		-type f \( -name '*.o' -o -name '*.a' -o -name '.*.cmd' \
		-o -name 'vmlinux.*' -o -name '.tmp_*' \) \
		! -name vmlinux.symvers -exec rm -f {} +
}

headers()
{
	local dir

	dir=/lib/modules/$(uname -r)/build
	if [[ -f $dir/Makefile ]]; then
		printf '%s\n' "$dir"
	else
		stock_headers
	fi
}

case ${1:-} in
stock)		stock ;;
debug)		debug ;;
kcsan)		kcsan ;;
uml)		uml ;;
source)		source_tree ;;
headers)	headers ;;
*)		die "usage: kernel.sh stock|debug|kcsan|uml|source|headers" ;;
esac
