/* SPDX-License-Identifier: BSD-2-Clause */
/* The inside of the keeper, for contents_keep.c, _scan.c and _settle.c. */
#ifndef CONTENTS_KEEPER_H
#define CONTENTS_KEEPER_H

#include "contents/keep.h"

#define KEEPER_SECOND_NS 1000000000ull
#define KEEPER_WAIT_NS (KEEPER_SECOND_NS / 5)	/* how often who waits tells that he does */
#define KEEPER_BUCKETS 1024u

/* A volume with something to be done.  Guarded by the keeper's lock, but for @v, which is whose @claimed is. */
struct work {
	struct work *next;		/* in its bucket */
	struct work *behind;		/* in the queue */
	uint64_t volume;
	bool queued, claimed;
	bool wrote, writing, dropped, deleted, forget;
	bool behind_writer;		/* look_volume.behind, when it was looked at last */
	unsigned awaited;		/* by so many who settle it */
	uint64_t retry_ns;		/* 0: it did not fail */
	uint64_t bytes_seen, marks_seen;
	uint64_t files, bytes;		/* waiting */
	struct look_volume v;
};

enum scan { SCAN_NOTHING, SCAN_TAPES, SCAN_ROWS };

struct keeper {
	struct contents *c;
	pthread_t thread;
	pthread_mutex_t lock;		/* guards what follows */
	pthread_cond_t turned;		/* there is work, or some is done */
	bool stop;
	struct work *work[KEEPER_BUCKETS];
	struct work *first, *last;	/* queue */
	unsigned claims;
	enum scan scan;
	uint64_t scan_next;		/* volume */
	bool scanned;			/* once since the start */
	bool scan_forget;
	bool sweep;			/* lists may be queued to be deleted */
	unsigned hurry;			/* so many wait: no rest */
	uint64_t poll_ns, busy_until_ns;
	uint64_t now;			/* the thread looks at this volume */
	uint64_t slice_ns;		/* the thread's: since when it works */
	uint64_t full_told_ns;		/* that there is no room; 0: never */
};

/* ---- contents_keep.c: with the lock ---- */

int keeper_new(struct contents *c, struct keeper **out);
struct keeper *keeper_free(struct keeper *k);
struct work *work_get(struct keeper *k, uint64_t volume);	/* NULL: no memory; then all are gone over again */
void work_queue(struct keeper *k, struct work *w);
void work_unqueue(struct keeper *k, struct work *w);
void work_put(struct keeper *k, struct work *w);		/* goes, if nothing is to be done and nobody has it */
struct work *work_next(struct keeper *k);			/* in the queue, that nobody is at; NULL */
void work_claim(struct keeper *k, struct work *w);
void work_unclaim(struct keeper *k, struct work *w, bool more);
/* Given up meanwhile; @w is claimed.  What is told meanwhile queues it again. */
int work_step(struct keeper *k, struct work *w, struct look *l, bool *more);
bool keeper_work(struct keeper *k, struct look *l);	/* given up meanwhile.  False: there is nothing to do */
void keeper_wait(struct keeper *k, uint64_t ns);

/* ---- contents_scan.c ---- */

/* With the lock, given up meanwhile; up to the next one that wants something. */
void keeper_scan(struct keeper *k);

#endif
