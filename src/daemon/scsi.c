/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel's SCSI units of a store.
 *
 * A unit is set up from below: its backstore, the thread that serves it, the LUN; for the kernel asks the unit who it
 * is as soon as there is a LUN.  It is taken away from above.  What a daemon that was killed left in the kernel is
 * found and taken as it is: commands that wait there go on.
 *
 * All of it under one lock: setting up is rare, and nobody should see half of it.
 */
#include "daemon/scsi.h"

#include <errno.h>
#include <stdio.h>

#define HBA 0u
#define WAIT_MS 5000u
#define DATA_AREA_MB 64u
#define DRIVE_MEMORY_BYTES (SCSI_MEMORY_MIN + (96u << 20))
#define PORTS_DEFAULT 4u
#define SLOTS_DEFAULT 64u
#define LOOPBACK_TRANSFER_MAX (1u << 20)	/* tcm_loop: 256 pages; without READ BLOCK LIMITS st(4) gives EBUSY */
#define UNIT_CHANGER "changer"

struct unit {
	struct scsi_service *service;
	struct scsi_unit_config cfg;
	struct scsi_unit_info info;
	char name[16], backstore[48], memory[64];
	bool loopback;
	struct tcmu_device *device;	/* NULL: not up */
};

struct scsi_service {
	struct library *lib;
	struct catalog *cat;
	uint8_t uuid[16];
	pthread_mutex_t lock;
	struct unit unit[SCSI_UNITS_MAX];
	unsigned units;			/* those that are up */
};

/* ---- one unit --------------------------------------------------------------------------------------------------- */

static bool is_changer(uint32_t number)
{
	return number == CATALOG_UNIT_CHANGER;
}

/* The catalog's row, or one that has nothing but the model that is the default. */
static int unit_row(struct scsi_service *s, uint32_t number, struct catalog_unit *out)
{
	int r = catalog_unit_get(s->cat, number, out);

	if (r != CATALOG_E_NONE)
		return err_fold(r);
	*out = (struct catalog_unit){ .number = number };
	snprintf(out->model, sizeof(out->model), "%s",
		 scsi_model_default(is_changer(number) ? SCSI_CHANGER : SCSI_DRIVE));
	return 0;
}

static int unit_describe(struct scsi_service *s, uint32_t number, struct unit *u)
{
	/* With each notice of a reset the target core has put 29/03 before all paths. */
	*u = (struct unit){ .service = s, .cfg = { .lib = s->lib, .tells_resets = true } };
	u->cfg.kind = is_changer(number) ? SCSI_CHANGER : SCSI_DRIVE;
	u->cfg.drive = is_changer(number) ? 0 : number;
	memcpy(u->cfg.store_id, s->uuid, sizeof(u->cfg.store_id));
	if (is_changer(number))
		snprintf(u->name, sizeof(u->name), UNIT_CHANGER);
	else
		snprintf(u->name, sizeof(u->name), "nst%u", number);
	snprintf(u->backstore, sizeof(u->backstore), "vtape-%08x-%s", get_be32(s->uuid), u->name);
	snprintf(u->memory, sizeof(u->memory), "/dev/shm/%s", u->backstore);
	return unit_row(s, number, &u->cfg.identity);
}

static int unit_make(void *ctx, void *memory, size_t len, struct scsi_unit **out)
{
	struct unit *u = ctx;

	u->cfg.memory = memory;
	u->cfg.memory_len = len;
	return scsi_unit_new(&u->cfg, out);
}

/* While something else exports it, an iSCSI target, it stays and is served: whoever uses it would hang. */
static int unit_down(struct unit *u)
{
	int first = 0, r;

	if (u->loopback)
		first = tcmu_loopback_remove(TCMU_CONFIGFS, u->info.naa);
	r = tcmu_backstore_remove(TCMU_CONFIGFS, HBA, u->backstore);
	if (r)
		return r;
	u->device = tcmu_device_stop(u->device, false);
	return first;
}

