/* SPDX-License-Identifier: BSD-2-Clause */
/* tcmu/nodes.h: tcmu_nodes() in other places than the kernel's, for tests. */
#ifndef TCMU_NODES_H
#define TCMU_NODES_H

#include <vtape/tcmu.h>

int tcmu_nodes_in(const char *configfs, const char *scsi_devices, uint64_t naa, struct tcmu_nodes *out);

#endif
