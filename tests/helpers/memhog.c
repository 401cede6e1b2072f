// SPDX-License-Identifier: GPL-2.0
/*
 * memhog MIB ROUNDS SECONDS: use more memory than there is, and find all of it
 * unchanged.
 *
 * Each page is full of numbers that say which page and which round it is of; in
 * every round each is compared and written again, in another order. Exit status 1
 * and the page's number if one has changed. If there is no page that long, the
 * machine is made to panic: what waits for memory can be killed, so that the
 * kernel's own watchdog does not count it.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE	4096
#define WORDS	(PAGE / sizeof(uint64_t))

static uint64_t word(uint64_t page, unsigned int round, unsigned int i)
{
	return ((page << 20 | round) * WORDS + i) * 0x9e3779b97f4a7c15ULL;
}

/* Everything that it needs is in memory, and stays there. */
static void watch(const volatile uint64_t *touched, unsigned int seconds)
{
	int fd = open("/proc/sysrq-trigger", O_WRONLY);
	pid_t hog = getppid();
	uint64_t before = 0;
	unsigned int still = 0;

	if (fd < 0 || mlockall(MCL_CURRENT | MCL_FUTURE)) {
		perror("memhog: no watchdog");
		return;
	}
	while (getppid() == hog) {
		sleep(1);
		still = *touched == before ? still + 1 : 0;
		before = *touched;
		if (still >= seconds && write(fd, "c", 1) < 0)
			return;
	}
}

int main(int argc, char **argv)
{
	unsigned long mib = argc == 4 ? strtoul(argv[1], NULL, 10) : 0;
	unsigned int rounds = argc == 4 ? strtoul(argv[2], NULL, 10) : 0;
	unsigned int seconds = argc == 4 ? strtoul(argv[3], NULL, 10) : 0;
	volatile uint64_t *touched;
	uint64_t pages = (uint64_t)mib * 1024 * 1024 / PAGE;
	unsigned int round, i;
	uint64_t *mem, n;

	if (!pages || !rounds || !seconds) {
		fputs("usage: memhog MIB ROUNDS SECONDS\n", stderr);
		return 2;
	}
	touched = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (touched == MAP_FAILED) {
		perror("memhog");
		return 2;
	}
	switch (fork()) {
	case -1:
		perror("memhog");
		return 2;
	case 0:
		watch((void *)touched, seconds);
		_exit(0);
	}
	mem = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (mem == MAP_FAILED) {
		perror("memhog");
		return 2;
	}
	for (round = 0; round <= rounds; round++) {
		for (n = 0; n < pages; n++) {
			/* Odd rounds come from the other end. */
			uint64_t page = round % 2 ? pages - 1 - n : n;
			uint64_t *p = mem + page * WORDS;

			for (i = 0; round && i < WORDS; i++) {
				if (p[i] == word(page, round - 1, i))
					continue;
				printf("memhog: page %llu has changed in round %u\n",
				       (unsigned long long)page, round);
				return 1;
			}
			for (i = 0; i < WORDS; i++)
				p[i] = word(page, round, i);
			++*touched;
		}
		printf("memhog: round %u\n", round);
		fflush(stdout);
	}
	return 0;
}
