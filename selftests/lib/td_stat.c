// SPDX-License-Identifier: GPL-2.0
/* KVM's own statistics, binary ones. Knows their format; must not know what they mean. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/ioctl.h>
#include <linux/kvm.h>

#include "td.h"

static bool read_at(int fd, void *to, size_t size, off_t at)
{
	return pread(fd, to, size, at) == (ssize_t)size;
}

static s64 find_stat(int fd, const struct kvm_stats_header *h, const char *name)
{
	size_t size = sizeof(struct kvm_stats_desc) + h->name_size;
	struct kvm_stats_desc *desc = calloc(1, size + 1);
	s64 value = -ENOENT;
	u64 raw;
	u32 i;

	for (i = 0; desc && i < h->num_desc; i++) {
		if (!read_at(fd, desc, size, h->desc_offset + i * size)) {
			value = -EIO;
			break;
		}
		if (strcmp(desc->name, name))
			continue;
		value = read_at(fd, &raw, sizeof(raw), h->data_offset + desc->offset) ?
			(s64)raw : -EIO;
		break;
	}
	free(desc);
	return value;
}

/**
 * td_stat() - one of KVM's own counters
 * @fd: a VM or a vCPU
 * @name: of the counter
 *
 * Return: its value, or -errno
 */
s64 td_stat(int fd, const char *name)
{
	int stats = ioctl(fd, KVM_GET_STATS_FD, NULL);
	struct kvm_stats_header h;
	s64 value = -EIO;

	if (stats < 0)
		return -errno;
	if (read_at(stats, &h, sizeof(h), 0))
		value = find_stat(stats, &h, name);
	close(stats);
	return value;
}
