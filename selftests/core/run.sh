#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Run the test programs named; TAP with one result each, their own TAP indented.
# Exit code 1 if one failed.

n=0
failed=0
echo "TAP version 13"
echo "1..$#"
for program; do
	n=$((n + 1))
	name=$(basename "$(dirname "$program")")/$(basename "$program")
	out=$(timeout 1800 "$program" 2>&1)
	code=$?
	echo "$out" | grep -v '^TAP version' | sed 's/^/    /'
	if [ $code -eq 0 ]; then
		echo "ok $n $name"
	else
		failed=$((failed + 1))
		echo "not ok $n $name # exit code $code"
	fi
done
echo "# $((n - failed)) passed, $failed failed"
[ $failed -eq 0 ]