/* If it fails nothing of it is left. */
static int unit_up(struct unit *u)
{
	struct tcmu_device_config dc = { .name = u->backstore, .hba = HBA, .memory_path = u->memory };
	struct tcmu_backstore bs = { HBA, u->backstore, u->name, DATA_AREA_MB };
	bool found;
	int r = scsi_identity(&u->cfg, &u->info);

	dc.memory_len = u->cfg.kind == SCSI_DRIVE ? DRIVE_MEMORY_BYTES : SCSI_MEMORY_MIN;
	u->cfg.transfer_max = u->loopback ? LOOPBACK_TRANSFER_MAX : 0;
	if (!r)
		r = tcmu_backstore_make(TCMU_CONFIGFS, &bs, &found);
	if (r)
		return r;
	r = tcmu_device_start(&dc, WAIT_MS, unit_make, u, &u->device);
	if (r) {
		tcmu_backstore_remove(TCMU_CONFIGFS, HBA, u->backstore);
		return r;
	}
	if (u->loopback)
		r = tcmu_loopback_make(TCMU_CONFIGFS, HBA, u->backstore, u->info.naa, &found);
	if (r && unit_down(u) && u->device)
		u->device = tcmu_device_stop(u->device, false);
	return r;
}

/* ---- all of them ------------------------------------------------------------------------------------------------ */

/* From the last on; ends at the first that stays. */
static int all_down(struct scsi_service *s)
{
	int r = 0;

	for (; s->units; s->units--) {
		struct unit *u = &s->unit[s->units - 1];
		int one = unit_down(u);

		r = r ? r : one;
		if (u->device)
			break;
	}
	return r;
}

static int add(struct scsi_service *s, uint32_t number)
{
	struct unit *u = &s->unit[s->units];
	struct catalog_scsi how = { .up = false };
	int r = unit_describe(s, number, u);

	r = r ? r : err_fold(catalog_scsi_get(s->cat, &how));
	u->loopback = !how.no_loopback;
	if (!r)
		r = unit_up(u);
	if (!r)
		s->units++;
	return r;
}

static int has_changer(struct scsi_service *s, bool *out)
{
	struct catalog_unit row;
	int r = catalog_unit_get(s->cat, CATALOG_UNIT_CHANGER, &row);

	*out = r != CATALOG_E_NONE && strcmp(row.model, "none") != 0;
	return r == CATALOG_E_NONE ? 0 : err_fold(r);
}

/* Drives first: the changer tells who they are. */
static int all_up(struct scsi_service *s)
{
	bool changer;
	int r = has_changer(s, &changer);

	for (unsigned n = 0; !r && n < library_drives(s->lib); n++)
		r = add(s, n);
	if (!r && changer)
		r = add(s, CATALOG_UNIT_CHANGER);
	if (r) {
		char why[256];

		snprintf(why, sizeof(why), "%s", err_text(r));
		all_down(s);
		return err_explain(r, "%s", why);
	}
	return 0;
}

/* ---- what is wished --------------------------------------------------------------------------------------------- */

static int model_set(struct scsi_service *s, uint32_t number, const char *model)
{
	enum scsi_kind kind = is_changer(number) ? SCSI_CHANGER : SCSI_DRIVE;
	struct catalog_unit row;
	int r;

	if (!(is_changer(number) && !strcmp(model, "none")) && !scsi_model_known(kind, model))
		return err_explain(-EINVAL, "there is no model \"%s\"; `vtape scsi models` lists them", model);
	r = unit_row(s, number, &row);
	if (r)
		return r;
	snprintf(row.model, sizeof(row.model), "%s", model);
	return err_fold(catalog_unit_put(s->cat, &row));
}

static int sum_volumes(void *ctx, const struct catalog_pool *p)
{
	*(uint64_t *)ctx += p->volumes;
	return 0;
}

/* As many as there are volumes, rounded up, and not fewer than the default. */
static int slots_default(struct scsi_service *s, uint32_t *out)
{
	uint64_t volumes = 0;
	int r = err_fold(catalog_pool_each(s->cat, sum_volumes, &volumes));

	volumes = (volumes + 9) / 10 * 10;
	*out = volumes < SLOTS_DEFAULT ? SLOTS_DEFAULT :
	       volumes > LIBRARY_SLOTS_MAX ? LIBRARY_SLOTS_MAX : (uint32_t)volumes;
	return r;
}

static int wish_places(struct scsi_service *s, const struct scsi_wish *wish)
{
	uint32_t slots, ports;
	int r = 0;

	library_places(s->lib, &slots, &ports);
	if (!slots && !ports)
		ports = PORTS_DEFAULT;
	if (wish->slots != UINT32_MAX)
		slots = wish->slots;
	else if (!slots)
		r = slots_default(s, &slots);
	if (wish->ports != UINT32_MAX)
		ports = wish->ports;
	return r ? r : library_places_set(s->lib, slots, ports);
}

