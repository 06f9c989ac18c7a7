/* SPDX-License-Identifier: BSD-2-Clause */
#include "scsi/unit.h"

const struct op_group ssc_mode_group = { NULL, 0 };

void ssc_mode_defaults(struct ssc_mode *m)
{
	*m = (struct ssc_mode){ .buffered = 1, .compression = 1 };
}
