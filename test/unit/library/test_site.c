/* SPDX-License-Identifier: BSD-2-Clause */
/* What another site writes: read only by its own access or its pool's, through each call; labels; giving and taking. */
#include "store.h"

#define SERIAL "00112233445566AA"
#define OTHER_SERIAL "FFFFFFFFFFFFFFF1"

static uint32_t add_site(struct store *s, const char *name)
{
	struct catalog_site site = { .number = UINT32_MAX };

	snprintf(site.name, sizeof(site.name), "%s", name);
	assert_int_equal(catalog_site_put(s->cat, &site), 0);
	return site.number;
}

static int enroll(struct store *s, const char *name, uint32_t site, const char *serial, struct catalog_volume *out)
{
	struct library_registration reg = { .pool = CATALOG_POOL_DEFAULT, .name = name, .site = site,
					    .access = ACCESS_SECONDARY, .generation = 4, .written_ns = 77 };

	snprintf(reg.serial, sizeof(reg.serial), "%s", serial);
	return library_volume_register(s->lib, &reg, out);
}

/* ---- read only ---- */

struct pool_access { enum catalog_access access; uint32_t site; };

static int set_pool(struct catalog_pool *p, void *ctx)
{
	const struct pool_access *to = ctx;

	p->access = to->access;
	p->site = to->site;
	return 0;
}

static void nothing_is_done_to(struct store *s, uint64_t id)
{
	struct drive *d = NULL;
	struct volume *v = NULL;
	uint64_t other;

	assert_refused(library_claim(s->lib, id, CLAIM_WRITE, &v), -EROFS, "munich");
	assert_refused(library_volume_erase(s->lib, id), -EROFS, "munich");
	assert_refused(library_volume_delete(s->lib, id), -EROFS, "munich");
	assert_refused(library_volume_move(s->lib, id, CATALOG_POOL_DEFAULT, "NEW"), -EROFS, "munich");
	assert_refused(library_may_overwrite(s->lib, id), -EROFS, "munich");
	assert_refused(library_volume_restore(s->lib, id, 1), -EROFS, "munich");
	assert_int_equal(library_pool_create(s->lib, "else", NULL, NULL), 0);
	assert_refused(library_volume_move(s->lib, id, "else", "A1"), -EROFS, "munich");
	struct catalog_volume row;
	assert_int_equal(library_volume_create(s->lib, "else", "OTHER", NULL, false, &row), 0);
	other = row.id;
	write_text(s, other, "other");
	assert_refused(library_volume_replace(s->lib, id, other), -EROFS, "munich");
	assert_refused(library_volume_replace(s->lib, other, id), -EROFS, "munich");
	assert_refused(library_pool_destroy(s->lib, CATALOG_POOL_DEFAULT, true), -EROFS, "munich");

	/* It can be loaded, and the drive says that it is protected. */
	assert_int_equal(library_load(s->lib, 0, id), 0);
	assert_int_equal(library_drive_open(s->lib, 0, true, &d), 0);
	assert_true(volume_attr(drive_volume(d))->protect);
	assert_int_equal(library_drive_close(s->lib, 0), 0);
	assert_int_equal(library_unload(s->lib, 0), 0);
	assert_text(s, id, "hello");
	assert_int_equal(stat_of(s, id).generation, 2);
	assert_true(library_access(s->lib, &(struct catalog_volume){ .pool = row_of(s, id).pool,
								     .access = row_of(s, id).access }) != ACCESS_PRIMARY);
}

static uint64_t a_tape_of_two_generations(struct store *s)
{
	uint64_t id = make(s, "A1");

	write_text(s, id, "old");
	write_text(s, id, "hello");
	return id;
}

static void a_secondary_volume_is_read_only_through_every_call(void **state)
{
	struct store *s = *state;
	uint32_t site = add_site(s, "munich");
	uint64_t id = a_tape_of_two_generations(s);

	assert_int_equal(library_volume_access(s->lib, id, ACCESS_SECONDARY, site), 0);
	nothing_is_done_to(s, id);
}

