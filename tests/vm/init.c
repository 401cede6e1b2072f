// SPDX-License-Identifier: GPL-2.0
/*
 * The first and only program in the initramfs of tests/vm/run. It puts the
 * guest's file system together out of the host's, runs the test script in it,
 * hands the script's output and the kernel's log to the host and leaves. The
 * guest is a virtual machine, or User Mode Linux: then the kernel's command line
 * has ctl=DIR, the directory "ctl", and hostfs takes 9p's place.
 *
 * Everything between the host and this program goes through the directory
 * "ctl", whose files the host sees change when write_all() returns:
 *	config	what to do, NUL-terminated "key=value" strings
 *	booted	is there as soon as nothing but dm-chain is left to load
 *	output	the script's stdout and stderr
 *	kmsg	the kernel's log
 *	leaks	what kmemleak says, if asked to look
 *	status	the script's exit status, the last thing written
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/io.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define EXIT_PORT	0xf4	/* QEMU's isa-debug-exit */
#define PROBE_VALUE	0x2a	/* becomes QEMU's exit status 85 */
#define MAX_STRINGS	4096
#define P9_OPTIONS	"trans=virtio,version=9p2000.L,msize=512000,"

static char *config[MAX_STRINGS];	/* NULL-terminated */
static const char *hostfs;		/* the directory ctl, in User Mode Linux */
static int ctl = -1;

static void leave(unsigned char value)
{
	if (hostfs)
		reboot(RB_POWER_OFF);
	else if (!ioperm(EXIT_PORT, 1, 1))
		outb(value, EXIT_PORT);
	for (;;)
		pause();
}

/* The host finds no status then, and says that the guest died. */
__attribute__((format(printf, 1, 2), noreturn))
static void fail(const char *fmt, ...)
{
	int err = errno;
	char text[1024];
	va_list ap;
	int n, fd;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text) - 64, fmt, ap);
	va_end(ap);
	if (n > (int)sizeof(text) - 64)
		n = sizeof(text) - 64;
	n += snprintf(text + n, sizeof(text) - n, ": %s\n", strerror(err));

	fd = open("/dev/console", O_WRONLY | O_NOCTTY);
	if (fd >= 0 && write(fd, text, n) == n)
		tcdrain(fd);
	leave(1);
	abort();
}

static void write_all(int fd, const char *buf, size_t len)
{
	while (len) {
		ssize_t n = write(fd, buf, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			fail("write to the host");
		buf += n;
		len -= n;
	}
	/* hostfs keeps pages for a while; 9p without a cache has none */
	if (hostfs)
		sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE_AND_WAIT);
}

/* The value of the first @key from @pos on, which moves past it. */
static const char *config_next(const char *key, unsigned int *pos)
{
	size_t len = strlen(key);

	while (config[*pos]) {
		const char *s = config[(*pos)++];

		if (!strncmp(s, key, len) && s[len] == '=')
			return s + len + 1;
	}
	return NULL;
}

static const char *config_get(const char *key)
{
	unsigned int pos = 0;
	const char *value = config_next(key, &pos);

	if (!value) {
		errno = ENODATA;
		fail("no %s in the configuration", key);
	}
	return value;
}

static void config_read(void)
{
	static char buf[1 << 20];
	unsigned int n = 0;
	ssize_t len = 0;
	ssize_t got;
	char *s;
	int fd;

	fd = openat(ctl, "config", O_RDONLY);
	if (fd < 0)
		fail("config");
	while ((got = read(fd, buf + len, sizeof(buf) - 1 - len)) > 0)
		len += got;
	close(fd);
	for (s = buf; s < buf + len && n < MAX_STRINGS - 1; s += strlen(s) + 1)
		config[n++] = s;
	if (s < buf + len) {
		errno = E2BIG;
		fail("config");
	}
}

static void must_mount(const char *source, const char *target,
		       const char *type, unsigned long flags, const char *data)
{
	if (mount(source, target, type, flags, data))
		fail("mount %s on %s", source, target);
}

/* A directory of the host, known to 9p by @tag and to hostfs by its @path. */
static void mount_host(const char *tag, const char *path, const char *target,
		       unsigned long flags, const char *p9_options)
{
	if (hostfs)
		must_mount(tag, target, "hostfs", flags, path);
	else
		must_mount(tag, target, "9p", flags, p9_options);
}

static void make_dirs(const char *path)
{
	char buf[PATH_MAX];
	char *p;

	snprintf(buf, sizeof(buf), "%s", path);
	for (p = buf + 1; (p = strchr(p, '/')); p++) {
		*p = '\0';
		mkdir(buf, 0755);
		*p = '/';
	}
	mkdir(buf, 0755);
}

