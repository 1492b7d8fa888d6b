/* SPDX-License-Identifier: GPL-2.0 */
/* Where the code is that touches memory: #VE goes on behind it. */
#ifndef PAYLOAD_H
#define PAYLOAD_H

extern const char payload_load[], payload_load_end[], payload_store[], payload_store_end[];

/* For entry.S, which calls them. */
void payload_main(u64 arg, u32 gpaw);
void payload_ve(u64 *frame);

#endif