/* Each wish that was never made is made now with its default, so that what comes up with the next mount is the same. */
static int wish_models(struct scsi_service *s, const struct scsi_wish *wish)
{
	struct catalog_unit row;
	int r = 0;

	for (unsigned n = 0; !r && wish->drives[0] && n < library_drives(s->lib); n++)
		r = model_set(s, n, wish->drives);
	if (r)
		return r;
	if (wish->changer[0])
		return model_set(s, CATALOG_UNIT_CHANGER, wish->changer);
	r = catalog_unit_get(s->cat, CATALOG_UNIT_CHANGER, &row);
	return r == CATALOG_E_NONE ? model_set(s, CATALOG_UNIT_CHANGER, scsi_model_default(SCSI_CHANGER)) :
				     err_fold(r);
}

static int wish_fabric(struct scsi_service *s, const struct scsi_wish *wish)
{
	struct catalog_scsi row;
	int r;

	if (!wish->fabric[0])
		return 0;
	if (strcmp(wish->fabric, "loopback") && strcmp(wish->fabric, "none"))
		return err_explain(-EINVAL, "fabric is loopback or none, not \"%s\"", wish->fabric);
	r = catalog_scsi_get(s->cat, &row);
	row.no_loopback = !strcmp(wish->fabric, "none");
	return err_fold(r ? r : catalog_scsi_put(s->cat, &row));
}

/* Remembered, for the next mount. */
static int say_up(struct scsi_service *s, bool up)
{
	struct catalog_scsi row;
	int r = catalog_scsi_get(s->cat, &row);

	if (r || row.up == up)
		return err_fold(r);
	row.up = up;
	return err_fold(catalog_scsi_put(s->cat, &row));
}

int scsi_service_up(struct scsi_service *s, const struct scsi_wish *wish)
{
	int r;

	LOCK_SCOPE(&s->lock);
	if (s->units)
		return err_explain(-EALREADY, "the units are up already: `vtape scsi down` comes first");
	r = wish_models(s, wish);
	r = r ? r : wish_places(s, wish);
	r = r ? r : wish_fabric(s, wish);
	r = r ? r : all_up(s);
	return r ? r : say_up(s, true);
}

int scsi_service_down(struct scsi_service *s)
{
	int r, said;

	LOCK_SCOPE(&s->lock);
	r = all_down(s);
	said = say_up(s, false);
	return r ? r : said;
}

void scsi_service_start(struct scsi_service *s)
{
	struct catalog_scsi row;
	int r;

	LOCK_SCOPE(&s->lock);
	r = err_fold(catalog_scsi_get(s->cat, &row));
	if (!r && row.up)
		r = all_up(s);
	if (r)
		catalog_event(s->cat, EVENT_SCSI_FAILED, "", "the SCSI units are not up: %s", err_text(r));
}

/* ---- identities ------------------------------------------------------------------------------------------------- */

static int word_set(char *field, size_t cap, const char *prop, const char *value)
{
	size_t n = strlen(value);

	if (n >= cap)
		return err_explain(-EINVAL, "%s has %zu characters at most", prop, cap - 1);
	for (size_t i = 0; i < n; i++)
		if (value[i] < 0x20 || value[i] > 0x7e)
			return err_explain(-EINVAL, "%s is of printable ASCII characters", prop);
	snprintf(field, cap, "%s", value);
	return 0;
}

static int naa_set(struct catalog_unit *row, const char *value)
{
	char *end;

	if (!value[0]) {
		row->naa = 0;
		return 0;
	}
	errno = 0;
	row->naa = strtoull(value, &end, 16);
	if (errno || *end || strlen(value) != 16 || !strchr("2356", value[0]))
		return err_explain(-EINVAL, "naa is of 16 hex digits and begins with 2, 3 or 5: not \"%s\"", value);
	return 0;
}

static int unit_number(const struct scsi_service *s, const char *name, uint32_t *out)
{
	for (unsigned n = 0; n < library_drives(s->lib); n++) {
		char drive[16];
		snprintf(drive, sizeof(drive), "nst%u", n);
		if (!strcmp(name, drive)) {
			*out = n;
			return 0;
		}
	}
	*out = CATALOG_UNIT_CHANGER;
	if (strcmp(name, UNIT_CHANGER) != 0)
		return err_explain(-ENOENT, "there is no unit \"%s\" (nst0..., changer)", name);
	return 0;
}