static bool same_inode(const char *a, const char *b)
{
	struct stat sa, sb;

	return !stat(a, &sa) && !stat(b, &sb) && sa.st_dev == sb.st_dev &&
	       sa.st_ino == sb.st_ino;
}

/* Make what is at @from visible at @to, whose parent exists. */
static void graft(const char *from, const char *to)
{
	char link[PATH_MAX];
	struct stat st;
	ssize_t n;
	int fd;

	if (lstat(from, &st))
		return;
	if (S_ISLNK(st.st_mode)) {
		n = readlink(from, link, sizeof(link) - 1);
		if (n > 0) {
			link[n] = '\0';
			if (symlink(link, to) && errno != EEXIST)
				fail("symlink %s", to);
		}
		return;
	}
	if (S_ISDIR(st.st_mode)) {
		mkdir(to, 0755);
	} else if (S_ISREG(st.st_mode)) {
		fd = open(to, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
		if (fd >= 0)
			close(fd);
	} else {
		return;
	}
	must_mount(from, to, NULL, MS_BIND, NULL);
}

static void graft_entries(const char *from, const char *to,
			  const char *const *except)
{
	char a[PATH_MAX], b[PATH_MAX];
	const char *const *e;
	struct dirent *d;
	DIR *dir;

	dir = opendir(from);
	if (!dir)
		fail("%s", from);
	while ((d = readdir(dir))) {
		if (!strcmp(d->d_name, ".") || !strcmp(d->d_name, ".."))
			continue;
		for (e = except; *e && strcmp(*e, d->d_name); e++)
			;
		if (*e)
			continue;
		snprintf(a, sizeof(a), "%s/%s", from, d->d_name);
		snprintf(b, sizeof(b), "%s/%s", to, d->d_name);
		graft(a, b);
	}
	closedir(dir);
}

/*
 * A directory of the host, @real its name without symbolic links, that has to
 * be seen at @path although a tmpfs lies over it. The top of such a tmpfs
 * itself stays a tmpfs and gets the entries.
 */
static void expose(const char *real, const char *path)
{
	static const char *const nothing[] = { NULL };
	static const char *const tops[] = { "/tmp", "/run", "/dev/shm", NULL };
	char from[PATH_MAX];
	const char *const *t;

	snprintf(from, sizeof(from), "/.host%s", real);
	if (same_inode(from, path))
		return;
	for (t = tops; *t; t++) {
		if (!strcmp(*t, path)) {
			graft_entries(from, path, nothing);
			return;
		}
	}
	make_dirs(path);
	must_mount(from, path, NULL, MS_BIND, NULL);
}

static void load_module(const char *path)
{
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		fail("%s", path);
	if (syscall(SYS_finit_module, fd, "", 0) && errno != EEXIST)
		fail("load %s", path);
	close(fd);
}

static void load_modules(void)
{
	char path[PATH_MAX];
	FILE *list;

	list = fopen("/modules/list", "re");
	if (!list)
		fail("/modules/list");
	while (fgets(path, sizeof(path), list)) {
		path[strcspn(path, "\n")] = '\0';
		load_module(path);
	}
	fclose(list);
}

/* The new root, built below /new; all of the host's is read-only in it. */
static void build_root(void)
{
	static const char *const ours[] = {
		"dev", "proc", "sys", "tmp", "run", "share", "lost+found", NULL
	};
	static const char *const dirs[] = {
		".host", "dev", "proc", "sys", "tmp", "run", "share", NULL
	};
	const char *const *d;
	char path[64];

	mkdir("/new", 0755);
	must_mount("root", "/new", "tmpfs", 0, "mode=755");
	for (d = dirs; *d; d++) {
		snprintf(path, sizeof(path), "/new/%s", *d);
		mkdir(path, 0755);
	}
	mount_host("root", "/", "/new/.host", MS_RDONLY,
		   P9_OPTIONS "cache=loose");
	graft_entries("/new/.host", "/new", ours);

	must_mount("/dev", "/new/dev", NULL, MS_MOVE, NULL);
	if (chdir("/new") || mount(".", "/", NULL, MS_MOVE, NULL) ||
	    chroot(".") || chdir("/"))
		fail("change the root");
}

static void fill_root(void)
{
	unsigned int pos = 0;
	const char *value;

	must_mount("proc", "/proc", "proc", 0, NULL);
	must_mount("sysfs", "/sys", "sysfs", 0, NULL);
	must_mount("tmpfs", "/tmp", "tmpfs", 0, "mode=1777");
	must_mount("tmpfs", "/run", "tmpfs", 0, "mode=755");
	mkdir("/dev/shm", 0755);
	mkdir("/dev/pts", 0755);
	must_mount("tmpfs", "/dev/shm", "tmpfs", 0, "mode=1777");
	must_mount("devpts", "/dev/pts", "devpts", 0, "mode=620,ptmxmode=666");
	must_mount("debugfs", "/sys/kernel/debug", "debugfs", 0, NULL);
	must_mount("configfs", "/sys/kernel/config", "configfs", 0, NULL);
	mkdir("/run/lock", 01777);
	if (symlink("/proc/self/fd", "/dev/fd") ||
	    symlink("/proc/self/fd/0", "/dev/stdin") ||
	    symlink("/proc/self/fd/1", "/dev/stdout") ||
	    symlink("/proc/self/fd/2", "/dev/stderr"))
		fail("symlinks in /dev");

	while ((value = config_next("expose", &pos)))
		expose(value, config_next("as", &pos));

	pos = 0;
	value = config_next("share", &pos);
	if (value)
		mount_host("share", value, "/share", 0,
			   P9_OPTIONS "cache=mmap");

	if (umount2("/.host", MNT_DETACH) || rmdir("/.host"))
		fail("hide the host's root");
	must_mount("root", "/", NULL, MS_REMOUNT | MS_RDONLY, NULL);
}

static void bring_up_lo(void)
{
	struct ifreq ifr = { .ifr_name = "lo" };
	int s = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	ifr.ifr_flags = IFF_UP | IFF_RUNNING;
	if (s < 0 || ioctl(s, SIOCSIFFLAGS, &ifr))
		fail("lo");
	close(s);
}

/* Runs in the child. Statuses 126 and 127 are a shell's. */
__attribute__((noreturn))
static void exec_script(int out)
{
	char *argv[MAX_STRINGS];
	unsigned int argc = 0, pos = 0;
	const char *value;
	sigset_t none;

	argv[argc++] = "/bin/sh";
	argv[argc++] = (char *)config_get("script");
	while ((value = config_next("arg", &pos)))
		argv[argc++] = (char *)value;
	argv[argc] = NULL;

	clearenv();
	pos = 0;
	while ((value = config_next("env", &pos)))
		putenv((char *)value);

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setsid();
	dup2(open("/dev/null", O_RDONLY), 0);
	dup2(out, 1);
	dup2(out, 2);
	closefrom(3);
	if (chdir(config_get("cwd")) && chdir("/"))
		_exit(127);

	execv(argv[1], argv + 1);
	if (errno == ENOEXEC)
		execv(argv[0], argv);
	dprintf(2, "%s: %s\n", argv[1], strerror(errno));
	_exit(errno == ENOENT ? 127 : 126);
}

/* Hand on what there is; the descriptor does not block. */
static void relay_output(int from, int to)
{
	static char buf[65536];
	ssize_t n;

	while ((n = read(from, buf, sizeof(buf))) > 0)
		write_all(to, buf, n);
}

/* "prio,seq,usec,flags;text", then lines of properties that begin with ' ' */
static void relay_kmsg(int from, int to)
{
	static char out[65536];
	size_t len = 0;
	char rec[8192];
	ssize_t n;

	for (;;) {
		unsigned long long usec = 0;
		char *text, *end;

		n = read(from, rec, sizeof(rec) - 1);
		if (n < 0 && errno == EPIPE)
			continue;
		if (n <= 0)
			break;
		rec[n] = '\0';
		text = strchr(rec, ';');
		if (!text)
			continue;
		sscanf(rec, "%*u,%*u,%llu", &usec);
		end = strchr(++text, '\n');
		if (end)
			*end = '\0';
		if (len + strlen(text) + 64 > sizeof(out)) {
			write_all(to, out, len);
			len = 0;
		}
		len += snprintf(out + len, sizeof(out) - len,
				"[%5llu.%06llu] %s\n", usec / 1000000,
				usec % 1000000, text);
	}
	write_all(to, out, len);
}

static int create(const char *name)
{
	int fd = openat(ctl, name, O_WRONLY | O_CREAT | O_CLOEXEC | O_APPEND,
			0644);

	if (fd < 0)
		fail("%s", name);
	return fd;
}

static int run_script(int output, int kmsg_in, int kmsg_out)
{
	int status = 0, pipes[2];
	struct pollfd fds[3];
	bool done = false;
	sigset_t set;
	pid_t child;

	if (pipe2(pipes, O_CLOEXEC | O_NONBLOCK))
		fail("pipe");
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);

	fds[0] = (struct pollfd){ .fd = pipes[0], .events = POLLIN };
	fds[1] = (struct pollfd){ .fd = kmsg_in, .events = POLLIN };
	fds[2] = (struct pollfd){
		.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK),
		.events = POLLIN,
	};

	child = fork();
	if (child < 0)
		fail("fork");
	if (!child) {
		/* only this end of the pipe is the script's: it may block */
		fcntl(pipes[1], F_SETFL, 0);
		exec_script(pipes[1]);
	}
	close(pipes[1]);

	while (!done) {
		struct signalfd_siginfo info;
		pid_t pid;
		int s;

		poll(fds, 3, -1);
		if (read(fds[2].fd, &info, sizeof(info)) < 0 &&
		    errno != EAGAIN)
			fail("signalfd");
		while ((pid = waitpid(-1, &s, WNOHANG)) > 0) {
			if (pid == child) {
				status = s;
				done = true;
			}
		}
		relay_output(pipes[0], output);
		relay_kmsg(kmsg_in, kmsg_out);
		if (fds[0].revents & POLLHUP)
			fds[0].fd = -1;
	}
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) :
				     WEXITSTATUS(status);
}

