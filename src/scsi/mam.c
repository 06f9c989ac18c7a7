/* SPDX-License-Identifier: BSD-2-Clause */
#include "scsi/unit.h"

const struct op_group mam_group = { NULL, 0 };

void mam_loaded(struct scsi_unit *u)
{
}

int mam_modify(struct scsi_unit *u)
{
	return 0;
}
