/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Interrupts while something long is under way.  The connection is shut: the other side finds nobody there at its next
 * progress and stops, our call returns, and the verb has time to say how far it came.
 */
#include "cli/cli.h"

#include <signal.h>
#include <sys/socket.h>

static volatile sig_atomic_t came;
static volatile sig_atomic_t sock = -1;

static void take(int sig)
{
	came = sig;
	shutdown(sock, SHUT_RDWR);
}

void interrupt_catch(const struct store *s)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction sa = { .sa_handler = take, .sa_flags = (int)SA_RESETHAND };

	sock = s->sock;
	for (size_t i = 0; i < ARRAY_LEN(signals); i++) {
		struct sigaction was;
		if (sigaction(signals[i], NULL, &was) == 0 && was.sa_handler != SIG_IGN)	/* nohup(1) */
			sigaction(signals[i], &sa, NULL);
	}
}

bool interrupt_came(void)
{
	return came != 0;
}

void interrupt_obey(void)
{
	if (!came)
		return;
	fflush(stdout);
	signal(came, SIG_DFL);
	raise(came);
}