#define KMEMLEAK	"/sys/kernel/debug/kmemleak"
#define LEAK_AGE	6	/* seconds; what is younger is not taken for a leak */

static void note(int fd, const char *text)
{
	write_all(fd, text, strlen(text));
}

/*
 * What is not referred to any more is reported by the second scan that finds it so
 * and unchanged, and not again.
 */
static void scan_for_leaks(int leaks)
{
	int i, fd;

	for (i = 0; i < 2; i++) {
		fd = open(KMEMLEAK, O_WRONLY | O_CLOEXEC);
		if (fd < 0 || write(fd, "scan", 4) != 4)
			fail(KMEMLEAK);
		close(fd);
	}
	fd = open(KMEMLEAK, O_RDONLY | O_CLOEXEC);
	relay_output(fd, leaks);
	close(fd);
	fd = open(KMEMLEAK, O_WRONLY | O_CLOEXEC);
	if (write(fd, "clear", 5) != 5)
		fail(KMEMLEAK);
	close(fd);
}

/*
 * Before the module goes its functions have names in the stacks; after that its
 * own variables refer to nothing.
 */
static void look_for_leaks(void)
{
	int leaks = create("leaks");

	sleep(LEAK_AGE);
	scan_for_leaks(leaks);
	if (syscall(SYS_delete_module, "dm_chain", O_NONBLOCK)) {
		if (errno != ENOENT)
			note(leaks, "dm_chain is still in use after the test\n");
		return;
	}
	scan_for_leaks(leaks);
}

