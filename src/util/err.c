/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The trace of fatal results.  A failure is told once, where it is born; what a person should read about it stays with
 * the thread until the front end has shown it.  Guarantees: the words of one thread are never seen by another, and
 * errno is left as it was, so that a cleanup after err_origin() may still look at it.
 * Who shows the words, and when they are cleared, is the front ends' business.
 */
#include <vtape/util.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#define TEXT_MAX 512

static __thread struct {
	int result;	/* what the words are about; 0: no words */
	bool explained; /* they come from err_explain() */
	char text[TEXT_MAX];
} last;

/* Build folders differ; "src/..." reads the same everywhere. */
static const char *short_path(const char *file)
{
	const char *src = strstr(file, "src/");

	return src ? src : file;
}

static const char *error_name(int r, char *scratch, size_t cap)
{
	return strerror_r(r < 0 ? -r : r, scratch, cap);
}

void err_origin_at(int r, const char *file, int line)
{
	char scratch[128];
	int saved = errno;
	const char *name = error_name(r, scratch, sizeof(scratch));

	log_debug("%s:%d: %s", short_path(file), line, name);
	if (!(last.explained && last.result == r)) {
		last.result = r;
		last.explained = false;
		snprintf(last.text, sizeof(last.text), "%s", name);
	}
	errno = saved;
}

void err_explain_at(int r, const char *fmt, ...)
{
	char text[TEXT_MAX]; /* an argument may be err_text() itself */
	int saved = errno;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);

	memcpy(last.text, text, sizeof(last.text));
	last.result = r;
	last.explained = true;
	log_debug("%s", last.text);
	errno = saved;
}

int err_fold_at(int r, const char *file, int line)
{
	if (r <= 0)
		return r;
	log_error("%s:%d: unexpected condition %d", short_path(file), line, r);
	return err_explain(-ENOTRECOVERABLE, "internal error: unexpected condition %d at %s:%d", r, short_path(file),
			   line);
}

const char *err_text(int r)
{
	static __thread char scratch[128];

	if (r && last.result == r)
		return last.text;
	return error_name(r, scratch, sizeof(scratch));
}

void err_clear(void)
{
	last.result = 0;
	last.explained = false;
}
