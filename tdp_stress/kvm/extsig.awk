# SPDX-License-Identifier: GPL-2.0
# Which shapes of extsig.h the external ops of a tree have, as options of the compiler;
# nothing if one of the ops has none of them.
#
#   awk -f extsig.awk extsig.h LINUX/arch/x86/include/asm/kvm_host.h
function plain(text) {
	gsub(/[ \t]+/, " ", text)
	sub(/^ /, "", text)
	sub(/ $/, "", text)
	return text
}

FNR == 1 {
	file++
}

file == 1 && /^#(el)?if defined\(TDPS_/ {
	shape = $0
	sub(/.*\(/, "", shape)
	sub(/\).*/, "", shape)
	shapes[++n] = shape
}

file == 1 && /^#define TDPS_[A-Z]+_OP[ \t]/ {
	name[shape] = $3
}

file == 1 && /^#define TDPS_[A-Z]+_PARAMS[ \t]/ {
	kind[shape] = $2
	wanted[$2] = 1
	text = $0
	while (sub(/\\$/, "", text) && (getline line) > 0)
		text = text " " line
	sub(/^#define [A-Z_]+/, "", text)
	params[shape] = plain(text)
}

file == 2 {
	host = host " " $0
}

END {
	host = plain(host)
	for (i = 1; i <= n; i++) {
		shape = shapes[i]
		if (!index(host, "(*" name[shape] ")(" params[shape] ");"))
			continue
		options = options " -D" shape
		delete wanted[kind[shape]]
	}
	for (k in wanted)
		exit 1
	print options
}
