# SPDX-License-Identifier: GPL-2.0
# The job behind make kselftest: load one backend, run each program as kselftest's
# runner would (its folder, its settings, TAP), tell its lines as they come.
#
#   @program NAME CODE SECONDS    exit code, 124: not in time; how long it took
#   @file NAME.tap                all that it said

. /external-lib.sh

load_backend()
{
	case "$LOAD" in
	external)
		load_kvm && step "load tdp_stress" load tdp_stress $STRESS_PARAMS ;;
	tdx)
		load_all ;;
	esac
}

# its lines, without those that only say that a test begins or has passed
follow()
{
	while IFS= read -r line || [ -n "$line" ]; do
		echo "$line"
		case "$line" in
		"#  RUN "* | "# "*" OK  "* | "") ;;
		*) tell "$line" ;;
		esac
	done
	touch /tmp/.told
}

# who cannot be killed may have something to say for ever
wait_told()
{
	patience=100
	while [ ! -f /tmp/.told ] && [ $patience -gt 0 ]; do
		sleep 0.1
		patience=$((patience - 1))
	done
	kill $teller 2>/dev/null
	rm -f /tmp/.told
}

now()
{
	cut -d' ' -f1 /proc/uptime
}

# a program that was killed leaves the processes that it tested with
end_leftovers()
{
	for exe in /proc/[0-9]*/exe; do
		[ "$(readlink "$exe")" = "/kselftest/$1" ] || continue
		pid=${exe#/proc/}
		kill -9 "${pid%/exe}"
	done 2>/dev/null
}

run_program()
{
	eval "args=\$ARGS_$1"
	mark "program $1"
	tell "# selftests: kselftest: $1"
	follow < /tmp/said > "/tmp/$1.tap" &
	teller=$!
	cd /kselftest || return
	began=$(now)
	# the watchdog is not to have the pipe, too
	with_limit "$LIMIT" sh -c "exec ./$1 $args > /tmp/said 2>&1"
	code=$?
	ended=$(now)
	cd /
	end_leftovers "$1"
	wait_told
	send_file "$1.tap" "/tmp/$1.tap"
	send "@program $1 $code $(echo "$began $ended" | awk '{ printf "%.1f", $2 - $1 }')"
}

mkfifo /tmp/said
mark begin
export TDP_STRESS_SEED="$SEED" $WISHES
# module_unload loads it again
export TDP_STRESS_MODULE=/modules/tdp_stress.ko
if load_backend; then
	for program in $PROGRAMS; do
		run_program "$program"
	done
	final_audit
	for f in verdict violations stats not_checked; do
		send_file "stress.$f" $dir/$f
	done
	send_file stub.stats /sys/kernel/debug/tdx_stub/stats
	if ! grep -q SUCCESS $dir/verdict; then
		send_file stress.flight $dir/flight
	fi
fi
unload_all
mark end