static void a_restricted_volume_is_too(void **state)
{
	struct store *s = *state;
	uint32_t site = add_site(s, "munich");
	uint64_t id = a_tape_of_two_generations(s);

	assert_int_equal(library_volume_access(s->lib, id, ACCESS_RESTRICTED, site), 0);
	nothing_is_done_to(s, id);
}

static void a_volume_of_a_secondary_pool_is_too(void **state)
{
	struct store *s = *state;
	struct pool_access to = { ACCESS_SECONDARY, add_site(s, "munich") };
	uint64_t id = a_tape_of_two_generations(s);

	assert_int_equal(library_pool_change(s->lib, CATALOG_POOL_DEFAULT, set_pool, &to), 0);
	nothing_is_done_to(s, id);
	assert_refused(library_volume_create(s->lib, CATALOG_POOL_DEFAULT, "A2", NULL, false, NULL), -EROFS, "munich");
	assert_refused(library_volume_create(s->lib, CATALOG_POOL_DEFAULT, ".A2.tap", NULL, true, NULL), -EROFS, "munich");
	to = (struct pool_access){ ACCESS_PRIMARY, 0 };
	assert_int_equal(library_pool_change(s->lib, CATALOG_POOL_DEFAULT, set_pool, &to), 0);
	assert_int_equal(events(s, EVENT_TAKEN_OVER, CATALOG_POOL_DEFAULT), 1);
	write_text(s, id, "new");
}

/* Who has it open for reading keeps it; who writes is told by the tape. */
static void a_pool_that_is_given_away_protects_what_is_open(void **state)
{
	struct store *s = *state;
	struct pool_access to = { ACCESS_SECONDARY, add_site(s, "munich") };
	uint64_t id = a_tape_of_two_generations(s);
	struct volume *v = claim(s, id, CLAIM_WRITE);

	assert_int_equal(volume_append_record(v, 0, "x", 1), 0);
	assert_int_equal(library_pool_change(s->lib, CATALOG_POOL_DEFAULT, set_pool, &to), 0);
	assert_int_equal(volume_append_record(v, 0, "x", 1), TAPE_E_PROTECTED);
	release(s, id, CLAIM_WRITE);
}

static void collection_keeps_what_another_site_keeps(void **state)
{
	struct store *s = *state;
	uint32_t site = add_site(s, "munich");
	uint64_t id = a_tape_of_two_generations(s), ours = make(s, "B1");
	struct tape_gc_config cfg = { 0 };
	struct library_gc_report report;
	struct catalog_pool p;

	write_text(s, ours, "old");
	write_text(s, ours, "new");
	assert_int_equal(catalog_pool_get(s->cat, CATALOG_POOL_DEFAULT, &p), 0);
	p.keep_s = 0;
	assert_int_equal(catalog_pool_put(s->cat, &p), 0);
	assert_int_equal(library_volume_access(s->lib, id, ACCESS_SECONDARY, site), 0);
	assert_int_equal(library_gc(s->lib, &cfg, &report), 0);
	assert_int_equal(report.dropped_generations, 1);
	assert_int_equal(library_volume_access(s->lib, id, ACCESS_PRIMARY, 0), 0);
	assert_int_equal(library_gc(s->lib, &cfg, &report), 0);
	assert_int_equal(report.dropped_generations, 1);
}

/* ---- giving and taking ---- */

