/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How far something has come, on standard error: a bar when that is a terminal, a line a second with --progress,
 * otherwise nothing.  What is done within a second shows nothing at all.
 */
#include "cli/cli.h"

#include <unistd.h>

#define SECOND_NS 1000000000ull
#define BAR_EVERY_NS (SECOND_NS / 10)
#define BAR_CELLS 24u

void progress_begin(struct progress *p, const struct args *a, const char *what)
{
	*p = (struct progress){ .what = what, .lines = args_has(a, OPT_PROGRESS), .begun_ns = clock_mono_ns() };
	p->bar = !p->lines && isatty(STDERR_FILENO);
	p->said_ns = p->begun_ns;
}

static void put_bar(uint64_t done, uint64_t total)
{
	unsigned full = (unsigned)((double)done / (double)total * BAR_CELLS);

	fputs(" [", stderr);
	for (unsigned i = 0; i < BAR_CELLS; i++)
		fputc(i < full ? '#' : '.', stderr);
	fputc(']', stderr);
}

static void put_bytes(const struct progress *p, uint64_t done, uint64_t total, uint64_t now)
{
	char size[16], rate[16], of[16];
	double seconds = (double)(now - p->begun_ns) / SECOND_NS;
	double per_second = seconds > 0 ? (double)done / seconds : 0;

	fprintf(stderr, " %s", format_size(done, size));
	if (total)
		fprintf(stderr, " of %s", format_size(total, of));
	fprintf(stderr, ", %s/s", format_size((uint64_t)per_second, rate));
	if (total > done && per_second >= 1) {
		unsigned left = (unsigned)((double)(total - done) / per_second);
		fprintf(stderr, ", %u:%02u:%02u left", left / 3600, left / 60 % 60, left % 60);
	}
}

static void progress_say(struct progress *p, uint64_t done, uint64_t total, bool bytes, uint64_t now)
{
	if (p->bar)
		fputs("\r\033[K", stderr);
	fprintf(stderr, "%s:", p->what);
	if (p->bar && total)
		put_bar(done, total);
	if (total)
		fprintf(stderr, " %3u %%", (unsigned)(100.0 * (double)done / (double)total));
	if (bytes)
		put_bytes(p, done, total, now);
	else
		fprintf(stderr, " %llu", (unsigned long long)done);
	if (p->lines)
		fputc('\n', stderr);
	p->shown = true;
	p->said_ns = now;
}

void progress_update(struct progress *p, uint64_t done, uint64_t total, bool bytes)
{
	uint64_t now = clock_mono_ns();
	uint64_t wait = p->bar && p->shown ? BAR_EVERY_NS : SECOND_NS;

	if (!p->bar && !p->lines)
		return;
	if (total && done > total)
		done = total;
	if (now - p->said_ns >= wait)
		progress_say(p, done, total, bytes, now);
}

void progress_end(struct progress *p)
{
	if (p->bar && p->shown)
		fputs("\r\033[K", stderr);
}

int progress_each(void *progress, const char *key, json_t *value)
{
	const json_t *bytes = json_object_get(value, "done_bytes");

	if (strcmp(key, "progress") != 0)
		return 0;
	if (bytes)
		progress_update(progress, (uint64_t)json_integer_value(bytes),
				(uint64_t)json_integer_value(json_object_get(value, "total_bytes")), true);
	else
		progress_update(progress, (uint64_t)json_integer_value(json_object_get(value, "done")),
				(uint64_t)json_integer_value(json_object_get(value, "total")), false);
	return 0;
}

int progress_call(struct store *s, const struct args *a, const char *what, json_t *request, int fd, json_t **ok)
{
	struct progress p;
	int r;

	progress_begin(&p, a, what);
	r = store_call(s, request, fd, progress_each, &p, ok);
	progress_end(&p);
	return r;
}

int progress_ask(const struct args *a, const char *what, json_t *request, int fd, json_t **ok)
{
	struct store s;
	int r;

	r = store_open(a, &s);
	if (r)
		json_decref(request);
	else
		r = progress_call(&s, a, what, request, fd, ok);
	store_close(&s);
	return r;
}
