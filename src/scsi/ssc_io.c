/* SPDX-License-Identifier: BSD-2-Clause */
#include "scsi/unit.h"

const struct op_group ssc_io_group = { NULL, 0 };
