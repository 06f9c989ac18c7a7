/* SPDX-License-Identifier: BSD-2-Clause */
/* Labels as a whole, on a blank tape or over what is there. */
#include "contents/rows.h"
#include "unit/library/store.h"

static struct contents_label label_of(enum contents_label_kind kind, const char *volume, const char *owner)
{
	struct contents_label l = { .kind = kind };

	snprintf(l.volume, sizeof(l.volume), "%s", volume);
	snprintf(l.owner, sizeof(l.owner), "%s", owner);
	return l;
}

/* "VOL1 HDR1 * ": the labels and marks of the tape. */
static void assert_labels(struct store *s, uint64_t id, const char *want, struct contents_label *out)
{
	struct volume *v = claim(s, id, CLAIM_READ);
	char got[128] = "", name[5];
	uint8_t record[256];
	struct drive *d;
	size_t len;
	int r;

	assert_int_equal(drive_new(&d), 0);
	assert_int_equal(drive_load(d, v), 0);
	while ((r = drive_read_record(d, record, sizeof(record), &len)) != TAPE_E_EOD) {
		if (r == TAPE_E_FILEMARK) {
			strcat(got, "* ");
			continue;
		}
		assert_int_equal(r, 0);
		assert_int_equal(len, 80);
		assert_int_equal(label_parse(record, len, name, out), 0);
		strcat(strcat(got, name), " ");
	}
	assert_string_equal(got, want);
	drive_free(d);
	release(s, id, CLAIM_READ);
}

#define EMPTY_FILE "VOL1 HDR1 HDR2 * * EOF1 EOF2 * * "

static void a_blank_tape_gets_an_empty_labelled_file(void **state)
{
	const enum contents_label_kind kinds[] = { LABEL_ANSI, LABEL_IBM };
	struct store *s = *state;

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		struct contents_label l = label_of(kinds[i], "VT0001", "VTAPE"), got = { 0 };
		uint64_t id = make(s, i ? "IBM" : "ANSI");
		struct volume *v = claim(s, id, CLAIM_WRITE);

		assert_int_equal(contents_label_write(v, &l, false), 0);
		release(s, id, CLAIM_WRITE);
		assert_labels(s, id, EMPTY_FILE, &got);
		assert_int_equal(got.kind, kinds[i]);
		assert_string_equal(got.volume, "VT0001");
		assert_string_equal(got.owner, "VTAPE");
		assert_string_equal(got.set_id, "VT0001");
		assert_int_equal(got.expires_ns, 0);
		assert_int_equal(row_of(s, id).state, STATE_ASSIGNED);
	}
}

static void what_a_label_cannot_say_leaves_the_tape_as_it_was(void **state)
{
	struct contents_label l = label_of(LABEL_ANSI, "small", ""), none = label_of(LABEL_ANSI, "", ""), out;
	struct store *s = *state;
	uint64_t id = make(s, "A1");
	struct volume *v;

	write_text(s, id, "data");
	v = claim(s, id, CLAIM_WRITE);
	assert_refused(contents_label_write(v, &l, true), -EINVAL, "small");
	assert_refused(contents_label_write(v, &none, true), -EINVAL, "the name of the volume");
	release(s, id, CLAIM_WRITE);
	assert_text(s, id, "data");
	l = label_of(LABEL_ANSI, "A1", "");
	v = claim(s, id, CLAIM_WRITE);
	assert_int_equal(contents_label_write(v, &l, true), 0);
	release(s, id, CLAIM_WRITE);
	assert_labels(s, id, EMPTY_FILE, &out);
	assert_int_equal(stat_of(s, id).generation, 2);
}

static void a_locked_tape_keeps_what_is_on_it(void **state)
{
	struct contents_label l = label_of(LABEL_ANSI, "A1", "");
	struct store *s = *state;
	uint64_t id = make(s, "A1");
	struct volume *v;

	write_text(s, id, "data");
	assert_int_equal(library_volume_lock(s->lib, id, clock_retention_ns() + 1000000000000ull), 0);
	v = claim(s, id, CLAIM_WRITE);
	assert_int_equal(contents_label_write(v, &l, true), TAPE_E_PROTECTED);
	release(s, id, CLAIM_WRITE);
	assert_text(s, id, "data");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_A_STORE(a_blank_tape_gets_an_empty_labelled_file),
		ON_A_STORE(what_a_label_cannot_say_leaves_the_tape_as_it_was),
		ON_A_STORE(a_locked_tape_keeps_what_is_on_it),
	};

	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
