/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel: the other side of a ring, in memory: what drivers/target/target_core_user.c does to it, for tests without a
 * kernel.  Entries are blanked and filled at the head, with a PAD where the ring ends; completions are taken from
 * behind.
 */
#ifndef TEST_TCMU_KERNEL_H
#define TEST_TCMU_KERNEL_H

#include <linux/target_core_user.h>
#include <vtape/tcmu.h>

#define KERNEL_CMDR_OFF 128u
struct kernel {
	uint8_t *map;
	size_t len;
	uint32_t cmdr_size, cleaned;
	uint16_t next_id;
	uint8_t *data;			/* the data area */
};
struct piece { uint32_t at, len; };	/* of the data area */
struct completion { uint16_t id; uint8_t status, uflags; uint32_t read_len; uint8_t sense[TCMU_SENSE_BUFFERSIZE]; };

static inline struct tcmu_mailbox *kernel_mailbox(struct kernel *k)
{
	return (struct tcmu_mailbox *)(void *)k->map;
}

/* @map: zeros. */
static inline void kernel_new(struct kernel *k, void *map, size_t len, uint32_t cmdr_size)
{
	*k = (struct kernel){ .map = map, .len = len, .cmdr_size = cmdr_size,
			      .data = (uint8_t *)map + KERNEL_CMDR_OFF + cmdr_size };
	kernel_mailbox(k)->version = TCMU_MAILBOX_VERSION;
	kernel_mailbox(k)->flags = 0xf;
	kernel_mailbox(k)->cmdr_off = KERNEL_CMDR_OFF;
	kernel_mailbox(k)->cmdr_size = cmdr_size;
}

static inline uint32_t kernel_tail(struct kernel *k)
{
	uint8_t *tail = k->map + offsetof(struct tcmu_mailbox, cmd_tail);

	return __atomic_load_n((uint32_t *)(void *)tail, __ATOMIC_ACQUIRE);
}

static inline void kernel_head_moves(struct kernel *k, uint32_t n)
{
	__atomic_store_n((uint32_t *)(void *)(k->map + offsetof(struct tcmu_mailbox, cmd_head)),
			 (kernel_mailbox(k)->cmd_head + n) % k->cmdr_size, __ATOMIC_RELEASE);
}

static inline struct tcmu_cmd_entry *kernel_entry(struct kernel *k, uint32_t offset)
{
	return (struct tcmu_cmd_entry *)(void *)(k->map + KERNEL_CMDR_OFF + offset);
}

/* Room at the head for an entry of @n bytes, blank; NULL: the ring is full. */
static inline struct tcmu_cmd_entry *kernel_room(struct kernel *k, uint32_t n)
{
	uint32_t head = kernel_mailbox(k)->cmd_head, to_end = k->cmdr_size - head,
		 used = (head + k->cmdr_size - k->cleaned) % k->cmdr_size, need = to_end < n ? to_end + n : n;

	if (k->cmdr_size - used <= need)
		return NULL;
	if (to_end < n) {
		kernel_entry(k, head)->hdr = (struct tcmu_cmd_entry_hdr){ .len_op = to_end | TCMU_OP_PAD };
		kernel_head_moves(k, to_end);
		head = 0;
	}
	return memset(kernel_entry(k, head), 0, n);
}

/* The command's id; 0: the ring is full. */
static inline uint16_t kernel_submit(struct kernel *k, const uint8_t *cdb, size_t cdb_len, const struct piece *p,
				     unsigned n)
{
	size_t base = offsetof(struct tcmu_cmd_entry, req.iov) + n * sizeof(struct iovec), len;
	struct tcmu_cmd_entry *e;
	struct iovec iov;

	if (base < sizeof(*e))
		base = sizeof(*e);
	len = base + ((cdb_len + 7) & ~(size_t)7);
	e = kernel_room(k, (uint32_t)len);
	if (!e)
		return 0;
	e->hdr.len_op = (uint32_t)len | TCMU_OP_CMD;
	k->next_id = (uint16_t)(k->next_id % 3 + 1);	/* the lowest that is free: always few */
	e->hdr.cmd_id = k->next_id;
	e->req.iov_cnt = n;
	for (unsigned i = 0; i < n; i++) {
		iov.iov_base = (void *)(uintptr_t)(k->data - k->map + p[i].at);
		iov.iov_len = p[i].len;
		memcpy((uint8_t *)e + offsetof(struct tcmu_cmd_entry, req.iov) + i * sizeof(iov), &iov, sizeof(iov));
	}
	e->req.cdb_off = (uint64_t)((uint8_t *)e - k->map) + base;
	memcpy((uint8_t *)e + base, cdb, cdb_len);
	kernel_head_moves(k, (uint32_t)len);
	return e->hdr.cmd_id;
}

static inline bool kernel_submit_tmr(struct kernel *k, uint8_t type)
{
	struct tcmu_tmr_entry *e = (void *)kernel_room(k, sizeof(*e));

	if (!e)
		return false;
	e->hdr.len_op = sizeof(*e) | TCMU_OP_TMR;
	e->tmr_type = type;
	kernel_head_moves(k, sizeof(*e));
	return true;
}

/* The next command that is done; false: none. */
static inline bool kernel_complete(struct kernel *k, struct completion *out)
{
	while (k->cleaned != kernel_tail(k)) {
		struct tcmu_cmd_entry *e = kernel_entry(k, k->cleaned);
		uint32_t len_op = e->hdr.len_op;

		k->cleaned = (k->cleaned + tcmu_hdr_get_len(len_op)) % k->cmdr_size;
		if (tcmu_hdr_get_op(len_op) != TCMU_OP_CMD)
			continue;
		*out = (struct completion){ e->hdr.cmd_id, e->rsp.scsi_status, e->hdr.uflags, e->rsp.read_len, { 0 } };
		memcpy(out->sense, e->rsp.sense_buffer, sizeof(out->sense));
		return true;
	}
	return false;
}

#endif
