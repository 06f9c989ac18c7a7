/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>

#include "scsi/memory.h"

struct memory { bool fresh; };

int memory_open(void *p, size_t len, struct memory **out)
{
	struct memory *m = calloc(1, sizeof(*m));

	if (!m)
		return err_origin(-ENOMEM);
	m->fresh = true;
	*out = m;
	return 0;
}

struct memory *memory_close(struct memory *m, bool keep)
{
	free(m);
	return NULL;
}

bool memory_fresh(const struct memory *m)
{
	return m->fresh;
}

size_t memory_state(const struct memory *m, void *out, size_t cap)
{
	return 0;
}

bool memory_answer(const struct memory *m, uint64_t sequence, struct scsi_task *t)
{
	return false;
}

void memory_step(struct memory *m, const void *state, size_t n, uint64_t sequence, const struct scsi_task *t)
{
}

bool memory_log_room(const struct memory *m, size_t n)
{
	return true;
}

void memory_log_record(struct memory *m, uint32_t partition, uint64_t object, const void *p, size_t n)
{
}

void memory_log_marks(struct memory *m, uint32_t partition, uint64_t object, uint32_t count)
{
}

void memory_log_clear(struct memory *m)
{
}

int memory_log_each(const struct memory *m, int (*each)(void *ctx, const struct memory_entry *e), void *ctx)
{
	return 0;
}
