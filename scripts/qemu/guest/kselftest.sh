# SPDX-License-Identifier: GPL-2.0
# The job behind make kselftest: load one backend, run each program as kselftest's
# runner would (its folder, its settings, TAP), tell its lines as they come.
#
#   @program NAME CODE    exit code; 124: not in time
#   @file NAME.tap        all that it said

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
	tail -f "$1" | while read -r line; do
		case "$line" in
		"#  RUN "* | "# "*" OK  "* | "") ;;
		*) tell "$line" ;;
		esac
	done
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
	: > "/tmp/$1.tap"
	follow "/tmp/$1.tap" &
	teller=$!
	cd /kselftest || return
	with_limit "$LIMIT" "./$1" $args > "/tmp/$1.tap" 2>&1
	code=$?
	cd /
	end_leftovers "$1"
	# tail looks once a second
	sleep 1.2
	kill $teller 2>/dev/null
	pkill -P $teller 2>/dev/null
	send_file "$1.tap" "/tmp/$1.tap"
	send "@program $1 $code"
}

mark begin
export TDP_STRESS_SEED="$SEED" $WISHES
# module_unload loads it again
export TDP_STRESS_MODULE=/modules/tdp_stress.ko
if load_backend; then
	for program in $PROGRAMS; do
		run_program "$program"
	done
	step "final audit" sh -c "echo 1 > $dir/audit"
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
