/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A store's first drive and its changer as SCSI units, without the daemon:
 *   tcmu_serve STORE
 * Sets them up, or takes what is there over, and tells their nodes ("tape st0 sg0", "changer sch0 sg1", "ready").  With
 * SIGTERM it takes all of it down again.
 */
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include <vtape/tcmu.h>

#include "daemon/wire.h"

struct served {
	const char *name;
	struct scsi_unit_config cfg;
	struct scsi_unit_info id;
	struct tcmu_device *device;
};

static int make(void *ctx, void *memory, size_t len, struct scsi_unit **out)
{
	struct served *s = ctx;

	s->cfg.memory = memory;
	s->cfg.memory_len = len;
	return scsi_unit_new(&s->cfg, out);
}

static int up(struct served *s, struct wire *w, enum scsi_kind kind)
{
	struct tcmu_device_config dc = { .name = s->name, .memory_len = SCSI_MEMORY_MIN + (16u << 20) };
	struct tcmu_backstore bs = { .name = s->name, .config = "test", .data_area_mb = 32 };
	struct tcmu_nodes n;
	char path[64];
	bool found;
	int r;

	s->cfg = (struct scsi_unit_config){ .lib = w->library, .kind = kind, .transfer_max = 1 << 20 };
	s->cfg.identity.number = kind == SCSI_DRIVE ? 0 : CATALOG_UNIT_CHANGER;
	snprintf(s->cfg.identity.model, sizeof(s->cfg.identity.model), "%s", scsi_model_default(kind));
	memcpy(s->cfg.store_id, w->head.uuid, sizeof(s->cfg.store_id));
	snprintf(path, sizeof(path), "/dev/shm/%s", s->name);
	dc.memory_path = path;
	r = scsi_identity(&s->cfg, &s->id);
	r = r ? r : tcmu_backstore_make(TCMU_CONFIGFS, &bs, &found);
	r = r ? r : tcmu_device_start(&dc, 5000, make, s, &s->device);
	r = r ? r : tcmu_loopback_make(TCMU_CONFIGFS, 0, s->name, s->id.naa, &found);
	for (unsigned i = 0; !r && i < 100; i++) {
		r = tcmu_nodes(s->id.naa, &n);
		if (n.sg[0] && (n.st[0] || n.sch[0]))
			break;
		usleep(50000);
	}
	if (!r)
		printf("%s %s %s\n", kind == SCSI_DRIVE ? "tape" : "changer", kind == SCSI_DRIVE ? n.st : n.sch, n.sg);
	return r;
}

/* Of a store that has no places yet: four slots, a port, and tapes for three of the slots. */
static int fill(struct library *lib)
{
	uint32_t slots, ports;
	int r;

	library_places(lib, &slots, &ports);
	r = slots == 4 ? 0 : library_places_set(lib, 4, 1);
	for (unsigned i = 1; !r && slots != 4 && i <= 3; i++) {
		char name[16];

		snprintf(name, sizeof(name), "V0000%uL6", i);
		r = library_volume_create(lib, CATALOG_POOL_DEFAULT, name, NULL, false, NULL);
	}
	return r;
}

static int down(struct served *s)
{
	int r = tcmu_loopback_remove(TCMU_CONFIGFS, s->id.naa);

	s->device = tcmu_device_stop(s->device, false);
	return r ? r : tcmu_backstore_remove(TCMU_CONFIGFS, 0, s->name);
}

int main(int argc, char **argv)
{
	struct wire w = { .lock_fd = -1 };
	struct served tape = { .name = "tape0" }, changer = { .name = "changer" };
	sigset_t term;
	int r, sig;

	if (argc != 2)
		return 2;
	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(SIG_BLOCK, &term, NULL);
	r = wire_open(&w, argv[1], 1);
	r = r ? r : fill(w.library);
	r = r ? r : up(&tape, &w, SCSI_DRIVE);
	r = r ? r : up(&changer, &w, SCSI_CHANGER);
	if (!r) {
		puts("ready");
		fflush(stdout);
		sigwait(&term, &sig);
		r = down(&changer);
		r = r ? r : down(&tape);
		wire_close(&w);
	}
	if (r)
		fprintf(stderr, "tcmu_serve: %s\n", err_text(r));
	return r ? 1 : 0;
}
