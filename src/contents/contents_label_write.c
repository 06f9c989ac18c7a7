/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A blank tape is given a standard label: what a program that wants labelled tapes expects of one that was never used.
 * The volume's label, and an empty tape file between its own, each group closed by a filemark, and one more at the end:
 *
 *   VOL1 HDR1 HDR2 * * EOF1 EOF2 * *
 */
#include "contents/rows.h"

#include <errno.h>

static int write_label(struct volume *v, const char *name, const struct contents_label *l)
{
	uint8_t text[80];
	int r = label_format(name, l, 0, text);

	return r ? r : volume_append_record(v, 0, text, sizeof(text));
}

/* What cannot be written is found out before the first of them is. */
static int labels_check(const struct contents_label *l)
{
	static const char *const all[] = { "VOL1", "HDR1", "HDR2", "EOF1", "EOF2" };
	uint8_t text[80];
	int r = 0;

	for (size_t i = 0; !r && i < ARRAY_LEN(all); i++)
		r = label_format(all[i], l, 0, text);
	return r;
}

int contents_label_write(struct volume *v, const struct contents_label *label, bool overwrite)
{
	struct contents_label l = *label;
	int r;

	l.set_id[0] = 0;
	memcpy(l.set_id, l.volume, sizeof(l.set_id));
	l.format = l.format ? l.format : 'U';
	r = labels_check(&l);
	if (!r && overwrite)
		r = volume_truncate(v, 0, 0);
	r = r ? r : write_label(v, "VOL1", &l);
	r = r ? r : write_label(v, "HDR1", &l);
	r = r ? r : write_label(v, "HDR2", &l);
	r = r ? r : volume_append_filemarks(v, 0, 2);
	r = r ? r : write_label(v, "EOF1", &l);
	r = r ? r : write_label(v, "EOF2", &l);
	return r ? r : volume_append_filemarks(v, 0, 2);
}
