# SPDX-License-Identifier: GPL-2.0
# Copies named definitions verbatim out of a kernel source file, so that types and
# functions are the tree's own. Each is KIND:NAME; with '?' behind it the file may
# lack it, and UM_HAS_NAME tells that it has it.
#
#   awk -v want="struct:kvm_mmu macro:KVM_BUG_ON func:gfn_to_gpa" -f extract.awk FILE
#
# A definition ends with its '}' in the first column, a macro with its last line.
BEGIN {
	n = split(want, w, /[ \t\n]+/)
	for (i = 1; i <= n; i++) {
		if (w[i] == "")
			continue
		key = w[i]
		optional = sub(/\?$/, "", key)
		need[key] = optional ? "may" : "must"
	}
}

function is_wanted(line,   a, name) {
	if (line ~ /^(struct|union|enum) [A-Za-z_0-9]+ \{/) {
		split(line, a, " ")
		return a[1] ":" a[2]
	}
	if (line ~ /^#define[ \t]+[A-Za-z_0-9]+/) {
		name = line
		sub(/^#define[ \t]+/, "", name)
		sub(/[^A-Za-z_0-9].*/, "", name)
		return "macro:" name
	}
	if (line ~ /^[a-z].*[ *][A-Za-z_0-9]+\(/) {
		name = line
		sub(/\(.*/, "", name)
		sub(/.*[ *]/, "", name)
		return "func:" name
	}
	return ""
}

# A prototype is no definition: the head of a function is kept until its '{' comes.
mode == "head" {
	head = head "\n" $0
	if ($0 ~ /;[ \t]*$/) {
		mode = ""
	} else if ($0 ~ /^\{/) {
		print head
		got[key] = 1
		mode = "body"
	}
	next
}

mode == "" {
	key = is_wanted($0)
	if (key == "" || !(key in need) || got[key])
		next
	if (key ~ /^func:/) {
		if ($0 ~ /;[ \t]*$/)
			next
		head = $0
		mode = "head"
		next
	}
	got[key] = 1
	mode = key ~ /^macro:/ ? "macro" : "body"
}

{ print }

mode == "macro" && $0 !~ /\\$/ || mode == "body" && /^\}/ {
	mode = ""
	if (need[key] == "may") {
		name = key
		sub(/.*:/, "", name)
		print "#define UM_HAS_" name
	}
	print ""
}

END {
	for (key in need) {
		if (need[key] == "may" || got[key])
			continue
		print "kunit: " FILENAME " has no " key > "/dev/stderr"
		bad = 1
	}
	exit bad
}
