/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tcmu: units of scsi/ as LUNs of the kernel's SCSI target, by the ABI of linux/target_core_user.h; kernel:
 * drivers/target/target_core_user.c.  Two halves: the ring, which a thread of ours serves for each unit, and
 * configfs, where the objects are made that give this machine /dev/st*, /dev/sg* and /dev/sch* (fabric loopback), or
 * an iSCSI target something to export.
 */
#ifndef VTAPE_TCMU_H
#define VTAPE_TCMU_H

#include <vtape/scsi.h>

/* ---- the ring --------------------------------------------------------------------------------------------------- */

/*
 * Steps of a command, and what a kill behind each leaves (a cut leaves nothing: the kernel and its initiators go too).
 * They are written down in the ring's memory, which outlives the process:
 *  1. the entry at the tail is read, its data gathered where it lies in pieces
 *  2. it has a number: offset in the ring and number are	before that the next daemon gives it the same one, the
 *     in the memory, the number in the entry		one behind that of the command before; from here it is found
 *  3. the unit executes it, and its memory says so	the next daemon hands over the same number: the answer is given
 *							again
 *  4. data in is scattered, the answer is in the memory	the next daemon puts it into the entry, which
 *							may have half of it from here on
 *  5. the answer is in the entry, the tail moves		the kernel completes it when it is woken; the new daemon
 *							wakes it
 *  6. the kernel is woken
 * Two neighbours never have the same number: it grows with every entry that is not the one in the memory, and
 * neighbours never have the same offset, as no command takes more than half of a ring (kernel: queue_cmd_ring()).  An
 * entry at that offset that does not have the number in it is another: the kernel makes all of an entry's bytes 0
 * before it fills it.
 */
struct tcmu_ring;
/* @map: mailbox, commands and data area, @len bytes, borrowed (a mapping of /dev/uioN; a heap in tests).  -EUCLEAN with
 * words if the mailbox is no version 2, its kernel knows no READ_LEN, or its numbers do not fit @len. */
int tcmu_ring_new(void *map, size_t len, struct tcmu_ring **out);
struct tcmu_ring *tcmu_ring_free(struct tcmu_ring *ring);
/* Memory that outlives the process, borrowed, of foreign content; without it the ring has its own.  @identity: of this
 * ring among all that ever had that memory. */
#define TCMU_RING_MEMORY (4096u + SCSI_TRANSFER_MAX)
void tcmu_ring_memory(struct tcmu_ring *ring, void *memory, uint64_t identity);
/* All entries that are there, by @u.  *done counts what the kernel has to be told of; the caller wakes it if it is
 * not 0, also with an error.  -EUCLEAN: the ring makes no sense; nothing behind that is done. */
int tcmu_ring_serve(struct tcmu_ring *ring, struct scsi_unit *u, unsigned *done);

/* ---- a device of the kernel ------------------------------------------------------------------------------------- */

struct tcmu_device_config {
	const char *name;		/* of the backstore: core/user_<hba>/<name> */
	unsigned hba;
	const char *memory_path;	/* the file that outlives a kill (see scsi.h); made if it is not there */
	size_t memory_len;
};
struct tcmu_device;
/* Waits until /dev/uio* of that name is there (@wait_ms), maps it and serves it by a thread of its own.  @make
 * makes the unit over that memory.  -ENODEV with words. */
int tcmu_device_start(const struct tcmu_device_config *cfg, unsigned wait_ms,
		      int (*make)(void *ctx, void *memory, size_t len, struct scsi_unit **out), void *ctx,
		      struct tcmu_device **out);
struct scsi_unit *tcmu_device_unit(struct tcmu_device *d);	/* borrowed */
/* 0 while it is served; else why it is not any more (-EIO: the backstore was removed). */
int tcmu_device_state(struct tcmu_device *d);
/* @keep: as scsi_unit_free(); commands in the ring wait for who comes next. */
struct tcmu_device *tcmu_device_stop(struct tcmu_device *d, bool keep);

/* ---- configfs --------------------------------------------------------------------------------------------------- */

#define TCMU_CONFIGFS "/sys/kernel/config/target"
struct tcmu_backstore { unsigned hba; const char *name, *config; unsigned data_area_mb; };
/* -ENOTSUP with words: no configfs or no such modules (it tries to load them).  One that is there already is left
 * alone and taken: *found. */
int tcmu_backstore_make(const char *configfs, const struct tcmu_backstore *b, bool *found);
int tcmu_backstore_remove(const char *configfs, unsigned hba, const char *name);
/* Puts it behind LUN 0 of a loopback target of its own, after tcmu_device_start(): INQUIRY goes through it at once. */
int tcmu_loopback_make(const char *configfs, unsigned hba, const char *name, uint64_t naa, bool *found);
int tcmu_loopback_remove(const char *configfs, uint64_t naa);
/* What the kernel made of it: "st0", "sg1", "sch0" in @st, @sg; "" if it is not there. */
struct tcmu_nodes { char st[16], sg[16], sch[16], address[24]; };
int tcmu_nodes(uint64_t naa, struct tcmu_nodes *out);

#endif
