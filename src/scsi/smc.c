/* SPDX-License-Identifier: BSD-2-Clause */
#include "scsi/unit.h"

const struct op_group smc_group = { NULL, 0 };

int smc_new(struct scsi_unit *u)
{
	return 0;
}

void smc_free(struct scsi_unit *u)
{
}

void smc_reset(struct scsi_unit *u, enum scsi_reset what)
{
}

void smc_look(struct scsi_unit *u)
{
}

void smc_save(struct scsi_unit *u, uint64_t sequence, const struct scsi_task *t)
{
	memory_step(u->memory, NULL, 0, sequence, t);
}
