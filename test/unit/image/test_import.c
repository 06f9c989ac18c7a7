/* SPDX-License-Identifier: BSD-2-Clause */
/* A foreign image through a descriptor becomes a tape; a broken one and a full tape are told. */
#include <fcntl.h>
#include <sys/mman.h>

#include "tape.h"

static int file_of(const void *p, size_t n)
{
	int fd = memfd_create("image", 0);

	assert_true(fd >= 0);
	assert_int_equal(io_write_full(fd, p, n), 0);
	lseek(fd, 0, SEEK_SET);
	return fd;
}

static struct buf exported(struct volume *v, enum image_format f)
{
	struct buf out = BUF_INIT;
	int fd = memfd_create("image", 0);
	size_t n, got;

	assert_int_equal(image_export(v, f, fd, NULL), 0);
	n = (size_t)lseek(fd, 0, SEEK_CUR);
	assert_int_equal(buf_reserve(&out, n + 1), 0);
	lseek(fd, 0, SEEK_SET);
	assert_int_equal(io_read_full(fd, out.data, n, &got), 0);
	assert_int_equal(got, n);
	out.len = n;
	close(fd);
	return out;
}

static void an_image_comes_back_as_it_went_in(void **state)
{
	for (int f = IMAGE_TAP; f <= IMAGE_AWS; f++) {
		struct tape from, to;
		struct buf want = BUF_INIT, got;
		int fd;

		tape_up(&from, 0);
		tape_fill(&from, f, &want, 5);
		tape_down(&from);
		tape_up(&to, 0);
		fd = file_of(want.data, want.len);
		assert_int_equal(image_import(fd, f, to.v, NULL), 0);
		close(fd);
		got = exported(to.v, f);
		assert_int_equal(got.len, want.len);
		assert_memory_equal(got.data, want.data, want.len);
		buf_fini(&got);
		buf_fini(&want);
		tape_down(&to);
	}
}

static void import_is_durable_when_it_returns(void **state)
{
	struct tape t;
	struct buf image = BUF_INIT;
	struct volume_stat st;
	int fd;

	tape_up(&t, 0);
	tape_fill(&t, IMAGE_TAP, &image, 1);
	tape_down(&t);
	tape_up(&t, 0);
	fd = file_of(image.data, image.len);
	assert_int_equal(image_import(fd, IMAGE_TAP, t.v, NULL), 0);
	assert_int_equal(volume_peek(t.kv, 1, &st), 0);
	assert_int_equal(image_tap_size(&st.end, false), image.len);
	close(fd);
	buf_fini(&image);
	tape_down(&t);
}

static void a_broken_image_is_told(void **state)
{
	static const uint8_t half[] = { 2, 0, 0, 0, 'a', 'b', 2, 0, 0, 0, 5, 0, 0, 0, 'h' };
	struct tape t;
	int fd = file_of(half, sizeof(half));

	tape_up(&t, 0);
	assert_int_equal(image_import(fd, IMAGE_TAP, t.v, NULL), -EUCLEAN);
	assert_non_null(strstr(err_text(-EUCLEAN), "ends inside a record"));
	assert_non_null(strstr(err_text(-EUCLEAN), "at byte 15"));
	tape_down(&t);
	close(fd);
}

static void a_tape_that_is_too_short_is_told(void **state)
{
	struct tape t;
	struct buf image = BUF_INIT;
	struct image_framer *fr;
	static uint8_t record[65536];
	int fd;

	tape_up(&t, 4 << 20);
	assert_int_equal(image_framer_new(IMAGE_TAP, &fr), 0);
	for (int i = 0; i < 200; i++)
		assert_int_equal(image_frame_record(fr, record, sizeof(record), &image), 0);
	fd = file_of(image.data, image.len);
	assert_int_equal(image_import(fd, IMAGE_TAP, t.v, NULL), -ENOSPC);
	assert_non_null(strstr(err_text(-ENOSPC), "A00001 is full"));
	close(fd);
	image_framer_free(fr);
	buf_fini(&image);
	tape_down(&t);
}

