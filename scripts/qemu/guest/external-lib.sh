# SPDX-License-Identifier: GPL-2.0
# What the jobs of the external backend share: where tdp_stress is seen, whether
# it still works. Knows its interface; must not know verdicts.

dir=/sys/kernel/debug/tdp_stress

state()
{
	cut -d' ' -f1 $dir/state 2>/dev/null
}
