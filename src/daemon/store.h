/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A store is one folder.  This is its front door: making one, recognising one, having it to oneself.
 *
 *   STORE/vtape.store   who it is: format version, uuid, chunk profile, secret (vtape-format(5), "The store's head")
 *   STORE/lock          held with flock(2) by the one process that has the store open; holds its process id
 *   STORE/ctl.sock      the control socket of the daemon
 *   STORE/packs/        chunks
 *   STORE/db/           RocksDB
 */
#ifndef DAEMON_STORE_H
#define DAEMON_STORE_H

#include <vtape/chunk.h>
#include <vtape/util.h>

#define STORE_FORMAT 1

struct store_head {
	uint8_t uuid[16];
	uint64_t created_ns;
	uint32_t chunk_avg;
	uint8_t key[32];
};

/* The 128 bytes of vtape.store. */
#define STORE_HEAD_LEN 128
void store_head_pack(const struct store_head *h, uint8_t out[STORE_HEAD_LEN]);
/* -EMEDIUMTYPE: not a store; -EPROTO: of a newer vtape; -EBADMSG: damaged. All with words. */
int store_head_unpack(struct store_head *h, const uint8_t *p, size_t n);

/*
 * Makes a store in two steps, between which the caller makes its database.  The folder is made, or an empty one taken,
 * or one in which a making did not end: that begins anew.  Only the second step makes it a store.  -EEXIST, -ENOTEMPTY,
 * -EINVAL, -EBUSY, with words.  *lock_fd as of store_enter().
 */
int store_begin(const char *path, uint32_t chunk_avg, struct store_head *head, int *lock_fd);
int store_finish(const char *path, const struct store_head *head);
/* Takes the lock, reads the head. *lock_fd is returned; closing it gives the store free. -ENOENT, -EBUSY,
 * and as unpack.  Of vtape.store and vtape.store.copy one that is damaged or lost is made anew from the other; @told
 * says so, "" if there was nothing to do. */
#define STORE_TOLD_MAX 128
int store_enter(const char *path, struct store_head *head, int *lock_fd, char told[STORE_TOLD_MAX]);

#endif
