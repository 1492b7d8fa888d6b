#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# What a host needs to run TDs under tdp_stress: a line of TAP for each, and behind what is
# missing what to do about it. Reads and asks, changes nothing. Any POSIX shell.
#
#   DRIVER      tdp-stress, which asks KVM; without it that is not asked
#   MODULE      tdp_stress.ko, if it is built; else its kernel's headers are looked for
#   KDIR        where (default: /lib/modules/`uname -r`/build)
#   OTHERS_OK   1: other VMs may run here
#   ROOT        a folder with another /proc and /sys (its test)
#
# Exit code 0: nothing is missing, 3: something is.

release=$(uname -r)
number=0
missing=0
without_module=0

ok()
{
	number=$((number + 1))
	echo "ok $number - $1"
}

# not_ok WHAT WHY-AND-WHAT-TO-DO
not_ok()
{
	number=$((number + 1))
	missing=$((missing + 1))
	echo "not ok $number - $1: $2"
}

flag()
{
	grep -qwm 1 "$1" "$ROOT/proc/cpuinfo"
}

# the kernel's last word on something
last_word()
{
	dmesg 2>/dev/null | grep -E "$1" | tail -n 1 | sed 's/^\[[^]]*\] *//'
}

# option NAME: y, m, n, or nothing where the configuration is not to be seen
option()
{
	for config in "$ROOT/proc/config.gz" "$ROOT/boot/config-$release" \
		      "$ROOT/lib/modules/$release/build/.config" \
		      "$ROOT/lib/modules/$release/config"; do
		[ -r "$config" ] || continue
		case "$config" in
		*.gz)	read=zcat ;;
		*)	read=cat ;;
		esac
		config=$($read "$config" 2>/dev/null) || continue
		set -- "$1" "$(echo "$config" | sed -n "s/^$1=\(.*\)/\1/p")"
		echo "${2:-n}"
		return
	done
}

root()
{
	if [ "$(id -u)" = 0 ]; then
		ok "root"
	else
		not_ok "root" "modules are loaded and debugfs is read; run it as root"
	fi
}

platform()
{
	what="the CPU and its firmware have TDX"
	# the kernel sets it once it has found key IDs for TDs, which the BIOS sets aside
	if flag tdx_host_platform; then
		ok "$what"
	elif ! flag GenuineIntel; then
		not_ok "$what" "this is no Intel CPU; TDX takes a Xeon of the 5th generation or newer, or one of the 4th with TDX"
	elif ! flag vmx; then
		not_ok "$what" "no VMX: switch it on in the BIOS (Intel VT-x)"
	elif [ "$(option CONFIG_INTEL_TDX_HOST)" = n ]; then
		not_ok "$what" "this kernel does not look: it is built without CONFIG_INTEL_TDX_HOST; boot one that has it"
	else
		why=$(last_word 'virt/tdx: .*(failed|Disable|not )')
		not_ok "$what" "the kernel found no key IDs for TDs${why:+ ($why)}; in the BIOS switch on memory encryption (TME, TME-MT), TDX, and the SEAM loader; boot with nohibernate"
	fi
}

tdx_parameter()
{
	cat "$ROOT/sys/module/kvm_intel/parameters/tdx" 2>/dev/null
}

kernel()
{
	what="the kernel makes TDs (CONFIG_KVM_INTEL_TDX)"
	# kvm_intel has this parameter only then
	if [ -n "$(tdx_parameter)" ] || [ "$(option CONFIG_KVM_INTEL_TDX)" = y ]; then
		ok "$what"
	elif [ -z "$(option CONFIG_KVM_INTEL_TDX)" ]; then
		not_ok "$what" "no configuration of Linux $release to look at (/proc/config.gz, /boot/config-$release) and kvm_intel is not loaded: modprobe kvm_intel tdx=1"
	else
		not_ok "$what" "Linux $release is built without it; boot one that has CONFIG_INTEL_TDX_HOST=y and CONFIG_KVM_INTEL_TDX=y"
	fi
}