int scsi_service_set(struct scsi_service *s, const char *unit, const char *prop, const char *value)
{
	struct catalog_unit row;
	uint32_t number = 0;
	int r = unit_number(s, unit, &number);

	LOCK_SCOPE(&s->lock);
	if (!r && s->units)
		r = err_explain(-EBUSY, "the units are up: `vtape scsi down` comes first");
	if (!r && !strcmp(prop, "model"))
		return model_set(s, number, value);
	r = r ? r : unit_row(s, number, &row);
	if (r)
		return r;
	if (!strcmp(prop, "vendor"))
		r = word_set(row.vendor, sizeof(row.vendor), prop, value);
	else if (!strcmp(prop, "product"))
		r = word_set(row.product, sizeof(row.product), prop, value);
	else if (!strcmp(prop, "revision"))
		r = word_set(row.revision, sizeof(row.revision), prop, value);
	else if (!strcmp(prop, "serial"))
		r = word_set(row.serial, sizeof(row.serial), prop, value);
	else if (!strcmp(prop, "naa"))
		r = naa_set(&row, value);
	else
		r = err_explain(-ENOENT, "a unit has no property \"%s\" (model, vendor, product, revision, serial, "
				"naa)", prop);
	return r ? r : err_fold(catalog_unit_put(s->cat, &row));
}

/* ---- what there is ---------------------------------------------------------------------------------------------- */

static void row_of(const struct unit *u, struct scsi_status_row *row)
{
	*row = (struct scsi_status_row){ .up = u->device, .info = u->info };
	snprintf(row->unit, sizeof(row->unit), "%s", u->name);
	snprintf(row->core, sizeof(row->core), "user_%u/%s", HBA, u->backstore);
	if (!u->device) {
		scsi_identity(&u->cfg, &row->info);
		return;
	}
	row->error = tcmu_device_state(u->device);
	scsi_unit_info(tcmu_device_unit(u->device), &row->info);
	tcmu_nodes(u->info.naa, &row->nodes);
}

void scsi_service_count(struct scsi_service *s, unsigned *up, unsigned *failed)
{
	LOCK_SCOPE(&s->lock);
	*up = s->units;
	*failed = 0;
	for (unsigned n = 0; n < s->units; n++)
		*failed += s->unit[n].device && tcmu_device_state(s->unit[n].device);
}

int scsi_service_each(struct scsi_service *s, int (*each)(void *ctx, const struct scsi_status_row *row), void *ctx)
{
	unsigned drives = library_drives(s->lib);
	struct scsi_status_row row;
	bool changer = false;
	int r;

	LOCK_SCOPE(&s->lock);
	r = has_changer(s, &changer);
	for (unsigned n = 0; !r && n < drives + changer; n++) {
		uint32_t number = n < drives ? n : CATALOG_UNIT_CHANGER;
		struct unit u;

		if (n < s->units) {
			row_of(&s->unit[n], &row);
		} else {
			r = unit_describe(s, number, &u);
			if (r)
				break;
			row_of(&u, &row);
		}
		r = each(ctx, &row);
	}
	return r;
}

int scsi_service_new(struct library *lib, const uint8_t uuid[16], struct scsi_service **out)
{
	struct scsi_service *s = calloc(1, sizeof(*s));

	if (!s)
		return err_origin(-ENOMEM);
	s->lib = lib;
	s->cat = library_catalog(lib);
	memcpy(s->uuid, uuid, sizeof(s->uuid));
	pthread_mutex_init(&s->lock, NULL);
	*out = s;
	return 0;
}

struct scsi_service *scsi_service_free(struct scsi_service *s)
{
	int r;

	if (!s)
		return NULL;
	r = all_down(s);
	if (r)
		log_warn("SCSI units stay in the kernel until the store is mounted again: %s", err_text(r));
	/* Commands wait for the next daemon. */
	while (s->units) {
		struct unit *u = &s->unit[--s->units];

		u->device = tcmu_device_stop(u->device, true);
	}
	pthread_mutex_destroy(&s->lock);
	free(s);
	return NULL;
}
