#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# ibt.sh MODULE.ko: does tdp_stress.ko call KVM's functions directly only?
#
# A CPU with Indirect Branch Tracking faults on a call through a pointer to a
# function without ENDBR, and the kernel takes ENDBR away from all functions whose
# address it does not itself take. So what kallsyms finds may only be called
# directly, which is what a static call is patched to be. No CPU that QEMU
# emulates has IBT: this reads the code instead, of the objects next to the module.
# Only kvm/ may look up functions, so only kvm/ could call them. Prints KTAP; exit
# code 0 if all is well, 1 if not, 2 for bad usage, 3 if objdump or objects lack.

usage()
{
	echo "usage: ibt.sh MODULE.ko: check how tdp_stress.ko, where it was built, calls KVM" >&2
	exit 2
}

[ $# = 1 ] || usage
[ -r "$1" ] || { echo "ibt.sh: cannot read $1" >&2; exit 2; }
command -v objdump > /dev/null || { echo "ibt.sh: objdump (binutils) is needed" >&2; exit 3; }
ko=$1
dir=$(dirname "$ko")
[ -r "$dir/kvm/symbols.o" ] ||
	{ echo "ibt.sh: no $dir/kvm/symbols.o: name the module where it was built" >&2; exit 3; }
tmp=$(mktemp -d) || exit 3
trap 'rm -rf "$tmp"' EXIT

# Functions that call through a pointer, and what the pointer is:
#   ours    a function of this module, which the compiler has given its ENDBR
#   stored  a pointer that KVM or the kernel has stored for others to call
cat > "$tmp/known" <<'LIST'
op_entry ours arguments
op_exit ours arguments
walk_table ours visitor
core_counter ours visitor
on_finding ours listener
ext_for_each ours visitor
tdps_external_stats ours visitor
once ours row of the table of operations
tdps_user_op ours row of the table of operations
tdps_user_query_op ours row of the table of operations
user_query_ops ours row of the table of operations
at_size ours function of entry.c
on_vm ours function of entry.c
on_side ours function of entry.c
fault_on_side ours function of entry.c
tdps_user_stats ours visitor
set_seamcall ours view of the emulated TDX module
on_entry ours view of the emulated TDX module
tell_root ours view of the emulated TDX module
own_ioctl stored file_operations.unlocked_ioctl
own_ioctl_log stored file_operations.unlocked_ioctl
tdps_own_create stored file_operations.unlocked_ioctl
entry_fault stored kvm_mmu.page_fault
LIST

# FUNCTION INSTRUCTION of every call and jump through a pointer, but for switch
# statements that were compiled to a table. Kernels with retpolines or with ITS
# mitigation call a thunk instead.
objdump -dr --no-show-raw-insn "$dir"/kvm/*.o > "$tmp/code" || exit 3
awk '
/^[0-9a-f]+ <.*>:$/ { f = substr($2, 2, length($2) - 3); sub(/\.(constprop|isra|part|cold).*/, "", f) }
/(call|jmp) +\*0x[0-9a-f]+\(,%r[a-z0-9]+,8\)/ { next }
# the kernel patches those of paravirt into direct ones
/(call|jmp) +\*0x0\(%rip\)/ { wait = $0; next }
wait != "" { $0 = /R_X86_64_.*pv_ops/ ? "" : wait; wait = "" }
/(call|jmp)[a-z]* +(\*|.*indirect_thunk)/ || /R_X86_64.*indirect_thunk/ {
	if (f !~ /indirect_thunk/) { $1 = ""; print f $0 }
}' "$tmp/code" | sort -u > "$tmp/indirect"

bad=0
# result NUMBER NAME FILE-WITH-COMPLAINTS
result()
{
	if [ -s "$3" ]; then
		sed 's/^/# /' "$3"
		echo "not ok $1 - $2"
		bad=1
	else
		echo "ok $1 - $2"
	fi
}

echo "KTAP version 1"
echo "1..4"

awk 'NR == FNR { known[$1] = 1; next } !($1 in known)' "$tmp/known" "$tmp/indirect" > "$tmp/new"
result 1 "kvm/ calls through pointers only our own functions, or what KVM has stored" "$tmp/new"

# A trampoline is called, jumped to, or handed to __static_call_update() to be
# patched (its second argument); nothing else is done with its address.
awk '
/R_X86_64_.*__SCT__(own|tdps)_/ {
	if (insn !~ /^(call|jmp|j[a-z]+) / && insn !~ /^mov +\$0x0,%rsi/)
		print f, insn, $NF
}
/^[0-9a-f]+ <.*>:$/ { f = $2 }
/^ *[0-9a-f]+:\t/ && !/R_X86_64/ { insn = $0; sub(/^ *[0-9a-f]+:\t/, "", insn) }
' "$tmp/code" > "$tmp/taken"
result 2 "static calls are called, not pointed to" "$tmp/taken"

# What KVM exports only to its own modules is not linked to either.
nm -u "$ko" | awk '{ print $2 }' | grep -E '^(kvm_|tdp_|gfn_to|vcpu_|file_is_kvm)' > "$tmp/linked"
result 3 "no symbol of KVM's is linked" "$tmp/linked"

# Nobody else has KVM's addresses.
for o in "$dir"/oracle/*.o "$dir"/torture/*.o "$dir"/stress/*.o; do
	nm -u "$o" | awk -v o="${o#"$dir"/}" '$2 ~ /^(tdps_lookup|__SC[KT]__tdps_kallsyms|kallsyms_)/ {
		print o, $2 }'
done > "$tmp/others"
result 4 "only kvm/ looks up symbols" "$tmp/others"

direct=$(grep -cE 'R_X86_64_P(LT|C)32.*__SCT__(own|tdps)_' "$tmp/code")
echo "# $(wc -l < "$tmp/indirect") kinds of calls through pointers, $direct static call sites"
exit $bad
