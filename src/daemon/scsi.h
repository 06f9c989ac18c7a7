/* SPDX-License-Identifier: BSD-2-Clause */
/* The kernel's SCSI units of a store: set up, served, taken away.  vtape-scsi(8). */
#ifndef DAEMON_SCSI_H
#define DAEMON_SCSI_H

#include <vtape/library.h>
#include <vtape/tcmu.h>

#define SCSI_UNITS_MAX (LIBRARY_DRIVES_MAX + 1)

struct scsi_service;
/* @lib borrowed; @uuid: the store's.  Nothing is set up yet. */
int scsi_service_new(struct library *lib, const uint8_t uuid[16], struct scsi_service **out);
/* What is up is taken away from the kernel, and comes again with the next start. */
struct scsi_service *scsi_service_free(struct scsi_service *s);
/* If `up` was the last word: what fails becomes an event, for a store is of use without it. */
void scsi_service_start(struct scsi_service *s);

/* What `vtape scsi up` was told; "" and UINT32_MAX: as it was, or the default. */
struct scsi_wish { const char *drives, *changer, *fabric; uint32_t slots, ports; };
/* -EALREADY if it is up; -EINVAL, -ENOTSUP... with words: then nothing is left behind. */
int scsi_service_up(struct scsi_service *s, const struct scsi_wish *wish);
int scsi_service_down(struct scsi_service *s);		/* 0 also if it was not up */
/* One property of a unit ("nst0", "changer").  -EBUSY while it is up; -EINVAL, -ENOENT. */
int scsi_service_set(struct scsi_service *s, const char *unit, const char *prop, const char *value);

struct scsi_status_row {
	char unit[16];			/* "nst0", "changer" */
	char core[64];			/* of the backstore: "user_0/vtape-..." */
	bool up;
	int error;			/* why it is not served though it was set up */
	struct scsi_unit_info info;
	struct tcmu_nodes nodes;
};
/* How many are up, and how many of them are not served any more. */
void scsi_service_count(struct scsi_service *s, unsigned *up, unsigned *failed);
/* Non-zero from @each stops and is returned. */
int scsi_service_each(struct scsi_service *s, int (*each)(void *ctx, const struct scsi_status_row *row), void *ctx);

#endif
