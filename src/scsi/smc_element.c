/* SPDX-License-Identifier: BSD-2-Clause */
#include "scsi/unit.h"

const struct op_group smc_element_group = { NULL, 0 };
