/* SPDX-License-Identifier: BSD-2-Clause */
#include "scsi/unit.h"

int ssc_new(struct scsi_unit *u)
{
	return 0;
}

void ssc_free(struct scsi_unit *u, bool keep)
{
}

void ssc_reset(struct scsi_unit *u, enum scsi_reset what)
{
}

void ssc_look(struct scsi_unit *u)
{
}

bool ssc_take(struct scsi_unit *u, struct scsi_task *t)
{
	return false;
}

int ssc_give_back(struct scsi_unit *u)
{
	return 0;
}

bool ssc_may_write(struct scsi_unit *u, struct scsi_task *t)
{
	return true;
}

void ssc_save(struct scsi_unit *u, uint64_t sequence, const struct scsi_task *t)
{
	memory_step(u->memory, NULL, 0, sequence, t);
}

void ssc_committed(struct scsi_unit *u)
{
}

int ssc_capacity(struct scsi_unit *u, uint32_t partition, uint64_t *all, uint64_t *left)
{
	return 0;
}

void ssc_alert(struct scsi_unit *u, unsigned flag)
{
}
