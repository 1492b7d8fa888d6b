#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# The driver's command line: what is refused, with which words and exit code.
# Runs on any machine: nothing here gets as far as KVM.
#
# Usage: test-usage.sh PATH/TO/tdp-stress

BIN=$1
if [ ! -x "$BIN" ]; then
	echo "usage: $0 PATH/TO/tdp-stress: '$BIN' is no program" >&2
	exit 2
fi
DIR=$(mktemp -d) || exit 2
trap 'rm -rf "$DIR"' EXIT

nr=0
failed=0

result()
{
	nr=$((nr + 1))
	if [ "$1" = 0 ]; then
		echo "ok $nr - $2"
	else
		echo "not ok $nr - $2"
		sed 's/^/# /' "$DIR/out" "$DIR/err"
		failed=$((failed + 1))
	fi
}

# run CODE ARGUMENT...: the exit code is as expected
run()
{
	want=$1
	shift
	"$BIN" "$@" > "$DIR/out" 2> "$DIR/err" < /dev/null
	code=$?
	[ $code = "$want" ] || echo "exit code $code, wanted $want" >> "$DIR/err"
	[ $code = "$want" ]
}

# bad PATTERN ARGUMENT...: refused with code 2, nothing on stdout, and one line on
# stderr that matches PATTERN
bad()
{
	pattern=$1
	shift
	run 2 "$@" && [ ! -s "$DIR/out" ] && [ "$(wc -l < "$DIR/err")" = 1 ] &&
		grep -Eq "^tdp-stress: $pattern" "$DIR/err"
	result $? "refuses: $*"
}

# says PATTERN ARGUMENT...: answers on stdout with code 0
says()
{
	pattern=$1
	shift
	run 0 "$@" && [ ! -s "$DIR/err" ] && grep -Eq -e "$pattern" "$DIR/out"
	result $? "answers: $*"
}

echo "TAP version 13"

says '^Usage: tdp-stress' -h
says '^Usage: tdp-stress' --help
says '--trace-ops FILE' --help
says '^prefault +20 +vCPU, worker' --ops help
says '^map_gpa +1 +guest' --ops help

bad '--nonsense: no such option' --nonsense
bad '-x: no such option' -x
bad '--seed: needs a value' --seed
bad "'1': no operands" 1

bad "--seed 'x': must be a number from 0 to 18446744073709551615" --seed x
bad "--seed '-1': must be a number" --seed -1
bad "--seed '': must be a number" --seed ''
bad "--seed '0x': must be a number" --seed 0x
bad "--seed '12a': must be a number" --seed 12a
bad "--seed '18446744073709551616': must be" --seed 18446744073709551616
bad "--duration '0': must be a number from 1 to 604800" --duration 0
bad "--duration '1.5': must be a number" --duration 1.5
bad "--vcpus '0': must be a number from 1 to [0-9]+ .CPUs of this machine" --vcpus 0
bad "--vcpus '99999': must be a number" --vcpus 99999
bad "--tds '65': must be a number from 1 to 64" --tds 65
bad "--workers '65': must be a number from 0 to 64" --workers 65
bad "--count '0': must be a number from 1" --count 0
bad "--interval '3601': must be a number from 0 to 3600" --interval 3601
bad "--grace '0': must be a number from 1 to 3600" --grace 0

bad "--mem '12': must be a multiple of 4K from 1M to 64G" --mem 12
bad "--mem '1K': must be a multiple" --mem 1K
bad "--mem '65G': must be a multiple" --mem 65G
bad "--mem '99999999999G': must be a multiple" --mem 99999999999G
bad "--mem '2049K': must be a multiple" --mem 2049K
bad "--mem '4MB': must be a multiple" --mem 4MB
bad "--mem 'M': must be a multiple" --mem M

bad "--ops '': '' is no operation" --ops ''
bad "--ops 'jump=1': 'jump' is no operation; --ops help" --ops jump=1
bad "--ops 'run=': the weight of 'run' must be a number from 0 to 1000" --ops run=
bad "--ops 'run=-1': the weight" --ops run=-1
bad "--ops 'run=1001': the weight" --ops run=1001
bad "--ops 'run=1x': the weight" --ops run=1x
bad "--ops 'run=1,run=2': 'run' is given twice" --ops run=1,run=2
bad "--ops 'run=1,': '' is no operation" --ops run=1,
bad "--ops 'run=0': at least one weight" --ops run=0
bad "--ops 'map_gpa=1': 'map_gpa' needs 'run' too" --ops map_gpa=1
bad "--ops 'signal': 'signal' needs 'run' too" --ops signal
bad "--workers: --ops has no operation for workers" --ops run --workers 1
bad "--count: needs at least one worker" --ops run --count 5
bad "--count: needs at least one worker" --workers 0 --count 5
bad "--payload: --vcpus must be 32 at most, and --mem 2G" --payload --mem 4G

bad "--json '': must be a file name" --json ''
bad "--json '$DIR/no/file': .*must be a file that can be written" --json "$DIR/no/file"
bad "--trace-ops '$DIR': .*must be a file that can be written" --trace-ops "$DIR"

# The first mistake is named, not the last.
bad "--duration 'x'" --duration x --seed y

# Without KVM's TDX the driver says what is missing; with it this would be a run.
if [ ! -e /dev/kvm ]; then
	run 3 --no-modules --duration 1 && grep -q '^tdp-stress: UNSUPPORTED: /dev/kvm: ' "$DIR/out"
	result $? "says that /dev/kvm is missing"
else
	nr=$((nr + 1))
	echo "ok $nr # SKIP this machine has /dev/kvm"
fi

echo "1..$nr"
echo "# $((nr - failed)) passed, $failed failed"
[ $failed = 0 ]