static void report(int status)
{
	char text[16];
	int n = snprintf(text, sizeof(text), "%d\n", status);
	int share, fd;

	/* a sync of everything would wait for suspended devices */
	share = open("/share", O_RDONLY | O_CLOEXEC);
	if (share >= 0) {
		syncfs(share);
		close(share);
	}
	fd = create("status.new");
	write_all(fd, text, n);
	if (fsync(fd) || renameat(ctl, "status.new", ctl, "status"))
		fail("status");
}

int main(int argc, char **argv)
{
	int output, kmsg_in, kmsg_out;
	unsigned int pos;
	int status;

	hostfs = getenv("ctl");
	if (argc > 1 && !strcmp(argv[1], "probe"))
		leave(PROBE_VALUE);

	mkdir("/dev", 0755);
	must_mount("devtmpfs", "/dev", "devtmpfs", 0, "mode=755");
	load_modules();
	mkdir("/ctl", 0755);
	mount_host("ctl", hostfs, "/ctl", 0, P9_OPTIONS "cache=none");
	ctl = open("/ctl", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (ctl < 0)
		fail("/ctl");
	config_read();
	close(create("booted"));
	load_module("/modules/dm-chain.ko");
	output = create("output");
	kmsg_out = create("kmsg");
	kmsg_in = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (kmsg_in < 0)
		fail("/dev/kmsg");

	umask(022);
	build_root();
	fill_root();
	bring_up_lo();
	sethostname("dm-chain", 8);

	status = run_script(output, kmsg_in, kmsg_out);
	pos = 0;
	if (config_next("leaks", &pos)) {
		look_for_leaks();
		relay_kmsg(kmsg_in, kmsg_out);
	}
	report(status);
	leave(0);
	return 0;
}