# how tdp_stress.ko finds KVM's symbols, and what it hooks them with
watchable()
{
	what="the kernel's symbols can be found and probed (CONFIG_KALLSYMS_ALL, _KPROBES, _FPROBE)"
	lacks=
	for name in CONFIG_KALLSYMS_ALL CONFIG_KPROBES CONFIG_FPROBE; do
		[ "$(option $name)" != n ] || lacks="$lacks $name=y"
	done
	if [ -n "$lacks" ]; then
		not_ok "$what" "Linux $release is built without; boot one that has$lacks"
	elif [ -z "$(option CONFIG_KPROBES)" ]; then
		ok "$what # SKIP no configuration to look at; tdp_stress.ko says if it cannot"
	else
		ok "$what"
	fi
}

# the kernel initialises the TDX module once, while it boots (7.2, 7.3) or when kvm_intel is first
# loaded with tdx=1 (older ones), and keeps the result; what it says if it cannot
module_failed()
{
	last_word 'virt/tdx: (module not loaded|.*initialization failed|.* is required for TDX|SEAMCALL .* failed)'
}

tdx_module()
{
	what="the TDX module is initialised"
	# kvm_intel keeps it at Y only then; if it was long ago the log does not tell any more
	if [ "$(tdx_parameter)" = Y ]; then
		ok "$what"
	elif ! flag tdx_host_platform; then
		ok "$what # SKIP there is none without TDX in the CPU and its firmware"
	elif [ -n "$(last_word 'virt/tdx: .*odule initialized')" ]; then
		ok "$what"
	elif [ -n "$(last_word 'virt/tdx: module not loaded')" ]; then
		without_module=1
		not_ok "$what" "the firmware has loaded none (virt/tdx: module not loaded); in the BIOS switch on the SEAM loader, see that the firmware has a TDX module (a newer BIOS), and boot again: the kernel tries once, to load kvm_intel again does not help"
	elif [ -n "$(module_failed)" ]; then
		without_module=1
		not_ok "$what" "the kernel could not ($(module_failed)); dmesg | grep virt/tdx has the rest. A newer BIOS may have a newer TDX module; boot again: the kernel tries once, to load kvm_intel again does not help"
	elif dmesg 2>/dev/null | grep 'Linux version ' >/dev/null; then
		ok "$what # SKIP unknown: the kernel's log has no word on it; kernels that do not try while they boot do when kvm_intel is loaded with tdx=1"
	else
		ok "$what # SKIP unknown: the kernel's log cannot be read or has lost its beginning; look at: journalctl -k -b | grep virt/tdx"
	fi
}

# once kvm_intel was loaded with tdx=1 it is N if KVM or the CPU lacks something, or if there is
# no initialised TDX module: the line above
kvm_intel()
{
	what="kvm_intel runs with tdx=1"
	how="modprobe -r kvm_intel && modprobe kvm_intel tdx=1"
	[ "$(option CONFIG_KVM_INTEL)" != y ] || how="boot with kvm_intel.tdx=1"
	case "$(tdx_parameter)" in
	Y)	ok "$what" ;;
	N)	if [ $without_module = 1 ]; then
			not_ok "$what" "it runs with tdx=N, for want of the TDX module; see the line above"
			return
		fi
		why=$(last_word 'kvm_intel: .*(TDX|tdx)')
		not_ok "$what" "it runs with tdx=N${why:+ (its last word: $why)}; $how" ;;
	*)	if [ -d "$ROOT/sys/module/kvm_intel" ]; then
			not_ok "$what" "the kvm_intel that is loaded knows no TDX; boot a kernel with CONFIG_KVM_INTEL_TDX=y"
		else
			not_ok "$what" "kvm_intel is not loaded: modprobe kvm_intel tdx=1"
		fi ;;
	esac
}

