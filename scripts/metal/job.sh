#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# One run on the machine that this is: loads tdp_stress.ko, runs the driver, collects what
# both say, unloads. Whatever ends it, nothing of it stays loaded or running, and VMs of
# others are not touched. Any POSIX shell. What is found is for metal/judge.py.
#
#   DRIVER, MODULE           tdp-stress, tdp_stress.ko
#   OUT                      a folder for all that is left; nothing is printed
#   SEED, DURATION           of the run; seconds
#   DRIVER_ARGS, STRESS_ARGS more arguments of the driver, parameters of the module
#   GRACE                    seconds for the driver to end after DURATION (default: 60)
#
# Exit code 0: it came to its end, 3: it could not (OUT/problem says why), 130: interrupted.

# a login as root does not always have these
PATH=$PATH:/usr/sbin:/sbin
debug=/sys/kernel/debug/tdp_stress
token=$$-$SEED
# a signal may come between any two commands: what may have been done by then counts
driver=
starting=
loading=

say()
{
	echo "<6>tdp_stress run: $*" > /dev/kmsg
}

# the kernel's log since we began; there may be others before. What is left of a log that
# has gone round since then is all ours
log()
{
	begin="tdp_stress run: begin $token\$"
	dmesg -r > "$OUT/log"
	if grep -q "$begin" "$OUT/log"; then
		sed -n "/$begin/,\$p" "$OUT/log"
	else
		echo "<6>[    0.000000] tdp_stress run: begin lost"
		cat "$OUT/log"
	fi
	rm -f "$OUT/log"
}

stop_driver()
{
	[ -n "$starting" ] || return
	starting=
	: "${driver:=$!}"
	kill "$driver" 2>/dev/null
	tries=0
	while kill -0 "$driver" 2>/dev/null && [ $tries -lt 60 ]; do
		sleep 1
		tries=$((tries + 1))
	done
	kill -9 "$driver" 2>/dev/null
	wait "$driver" 2>/dev/null
}

# a VM of others that is being destroyed may hold it for a moment
unload()
{
	[ -n "$loading" ] && [ -d /sys/module/tdp_stress ] || return
	loading=
	tries=0
	until rmmod tdp_stress 2> "$OUT/rmmod" || [ $tries -ge 60 ]; do
		sleep 1
		tries=$((tries + 1))
	done
	[ -d /sys/module/tdp_stress ] && echo "tdp_stress cannot be unloaded: $(cat "$OUT/rmmod")" >> "$OUT/problem"
	rm -f "$OUT/rmmod"
}

leave()
{
	trap '' INT TERM HUP
	stop_driver
	unload
	log > "$OUT/dmesg"
	say "end"
	exit "$1"
}

problem()
{
	echo "$*" > "$OUT/problem"
	leave 3
}

load()
{
	[ ! -d /sys/module/tdp_stress ] || problem "tdp_stress is loaded already"
	loading=1
	said=$(insmod "$MODULE" backend=tdx $STRESS_ARGS 2>&1) && return
	loading=
	# insmod's words and the kernel's, which has the reason
	problem "$said: $(log | sed -n 's/^<[0-4]>\[[^]]*\]\(\[[^]]*\]\)* //p' | grep -v 'taints kernel\|signature and/or\| invalid for parameter ' | uniq | tail -n 2 | tr '\n' ' ')"
}

# the driver watches itself; this is for a driver that hangs
wait_for_driver()
{
	left=$((DURATION + ${GRACE:-60}))
	while kill -0 "$driver" 2>/dev/null; do
		[ $left -gt 0 ] || return 124
		sleep 1 &
		wait $!
		left=$((left - 1))
	done
	wait "$driver"
}

collect()
{
	echo 1 > $debug/audit 2>/dev/null || echo "the last audit failed" >> "$OUT/problem"
	for file in verdict violations stats not_checked; do
		cat $debug/$file > "$OUT/stress.$file"
	done
	grep -q SUCCESS "$OUT/stress.verdict" && return
	for file in flight flight.first; do
		cat $debug/$file > "$OUT/stress.$file"
	done
}

trap 'leave 130' INT TERM HUP
# of a run before
rm -f "$OUT/problem" "$OUT/dmesg" "$OUT"/driver.code "$OUT"/driver.json "$OUT"/stress.*
say "begin $token"
load
# what a real TDX module needs: guest code
starting=1
"$DRIVER" --payload --seed "$SEED" --duration "$DURATION" --json "$OUT/driver.json" \
	$DRIVER_ARGS > "$OUT/driver.log" 2>&1 &
driver=$!
wait_for_driver
code=$?
[ $code != 124 ] || stop_driver
starting=
echo $code > "$OUT/driver.code"
collect
leave 0
