/* SPDX-License-Identifier: BSD-2-Clause */
/* The third door: commands as bytes to a SCSI drive, over a store in memory. */
#include "conform/conform.h"
#include "unit/scsi/rig.h"

struct door {
	struct rig *rig;
	unsigned volumes;
	uint64_t volume;
};

#define N24(n) (uint8_t)((n) >> 16), (uint8_t)((n) >> 8), (uint8_t)(n)
#define DO(d, bytes, ...) CMD((d)->rig, bytes, __VA_ARGS__)

/* What the answer to the last command is in the words of the table. */
static enum condition answered(const struct door *d)
{
	static const struct { uint8_t key; uint16_t code; enum condition is; } of[] = {
		{ NO_SENSE, ASC_FILEMARK, COND_MARK }, { BLANK_CHECK, ASC_END_OF_DATA, COND_EOD },
		{ NO_SENSE, ASC_BEGINNING_OF_MEDIUM, COND_BOP }, { NO_SENSE, ASC_END_OF_MEDIUM, COND_EARLY },
		{ VOLUME_OVERFLOW, ASC_END_OF_MEDIUM, COND_FULL }, { DATA_PROTECT, ASC_WRITE_PROTECTED, COND_PROT },
		{ DATA_PROTECT, ASC_WORM_OVERWRITE, COND_PROT }, { DATA_PROTECT, ASC_APPEND_POSITION, COND_PROT },
	};
	const uint8_t *s = d->rig->t.sense;

	if (d->rig->t.status == SCSI_GOOD)
		return COND_OK;
	if (d->rig->t.status == SCSI_CHECK_CONDITION)
		for (size_t i = 0; i < ARRAY_LEN(of); i++)
			if ((s[2] & 0x0f) == of[i].key && get_be16(s + 12) == of[i].code)
				return of[i].is;
	printf("        status %02x, sense %02x %04x\n", d->rig->t.status, s[2], get_be16(s + 12));
	return COND_FAILED;
}

static void set_attributes(struct catalog_volume *row, void *ctx)
{
	const struct catalog_volume *want = ctx;

	row->capacity_bytes = want->capacity_bytes;
	row->worm = want->worm;
}

static int scsi_blank(void *ctx, uint64_t capacity, bool worm)
{
	struct catalog_volume want = { .capacity_bytes = capacity, .worm = worm };
	struct door *d = ctx;
	struct library *lib = d->rig->store->lib;
	char name[16];
	int r;

	DO(d, 0, 0x01);		/* to the beginning: it is given back */
	r = library_unload(lib, 0);
	snprintf(name, sizeof(name), "C%05u", ++d->volumes);
	d->volume = rig_volume(d->rig, name);
	r = r ? r : library_volume_change(lib, d->volume, set_attributes, &want);
	r = r ? r : library_load(lib, 0, d->volume);
	rig_settle(d->rig);
	return r;
}

static enum condition scsi_write(void *ctx, const void *p, size_t n)
{
	struct door *d = ctx;

	memcpy(d->rig->data, p, n);
	DO(d, n, 0x0a, 0, N24(n));
	return answered(d);
}

static enum condition scsi_marks(void *ctx, unsigned n)
{
	DO((struct door *)ctx, 0, 0x10, 0, N24(n));
	return answered(ctx);
}

static enum condition scsi_read(void *ctx, void *buf, size_t cap, size_t *len)
{
	struct door *d = ctx;
	const struct scsi_task *t = &d->rig->t;
	int32_t info;

	DO(d, cap, 0x08, 0, N24(cap));
	memcpy(buf, d->rig->data, t->data_in);
	*len = t->data_in;
	if (t->status != SCSI_CHECK_CONDITION || !(t->sense[2] & 0x20))
		return answered(d);
	info = (int32_t)get_be32(t->sense + 3);
	if (info < 0)
		return COND_LONG;
	return cap - (size_t)info == t->data_in ? COND_OK : COND_FAILED;
}

static enum condition scsi_move(void *ctx, enum conform_move what, int64_t n)
{
	struct door *d = ctx;

	switch (what) {
	case MOVE_RECORDS:
		DO(d, 0, 0x11, 0, N24(n));
		break;
	case MOVE_MARKS:
		DO(d, 0, 0x11, 1, N24(n));
		break;
	case MOVE_REWIND:
		DO(d, 0, 0x01);
		break;
	case MOVE_EOD:
		DO(d, 0, 0x11, 3);
		break;
	case MOVE_LOCATE:
		DO(d, 0, 0x2b, 0, 0, 0, N24(n));
		break;
	}
	return answered(d);
}

static enum condition scsi_erase(void *ctx)
{
	DO((struct door *)ctx, 0, 0x19, 1);
	return answered(ctx);
}

static enum condition scsi_reload(void *ctx)
{
	struct door *d = ctx;

	DO(d, 0, 0x1b, 0, 0, 0, 0);
	if (answered(d) == COND_OK)
		DO(d, 0, 0x1b, 0, 0, 0, 1);
	if (answered(d) == COND_OK)
		rig_settle(d->rig);
	return answered(d);
}

static void set_protected(struct catalog_volume *row, void *ctx)
{
	row->protect = ctx;
}

static enum condition scsi_protect(void *ctx)
{
	struct door *d = ctx;

	return library_volume_change(d->rig->store->lib, d->volume, set_protected, d) ? COND_FAILED : COND_OK;
}

static enum condition scsi_lock(void *ctx)
{
	struct door *d = ctx;
	uint64_t until = clock_retention_ns() + 3600 * 1000000000ull;

	return library_volume_lock(d->rig->store->lib, d->volume, until) ? COND_FAILED : COND_OK;
}

/* READ POSITION, long form.  It knows no block within a file. */
static int scsi_tell(void *ctx, struct conform_pos *out)
{
	struct door *d = ctx;

	if (DO(d, 32, 0x34, 6) != SCSI_GOOD)
		return -1;
	*out = (struct conform_pos){ (int64_t)get_be64(d->rig->data + 16), -1 };
	return 0;
}

static const struct conform_door scsi = {
	.name = "scsi", .record_max = SCSI_TRANSFER_MAX,
	.blank = scsi_blank, .write = scsi_write, .marks = scsi_marks, .read = scsi_read, .move = scsi_move,
	.erase = scsi_erase, .reload = scsi_reload, .protect = scsi_protect,
	.lock = scsi_lock, .tell = scsi_tell,
};

int main(int argc, char **argv)
{
	struct door d = { .rig = NULL };
	unsigned failed;
	void *state;

	log_set_level(LOG_LEVEL_ERROR);
	if (rig_new(&state))
		return 2;
	d.rig = state;
	rig_plug(d.rig, SCSI_DRIVE, NULL);
	rig_settle(d.rig);
	failed = conform_run(&scsi, &d, argc > 1 ? argv[1] : NULL);
	rig_free(&state);
	return failed != 0;
}