offer()
{
	what="KVM offers TDX VMs (/dev/kvm)"
	[ -n "$DRIVER" ] || return 0
	said=$("$DRIVER" --no-modules --probe 2>&1)
	case $? in
	0)	ok "$what" ;;
	*)	not_ok "$what" "$(echo "$said" | tail -n 1 | sed 's/.*UNSUPPORTED: //; s/: with .*//'); the lines above say why" ;;
	esac
}

ours()
{
	what="tdp_stress is not loaded"
	if [ -d "$ROOT/sys/module/tdp_stress" ]; then
		not_ok "$what" "somebody else's test may be going on; if not: rmmod tdp_stress"
	else
		ok "$what"
	fi
}

signed()
{
	[ -n "$MODULE" ] && [ "$(tail -c 28 "$MODULE")" = "~Module signature appended~" ]
}

signatures()
{
	what="the kernel takes modules that are built here"
	lockdown=$(sed -n 's/.*\[\(.*\)\].*/\1/p' "$ROOT/sys/kernel/security/lockdown" 2>/dev/null)
	enforced=$(cat "$ROOT/sys/module/module/parameters/sig_enforce" 2>/dev/null)
	if [ "$(cat "$ROOT/proc/sys/kernel/modules_disabled" 2>/dev/null)" = 1 ]; then
		not_ok "$what" "kernel.modules_disabled is 1, until the next boot"
	elif [ "${lockdown:-none}" != none ]; then
		# no signature helps: of debugfs only what cannot be written may be opened
		not_ok "$what" "the kernel is locked down ($lockdown), debugfs is closed; boot without lockdown=, or switch Secure Boot off"
	elif [ "$enforced" != Y ] || signed; then
		ok "$what"
	else
		not_ok "$what" "only signed ones (module.sig_enforce); sign tdp_stress.ko with a key that the machine trusts (scripts/sign-file of the kernel, mokutil --import), or boot without module.sig_enforce"
	fi
}

headers()
{
	if [ -n "$MODULE" ]; then
		what="tdp_stress.ko is built"
		[ -r "$MODULE" ] && ok "$what" || not_ok "$what" "there is no $MODULE"
		return
	fi
	what="the kernel's headers are there"
	dir=${KDIR:-$ROOT/lib/modules/$release/build}
	if [ -r "$dir/Module.symvers" ]; then
		ok "$what"
	else
		not_ok "$what" "$dir has no Module.symvers; install them (on Debian: apt-get install linux-headers-$release), or name the kernel's build folder with KDIR="
	fi
}

debugfs()
{
	what="debugfs is mounted"
	# none but root may look into it
	if grep -q ' /sys/kernel/debug debugfs ' "$ROOT/proc/mounts"; then
		ok "$what"
	else
		not_ok "$what" "mount -t debugfs none /sys/kernel/debug"
	fi
}

# KVM has a folder for each VM there, named after the process that made it
others()
{
	what="no other VM runs here"
	pids=$(ls "$ROOT/sys/kernel/debug/kvm" 2>/dev/null | sed -n 's/^\([0-9]*\)-[0-9]*$/\1/p' | sort -u)
	if [ -d "$ROOT/sys/module/kvm" ] && [ ! -d "$ROOT/sys/kernel/debug/kvm" ]; then
		ok "$what # SKIP they cannot be seen without debugfs"
	elif [ -z "$pids" ]; then
		ok "$what"
	elif [ "$OTHERS_OK" = 1 ]; then
		ok "$what, or OTHERS_OK=1 (there are VMs of process $(echo $pids))"
	else
		not_ok "$what" "there are VMs of process $(echo $pids), which a bug met here may take down; stop them, or say OTHERS_OK=1: they are watched as well, and left alone"
	fi
}

echo "TAP version 13"
root
platform
kernel
watchable
tdx_module
kvm_intel
offer
ours
signatures
headers
debugfs
others
echo "1..$number"
[ $missing = 0 ] || exit 3
