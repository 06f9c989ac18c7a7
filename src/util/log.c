/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The log: lines for the person who looks after the daemon.  A line is written in one call, so lines of threads never
 * mix; a line too long is cut.  Standard error until log_to_syslog(); what is worth keeping is an event (catalog.h).
 */
#include <vtape/util.h>

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <syslog.h>
#include <unistd.h>

#define LINE_TEXT_MAX 1024

static atomic_int shown_level = LOG_LEVEL_WARN;
static atomic_bool to_syslog;

void log_set_level(enum log_level level)
{
	atomic_store(&shown_level, (int)level);
}

void log_to_syslog(const char *ident)
{
	static char kept[64]; /* openlog() keeps the pointer */

	snprintf(kept, sizeof(kept), "%s", ident);
	openlog(kept, LOG_PID, LOG_DAEMON);
	atomic_store(&to_syslog, true);
}

static int syslog_priority(enum log_level level)
{
	switch (level) {
	case LOG_LEVEL_ERROR:
		return LOG_ERR;
	case LOG_LEVEL_WARN:
		return LOG_WARNING;
	case LOG_LEVEL_INFO:
		return LOG_INFO;
	case LOG_LEVEL_DEBUG:
		break;
	}
	return LOG_DEBUG;
}

/* Nothing can be done about a log that cannot be written. */
static void write_line(const char *text)
{
	char line[LINE_TEXT_MAX + 16];
	int n = snprintf(line, sizeof(line), "vtape: %s\n", text);
	ssize_t r = write(STDERR_FILENO, line, (size_t)n);

	(void)r;
}

static void put_line(enum log_level level, bool news, const char *fmt, va_list ap) PRINTF_LIKE(3, 0);

static void put_line(enum log_level level, bool news, const char *fmt, va_list ap)
{
	bool system = atomic_load(&to_syslog);
	char text[LINE_TEXT_MAX];
	int saved = errno;

	if (!(news && system) && (int)level > atomic_load_explicit(&shown_level, memory_order_relaxed))
		return;
	vsnprintf(text, sizeof(text), fmt, ap);
	if (system)
		syslog(syslog_priority(level), "%s", text);
	else
		write_line(text);
	errno = saved;
}

void log_line(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	put_line(level, false, fmt, ap);
	va_end(ap);
}

void log_news(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	put_line(level, true, fmt, ap);
	va_end(ap);
}