static void what_is_in_use_is_not_given_away(void **state)
{
	struct store *s = *state;
	uint32_t site = add_site(s, "munich");
	uint64_t id = a_tape_of_two_generations(s);

	claim(s, id, CLAIM_WRITE);
	assert_refused(library_volume_access(s->lib, id, ACCESS_SECONDARY, site), -EBUSY, "being written");
	release(s, id, CLAIM_WRITE);
	assert_int_equal(library_load(s->lib, 0, id), 0);
	assert_refused(library_volume_access(s->lib, id, ACCESS_SECONDARY, site), -EBUSY, "nst0");
	assert_int_equal(library_unload(s->lib, 0), 0);
	assert_refused(library_volume_access(s->lib, id, ACCESS_SECONDARY, 0), -EINVAL, "whose");
	assert_refused(library_volume_access(s->lib, id, ACCESS_PRIMARY, site), -EINVAL, "no other site");
	assert_int_equal(row_of(s, id).access, ACCESS_PRIMARY);
	assert_int_equal(row_of(s, id).site, 0);
}

static void taking_over_is_an_event_and_lasts(void **state)
{
	struct store *s = *state;
	uint32_t site = add_site(s, "munich");
	uint64_t id = a_tape_of_two_generations(s);

	assert_int_equal(library_volume_access(s->lib, id, ACCESS_SECONDARY, site), 0);
	store_cut(s);
	assert_int_equal(row_of(s, id).access, ACCESS_SECONDARY);
	assert_int_equal(row_of(s, id).site, site);
	assert_int_equal(library_volume_access(s->lib, id, ACCESS_PRIMARY, 0), 0);
	assert_int_equal(events(s, EVENT_TAKEN_OVER, "default/A1"), 1);
	store_cut(s);
	assert_int_equal(row_of(s, id).site, 0);
	write_text(s, id, "ours");
}

static void a_volume_of_another_site_s_pool_is_not_taken_alone(void **state)
{
	struct store *s = *state;
	struct pool_access to = { ACCESS_SECONDARY, add_site(s, "munich") };
	uint64_t id = a_tape_of_two_generations(s);

	assert_int_equal(library_pool_change(s->lib, CATALOG_POOL_DEFAULT, set_pool, &to), 0);
	assert_refused(library_volume_access(s->lib, id, ACCESS_PRIMARY, 0), -EINVAL, "pool default");
	to = (struct pool_access){ ACCESS_SECONDARY, 0 };
	assert_refused(library_pool_change(s->lib, CATALOG_POOL_DEFAULT, set_pool, &to), -EINVAL, "whose");
}

/* ---- registering and labels ---- */

static void a_registered_volume_is_listed_empty_and_nowhere(void **state)
{
	struct store *s = *state;
	uint32_t site = add_site(s, "munich");
	struct library_place at;
	struct catalog_volume v;

	assert_int_equal(library_places_set(s->lib, 5, 0), 0);
	assert_int_equal(enroll(s, "M1", site, SERIAL, &v), 0);
	assert_string_equal(v.serial, SERIAL);
	assert_int_equal(v.site, site);
	assert_int_equal(v.access, ACCESS_SECONDARY);
	assert_int_equal(v.site_generation, 4);
	assert_int_equal(v.site_written_ns, 77);
	assert_int_equal(stat_of(s, v.id).end.objects, 0);
	store_restart(s);
	assert_int_equal(library_where(s->lib, v.id, &at), 0);
	assert_int_equal(at.kind, LIBRARY_OUTSIDE);
	assert_int_equal(events(s, EVENT_REGISTERED, "default/M1"), 1);
	/* Told again, it is the same one; and what nothing came of may go. */
	assert_int_equal(enroll(s, "M1", site, SERIAL, &v), 0);
	assert_int_equal(library_volume_delete(s->lib, v.id), 0);
	assert_int_equal(catalog_volume_get(s->cat, "M1", &v), CATALOG_E_NONE);
}

