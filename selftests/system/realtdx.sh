# SPDX-License-Identifier: GPL-2.0
# Job: a machine that has real TDX, as far as its CPU features say.

mark begin
load_deps kvm
if grep -qw tdx_host_platform /proc/cpuinfo; then
	load tdx_stub > /tmp/said 2>&1 && code=0 || code=1
	if [ $code = 1 ] && grep -q "real TDX" /tmp/said && ! loaded tdx_stub; then
		send "@case tdx_stub: a machine with real TDX|ok|"
	else
		send "@case tdx_stub: a machine with real TDX|not ok|$(tr '\n' ' ' < /tmp/said)"
	fi
else
	send "@case tdx_stub: a machine with real TDX|skip|this kernel knows no setcpuid="
fi
mark end
