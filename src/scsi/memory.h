/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scsi/memory.h: memory that outlives a kill of the process, and what is in it: a state of up to MEMORY_STATE_MAX
 * bytes, the answer to the last command, and a log of what was said to be written and is not on disk yet.
 *
 * The three change together, in one step (memory_step()): a kill leaves them as before or as after it.  Nothing is
 * written to a disk, and a machine that stops takes it along; then memory_open() finds it fresh.
 */
#ifndef SCSI_MEMORY_H
#define SCSI_MEMORY_H

#include <vtape/scsi.h>

#define MEMORY_STATE_MAX 2048u

struct memory;
/* @p: @len bytes, borrowed, of foreign content: what does not hold together is taken for fresh.  NULL: a memory on
 * the heap that outlives nothing, without a log. */
int memory_open(void *p, size_t len, struct memory **out);
struct memory *memory_close(struct memory *m, bool keep);	/* without @keep it is fresh again */
bool memory_fresh(const struct memory *m);			/* there was nothing in it when it was opened */
size_t memory_state(const struct memory *m, void *out, size_t cap);	/* bytes copied; 0: none */
/* The answer to the command of that number, if it is the last that was remembered. */
bool memory_answer(const struct memory *m, uint64_t sequence, struct scsi_task *t);
/* State, answer and what was appended to the log since the last step count from now on.  @t NULL: the last answer
 * stays, for nobody may have fetched it yet. */
void memory_step(struct memory *m, const void *state, size_t n, uint64_t sequence, const struct scsi_task *t);

/* The log.  Room for one more record of @n bytes?  If not, who asks commits the tape and clears the log. */
bool memory_log_room(const struct memory *m, size_t n);
void memory_log_record(struct memory *m, uint32_t partition, uint64_t object, const void *p, size_t n);
void memory_log_marks(struct memory *m, uint32_t partition, uint64_t object, uint32_t count);
void memory_log_clear(struct memory *m);	/* with the next step */
/* What is in it becomes its older part, and there is room; false: there is an older part already, or no free one.  The
 * older part is dropped, with the next step, when all that is in it is on disk. */
bool memory_log_turn(struct memory *m);
bool memory_log_turned(const struct memory *m);
size_t memory_log_used(const struct memory *m, size_t *of);	/* of what is not the older part */
void memory_log_drop_older(struct memory *m);
struct memory_entry { uint32_t partition; uint64_t object; uint32_t marks; const uint8_t *p; size_t n; };
/* As of the last step; non-zero from @each stops and is returned. */
int memory_log_each(const struct memory *m, int (*each)(void *ctx, const struct memory_entry *e), void *ctx);

#endif