static void what_makes_no_sense_is_not_registered(void **state)
{
	struct library_registration reg = { .pool = CATALOG_POOL_DEFAULT, .name = "M1", .access = ACCESS_SECONDARY };
	struct store *s = *state;

	reg.site = 0;
	assert_refused(library_volume_register(s->lib, &reg, NULL), -EINVAL, "this site");
	reg.site = add_site(s, "munich");
	reg.access = ACCESS_PRIMARY;
	assert_refused(library_volume_register(s->lib, &reg, NULL), -EINVAL, "secondary or restricted");
	reg.access = ACCESS_SECONDARY;
	strcpy(reg.serial, "12");
	assert_refused(library_volume_register(s->lib, &reg, NULL), -EINVAL, "serial");
	reg.serial[0] = '\0';
	reg.name = "../M1";
	assert_refused(library_volume_register(s->lib, &reg, NULL), -EINVAL, "no name");
	reg.name = "M1";
	reg.pool = "none";
	assert_refused(library_volume_register(s->lib, &reg, NULL), -ENOENT, "no pool");
}

static void a_label_of_another_site_is_taken(void **state)
{
	struct store *s = *state;
	uint32_t site = add_site(s, "munich"), third = add_site(s, "paris");
	uint64_t ours = make(s, "A1");

	assert_int_equal(enroll(s, "M1", site, SERIAL, NULL), 0);
	assert_refused(library_volume_create(s->lib, CATALOG_POOL_DEFAULT, "M1", NULL, false, NULL), -EEXIST, "munich");
	assert_refused(library_volume_move(s->lib, ours, CATALOG_POOL_DEFAULT, "M1"), -EEXIST, "munich");
	assert_refused(library_label_free(s->lib, "M1"), -EEXIST, "munich");
	assert_int_equal(library_label_free(s->lib, "M2"), 0);
	assert_refused(enroll(s, "M1", third, SERIAL, NULL), -EEXIST, "known as a volume of site munich");
	assert_refused(enroll(s, "M1", third, OTHER_SERIAL, NULL), -EEXIST, "clash");
	assert_refused(enroll(s, "M1", third, "", NULL), -EEXIST, "is needed");
}

static void a_clash_is_told_recorded_and_ends_with_a_new_name(void **state)
{
	struct store *s = *state;
	uint32_t site = add_site(s, "munich");
	uint64_t ours = make(s, "A1");
	struct catalog_clash clash;
	struct catalog_volume v;

	assert_refused(enroll(s, "A1", site, row_of(s, ours).serial, NULL), -EEXIST, "this site's own");
	assert_int_equal(events(s, EVENT_CLASH, NULL), 0);
	assert_refused(enroll(s, "A1", site, SERIAL, NULL), -EEXIST, "clash");
	assert_int_equal(events(s, EVENT_CLASH, "default/A1"), 1);
	assert_int_equal(catalog_clash_find(s->cat, "A1", &clash), 0);
	assert_string_equal(clash.serial, SERIAL);
	write_text(s, ours, "goes on");

	assert_int_equal(library_volume_move(s->lib, ours, CATALOG_POOL_DEFAULT, "A2"), 0);
	assert_refused(library_volume_create(s->lib, CATALOG_POOL_DEFAULT, "A1", NULL, false, NULL), -EEXIST, SERIAL);
	assert_int_equal(enroll(s, "A1", site, SERIAL, &v), 0);
	assert_int_equal(catalog_clash_find(s->cat, "A1", &clash), CATALOG_E_NONE);
	assert_int_equal(v.site, site);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_A_STORE(a_secondary_volume_is_read_only_through_every_call),
		ON_A_STORE(a_restricted_volume_is_too),
		ON_A_STORE(a_volume_of_a_secondary_pool_is_too),
		ON_A_STORE(a_pool_that_is_given_away_protects_what_is_open),
		ON_A_STORE(collection_keeps_what_another_site_keeps),
		ON_A_STORE(what_is_in_use_is_not_given_away),
		ON_A_STORE(taking_over_is_an_event_and_lasts),
		ON_A_STORE(a_volume_of_another_site_s_pool_is_not_taken_alone),
		ON_A_STORE(a_registered_volume_is_listed_empty_and_nowhere),
		ON_A_STORE(what_makes_no_sense_is_not_registered),
		ON_A_STORE(a_label_of_another_site_is_taken),
		ON_A_STORE(a_clash_is_told_recorded_and_ends_with_a_new_name),
	};

	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