static void a_protected_tape_is_told(void **state)
{
	static const uint8_t mark[] = { 0, 0, 0, 0 };
	struct tape t;
	struct volume_attr attr;
	int fd = file_of(mark, sizeof(mark));

	tape_up(&t, 0);
	attr = *volume_attr(t.v);
	attr.protect = true;
	volume_set_attr(t.v, &attr);
	assert_int_equal(image_import(fd, IMAGE_TAP, t.v, NULL), -EROFS);
	assert_non_null(strstr(err_text(-EROFS), "A00001"));
	tape_down(&t);
	close(fd);
}

struct watch { uint64_t bytes, objects; unsigned steps, stop_at; };

static int watch_step(void *ctx, uint64_t bytes, uint64_t objects)
{
	struct watch *w = ctx;

	assert_true(bytes >= w->bytes && objects >= w->objects);
	w->bytes = bytes;
	w->objects = objects;
	return ++w->steps == w->stop_at ? 42 : 0;
}

static void progress_is_told_and_can_stop_it(void **state)
{
	struct tape t;
	struct buf image = BUF_INIT;
	struct image_framer *fr;
	struct watch w = { 0 };
	struct image_progress pr = { watch_step, &w };
	static uint8_t record[65536];
	int fd, null = open("/dev/null", O_WRONLY);

	tape_up(&t, 0);
	assert_int_equal(image_framer_new(IMAGE_TAP, &fr), 0);
	for (int i = 0; i < 100; i++)
		assert_int_equal(image_frame_record(fr, record, sizeof(record), &image), 0);
	fd = file_of(image.data, image.len);
	assert_int_equal(image_import(fd, IMAGE_TAP, t.v, &pr), 0);
	assert_true(w.steps >= 6);
	assert_int_equal(w.bytes, image.len);
	assert_int_equal(w.objects, 100);
	for (int f = IMAGE_TAP; f <= IMAGE_AWS; f++) {
		w = (struct watch){ 0 };
		assert_int_equal(image_export(t.v, f, null, &pr), 0);
		assert_true(w.steps >= 6);
		assert_int_equal(w.objects, 100);
	}
	w = (struct watch){ .stop_at = 3 };
	assert_int_equal(image_export(t.v, IMAGE_TAP, null, &pr), 42);
	w = (struct watch){ .stop_at = 3 };
	lseek(fd, 0, SEEK_SET);
	assert_int_equal(image_import(fd, IMAGE_TAP, t.v, &pr), 42);
	image_framer_free(fr);
	buf_fini(&image);
	tape_down(&t);
	close(null);
	close(fd);
}

struct pump { struct volume *v; int fd, r; };

static void *pump_out(void *ctx)
{
	struct pump *p = ctx;

	p->r = image_export(p->v, IMAGE_AWS, p->fd, NULL);
	close(p->fd);
	return NULL;
}

static void from_tape_to_tape_through_a_pipe(void **state)
{
	struct tape from, to;
	struct buf want = BUF_INIT, got;
	struct pump p;
	pthread_t thread;
	int ends[2];

	tape_up(&from, 0);
	tape_up(&to, 0);
	tape_fill(&from, IMAGE_TAP, &want, 9);
	/* AWS leaves two marks behind a record; this tape ends in one of its own. */
	assert_int_equal(volume_append_filemark(from.v, 0), 0);
	buf_put_le32(&want, 0);
	assert_int_equal(pipe(ends), 0);
	p = (struct pump){ from.v, ends[1], -1 };
	assert_int_equal(pthread_create(&thread, NULL, pump_out, &p), 0);
	assert_int_equal(image_import(ends[0], IMAGE_AWS, to.v, NULL), 0);
	pthread_join(thread, NULL);
	assert_int_equal(p.r, 0);
	got = exported(to.v, IMAGE_TAP);
	assert_int_equal(got.len, want.len);
	assert_memory_equal(got.data, want.data, want.len);
	buf_fini(&got);
	buf_fini(&want);
	tape_down(&from);
	tape_down(&to);
	close(ends[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_image_comes_back_as_it_went_in),
		cmocka_unit_test(import_is_durable_when_it_returns),
		cmocka_unit_test(a_broken_image_is_told),
		cmocka_unit_test(a_tape_that_is_too_short_is_told),
		cmocka_unit_test(a_protected_tape_is_told),
		cmocka_unit_test(progress_is_told_and_can_stop_it),
		cmocka_unit_test(from_tape_to_tape_through_a_pipe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
